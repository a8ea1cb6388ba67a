/** Derived indexes of a real store, damaged and deleted. `npm run soak -- indexes`: the long form. */
import t from 'tap'
import { seed } from '../seed.js'
import { IndexWorld } from './index-world.js'

t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

t.test('an index whose folder is deleted under load is right again', async t => {
  const world = new IndexWorld(seed)
  const report = await world.deleteFolders(3)
  t.comment(report)
  t.ok(report.rebuilds >= 3)
  world.remove()
})

t.test('a flipped bit in the files of an index never makes an answer wrong', async t => {
  const world = new IndexWorld(seed)
  const report = await world.flipBits(20)
  t.comment(report)
  t.ok(report.rebuilt > 0)
  world.remove()
})

t.test('what was inserted is found at once', async t => {
  const world = new IndexWorld(seed)
  t.comment(await world.insertAndFind(300))
  world.remove()
  t.pass('each was found')
})
