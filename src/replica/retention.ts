/**
 * Keeps the log of one partition bounded: makes a snapshot of the state when enough log has come since the
 * last one, and gives up what of the log nobody needs.
 *
 * Always holds:
 * - two snapshot files count before anything goes, and the log reaches back to the older one; so the state
 *   can be made from either of them, though the key-value store and one file are lost;
 * - whole sealed segments go, the oldest first, never the newest; besides that `retainBytes` of log stay, and
 *   what a pin needs (see pins);
 * - the point up to which the log is given up is durable in the write-ahead log before the first file goes. A
 *   crash after it leaves files below that point, which the next opening removes; one before it leaves all.
 *
 * One snapshot at a time on a node, in the background. On a full disk it is given up and tried again later.
 */
import { must } from '../base/assert.js'
import { isSillokError, messageOf } from '../base/errors.js'
import type { LogIndex, PartitionId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Clock } from '../env/clock.js'
import { timeOf } from '../machine/evolve.js'
import type { SegmentLog } from '../segments/segment-log.js'
import type { Gate } from '../state/gate.js'
import type { HeldState } from '../state/snapshot-writer.js'
import type { State } from '../state/state.js'
import { truncationRegister } from '../wal/registers.js'
import type { Wal } from '../wal/wal.js'
import { isClosing } from './failure.js'
import type { ReadEntries } from './index-source.js'
import { encodeMembership, type Memberships } from './memberships.js'
import { type Pin, type PinPlace, Pins } from './pins.js'
import type { Snapshots } from './snapshots.js'

/** What retention works with. */
export interface RetentionParts {
  readonly partition: PartitionId
  readonly clusterEpoch: number
  readonly clock: Clock
  readonly wal: Wal
  readonly segments: SegmentLog
  readonly state: State
  readonly snapshots: Snapshots
  readonly memberships: Memberships
  readonly limits: Limits
  /** Writes a state checkpoint into the log. */
  readonly record: (bytes: Buffer) => Promise<void>
  /** Committed entries of the partition. */
  readonly read: ReadEntries
  /** Of the node: one snapshot at a time. */
  readonly gate: Gate
  /** Who needs the log now; undefined while that is not known yet: then nothing is given up. */
  readonly places: () => readonly PinPlace[] | undefined
  /** Called when the log could be given up but for a partition that has not logged how far it is. */
  readonly behind: () => void
  /** Called with each failure that is tried again later. */
  readonly retried: (error: unknown) => void
  /** Called when the disk fails. */
  readonly failed: (error: unknown) => void
}

/** What is kept, and for whom. */
export interface RetentionStatus {
  /** The first entry that the log has. */
  readonly firstIndex: LogIndex
  /** Bytes of the log's entries. */
  readonly logBytes: number
  /** The newest snapshot of the state is as of this entry; 0: there is none. */
  readonly snapshot: LogIndex
  readonly snapshotBytes: number
  /** Why the last try to make one failed; undefined if it did not. */
  readonly snapshotFailure: string | undefined
  /** Why the log could not be trimmed at the last look; undefined if it could, or nothing was to go. */
  readonly trimFailure: string | undefined
  /** Who holds the log, or was left behind by it, the lowest position first. */
  readonly pins: readonly Pin[]
}

/**
 * Snapshots and trimming of one partition: call `look` now and then, `stop` before state and segments close.
 */
export class Retention {
  readonly #parts: RetentionParts
  readonly #pins: Pins
  #making: Promise<void> | undefined
  /** It has passed the gate: before that it does nothing once it is stopped. */
  #isMaking = false
  #trimming: Promise<void> | undefined
  #retryMs = Number.NEGATIVE_INFINITY
  #lookMs = Number.NEGATIVE_INFINITY
  #failure: string | undefined
  #trimFailure: string | undefined
  #stopped = false
  /** Ends the waits of what is under way. */
  #stop: () => void = () => {}
  readonly #stopping: Promise<void>

  constructor(parts: RetentionParts) {
    this.#parts = parts
    this.#pins = new Pins(parts.clock, parts.segments)
    this.#stopping = new Promise(resolve => {
      this.#stop = resolve
    })
  }

  /** Begins what is due, in the background. Cheap when nothing is. */
  look(): void {
    if (this.#stopped) return
    if (this.#making === undefined && this.#isDue()) {
      this.#making = this.#make().finally(() => {
        this.#making = undefined
      })
    }
    if (this.#trimming === undefined && this.#parts.clock.monotonicMs() >= this.#lookMs) {
      this.#trimming = this.#trim().finally(() => {
        this.#trimming = undefined
      })
    }
  }

  status(): RetentionStatus {
    const { segments, snapshots, places } = this.#parts
    const { newest } = snapshots
    return {
      firstIndex: segments.firstIndex,
      logBytes: segments.bytesAfter(segments.firstIndex - 1),
      snapshot: newest?.index ?? 0,
      snapshotBytes: newest?.bytes ?? 0,
      snapshotFailure: this.#failure,
      trimFailure: this.#trimFailure,
      pins: this.#pins.look(places() ?? [], this.#floor()),
    }
  }

  /** When it resolves nothing is under way and nothing begins any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#stop()
    // Who waits at the gate waits for another partition, which may be stopped after this one.
    if (this.#isMaking) await this.#making
    await this.#trimming
  }

  #isDue(): boolean {
    const { clock, state, segments, snapshots, memberships, limits } = this.#parts
    const { newest, missing } = snapshots
    const index = newest?.index ?? 0
    if (!state.isReadable || state.applied <= index || clock.monotonicMs() < this.#retryMs) return false
    // A file that counted and is gone is replaced at once.
    if (missing.length > 0 && snapshots.previous === undefined) return true
    // Nor can one be sent whose group is forgotten.
    if (newest !== undefined && memberships.asOf(newest.index) === undefined) return true
    const due = Math.max(limits.snapshotLogBytesMin, limits.snapshotLogRatio * (newest?.bytes ?? 0))
    return segments.bytesAfter(index) > due
  }

  async #make(): Promise<void> {
    const { clock, gate, limits } = this.#parts
    try {
      await gate.run(async () => {
        if (this.#stopped) return
        this.#isMaking = true
        await this.#snapshot().finally(() => {
          this.#isMaking = false
        })
      })
      this.#failure = undefined
    } catch (error) {
      this.#failure = messageOf(error)
      this.#retryMs = clock.monotonicMs() + limits.snapshotRetryMs
      this.#failed(error)
    }
  }

  async #snapshot(): Promise<void> {
    const { partition, clusterEpoch, memberships, state, segments, snapshots, limits, record } = this.#parts
    const held: HeldState = await state.hold(record)
    try {
      const { index } = held
      if (index <= (snapshots.newest?.index ?? 0)) return
      // What ends before the index is sealed then: the cut is a fact of the log, not of this moment.
      await Promise.race([segments.sync(), this.#stopping])
      if (this.#stopped) return
      const entry = await this.#entry(index)
      const sealed = segments.sealed.findLast(({ lastIndex }) => lastIndex <= index)
      // None ended since a snapshot of another replica was installed: the log begins at a cut.
      const lastCut = sealed?.lastIndex ?? segments.firstIndex - 1
      const membership = memberships.asOf(index)
      // So many changes since then that they are forgotten: the next one will do.
      if (membership === undefined) return
      const configuration = encodeMembership(membership)
      const { term, time } = entry
      const head = { partition, clusterEpoch, index, term, time, lastCut, configuration }
      await snapshots.make(head, held, limits.snapshotFrameBytes, () => this.#stopped)
    } finally {
      held.release()
    }
  }

  async #entry(index: LogIndex): Promise<{ readonly term: number; readonly time: number }> {
    for await (const entries of this.#parts.read(index, index)) {
      const entry = must(entries[0], `entry ${index}`)
      return { term: entry.term, time: timeOf(entry) }
    }
    throw new Error(`entry ${index} is not there`)
  }

  /** Entries up to there are kept for no snapshot and by no policy. */
  #floor(): LogIndex {
    const { segments, snapshots, limits } = this.#parts
    const { previous } = snapshots
    if (previous === undefined) return segments.firstIndex - 1
    let bytes = segments.bytesAfter(segments.sealed.at(-1)?.lastIndex ?? 0)
    for (let at = segments.sealed.length - 1; at >= 0; at--) {
      const segment = segments.sealed[at]
      if (segment === undefined) break
      if (bytes >= limits.retainBytes) return Math.min(previous.index, segment.lastIndex)
      bytes += segment.bytes
    }
    return segments.firstIndex - 1
  }

  async #trim(): Promise<void> {
    const { clock, partition, wal, segments, limits } = this.#parts
    this.#lookMs = clock.monotonicMs() + limits.trimPauseMs
    try {
      const through = this.#trimmable()
      if (through < segments.firstIndex) return
      const { term } = await this.#entry(through)
      await wal.record(partition, [truncationRegister({ index: through, term })])
      if (this.#stopped) return
      await segments.trim(through)
      this.#trimFailure = undefined
    } catch (error) {
      this.#trimFailure = messageOf(error)
      this.#failed(error)
    }
  }

  #trimmable(): LogIndex {
    const { segments, limits, places, behind } = this.#parts
    const floor = this.#floor()
    if (segments.trimmable(floor) < segments.firstIndex) return 0
    const known = places()
    if (known === undefined) return 0
    const pins = this.#pins.look(known, floor)
    if (pins.some(({ kind, position }) => kind === 'partition' && position < floor)) behind()
    return segments.trimmable(this.#pins.lowest(pins, floor, limits.pinBytes))
  }

  /**
   * What does not fit is tried again later, the log standing untrimmed meanwhile: a full disk, a store that
   * is being closed, rows that fail their check.
   */
  #failed(error: unknown): void {
    const isPassing = isSillokError(error, 'DISK_FULL') || isSillokError(error, 'DAMAGED') || isClosing(error)
    if (isPassing) this.#parts.retried(error)
    else this.#parts.failed(error)
  }
}
