/** Real files: damage in those of LevelDB, and a log that goes round. `npm run soak` goes further. */
import t from 'tap'
import { seed } from '../seed.js'
import { DamageWorld } from './damage-world.js'
import { fillRing } from './ring.js'

t.comment(`SEED=${seed}`)

t.test('damage to the files of LevelDB never shows', async t => {
  const world = new DamageWorld(seed)
  await world.prepare(700)
  await world.flip('log', 12)
  await world.flip('table', 12)
  await world.cutManifest(6)
  world.remove()
  t.comment(world.report)
  t.equal(world.report.opened, 30)
  t.ok(world.report.logBytes > 10_000 && world.report.tableBytes > 10_000)
})

t.test('the ring does not fill while a partition is idle', async t => {
  const report = await fillRing(64, 512 * 1024, 10_000)
  t.comment(report)
  t.equal(report.ringFull, 0)
  t.ok(report.filesOnDiskMax <= 5)
})
