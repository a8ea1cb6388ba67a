/**
 * What a read of documents and claims goes through, newest first: the active generation, frozen ones, and a snapshot
 * of the key-value store at the applied index of the last flush.
 *
 * A generation leaves memory only when it is in the store's snapshot and no view older than that is held: so memory,
 * asked at any later moment, completes what was read through a held view.
 */
import { assert } from '../base/assert.js'
import type { LogIndex } from '../base/ids.js'
import type { Row, RowKey } from '../codec/row.js'
import type { KeyValueSnapshot, KeyValueStore } from '../env/key-value.js'
import { Generation } from './generation.js'

/** The store as of the flush at `index`. Held by loads and scans; closed with the last of them. */
export interface View {
  readonly index: LogIndex
  readonly snapshot: KeyValueSnapshot
  holders: number
}

export class Layers {
  readonly #store: KeyValueStore
  #active: Generation
  /** Newest first: the frozen one that waits for its flush, and flushed ones that a held view still needs. */
  #older: Generation[] = []
  #frozen: Generation | undefined
  #view: View
  /** Held views that are no longer the current one, oldest first. */
  #oldViews: View[] = []
  readonly #closing = new Set<Promise<void>>()
  /** Indexes at which scans are open, and the highest of them; -1 if there is none. */
  readonly #readers = new Map<LogIndex, number>()
  #newestReader: LogIndex = -1

  constructor(store: KeyValueStore, from: LogIndex) {
    this.#store = store
    this.#active = new Generation(from)
    this.#view = { index: from, snapshot: store.snapshot(), holders: 0 }
  }

  get active(): Generation {
    return this.#active
  }

  /** The generation whose flush is not finished. */
  get frozen(): Generation | undefined {
    return this.#frozen
  }

  get flushed(): LogIndex {
    return this.#view.index
  }

  /** Of all generations in memory. */
  get bytes(): number {
    let bytes = this.#active.bytes
    for (const generation of this.#older) bytes += generation.bytes
    return bytes
  }

  /** From memory alone: null is a known absence, undefined means that the store must be asked. */
  lookup(key: RowKey): Row | null | undefined {
    const row = this.#active.get(key)
    if (row !== undefined || this.#older.length === 0) return row
    for (const generation of this.#older) {
      const older = generation.get(key)
      if (older !== undefined) return older
    }
    return undefined
  }

  set(key: RowKey, row: Row | null, index: LogIndex, born: boolean): void {
    this.#active.set(key, row, index, this.#newestReader, born)
  }

  /** Ends the active generation at this index and begins the next. One flush at a time. */
  freeze(applied: LogIndex): Generation {
    assert(this.#frozen === undefined, 'a frozen generation waits for its flush')
    const frozen = this.#active
    frozen.freeze(applied)
    this.#frozen = frozen
    this.#older.unshift(frozen)
    this.#active = new Generation(applied)
    return frozen
  }

  /** The frozen generation is in the store, whole: takes the snapshot that holds it. No write may be under way. */
  flushDone(): void {
    const index = this.#frozen?.upTo
    assert(index !== undefined, 'no frozen generation')
    const before = this.#view
    this.#view = { index, snapshot: this.#store.snapshot(), holders: 0 }
    this.#frozen = undefined
    if (before.holders > 0) this.#oldViews.push(before)
    else this.#close(before)
    this.#forget()
  }

  /** Takes hold of the current view. */
  hold(): View {
    this.#view.holders++
    return this.#view
  }

  release(view: View): void {
    assert(view.holders > 0, 'a view was released twice')
    view.holders--
    if (view.holders > 0 || view === this.#view) return
    this.#oldViews = this.#oldViews.filter(old => old !== view)
    this.#close(view)
    this.#forget()
  }

  /** Generations that change what the view shows, newest first. Hold the view. */
  above(view: View): Generation[] {
    return [this.#active, ...this.#older].filter(({ upTo }) => upTo === undefined || upTo > view.index)
  }

  /** Keeps row forms as of this index, which is the applied one, until closed as often. */
  openReader(index: LogIndex): void {
    assert(index >= this.#newestReader, () => `reader at ${index} below ${this.#newestReader}`)
    this.#readers.set(index, (this.#readers.get(index) ?? 0) + 1)
    this.#newestReader = index
  }

  closeReader(index: LogIndex): void {
    const count = this.#readers.get(index) ?? 0
    assert(count > 0, () => `no reader is open at ${index}`)
    if (count > 1) {
      this.#readers.set(index, count - 1)
      return
    }
    this.#readers.delete(index)
    this.#newestReader = -1
    for (const open of this.#readers.keys()) this.#newestReader = Math.max(this.#newestReader, open)
  }

  /** Closes all snapshots. Nothing may be read after. */
  async close(): Promise<void> {
    for (const view of [...this.#oldViews, this.#view]) this.#close(view)
    this.#oldViews = []
    await Promise.all(this.#closing)
  }

  /** Drops generations that the current view and all held ones contain. */
  #forget(): void {
    const oldest = this.#oldViews[0]?.index ?? this.#view.index
    this.#older = this.#older.filter(({ upTo }) => upTo === undefined || upTo > oldest)
  }

  #close(view: View): void {
    // A snapshot that does not close pins old data until the store is closed: nothing else is lost.
    const closed: Promise<void> = view.snapshot.close().then(
      () => void this.#closing.delete(closed),
      () => void this.#closing.delete(closed),
    )
    this.#closing.add(closed)
  }
}
