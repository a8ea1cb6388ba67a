/** What replicas say reaches those of other nodes, and of every snapshot its sender hears how it ended. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import type { LogIndex, PartitionId, ReplicaId } from '../../../src/base/ids.js'
import type { Address } from '../../../src/env/network.js'
import type { InstallSnapshot, PeerMessage } from '../../../src/raft/messages.js'
import type { Ticket } from '../../../src/replica/admission.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { Switchboard } from '../../../src/replica/switchboard.js'
import type { SimDisk } from '../../../src/sim/sim-disk.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { seed } from '../../seed.js'
import { numbered, TransportWorld } from './transport-world.js'

t.comment(`SEED=${seed}`)

/** One node, with a replica of partition 1 that writes down what it is told. */
interface Side {
  readonly switchboard: Switchboard
  readonly told: string[]
  /** What its replica is asked to decide. */
  readonly tickets: Ticket[]
  readonly opened: OpenedReplica
  readonly disk: SimDisk
}

async function start(world: TransportWorld, host: string, replicaId: ReplicaId): Promise<Side> {
  const told: string[] = []
  const tickets: Ticket[] = []
  const { clock, network } = world
  const machine = new SimMachine({
    clock,
    random: world.random.split(host),
    network: { cables: network, host },
  })
  const { disk } = machine
  const { random } = machine.environment
  const addresses: readonly (Address | undefined)[] = [undefined, 'a:1', 'b:1', 'c:1']
  const switchboard = new Switchboard({
    network: machine.network,
    clock,
    random,
    disk,
    folder: 'partitions',
    clusterEpoch: 1,
    cluster: 'cluster',
    address: `${host}:1`,
    addressOf: (_: PartitionId, replica) => addresses[replica],
    refused: reason => told.push(`refused: ${reason}`),
    notSent: ({ code, message }) => told.push(`not sent: ${code} ${message}`),
    failed: error => told.push(`failed: ${error}`),
  })
  const replica = {
    partition: 1,
    receive: (message: PeerMessage) => told.push(`receives ${message.type} from ${message.from}`),
    unreachable: (other: ReplicaId) => told.push(`cannot reach ${other}`),
    snapshotSent: (to: ReplicaId, arrived: boolean) => told.push(`snapshot to ${to}: ${arrived}`),
    group: () => ({ members: [1, 2, 3, 9].map(id => ({ replica: id })) }),
    servedBy: 2,
    submit: (ticket: Ticket) => tickets.push(ticket),
  }
  const prove = async (index: LogIndex): Promise<string | undefined> => {
    told.push(`proves ${index}`)
    return host === 'a' ? `snapshot ${index} is damaged` : undefined
  }
  const snapshots = { files: [], prove }
  const opened = { replica, replicaId, snapshots, cutBytes: 1000, generation: 0 } as unknown as OpenedReplica
  await switchboard.listen()
  switchboard.plug(opened)
  return { switchboard, told, tickets, opened, disk }
}

const configuration = { voters: [1, 2], outgoing: [], learners: [], learnersNext: [], autoLeave: false }

function snapshotTo(to: ReplicaId): InstallSnapshot {
  const snapshot = { index: 9, term: 3, configuration, configurationIndex: 0 }
  return { type: 'installSnapshot', from: 1, to, term: 3, snapshot }
}

async function pair(
  work: (world: TransportWorld, a: Side, b: Side) => Promise<void>,
  options: ConstructorParameters<typeof TransportWorld>[1] = {},
): Promise<void> {
  const world = new TransportWorld(seed, options)
  await world.run(async () => {
    await work(world, await start(world, 'a', 1), await start(world, 'b', 2))
  })
}

t.test('a message goes where its replica is; to one that nobody knows, nowhere', async t => {
  await pair(async (world, a, b) => {
    a.switchboard.send(1, numbered(1, 1))
    a.switchboard.send(1, { ...numbered(1, 2), to: 9 })
    a.switchboard.send(4, numbered(1, 3))
    await world.wait(100)
    t.strictSame(b.told, ['receives readRequest from 1'], 'partition 4 is not there')
    b.switchboard.unplug(1)
    a.switchboard.send(1, numbered(1, 4))
    await world.wait(100)
    t.equal(b.told.length, 1, 'it takes no part')
    b.switchboard.plug(b.opened)
    a.switchboard.send(1, numbered(1, 5))
    await world.wait(100)
    t.equal(b.told.length, 2)
    t.strictSame(a.told, [])
  })
})

t.test('the replica is told whom its messages do not reach', async t => {
  await pair(async (world, a) => {
    a.switchboard.send(1, { ...numbered(1, 1), to: 3 })
    await world.wait(10_000)
    t.strictSame(a.told, ['cannot reach 3'])
  })
})

t.test('when too much is asked at once, what left is answered, and the rest was not applied', async t => {
  const work = async (world: TransportWorld, a: Side, b: Side): Promise<void> => {
    const told = new Map<string, string>()
    const ask = (name: string): void => {
      const answer: Ticket['answer'] = result =>
        told.set(name, result instanceof SillokError ? `${result.code} ${result.outcome}` : 'answered')
      a.switchboard.submit(1, { command: { type: 'unsubscribe', name }, sender: {}, bytes: 1, answer })
    }
    ask('first')
    await world.wait(1000)
    t.equal(b.tickets.length, 1)
    for (let n = 0; n < 60; n++) ask(`${n}`)
    await world.wait(3000)
    t.ok(told.size > 0 && told.size < 60, `${told.size} did not leave`)
    t.ok([...told.values()].every(answer => answer === 'UNAVAILABLE not-applied'))
    t.equal(told.size + b.tickets.length, 61)
    for (const { answer } of b.tickets) answer({ ok: true, version: 1, value: null })
    await world.wait(3000)
    t.equal(told.get('first'), 'answered')
    t.ok(told.size > 30, 'and more')
  }
  await pair(work, { waitingBytesMax: 300 })
})

t.test('of every snapshot that is not sent the replica is told; one that is refused is proved', async t => {
  await pair(async (world, a, b) => {
    const send = async (to: ReplicaId): Promise<string[]> => {
      a.told.length = 0
      a.switchboard.sendSnapshot(1, snapshotTo(to))
      await world.wait(20_000)
      return a.told
    }
    t.match(await send(9), [/UNAVAILABLE nobody knows where replica 9 is/, 'snapshot to 9: false'])
    t.match(await send(3), [/UNAVAILABLE nobody answers/, 'snapshot to 3: false'])
    t.match(await send(2), [/LOG_TRUNCATED .*not kept any more/, 'snapshot to 2: false'])
    b.switchboard.unplug(1)
    t.match(await send(2), [
      /replica 2 of partition 1 takes no part here/,
      /^proves [0-9]+$/,
      /DAMAGED snapshot [0-9]+ is damaged/,
      'snapshot to 2: false',
    ])
    await b.switchboard.close()
    t.match(await send(2), [/UNAVAILABLE nobody answers/, 'snapshot to 2: false'])
    t.strictSame(b.told, [])
  })
})

t.test('of snapshots that come in at once one at most is taken in, and the next one again', async t => {
  await pair(async (world, a, b) => {
    const refusals = (): number => a.told.filter(line => line.includes('is coming in')).length
    for (let i = 0; i < 2; i++) a.switchboard.sendSnapshot(1, snapshotTo(2))
    await world.wait(20_000)
    t.strictSame(
      a.told.filter(line => line.startsWith('snapshot to')),
      ['snapshot to 2: false'],
      'of the end of the one before the replica is not told: it would take it for that of this one',
    )
    const before = refusals()
    a.switchboard.sendSnapshot(1, snapshotTo(2))
    await world.wait(20_000)
    t.equal(refusals(), before)
    t.match(a.told.at(-1), 'snapshot to 2: false')
    t.strictSame(b.told, [])
  })
})

t.test('what must not happen while a snapshot comes in ends that node, and its sender is told', async t => {
  await pair(async (world, a, b) => {
    b.disk.remove = () => Promise.reject(new Error('a bug'))
    a.switchboard.sendSnapshot(1, snapshotTo(2))
    await world.wait(20_000)
    t.match(a.told.at(0), /not sent: UNAVAILABLE .*an invariant is broken: a bug/)
    t.equal(a.told.at(-1), 'snapshot to 2: false')
    t.strictSame(b.told, ['failed: Error: a bug'])
  })
})

t.test('a closed switchboard says and hears nothing, and what it was sending has ended', async t => {
  await pair(async (world, a, b) => {
    world.network.storm([500, 500])
    a.switchboard.sendSnapshot(1, snapshotTo(2))
    await a.switchboard.close()
    t.match(a.told.slice(-1), ['snapshot to 2: false'])
    a.told.length = 0
    a.switchboard.send(1, numbered(1, 1))
    a.switchboard.sendSnapshot(1, snapshotTo(2))
    await world.wait(20_000)
    t.strictSame([a.told, b.told], [[], []])
  })
})
