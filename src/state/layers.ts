/**
 * What a read of documents and claims goes through, newest first: the active generation, the frozen one while
 * it is being flushed, and a snapshot of the key-value store at the applied index of the last flush.
 *
 * A flushed generation is forgotten here. A view that was taken before keeps it, through the chain of
 * generations from the first one above the view's snapshot: so what is read through a view is right at any
 * later moment.
 */
import { assert } from '../base/assert.js'
import type { LogIndex } from '../base/ids.js'
import type { Row, RowKey } from '../codec/row.js'
import type { KeyValueSnapshot, KeyValueStore } from '../env/key-value.js'
import { Generation } from './generation.js'

/**
 * The store as of the flush at `index`, and all that changed since. Held by loads and scans; closed with the
 * last.
 */
export interface View {
  readonly index: LogIndex
  readonly snapshot: KeyValueSnapshot
  /** The generation that begins at `index`; later ones are reached from it. */
  readonly first: Generation
  holders: number
}

/** All that reads and flushes share. Nothing here waits; only `close` does. */
export class Layers {
  readonly #store: KeyValueStore
  #active: Generation
  #frozen: Generation | undefined
  #view: View
  /** Held views that are no longer the current one. */
  readonly #oldViews = new Set<View>()
  readonly #closing = new Set<Promise<void>>()
  /** Indexes at which scans are open, and the highest of them; -1 if there is none. */
  readonly #readers = new Map<LogIndex, number>()
  #newestReader: LogIndex = -1

  constructor(store: KeyValueStore, from: LogIndex) {
    this.#store = store
    this.#active = new Generation(from)
    this.#view = this.#makeView(from)
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

  /** Bytes that are not in the store yet. */
  get bytes(): number {
    return this.#active.bytes + (this.#frozen?.bytes ?? 0)
  }

  /** From memory alone: null is a known absence, undefined means that the store must be asked. */
  lookup(key: RowKey): Row | null | undefined {
    const row = this.#active.get(key)
    return row !== undefined || this.#frozen === undefined ? row : this.#frozen.get(key)
  }

  set(key: RowKey, row: Row | null, index: LogIndex, born: boolean): void {
    this.#active.set(key, row, index, this.#newestReader, born)
  }

  /** Ends the active generation at this index and begins the next. One flush at a time. */
  freeze(applied: LogIndex): Generation {
    assert(this.#frozen === undefined, 'a frozen generation waits for its flush')
    const frozen = this.#active
    this.#active = frozen.freeze(applied)
    this.#frozen = frozen
    return frozen
  }

  /**
   * The frozen generation is in the store, whole: takes the snapshot that holds it. No write may be under
   * way.
   */
  flushDone(): void {
    const index = this.#frozen?.upTo
    assert(index !== undefined, 'no frozen generation')
    const before = this.#view
    this.#frozen = undefined
    this.#view = this.#makeView(index)
    if (before.holders > 0) this.#oldViews.add(before)
    else this.#close(before)
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
    this.#oldViews.delete(view)
    this.#close(view)
  }

  /** Keeps row forms as of this index, which is the applied one, until `closeReader` was called as often. */
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
    this.#oldViews.clear()
    await Promise.all(this.#closing)
  }

  #makeView(index: LogIndex): View {
    assert(this.#active.from === index, () => `view at ${index} below ${this.#active.from}`)
    return { index, snapshot: this.#store.snapshot(), first: this.#active, holders: 0 }
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

/** Generations that change what the view shows, newest first. */
export function generationsAbove(view: View): Generation[] {
  const generations: Generation[] = []
  for (let one: Generation | undefined = view.first; one !== undefined; one = one.next)
    generations.unshift(one)
  return generations
}

/** The newest change of the row since the view's snapshot; undefined if there was none. */
export function changeSince(view: View, key: RowKey): Row | null | undefined {
  let row: Row | null | undefined
  for (let one: Generation | undefined = view.first; one !== undefined; one = one.next) {
    const change = one.get(key)
    if (change !== undefined) row = change
  }
  return row
}
