/**
 * An ordered walk over the rows of the state as of one applied index, in pages.
 *
 * It merges a snapshot of the key-value store with the generations above it; what changes meanwhile is not
 * seen. The view is taken when the scan is made and given back at its end, on an error or when it is closed:
 * iterate it or close it. A scan that the closing of the state cuts short rejects: what was seen never passes
 * for the whole. Kept replies and the store's own marks are never shown.
 */
import { assert } from '../base/assert.js'
import { SillokError, storeClosed } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { lowerBound } from '../base/lower-bound.js'
import { keyBytes, keyText, type Row, type RowKey, readRow } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { KeyValueIterator, KeyValueStore } from '../env/key-value.js'
import type { Generation } from './generation.js'
import { generationsAbove, type Layers, type View } from './layers.js'

/** Which rows, in which direction: gte <= key < lt, keys by bytes. */
export interface ScanRange {
  /** First key; without it from the beginning. */
  readonly gte?: RowKey
  /** First key that is not in the range; without it to the end. */
  readonly lt?: RowKey
  /** From the highest key down. */
  readonly reverse?: boolean
  /** Rows per page, at most `limits.scanPageRows`. A page ends earlier at about 1 MiB. */
  readonly pageRows?: number
}

/** Some rows in order, at least one. */
export type ScanPage = [RowKey, Row][]

/** A sorted run of a generation: what lies in the range is start <= at < end. */
interface Cursor {
  readonly keys: readonly RowKey[]
  readonly generation: Generation
  readonly start: number
  readonly end: number
  at: number
}

/** Rows between two looks at the clock. */
const rowsPerLook = 64

/** Yields every row of the range as of `index`, once, in order; holds its view until it ends. */
export class Scan implements AsyncIterableIterator<ScanPage> {
  /** The applied index of the view. */
  readonly index: LogIndex
  readonly #layers: Layers
  readonly #clock: Clock
  readonly #view: View
  readonly #step: 1 | -1
  readonly #pageRows: number
  readonly #range: ScanRange
  readonly #generations: readonly Generation[]
  /** Of the range in memory, newest generation first; made with the first page. */
  #cursors: Cursor[] | undefined
  readonly #stored: KeyValueIterator
  #storedRows: [Buffer, Buffer][] = []
  #storedAt = 0
  #storedKey: RowKey | undefined
  #storedDone = false
  #open = true
  #busy = false
  /** The state was closed before the end. */
  #isCut = false
  readonly #closed: () => void

  /** `closed` is called once, when the view was given back. */
  constructor(
    layers: Layers,
    store: KeyValueStore,
    clock: Clock,
    index: LogIndex,
    range: ScanRange,
    closed: () => void,
  ) {
    this.#layers = layers
    this.#clock = clock
    this.index = index
    this.#closed = closed
    this.#step = range.reverse === true ? -1 : 1
    this.#pageRows = Math.min(range.pageRows ?? limits.scanPageRows, limits.scanPageRows)
    assert(this.#pageRows >= 1, () => `page of ${this.#pageRows} rows`)
    this.#view = layers.hold()
    layers.openReader(index)
    this.#range = range
    this.#generations = generationsAbove(this.#view)
    this.#stored = store.iterate({
      ...(range.gte === undefined ? {} : { gte: keyBytes(range.gte) }),
      ...(range.lt === undefined ? {} : { lt: keyBytes(range.lt) }),
      reverse: range.reverse === true,
      snapshot: this.#view.snapshot,
    })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /**
   * The next page. Rejects with DAMAGED, naming the key, when a row fails its check; CLOSED when the state is
   * closed before the end.
   */
  async next(): Promise<IteratorResult<ScanPage>> {
    assert(!this.#busy, 'a scan gives one page at a time')
    if (!this.#open) return this.#ended()
    this.#busy = true
    try {
      const page = await this.#page()
      if (page.length > 0 && this.#open) return { done: false, value: page }
      await this.#close()
    } catch (error) {
      await this.#close()
      // What it meets in a store that is being closed says no more than that.
      if (!this.#isCut) throw error
    } finally {
      this.#busy = false
    }
    return this.#ended()
  }

  /** Its reader ends the scan early, and quietly. */
  async return(): Promise<IteratorResult<ScanPage>> {
    this.#isCut = false
    await this.#close()
    return { done: true, value: undefined }
  }

  /** The state is being closed: who reads on gets CLOSED. */
  async end(): Promise<void> {
    if (!this.#open) return
    this.#isCut = true
    await this.#close()
  }

  /** There may be keys among them that came after the scan began: they have no row as of its index. */
  async #makeCursors(): Promise<Cursor[]> {
    const { gte, lt } = this.#range
    const cursors: Cursor[] = []
    let since = this.#clock.monotonicMs()
    for (const generation of this.#generations) {
      while (generation.sortSome()) since = await this.#pauseIfLate(since)
      for (const keys of generation.runs) {
        const start = gte === undefined ? 0 : lowerBound(keys, gte)
        const end = lt === undefined ? keys.length : lowerBound(keys, lt)
        if (start >= end) continue
        cursors.push({ keys, generation, start, end, at: this.#step > 0 ? start : end - 1 })
      }
    }
    return cursors
  }

  /**
   * Lets the event loop go on when this slice has lasted long enough; resolves with the slice's beginning.
   */
  async #pauseIfLate(since: number): Promise<number> {
    if (this.#clock.monotonicMs() - since <= limits.sliceMs) return since
    await new Promise<void>(resolve => this.#clock.soon(resolve))
    return this.#clock.monotonicMs()
  }

  async #page(): Promise<ScanPage> {
    const page: ScanPage = []
    this.#cursors ??= await this.#makeCursors()
    const cursors = this.#cursors
    let bytes = 0
    let since = this.#clock.monotonicMs()
    for (let seen = 1; page.length < this.#pageRows && bytes < limits.flushBatchBytesMax; seen++) {
      if (this.#storedAt >= this.#storedRows.length && !this.#storedDone) {
        await this.#refill()
        since = this.#clock.monotonicMs()
      }
      const key = this.#nextKey(cursors)
      if (key === undefined) break
      const row = this.#take(cursors, key)
      if (row !== null) {
        page.push([key, row])
        bytes += row.value.length
      }
      if (seen % rowsPerLook === 0) since = await this.#pauseIfLate(since)
    }
    return page
  }

  /** Reads on in the store. */
  async #refill(): Promise<void> {
    this.#storedRows = this.#open ? await this.#stored.next(this.#pageRows) : []
    this.#storedDone = this.#storedRows.length === 0
    this.#storedAt = -1
    this.#advanceStored()
  }

  #advanceStored(): void {
    this.#storedAt++
    const next = this.#storedRows[this.#storedAt]
    this.#storedKey = next && keyText(next[0])
  }

  #nextKey(cursors: readonly Cursor[]): RowKey | undefined {
    let best = this.#storedKey
    for (const { keys, at, start, end } of cursors) {
      const key = at >= start && at < end ? keys[at] : undefined
      if (key !== undefined && (best === undefined || (this.#step > 0 ? key < best : key > best))) best = key
    }
    return best
  }

  /**
   * The row under the key as of the scan's index, null if it is hidden or gone. Moves every cursor that is at
   * the key.
   */
  #take(cursors: readonly Cursor[], key: RowKey): Row | null {
    let row: Row | null | undefined
    for (const cursor of cursors) {
      if (cursor.keys[cursor.at] !== key || cursor.at < cursor.start || cursor.at >= cursor.end) continue
      cursor.at += this.#step
      if (row === undefined) row = cursor.generation.at(key, this.index)
    }
    if (this.#storedKey !== key) return row ?? null
    const [keyAsBytes, bytes] = this.#storedRows[this.#storedAt] as [Buffer, Buffer]
    this.#advanceStored()
    if (row !== undefined) return row
    if (key.startsWith('!') || key.startsWith('s')) return null
    return checkedRow(keyAsBytes, bytes)
  }

  #ended(): IteratorResult<ScanPage> {
    if (this.#isCut) throw storeClosed()
    return { done: true, value: undefined }
  }

  async #close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#layers.closeReader(this.index)
    try {
      await this.#stored.close()
    } finally {
      this.#layers.release(this.#view)
      this.#closed()
    }
  }
}

/** The row as stored; throws DAMAGED, naming the key, if it fails its check. */
export function checkedRow(key: Buffer, bytes: Buffer): Row {
  const row = readRow(key, bytes)
  if (row !== undefined) return row
  throw new SillokError('DAMAGED', `the stored row ${key.toString('hex')} fails its check`, {
    details: { key: key.toString('hex') },
  })
}
