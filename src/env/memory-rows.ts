/**
 * Sorted rows in memory with cheap frozen views: what the in-memory and the simulated key-value stores hold.
 *
 * Leaves of at most 128 rows in one list. A view shares leaves and list; whoever writes next copies what it
 * touches.
 */
import type { KeyRange } from './key-value.js'

/** A row: key, value. */
export type MemoryRow = readonly [Buffer, Buffer]

interface Leaf {
  rows: MemoryRow[]
  /** The generation that may write to this leaf in place. */
  generation: number
}

const leafRowsMax = 128

/** One counter for all: a generation belongs to one holder only. */
let generations = 0

/** Rows by key, in byte order. The buffers that are put there, and those that come out, are not copied. */
export class MemoryRows {
  #leaves: Leaf[] = []
  #listShared = false
  #generation = ++generations
  #count = 0

  /** How many rows there are. */
  get count(): number {
    return this.#count
  }

  get(key: Buffer): Buffer | undefined {
    const rows = this.#leaves[this.#leafOf(key)]?.rows ?? []
    const row = rows[lowerBound(rows, key)]
    return row?.[0].equals(key) ? row[1] : undefined
  }

  /** Puts the row there; the buffers must not change any more. */
  put(key: Buffer, value: Buffer): void {
    if (this.#leaves.length === 0) this.#spliceLeaves(0, 0, [{ rows: [], generation: this.#generation }])
    const number = this.#leafOf(key)
    const { rows } = this.#writable(number)
    const at = lowerBound(rows, key)
    if (rows[at]?.[0].equals(key)) {
      rows[at] = [key, value]
      return
    }
    rows.splice(at, 0, [key, value])
    this.#count++
    if (rows.length <= leafRowsMax) return
    // A leaf that grew at its end (ascending keys) is left nearly full.
    const cut = at === rows.length - 1 ? leafRowsMax : leafRowsMax >> 1
    this.#spliceLeaves(number + 1, 0, [{ rows: rows.splice(cut), generation: this.#generation }])
  }

  delete(key: Buffer): void {
    const number = this.#leafOf(key)
    const old = this.#leaves[number]?.rows ?? []
    const at = lowerBound(old, key)
    if (!old[at]?.[0].equals(key)) return
    this.#count--
    if (old.length === 1) this.#spliceLeaves(number, 1, [])
    else this.#writable(number).rows.splice(at, 1)
  }

  /** The same rows, independent from now on. */
  clone(): MemoryRows {
    const copy = new MemoryRows()
    copy.#leaves = this.#leaves
    copy.#count = this.#count
    copy.#listShared = true
    this.#listShared = true
    this.#generation = ++generations
    return copy
  }

  /** The rows of the range in its order, as long as nothing is written here (take a clone before). */
  *range(range: KeyRange): Generator<MemoryRow> {
    const low = range.gt ?? range.gte
    const high = range.lt ?? range.lte
    const aboveLow = (key: Buffer): boolean =>
      low === undefined || key.compare(low) >= (range.gt === undefined ? 0 : 1)
    const belowHigh = (key: Buffer): boolean =>
      high === undefined || key.compare(high) <= (range.lt === undefined ? 0 : -1)
    const walk = range.reverse ? this.#backward(high) : this.#forward(low)
    const begun = range.reverse ? belowHigh : aboveLow
    const within = range.reverse ? aboveLow : belowHigh
    for (const row of walk) {
      if (!begun(row[0])) continue
      if (!within(row[0])) return
      yield row
    }
  }

  *#forward(low: Buffer | undefined): Generator<MemoryRow> {
    const first = low === undefined ? 0 : this.#leafOf(low)
    for (let number = first; number < this.#leaves.length; number++) {
      const rows = this.#leaves[number]?.rows ?? []
      for (let at = number === first && low ? lowerBound(rows, low) : 0; at < rows.length; at++) {
        const row = rows[at]
        if (row !== undefined) yield row
      }
    }
  }

  *#backward(high: Buffer | undefined): Generator<MemoryRow> {
    for (
      let number = high === undefined ? this.#leaves.length - 1 : this.#leafOf(high);
      number >= 0;
      number--
    ) {
      yield* (this.#leaves[number]?.rows ?? []).toReversed()
    }
  }

  /** The last leaf that begins at or below the key; the first one if none does. */
  #leafOf(key: Buffer): number {
    let low = 0
    let high = this.#leaves.length
    while (low < high) {
      const middle = (low + high) >> 1
      const first = this.#leaves[middle]?.rows[0]
      if (first !== undefined && first[0].compare(key) <= 0) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }

  #writable(number: number): Leaf {
    const leaf = this.#leaves[number]
    if (leaf !== undefined && leaf.generation === this.#generation) return leaf
    const own: Leaf = { rows: leaf?.rows.slice() ?? [], generation: this.#generation }
    this.#spliceLeaves(number, 1, [own])
    return own
  }

  #spliceLeaves(at: number, removed: number, added: readonly Leaf[]): void {
    if (this.#listShared) this.#leaves = this.#leaves.slice()
    this.#listShared = false
    this.#leaves.splice(at, removed, ...added)
  }
}

/** Position of the first row whose key is not below the given one. */
function lowerBound(rows: readonly MemoryRow[], key: Buffer): number {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >> 1
    const row = rows[middle]
    if (row !== undefined && row[0].compare(key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
