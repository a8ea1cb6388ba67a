/**
 * The snapshots that come in at a node: one at a time for each of its replicas. A newer one takes the place
 * of one that is still coming: its sender has given that up, or has been deposed.
 */
import { SillokError } from '../base/errors.js'
import type { PartitionId, Term } from '../base/ids.js'
import type { Clock } from '../env/clock.js'
import type { Disk } from '../env/disk.js'
import type { InstallSnapshot } from '../raft/messages.js'
import { asFailure } from './failure.js'
import type { Intake } from './incoming-snapshot.js'
import { discardSnapshot } from './install-snapshot.js'
import type { OpenedReplica } from './open-replica.js'
import { SnapshotIntake } from './snapshot-intake.js'
import type { SnapshotPiece } from './snapshot-parcel.js'

/** Where snapshots go. */
export interface SnapshotIntakesOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Holds the folders of all replicas. */
  readonly folder: string
  readonly clusterEpoch: number
  /** This node's replica of the partition, while it takes part. */
  readonly replicaOf: (partition: PartitionId) => OpenedReplica | undefined
  /** The replica has ended to install what came: nobody may take the next one into the same folder. */
  readonly installing: (partition: PartitionId) => void
  /** What must not happen: this node cannot go on. */
  readonly failed: (error: unknown) => void
}

/** The intakes of one node. */
export class SnapshotIntakes {
  readonly #options: SnapshotIntakesOptions
  readonly #running = new Map<PartitionId, Running>()

  constructor(options: SnapshotIntakesOptions) {
    this.#options = options
  }

  /** As `BeginIntake`: rejects with UNAVAILABLE, OVERLOADED, or with what the disk says. */
  async begin(partition: PartitionId, message: InstallSnapshot): Promise<Intake> {
    const { replicaOf, failed } = this.#options
    const earlier = this.#running.get(partition)
    if (earlier !== undefined) await earlier.giveWay(message.term)
    const into = replicaOf(partition)
    if (into?.replicaId !== message.to)
      throw new SillokError(
        'UNAVAILABLE',
        `replica ${message.to} of partition ${partition} takes no part here`,
      )
    // Another one that waited as well was first.
    if (this.#running.has(partition)) throw busy()
    const running: Running = new Running(message.term, failed, () => {
      if (this.#running.get(partition) === running) this.#running.delete(partition)
    })
    this.#running.set(partition, running)
    await running.begin(() => this.#open(partition, into, message))
    return {
      take: piece => running.take(piece),
      abandon: () => running.abandon(),
      finish: () => running.finish(intake => this.#takeOver(partition, into, message, intake)),
    }
  }

  #open(partition: PartitionId, into: OpenedReplica, message: InstallSnapshot): Promise<SnapshotIntake> {
    const { disk, clock, folder, clusterEpoch } = this.#options
    const { replicaId, cutBytes, generation } = into
    const place = { disk, clock, folder, partition, replicaId, cutBytes, clusterEpoch }
    return SnapshotIntake.begin({ ...place, generation: generation + 1 }, message)
  }

  /** What becomes of it is Raft's to say. */
  async #takeOver(
    partition: PartitionId,
    into: OpenedReplica,
    message: InstallSnapshot,
    intake: SnapshotIntake,
  ): Promise<void> {
    const { disk, folder, replicaOf, installing } = this.#options
    const prepared = await intake.finish()
    if (replicaOf(partition) !== into) throw new SillokError('CLOSED', 'its replica takes no part')
    if (into.replica.receiveSnapshot(message, prepared)) installing(partition)
    else await discardSnapshot(disk, folder, prepared)
  }
}

/** One intake, its steps one after the other. */
class Running {
  readonly #term: Term
  readonly #failed: (error: unknown) => void
  readonly #ended: () => void
  #intake: SnapshotIntake | undefined
  #work: Promise<unknown> = Promise.resolve()
  #isFinishing = false
  #isOver = false

  constructor(term: Term, failed: (error: unknown) => void, ended: () => void) {
    this.#term = term
    this.#failed = failed
    this.#ended = ended
  }

  async begin(open: () => Promise<SnapshotIntake>): Promise<void> {
    try {
      await this.#step(async () => {
        this.#intake = await open()
      })
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  take(piece: SnapshotPiece): Promise<void> {
    return this.#step(() => this.#opened().take(piece))
  }

  async finish(takeOver: (intake: SnapshotIntake) => Promise<void>): Promise<void> {
    this.#isFinishing = true
    await this.#step(() => takeOver(this.#opened()))
    this.#isOver = true
    this.#ended()
  }

  /** Nothing of it stays; once more does nothing. */
  async abandon(): Promise<void> {
    await this.#step(async () => {
      if (this.#isOver) return
      this.#isOver = true
      await this.#intake?.abandon()
    }).finally(this.#ended)
  }

  /** Makes room for one of that term. Rejects with OVERLOADED if it is older, or this one is all there. */
  async giveWay(term: Term): Promise<void> {
    if (term < this.#term || this.#isFinishing) throw busy()
    await this.abandon()
  }

  #opened(): SnapshotIntake {
    if (this.#intake === undefined || this.#isOver)
      throw new SillokError('UNAVAILABLE', 'another snapshot takes the place of this one')
    return this.#intake
  }

  /** Whoever sends hears of what must not happen here only that this node stopped. */
  async #step<T>(work: () => Promise<T>): Promise<T> {
    const step = this.#work.then(work)
    this.#work = step.catch(() => {})
    try {
      return await step
    } catch (error) {
      if (error instanceof SillokError) throw error
      this.#failed(error)
      throw asFailure(error)
    }
  }
}

function busy(): SillokError {
  return new SillokError('OVERLOADED', 'another snapshot of the partition is coming in')
}
