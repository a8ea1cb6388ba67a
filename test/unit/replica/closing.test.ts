/** A node that closes leaves nothing behind, whatever is under way: no failure, no file, nobody who waits. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { SillokError } from '../../../src/index.js'
import { Host } from '../../../src/replica/host.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'

const seed = process.env['SEED'] ?? String(Date.now() % 1e6)
t.comment(`SEED=${seed}`)
t.setTimeout(60_000)

interface World {
  readonly clock: SimClock
  readonly machine: SimMachine
  readonly pass: (ms: number) => Promise<void>
}

function worldOf(name: string): World {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(`${seed} ${name}`) })
  return { clock, machine, pass: ms => new Promise(resolve => clock.after(ms, resolve)) }
}

/** A host of which nothing is left to be written. */
async function atRest({ machine, pass }: World, failures: SillokError[]): Promise<Host> {
  const host = await Host.open({
    env: machine.environment,
    folder: 'data',
    failed: error => failures.push(error),
  })
  await pass(500)
  for (const { opened } of [host.meta, host.data]) {
    await opened.state.checkpoint(opened.record, { force: true })
    await opened.segments.sync()
  }
  await pass(500)
  return host
}

t.test('what becomes durable while a node closes is no failure, whenever that is', async t => {
  for (let place = 0; place < 40; place++) {
    const world = worldOf(`durable ${place}`)
    await world.clock.run(async () => {
      const failures: SillokError[] = []
      const host = await atRest(world, failures)
      for (const partition of [host.meta, host.data]) partition.recordTime(-1)
      await host.close().catch(error => failures.push(error))
      t.strictSame(failures.map(String), [], `${place}`)
    })
  }
})
