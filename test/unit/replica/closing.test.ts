/** A node that closes leaves nothing behind, whatever is under way: no failure, no file, nobody who waits. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { SillokError } from '../../../src/index.js'
import { Host } from '../../../src/replica/host.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { counted } from './counted.js'
import { machineOf } from './replica-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(60_000)

interface World {
  readonly clock: SimClock
  readonly machine: SimMachine
  readonly pass: (ms: number) => Promise<void>
}

function worldOf(name: string): World {
  const { clock, machine } = machineOf(`${seed} ${name}`)
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

/** A node alone with an index of which another making is to take the place, and is not built yet. */
async function withTwoMakings({ clock, machine, pass }: World): Promise<{ cluster: string }> {
  return await clock.run(async () => {
    const store = await Store.open(machine.environment, 'data')
    const by = (field: string) => ({ key: 'id', indexes: { by: { type: 'secondary', fields: [field] } } })
    await store.define('a', by('x'))
    await store.collection('a').insertMany(Array.from({ length: 30 }, (_, id) => ({ id, x: 1, y: 1 })))
    await pass(1000)
    await store.define('a', by('y'))
    const file = await machine.environment.disk.open('data/IDENT')
    const identity = JSON.parse((await file.read(0, 4096)).toString()) as { cluster: string }
    await file.close()
    return identity
  })
}

/** Opens it as the one member of its cluster; resolves with what is open long after the work closed it. */
async function leftOpen(name: string, work: (host: Host, world: World) => Promise<void>): Promise<string[]> {
  const clock = new SimClock()
  const random = new Random(`${seed} ${name}`)
  const cables = new SimNetwork({ clock, random: random.split('cables') })
  const machine = new SimMachine({ clock, random, network: { cables, host: 'a' } })
  const world: World = { clock, machine, pass: ms => new Promise(resolve => clock.after(ms, resolve)) }
  const { cluster } = await withTwoMakings(world)
  const { env, open } = counted(machine.restart())
  const { network } = machine
  const member = { network, cluster, node: 1, address: 'a:1', addressOf: () => undefined }
  return await clock.run(async () => {
    const host = await Host.open({ env, folder: 'data', indexTypes: new IndexTypes([]).byName, member })
    await work(host, world)
    await world.pass(5000)
    return [...open]
  })
}

t.test('a member that is closed at any moment of its beginning leaves nothing open', async t => {
  for (let place = 0; place < 40; place++) {
    const late = await leftOpen(`${place % 4}`, async (host, { pass }) => {
      await pass(place * 0.1)
      await host.close()
    })
    t.strictSame(late, [], `${place}`)
  }
})

t.test('a member that is closed when it hears that all is readable opens no index', async t => {
  const late = await leftOpen('beginning', async (host, { pass }) => {
    const { data } = host
    const readable = data.readable.bind(data)
    let isClosed = false
    data.readable = async () => {
      await readable()
      await host.close()
      isClosed = true
    }
    while (!isClosed) await pass(0.1)
    await t.rejects(host.whole(), { code: 'CLOSED' })
    t.throws(() => host.indexes, { name: 'InvariantError' })
  })
  t.strictSame(late, [])
})
