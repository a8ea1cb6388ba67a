/** What comes after a snapshot was sent: the end of an old transfer, of an old replica, of an old file. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import type { Limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { decodeSnapshots } from '../../../src/state/snapshot-record.js'
import { hostOf } from '../../../src/testing/world/world-node.js'
import { registerKinds } from '../../../src/wal/registers.js'
import { seed } from '../../seed.js'
import { GroupNode } from '../../sim/group/group-node.js'
import { definePlaces, soonTrimmed, writePlace } from './places.js'

t.comment(`SEED=${seed}`)

/** A node that leads alone and has trimmed its log, and one that is to listen to it. */
class Two {
  readonly clock = new SimClock()
  readonly #random = new Random(seed)
  readonly cables = new SimNetwork({ clock: this.clock, random: this.#random.split('cables') })
  readonly one: GroupNode
  readonly other: GroupNode
  sent = 0
  installed = 0
  #written = 0

  constructor(limits: Partial<Limits> = {}, ofOther: Partial<Limits> = {}) {
    this.one = this.#node(1, { ...soonTrimmed, ...limits })
    this.other = this.#node(2, { ...soonTrimmed, ...limits, ...ofOther })
  }

  #node(id: number, limits: Partial<Limits>): GroupNode {
    const unexpected = (error: unknown): never => {
      throw error
    }
    return new GroupNode({
      id,
      voters: [1],
      clock: this.clock,
      random: this.#random.split(`node ${id}`),
      limits,
      ignoreSync: false,
      cables: this.cables,
      sending: () => {
        this.sent += 1
      },
      notSent: () => {},
      installing: () => {
        this.installed += 1
      },
      alarmed: () => {},
      crashed: () => {},
      failed: unexpected,
    })
  }

  get leading(): OpenedReplica {
    return must(this.one.opened, 'the replica that leads')
  }

  get listening(): OpenedReplica {
    return must(this.other.opened, 'the replica that listens')
  }

  /** How many snapshots the other one has taken; 0 while it opens one. */
  get taken(): number {
    return this.other.opened?.generation ?? 0
  }

  pass(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.pass(100)
  }

  async write(): Promise<void> {
    await writePlace(this.leading.replica, this.#written++)
    await this.pass(20)
  }

  async run(work: () => Promise<void>): Promise<void> {
    await this.clock.run(async () => {
      await this.one.start()
      await definePlaces(this.leading.replica)
      while (this.leading.segments.firstIndex === 1 || this.#written < 150) await this.write()
      await work()
    })
  }

  /** The other one begins to listen; resolves when that counts. */
  async listen(): Promise<void> {
    await this.other.start()
    await this.leading.replica.changeGroup({
      type: 'simple',
      steps: [{ type: 'addLearner', replica: 2 }],
    })
  }
}

t.test('the end of a transfer of an earlier leadership is not that of the one of now', async t => {
  const two = new Two()
  await two.run(async () => {
    // Its disk takes 5 s for each write of the file.
    const { disk } = two.other.machine
    const open = disk.open.bind(disk)
    disk.open = async (path, options) => {
      const file = await open(path, options)
      if (!path.includes('.snap')) return file
      const write = file.write.bind(file)
      file.write = async (bytes, at) => {
        await two.pass(5000)
        return await write(bytes, at)
      }
      return file
    }
    await two.listen()
    await two.until(() => two.sent > 0)
    await two.pass(1000)
    const { replica } = two.leading
    const nothing = { lastIndex: 0, lastTerm: 0, committed: { index: 0, term: 0 } }
    // Somebody campaigns and does not win: this one leads again, in a later term.
    const term = replica.term + 1
    replica.receive({ type: 'voteRequest', from: 3, to: 1, term, pre: false, transfer: true, ...nothing })
    t.notOk(replica.leads)
    await two.until(() => replica.leads)
    await two.pass(600_000)
    t.strictSame([two.sent, two.installed], [2, 1])
  })
})

t.test(
  'what is found of the files of a replica that was replaced is not recorded of the new ones',
  async t => {
    const two = new Two({}, { checkpointPauseMs: 600_000 })
    await two.run(async () => {
      await two.listen()
      await two.until(() => two.taken === 1)
      const before = two.listening
      const { index } = must(before.snapshots.newest, 'its snapshot')
      two.cables.part([hostOf(1)], [hostOf(2)])
      await two.pass(20_000)
      for (let n = 0; n < 400; n++) await two.write()
      two.cables.calm()
      await two.until(() => two.taken === 2)
      const recorded = (): number[] => {
        const register = two.other.wal?.register(1, registerKinds.snapshot)
        return decodeSnapshots(register).map(record => record.index)
      }
      const kept = recorded()
      t.ok(kept.length > 0)
      await t.rejects(before.snapshots.prove(index), { code: 'CLOSED' }, 'its file is gone')
      t.strictSame(recorded(), kept)
      two.other.crash('none')
      await two.other.start()
      t.ok(two.listening.snapshots.files.length > 0, 'the installed one is there at the next start')
    })
  },
)

t.test('a member that opens what it took is not left behind meanwhile', async t => {
  const two = new Two({ pinBytes: 1e9 })
  await two.run(async () => {
    const { keyValue } = two.other.machine.environment
    const open = keyValue.open.bind(keyValue)
    await two.listen()
    keyValue.open = async (folder, options) => {
      await two.pass(20_000)
      return await open(folder, options)
    }
    for (let n = 0; n < 3000; n++) await two.write()
    t.equal(two.installed, 1)
    t.equal(two.listening.replica.applied, two.leading.replica.applied)
  })
})

t.test('one that proves bad while the next one is recorded does not come back', async t => {
  const two = new Two()
  await two.run(async () => {
    const { snapshots } = two.leading
    await two.until(() => snapshots.files.length === 2)
    const wal = must(two.one.wal, 'the log')
    const record = wal.record.bind(wal)
    let distrusted: Promise<void> | undefined
    // While the record of the next one is on its way to the disk.
    wal.record = async (partition, registers) => {
      const recorded = record(partition, registers)
      const isOfSnapshots = registers.some(({ kind }) => kind === registerKinds.snapshot)
      const bad = snapshots.files.at(-1)?.path
      if (isOfSnapshots && bad !== undefined) distrusted ??= snapshots.distrust([bad])
      await recorded
    }
    while (distrusted === undefined) await two.write()
    await distrusted
    await two.pass(100)
    const recorded = decodeSnapshots(wal.register(1, registerKinds.snapshot)).map(({ index }) => index)
    t.strictSame(
      snapshots.files.map(({ index }) => index),
      recorded,
    )
  })
})
