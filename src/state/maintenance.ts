/**
 * When and how the state of a replica goes from memory to the key-value store: flushes and checkpoints, one
 * at a time on the whole node.
 *
 * On a full disk it waits: the frozen generation stays in memory and is written again. Any other failed write
 * ends maintenance: memory stays right, nothing is written any more, and the owner is told once.
 */
import { assert } from '../base/assert.js'
import { isSillokError, SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Clock, Timer } from '../env/clock.js'
import type { Disk } from '../env/disk.js'
import type { KeyValueStore } from '../env/key-value.js'
import { listTables } from '../env/level-tables.js'
import { type Checkpoint, encodeCheckpoint, endRebuild, proveCheckpoint } from './checkpoint.js'
import type { Digests } from './digests.js'
import { writeGeneration } from './flush.js'
import { Gate } from './gate.js'
import type { Layers } from './layers.js'
import type { HeldState } from './snapshot-writer.js'
import type { SessionWindows } from './windows.js'

/** Makes the bytes durable in the write-ahead log. */
export type RecordCheckpoint = (bytes: Buffer) => Promise<void>

/** What maintenance works on. */
export interface MaintenanceParts {
  readonly disk: Disk
  readonly clock: Clock
  readonly folder: string
  readonly store: KeyValueStore
  readonly layers: Layers
  readonly windows: SessionWindows
  readonly digests: Digests
  readonly checkpoint: Checkpoint
  /** The store was made anew: what the log has recorded speaks of another one. */
  readonly isUnproven: boolean
  /** The newest index of any row in the store when it was opened. */
  readonly newest: LogIndex
  readonly applied: () => LogIndex
  /** Of the node: lets one through. */
  readonly gate: Gate
  readonly failed: (error: unknown) => void
  readonly limits: Limits
}

/** The state at the moment of a freeze. */
interface Frozen {
  readonly index: LogIndex
  readonly digests: Uint32Array
  readonly appliedBytes: number
}

/** Flushes and checkpoints of one replica: one at a time, in the order asked for, behind the node's gate. */
export class Maintenance {
  readonly #parts: MaintenanceParts
  /** One at a time here, besides the node's gate. */
  readonly #own = new Gate(1)
  #checkpoint: Checkpoint
  #isUnproven: boolean
  #checkpointedMs: number
  #checkpointedBytes = 0
  /** Bytes of keys and rows applied since open. */
  appliedBytes = 0
  /** Generations that were written since open. */
  flushes = 0
  /** Checkpoints that were recorded since open. */
  checkpoints = 0
  #record: RecordCheckpoint | undefined
  #running = false
  #retry: Timer | undefined
  #failure: unknown
  #closed = false

  constructor(parts: MaintenanceParts) {
    this.#parts = parts
    this.#checkpoint = parts.checkpoint
    this.#isUnproven = parts.isUnproven
    this.#checkpointedMs = parts.clock.monotonicMs()
  }

  get checkpointIndex(): LogIndex {
    return this.#checkpoint.index
  }

  /** The last write found the disk full; it is tried again by itself. */
  get waitsForSpace(): boolean {
    return this.#retry !== undefined
  }

  get needsFlush(): boolean {
    const { layers, limits } = this.#parts
    return layers.active.bytes >= limits.memtableBytesMax || layers.frozen !== undefined
  }

  get #checkpointDue(): boolean {
    const { limits } = this.#parts
    const entries = this.#parts.applied() - this.#checkpoint.index
    const bytes = this.appliedBytes - this.#checkpointedBytes
    const isFull = entries >= limits.checkpointEntriesMax || bytes >= limits.checkpointBytesMax
    // Until its first checkpoint a store that was made anew is made anew again by the next opening.
    if (!isFull && !this.#isUnproven) return false
    return this.#parts.clock.monotonicMs() - this.#checkpointedMs >= limits.checkpointPauseMs
  }

  /** Starts what is due. Cheap when nothing is: call it after applying. Without `record`: no checkpoints. */
  maintain(record?: RecordCheckpoint): void {
    this.#record = record ?? this.#record
    if (this.#running || this.#closed || this.#failure !== undefined || this.#retry !== undefined) return
    const checkpoints = this.#record
    const due = checkpoints !== undefined && this.#checkpointDue
    if (!due && !this.needsFlush) return
    this.#running = true
    const work = due ? this.checkpoint(checkpoints) : this.flush()
    void work.catch(error => this.#afterFailure(error)).finally(() => this.#workDone())
  }

  async flush(): Promise<void> {
    await this.#exclusively(async () => void (await this.#flush()))
  }

  /** True if a checkpoint was recorded; false if none is due, unless forced, or nothing is new. */
  async checkpoint(record: RecordCheckpoint, options: { readonly force?: boolean } = {}): Promise<boolean> {
    return await this.#exclusively(async () => {
      if (!this.#isBehind) return false
      if (options.force !== true && !this.#checkpointDue) return false
      await this.#makeCheckpoint(record)
      return true
    })
  }

  /**
   * Makes a checkpoint, unless nothing is new, and holds the store as of it: what is made from it is never
   * newer than the recorded checkpoint, so replay never begins before it.
   */
  async hold(record: RecordCheckpoint): Promise<HeldState> {
    return await this.#exclusively(async () => {
      const { layers, store, digests: now, newest } = this.#parts
      const { index, digests } = this.#isBehind
        ? await this.#makeCheckpoint(record)
        : { index: this.#checkpoint.index, digests: now.copy() }
      const view = layers.hold()
      const { snapshot } = view
      assert(
        view.index === index && index >= newest,
        () => `${view.index} held, ${index} and ${newest} known`,
      )
      return { index, digests, rows: () => store.iterate({ snapshot }), release: () => layers.release(view) }
    })
  }

  /** There is something that the recorded checkpoint does not say. */
  get #isBehind(): boolean {
    return this.#isUnproven || this.#parts.applied() !== this.#checkpoint.index
  }

  async #makeCheckpoint(record: RecordCheckpoint): Promise<Checkpoint> {
    const { disk, folder, store } = this.#parts
    const { index, digests, appliedBytes } = await this.#flush()
    await proveCheckpoint(store, index)
    const tables = await listTables(disk, folder, this.#checkpoint.tables)
    const checkpoint: Checkpoint = { index, digests, tables }
    await record(encodeCheckpoint(checkpoint))
    if (this.#isUnproven) await endRebuild(store)
    this.#checkpoint = checkpoint
    this.#isUnproven = false
    this.checkpoints += 1
    this.#checkpointedMs = this.#parts.clock.monotonicMs()
    this.#checkpointedBytes = appliedBytes
    return checkpoint
  }

  /**
   * Waits for the work in progress; then nothing is written any more. With `record`: a last checkpoint, if
   * there is space.
   */
  async close(record?: RecordCheckpoint): Promise<void> {
    this.#retry?.stop()
    this.#retry = undefined
    try {
      if (record !== undefined && this.#failure === undefined) await this.checkpoint(record, { force: true })
    } catch (error) {
      // The log holds everything: without a last checkpoint the next opening replays it.
      if (!isSillokError(error, 'DISK_FULL')) throw error
    } finally {
      this.#closed = true
      await this.#own.run(async () => undefined)
    }
  }

  async #exclusively<T>(task: () => Promise<T>): Promise<T> {
    return await this.#own.run(() =>
      this.#parts.gate.run(async () => {
        if (this.#closed) throw new SillokError('CLOSED', 'the state is closed')
        if (this.#failure !== undefined) throw this.#failure
        try {
          return await task()
        } catch (error) {
          if (!isSillokError(error, 'DISK_FULL')) this.#fail(error)
          throw error
        }
      }),
    )
  }

  /** Writes what an earlier try left, then all that is applied now. */
  async #flush(): Promise<Frozen> {
    const { applied, layers, windows, digests } = this.#parts
    if (layers.frozen !== undefined) await this.#writeFrozen()
    const frozen = { index: applied(), digests: digests.copy(), appliedBytes: this.appliedBytes }
    if (frozen.index > layers.flushed) {
      layers.freeze(frozen.index)
      windows.freeze()
      await this.#writeFrozen()
    }
    return frozen
  }

  async #writeFrozen(): Promise<void> {
    const { store, clock, layers, windows, newest, limits } = this.#parts
    const generation = layers.frozen
    if (generation?.upTo === undefined) return
    await writeGeneration({
      store,
      clock,
      generation,
      windows,
      newest: Math.max(newest, generation.upTo),
      // Before replay has passed what the store held, it may hold such a row from then.
      skipsUnborn: generation.from >= newest,
      batchBytes: limits.flushBatchBytesMax,
    })
    windows.flushDone()
    layers.flushDone()
    this.flushes += 1
  }

  #workDone(): void {
    this.#running = false
    this.maintain()
  }

  #afterFailure(error: unknown): void {
    if (this.#closed || this.#failure !== undefined) return
    if (!isSillokError(error, 'DISK_FULL')) {
      this.#fail(error)
      return
    }
    const again = (): void => {
      this.#retry = undefined
      this.maintain()
    }
    this.#retry = this.#parts.clock.after(this.#parts.limits.checkpointPauseMs, again, { idle: true })
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#parts.failed(error)
  }
}
