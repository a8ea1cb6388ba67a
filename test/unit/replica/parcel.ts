/** A node that has a snapshot to send and a log that is trimmed behind it, and a machine that takes it in. */
import { assert, must } from '../../../src/base/assert.js'
import type { LogIndex } from '../../../src/base/ids.js'
import { Random } from '../../../src/base/random.js'
import type { InstallSnapshot } from '../../../src/raft/messages.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import type { PreparedSnapshot } from '../../../src/replica/prepared-snapshot.js'
import { type IntakeOptions, SnapshotIntake } from '../../../src/replica/snapshot-intake.js'
import { type SnapshotPiece, snapshotPieces } from '../../../src/replica/snapshot-parcel.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { truncationRegister } from '../../../src/wal/registers.js'
import { GroupNode } from '../../sim/group/group-node.js'
import { definePlaces, soonTrimmed, writePlace } from './places.js'

/** A node that leads a group of its own, and another machine that takes in what it would send. */
export class Parcel {
  readonly clock = new SimClock()
  readonly random: Random
  readonly machine: SimMachine
  #node: GroupNode | undefined

  constructor(seed: string) {
    this.random = new Random(seed)
    this.machine = new SimMachine({ clock: this.clock, random: this.random.split('there') })
  }

  get opened(): OpenedReplica {
    return must(this.#node?.opened, 'the sender')
  }

  /** What the sender would send now. */
  pieces(message: InstallSnapshot): AsyncGenerator<SnapshotPiece> {
    const { disk } = must(this.#node, 'the sender').machine.environment
    return snapshotPieces(disk, this.opened, message.snapshot.index)
  }

  /** The work, once the sender has a snapshot and its log is trimmed behind it. */
  async run(
    work: (message: InstallSnapshot, pieces: readonly SnapshotPiece[]) => Promise<void>,
  ): Promise<void> {
    let failed: (error: unknown) => void = () => {}
    const failure = new Promise<never>((_, reject) => {
      failed = reject
    })
    const node = new GroupNode({
      id: 1,
      voters: [1],
      clock: this.clock,
      random: this.random.split('here'),
      limits: soonTrimmed,
      ignoreSync: false,
      cables: new SimNetwork({ clock: this.clock, random: this.random.split('cables') }),
      sending: () => {},
      notSent: () => {},
      installing: () => {},
      alarmed: failed,
      crashed: () => {},
      failed,
    })
    const all = async (): Promise<void> => {
      await node.start()
      this.#node = node
      await this.#fill()
      const message = this.#message()
      const pieces: SnapshotPiece[] = []
      for await (const piece of this.pieces(message)) pieces.push(piece)
      await work(message, pieces)
    }
    await this.clock.run(Promise.race([all(), failure]))
  }

  /** Where an intake puts it. */
  async begin(message: InstallSnapshot, own: Partial<IntakeOptions> = {}): Promise<SnapshotIntake> {
    const { disk, clock } = this.machine.environment
    const { cutBytes } = this.opened
    const place = { disk, clock, folder: 'there', partition: 1, replicaId: 2, generation: 1, cutBytes }
    return await SnapshotIntake.begin({ ...place, clusterEpoch: 1, ...own }, message)
  }

  async takeAll(
    message: InstallSnapshot,
    pieces: readonly SnapshotPiece[],
    own = {},
  ): Promise<PreparedSnapshot> {
    const intake = await this.begin(message, own)
    try {
      for (const piece of pieces) await intake.take(piece)
      return await intake.finish()
    } catch (error) {
      await intake.abandon()
      throw error
    }
  }

  /** Of the sender's log, as its retention does. */
  async trim(through: LogIndex): Promise<void> {
    const { segments } = this.opened
    const term = must(segments.term(through), 'a term')
    await this.#node?.wal?.record(1, [truncationRegister({ index: through, term })])
    await segments.trim(through)
  }

  /** Of the sender's newest snapshot only so much is there. */
  cutFile(length: number): void {
    const { disk } = must(this.#node, 'the sender').machine
    const { path } = must(this.opened.snapshots.files[0], 'a snapshot')
    disk.setBytes(path, disk.bytesOf(path).subarray(0, length))
  }

  /** Folders of replicas on the other machine. */
  async left(): Promise<readonly string[]> {
    return await this.machine.environment.disk.list('there')
  }

  async #fill(): Promise<void> {
    const { replica, segments, snapshots } = this.opened
    await definePlaces(replica)
    // A segment was sealed behind the snapshot, so that the one before it may go.
    const isTrimmed = (): boolean => {
      const file = snapshots.files[0]
      if (file === undefined || segments.firstIndex === 1) return false
      const cut = segments.sealed.findLast(({ lastIndex }) => lastIndex <= file.index)
      return cut !== undefined && cut !== segments.sealed.at(-1)
    }
    for (let n = 0; !isTrimmed() || n < 100; n++) {
      await writePlace(replica, n)
      await new Promise<void>(resolve => this.clock.after(20, resolve))
    }
  }

  /** What a leader would say of its newest snapshot. */
  #message(): InstallSnapshot {
    const { snapshots, log, memberships } = this.opened
    const { index } = must(snapshots.files[0], 'a snapshot')
    const snapshot = must(log.snapshot(), 'a snapshot')
    assert(snapshot.index === index && memberships.newest.configuration.voters.includes(1), 'its snapshot')
    return { type: 'installSnapshot', from: 1, to: 2, term: snapshot.term, snapshot }
  }
}
