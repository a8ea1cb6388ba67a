/**
 * The rows of an index as of one batch.
 *
 * One snapshot of the key-value store is taken after each batch and shared by all readers until the next. So
 * what is read belongs to the position that goes with it, also while the next batch is being written or after
 * one has failed. Each row is checked as it is read.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { KeyRange, KeyValueIterator, KeyValueSnapshot, KeyValueStore } from '../env/key-value.js'
import type { IndexRange, IndexRow, IndexRows } from './contract.js'
import type { Pacing } from './pace.js'
import { noneParked, type ParkedKeys } from './parked.js'
import { checkedValue, spaceKey, spaces } from './stored-value.js'

/** A snapshot that is closed when nobody holds it any more. Its maker is the first holder. */
export class SharedView {
  readonly store: KeyValueStore
  readonly position: LogIndex
  readonly snapshot: KeyValueSnapshot
  readonly #closed: () => void
  #holders = 1
  #storeClosed = false

  /** Documents whose newest change the rows lack. */
  readonly parked: ParkedKeys

  /** `closed` is called when nobody holds it any more. */
  constructor(store: KeyValueStore, position: LogIndex, closed: () => void, parked = noneParked) {
    this.#closed = closed
    this.parked = parked
    this.store = store
    this.position = position
    this.snapshot = store.snapshot()
  }

  hold(): void {
    assert(this.#holders > 0, 'a view that was let go')
    this.#holders++
  }

  /** Lets go of it once. */
  async release(): Promise<void> {
    assert(this.#holders > 0, 'a view that was let go')
    this.#holders--
    if (this.#holders > 0) return
    this.#closed()
    if (!this.#storeClosed) await this.snapshot.close()
  }

  /** The store is being closed, and everything opened on it: reads reject with CLOSED from now on. */
  end(): void {
    this.#storeClosed = true
  }

  get isEnded(): boolean {
    return this.#storeClosed
  }

  /** Runs a read; CLOSED if the store is closed before or meanwhile. */
  async read<T>(work: () => Promise<T>): Promise<T> {
    if (this.#storeClosed) throw indexClosed()
    try {
      return await work()
    } catch (error) {
      if (this.#storeClosed) throw indexClosed(error)
      throw error
    }
  }
}

/** CLOSED, for a read of a closed index. */
export function indexClosed(cause?: unknown): SillokError {
  return new SillokError('CLOSED', 'the index is closed', { cause })
}

/** Rows as of `position`. Close it: an open one pins old rows. */
export class IndexSnapshot implements IndexRows {
  readonly #view: SharedView
  readonly #pace: Pacing | undefined
  #open = true

  /** Holds the view until it is closed. Without a pace long work never pauses. */
  constructor(view: SharedView, pace?: Pacing) {
    view.hold()
    this.#view = view
    this.#pace = pace
  }

  pause(): Promise<void> | undefined {
    return this.#pace?.pause()
  }

  /** All changes up to here are in these rows. */
  get position(): LogIndex {
    return this.#view.position
  }

  /** Documents whose newest change is not in these rows. */
  get parked(): ParkedKeys {
    return this.#view.parked
  }

  /** The values in the order of the keys; undefined where there is no row. Rejects with DAMAGED, CLOSED. */
  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    assert(this.#open, 'the snapshot of an index is closed')
    const { store, snapshot } = this.#view
    const names = keys.map(key => spaceKey(spaces.row, key))
    const found = await this.#view.read(() => store.getMany(names, snapshot))
    return found.map((stored, at) => {
      const name = names[at]
      return stored === undefined || name === undefined ? undefined : checkedValue(name, stored)
    })
  }

  /** Pages of rows, `pageRows` at most in one, in the order of the keys. Rejects with DAMAGED, CLOSED. */
  async *scan(range: IndexRange, pageRows: number = limits.scanPageRows): AsyncGenerator<IndexRow[]> {
    assert(this.#open, 'the snapshot of an index is closed')
    assert(pageRows >= 1, () => `pages of ${pageRows} rows`)
    const view = this.#view
    const bounds = boundsOf(range, view.snapshot)
    view.hold()
    let rows: KeyValueIterator | undefined
    try {
      const walk = await view.read(async () => view.store.iterate(bounds))
      rows = walk
      for (;;) {
        const page = await view.read(() => walk.next(pageRows))
        if (page.length === 0) return
        yield page.map(([key, stored]): IndexRow => [key.subarray(1), checkedValue(key, stored)])
      }
    } finally {
      if (rows !== undefined && !view.isEnded) await rows.close()
      await view.release()
    }
  }

  /** Lets go of the rows. A second call does nothing. */
  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#view.release()
  }
}

function boundsOf(range: IndexRange, snapshot: KeyValueSnapshot): KeyRange {
  const { gte, gt, lt, lte, reverse } = range
  const bounds: { -readonly [Name in keyof KeyRange]: KeyRange[Name] } = { snapshot }
  if (gte !== undefined) bounds.gte = spaceKey(spaces.row, gte)
  if (gt !== undefined) bounds.gt = spaceKey(spaces.row, gt)
  if (lt !== undefined) bounds.lt = spaceKey(spaces.row, lt)
  if (lte !== undefined) bounds.lte = spaceKey(spaces.row, lte)
  if (gte === undefined && gt === undefined) bounds.gte = Buffer.from([spaces.row])
  if (lt === undefined && lte === undefined) bounds.lt = Buffer.from([spaces.row + 1])
  if (reverse !== undefined) bounds.reverse = reverse
  return bounds
}
