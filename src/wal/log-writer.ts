/**
 * Brings one batch at a time to the end of the log: place in the chain, header of a new file, patience.
 *
 * Always: the position names the last batch that is durable. On a full disk the same bytes go to the same
 * offset again, every second, until they are durable; any other failure ends the log, for nobody knows what
 * is on disk.
 */
import { assert } from '../base/assert.js'
import { isSillokError, SillokError } from '../base/errors.js'
import type { BatchSequence } from '../base/ids.js'
import type { Clock } from '../env/clock.js'
import { BatchWriter, batchFlags } from './batch.js'
import { encodeDurableNote } from './durable-note.js'
import { SyncTimes } from './sync-times.js'
import { encodeFileHeader, openingOffset, type WalFile } from './wal-file.js'

/** Where the chain of batches stands: the last one. */
export interface Position {
  readonly sequence: BatchSequence
  readonly crc: number
}

const retryMs = 1000

/** The end of the log, where batches go. */
export class LogWriter {
  readonly batch = new BatchWriter()
  readonly syncTimes = new SyncTimes()
  /** Bytes of the batches that were written since the log was opened. */
  writtenBytes = 0
  readonly #clock: Clock
  readonly #diskFull: (full: boolean) => void
  #position: Position
  #full = false
  #impatient = false
  /** Batches of the opening that is being written. */
  #opened = 0
  /** The last batch before it. */
  #before: BatchSequence = 0
  #wake: () => void = () => {}

  constructor(clock: Clock, position: Position, diskFull: (full: boolean) => void) {
    this.#clock = clock
    this.#position = position
    this.#diskFull = diskFull
  }

  get position(): Position {
    return this.#position
  }

  /** True while something waits for room on the disk. */
  get full(): boolean {
    return this.#full
  }

  /** From now on a full disk is tried once more and then answered with CLOSED_WHILE_WAITING. */
  hurry(): void {
    this.#impatient = true
    this.#wake()
  }

  /**
   * Writes what `batch` holds as the next batch of the file; durable when it resolves. `isLone`: nothing else
   * goes on until then.
   */
  async commit(file: WalFile, flags: number, openingCount: number, isLone = false): Promise<void> {
    const { device, offset, sequence, salt } = file
    assert(device !== undefined, () => `file ${sequence} is closed`)
    const previous = this.#position
    const { bytes, crc } = this.batch.finish({
      sequence: previous.sequence + 1,
      previousCrc: previous.crc,
      file: sequence,
      salt,
      flags,
      openingCount,
    })
    const end = offset + bytes.length
    assert(end <= file.sizeBytes, () => `a batch of ${bytes.length} bytes at ${offset} of ${file.sizeBytes}`)
    const startMs = this.#clock.monotonicMs()
    const followed = this.#followed(flags, openingCount)
    const note = followed === undefined ? undefined : encodeDurableNote(followed)
    if (offset === openingOffset) {
      const header = encodeFileHeader(file)
      await this.insist(() => device.commit([header, bytes], 0, { note }))
    } else {
      await this.insist(() => device.commit([bytes], offset, { note, isLone }))
    }
    this.syncTimes.add(this.#clock.monotonicMs() - startMs)
    this.writtenBytes += bytes.length
    file.offset = end
    this.#position = { sequence: previous.sequence + 1, crc }
  }

  /**
   * The batch before the one that is about to be written. An opening counts as one, once all of it is there:
   * undefined before.
   */
  #followed(flags: number, openingCount: number): BatchSequence | undefined {
    const isOpening = (flags & batchFlags.opening) !== 0
    if (!isOpening || this.#opened === 0) this.#before = this.#position.sequence
    this.#opened = isOpening ? this.#opened + 1 : 0
    if (isOpening && this.#opened < openingCount) return undefined
    this.#opened = 0
    return this.#before
  }

  /** Does the work, again every second while the disk is full. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const value = await work()
        this.#tellFull(false)
        return value
      } catch (error) {
        if (!isSillokError(error, 'DISK_FULL')) throw error
        if (this.#impatient) {
          const message = 'closed while the disk was full'
          throw new SillokError('CLOSED_WHILE_WAITING', message, { cause: error })
        }
        this.#tellFull(true)
        await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#clock.after(retryMs, resolve)
      this.#wake = () => {
        timer.stop()
        resolve()
      }
    })
  }

  #tellFull(full: boolean): void {
    if (this.#full === full) return
    this.#full = full
    this.#diskFull(full)
  }
}
