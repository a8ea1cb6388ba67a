/**
 * Writes one frozen generation into the key-value store: rows, then session rows, in batches of at most 1
 * MiB.
 *
 * Every batch carries `!applied` = F, the index up to which the generation reaches.
 * Batches may vanish from the middle in a crash; whichever survive, `!applied` is never below the newest row
 * that is there. So it says "as new as F", not "complete to F": completeness is what the checkpoint and the
 * replay give.
 */
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { keyBytes, keyText, makeRow, readRow, storedRow } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { KeyValueBatch, KeyValueStore } from '../env/key-value.js'
import type { Generation } from './generation.js'
import type { SessionWindows } from './windows.js'

/** Names of the store's own rows; no row of the state begins with `!`. */
export const markKeys = {
  /** No row in the store is newer than this index. */
  applied: keyBytes('!applied'),
  /** All rows up to this index are in synced tables. */
  checkpoint: keyBytes('!ckpt'),
  /** The synced write that proves a checkpoint. */
  probe: keyBytes('!probe'),
  /** Recorded checkpoints up to this index speak of a folder that is in quarantine. */
  rebuilding: keyBytes('!void'),
} as const

const nothing = Buffer.alloc(0)

/** The stored form of a mark: a row without value whose version is the index. */
export function markRow(key: Buffer, index: LogIndex): Buffer {
  const version: number = index
  return storedRow(makeRow(keyText(key), version, nothing))
}

/** The index that a mark names, 0 if it is not there; undefined if it does not validate. */
export function readMark(key: Buffer, bytes: Buffer | undefined): LogIndex | undefined {
  const version: number | undefined = bytes === undefined ? 0 : readRow(key, bytes)?.version
  return version
}

/** One frozen generation and where it goes. */
export interface FlushJob {
  readonly store: KeyValueStore
  readonly clock: Clock
  readonly generation: Generation
  readonly windows: SessionWindows
  /** What `!applied` becomes. */
  readonly newest: LogIndex
  /**
   * True: a row that came and went within this generation was never in the store, and need not be written.
   */
  readonly skipsUnborn: boolean
  /** Bytes of keys and values after which a batch is written. */
  readonly batchBytes: number
}

/**
 * When it resolves, the generation was written whole, not yet durably. After a failure it may be repeated.
 */
export async function writeGeneration(job: FlushJob): Promise<void> {
  const writer = new BatchWriter(job)
  for (const [key, form] of job.generation.forms()) {
    if (form.row !== null) writer.put(keyBytes(key), storedRow(form.row))
    else if (!form.born || !job.skipsUnborn) writer.delete(keyBytes(key))
    if (writer.isFull) await writer.write()
    else if (writer.isLate) await writer.pause()
  }
  for (const { key, value } of job.windows.frozenRows()) {
    if (value === undefined) writer.delete(key)
    else writer.put(key, value)
    if (writer.isFull) await writer.write()
    else if (writer.isOver) await writer.pause()
  }
  await writer.write()
}

/** Rows between two looks at the clock. */
const rowsPerLook = 256

class BatchWriter {
  readonly #job: FlushJob
  readonly #mark: Buffer
  #batch: KeyValueBatch
  #bytes = 0
  #rows = 0
  #since: number

  constructor(job: FlushJob) {
    this.#job = job
    this.#mark = markRow(markKeys.applied, job.newest)
    this.#batch = job.store.batch()
    this.#since = job.clock.monotonicMs()
  }

  get isFull(): boolean {
    return this.#bytes >= this.#job.batchBytes
  }

  /** Looks at the clock now and then. */
  get isLate(): boolean {
    return this.#rows % rowsPerLook === 0 && this.isOver
  }

  /** This slice of work has lasted long enough. */
  get isOver(): boolean {
    return this.#job.clock.monotonicMs() - this.#since > limits.sliceMs
  }

  put(key: Buffer, value: Buffer): void {
    this.#batch.put(key, value)
    this.#bytes += key.length + value.length
    this.#rows++
  }

  delete(key: Buffer): void {
    this.#batch.delete(key)
    this.#bytes += key.length
    this.#rows++
  }

  async write(): Promise<void> {
    this.#batch.put(markKeys.applied, this.#mark)
    await this.#batch.write()
    this.#batch = this.#job.store.batch()
    this.#bytes = 0
    this.#since = this.#job.clock.monotonicMs()
  }

  /** Lets the event loop go on. */
  async pause(): Promise<void> {
    await new Promise<void>(resolve => this.#job.clock.soon(resolve))
    this.#since = this.#job.clock.monotonicMs()
  }
}
