/** One batch of the log lets a snapshot take the place of a replica's state and log, which ended before. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { limits } from '../../../src/base/limits.js'
import { documentKey } from '../../../src/machine/keys.js'
import { installSnapshot } from '../../../src/replica/install-snapshot.js'
import { createPartition, type OpenedReplica, openReplica } from '../../../src/replica/open-replica.js'
import type { PreparedSnapshot } from '../../../src/replica/prepared-snapshot.js'
import { Gate } from '../../../src/state/gate.js'
import {
  decodeHardState,
  decodeTruncation,
  type RegisterKind,
  registerKinds,
} from '../../../src/wal/registers.js'
import { Wal } from '../../../src/wal/wal.js'
import { seed } from '../../seed.js'
import { Parcel } from './parcel.js'

t.comment(`SEED=${seed}`)

/** The replica 2 of the other machine, on what its disk has. */
class There {
  readonly #parcel: Parcel
  readonly wal: Wal
  readonly opened: OpenedReplica

  private constructor(parcel: Parcel, wal: Wal, opened: OpenedReplica) {
    this.#parcel = parcel
    this.wal = wal
    this.opened = opened
  }

  static async open(parcel: Parcel, isNew: boolean): Promise<There> {
    const env = isNew ? parcel.machine.environment : parcel.machine.restart()
    const failed = (error: unknown): never => {
      throw error
    }
    const { disk, clock, random } = env
    const fileBytes = limits.walFileBytesEmbedded
    const wal = await Wal.open({ disk, clock, random, folder: 'wal', fileBytes, failed })
    const own = { segmentCutBytes: parcel.opened.cutBytes, checkpointPauseMs: 0 }
    const ownLimits = { ...limits, ...own }
    if (isNew) await createPartition(wal, 1, ownLimits, { replicaId: 2, voters: [2] })
    const opened = await openReplica({
      env,
      folder: 'there',
      partition: 1,
      clusterEpoch: 1,
      wal,
      flushGate: new Gate(1),
      limits: ownLimits,
      openSession: () => Promise.reject(new Error('no sessions here')),
      applied: () => {},
      failed,
      rebuilt: () => {},
    })
    return new There(parcel, wal, opened)
  }

  /** It leads alone, has a sealed segment, entries behind it, and a checkpoint. */
  async fill(): Promise<void> {
    const { replica, segments, state, record } = this.opened
    replica.start(0)
    await new Promise<void>((resolve, reject) =>
      replica.readBarrier(error => (error ? reject(error) : resolve())),
    )
    const marks = [registerKinds.segmentSynced, registerKinds.segmentSealed]
    while (marks.some(kind => this.register(kind) === undefined)) {
      replica.recordTime(-1)
      await new Promise<void>(resolve => this.#parcel.clock.after(1, resolve))
      if (segments.sealed.length > 0) await segments.sync()
    }
    await state.checkpoint(record, { force: true })
  }

  register(kind: RegisterKind): Buffer | undefined {
    return this.wal.register(1, kind)
  }
}

async function installing(
  work: (parcel: Parcel, there: There, prepared: PreparedSnapshot) => Promise<void>,
): Promise<void> {
  const parcel = new Parcel(seed)
  await parcel.run(async (message, pieces) => {
    const there = await There.open(parcel, true)
    await there.fill()
    await work(parcel, there, await parcel.takeAll(message, pieces))
  })
}

const hardStateAt = (commit: number) => ({ term: 1000, vote: 3, commit })

t.test('what is installed counts after a crash: state, log, group, and the term that was seen', async t => {
  await installing(async (parcel, there, prepared) => {
    const { index, configuration } = prepared.head
    await installSnapshot(there.wal, there.opened, { prepared, hardState: hardStateAt(index) })
    parcel.machine.crash('none')
    const after = await There.open(parcel, false)
    const { opened } = after
    t.strictSame(
      decodeHardState(must(after.register(registerKinds.hardState), 'hard state')),
      hardStateAt(index),
    )
    t.strictSame([opened.generation, opened.folder], [1, 'there/1-2.1'])
    t.strictSame([opened.segments.firstIndex, opened.segments.lastIndex], [prepared.head.lastCut + 1, index])
    t.equal(opened.log.term(prepared.head.lastCut), prepared.cutTerm)
    t.equal(opened.lastTime, prepared.head.time)
    t.ok(after.register(registerKinds.configuration)?.equals(configuration))
    t.equal(opened.replica.applied, index)
    for (const id of ['k0', 'k7', 'k39']) {
      const key = documentKey(1, id)
      t.ok(opened.state.lookup(key) ?? opened.state.loadSync([key]).get(key), `${id} is there`)
    }
    t.strictSame(await parcel.left(), ['1-2.1'])
  })
})

t.test('of the old log no mark stays, and its parts are closed', async t => {
  await installing(async (_, there, prepared) => {
    const { index, term } = prepared.head
    for (const kind of [registerKinds.segmentSynced, registerKinds.segmentSealed, registerKinds.checkpoint]) {
      t.ok(there.register(kind), `${kind} is there before`)
    }
    const { state, segments } = there.opened
    const hardState = hardStateAt(index)
    await installSnapshot(there.wal, there.opened, { prepared: { ...prepared, mark: undefined }, hardState })
    for (const kind of [registerKinds.segmentSynced, registerKinds.segmentSealed, registerKinds.checkpoint]) {
      t.equal(there.register(kind), undefined, `${kind} is taken back`)
    }
    t.strictSame(decodeTruncation(must(there.register(registerKinds.truncation), 'a cut')), { index, term })
    t.throws(() => state.loadSync([documentKey(1, 'k0')]))
    t.throws(() => segments.append([]), { message: /after close/ })
  })
})
