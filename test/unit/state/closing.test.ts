/** What is read of a state that is closed meanwhile never passes for the whole. */
import t from 'tap'
import type { Scan } from '../../../src/state/scan.js'
import { seed } from '../../seed.js'
import { World } from './world.js'

t.comment(`SEED=${seed}`)

/** Over a state whose rows are partly in the store, partly in memory. */
async function inWorld(story: (world: World) => Promise<void>): Promise<void> {
  const world = new World(seed)
  await world.clock.run(async () => {
    await world.open()
    world.write(200)
    await world.state.flush()
    world.write(50)
    await story(world)
  })
}

const closed = { code: 'CLOSED', outcome: 'not-applied' }

t.test(
  'a scan that is cut short by a close rejects; a page that was being read is one, or the refusal',
  async t => {
    await inWorld(async ({ state }) => {
      const scans = [1, 1, 7].map(pageRows => state.scan({ pageRows }))
      for (const scan of scans.slice(0, 2)) t.equal((await scan.next()).done, false)
      const reading = scans.slice(1).map(scan =>
        scan.next().then(
          ({ done }) => t.equal(done, false, 'never the end'),
          (error: unknown) => t.match(error, closed),
        ),
      )
      await state.close()
      await Promise.all(reading)
      for (const scan of scans) {
        await t.rejects(scan.next(), closed)
        await t.rejects(scan.next(), closed, 'each time')
      }
    })
  },
)

t.test('a scan ends quietly when its reader or its rows end it, whatever is closed then', async t => {
  await inWorld(async ({ state }) => {
    const [left, whole, late] = [{}, {}, {}].map(range => state.scan(range)) as [Scan, Scan, Scan]
    await left.next()
    await left.return()
    for await (const _ of whole);
    await state.close()
    await late.return()
    for (const scan of [left, whole, late]) t.equal((await scan.next()).done, true)
  })
})

t.test('a scrub that is cut short by a close rejects, and finds no damage', async t => {
  await inWorld(async ({ state }) => {
    const scrub = t.rejects(state.scrub(), closed)
    await state.close()
    await scrub
    await t.rejects(state.scrub(), closed)
  })
})

t.test('of a closed state neither scan nor view is to be had', async t => {
  await inWorld(async ({ state }) => {
    await state.close()
    t.throws(() => state.scan({}), closed)
    t.throws(() => state.view(), closed)
  })
})
