/**
 * The postings of one term in one segment, and a place in them that only moves forward.
 */
import type { Bm25 } from './bm25.js'
import { ByteReader } from './bytes.js'
import {
  blockPostings,
  type PostingBlock,
  type PostingColumns,
  readBlockCounts,
  readOrdinals,
} from './postings.js'

/** Above every ordinal: there is no more. */
export const noOrdinal = 0x7fffffff

/** Postings that a question made, in memory. */
export interface OpenList {
  readonly postings: PostingColumns
  /** By block, as a stored block has them. */
  readonly bounds: readonly (readonly number[])[]
}

/** Postings of a segment, as they are stored or as a question made them. */
export type PostingList = readonly PostingBlock[] | OpenList

/** A place in a list. Before the first `seek` it is nowhere. */
export class PostingCursor {
  readonly #list: PostingList
  readonly #fieldCount: number
  readonly #blockCount: number
  #block = -1
  #ordinals: Int32Array = new Int32Array(blockPostings)
  #counts: Int32Array
  /** Of the block that is read. */
  #size = 0
  #hasCounts = false
  #at = 0
  #placeReader: ByteReader | undefined
  #placesRead = 0
  #bounds: Float64Array | undefined
  ordinal = -1

  constructor(list: PostingList, fieldCount: number) {
    this.#list = list
    this.#fieldCount = fieldCount
    this.#blockCount = isStored(list) ? list.length : list.bounds.length
    this.#counts = new Int32Array(blockPostings * fieldCount)
  }

  /**
   * Goes to the first document at or above `target`, which is never below the last one; tells its ordinal.
   */
  seek(target: number): number {
    if (this.ordinal >= target) return this.ordinal
    const block = this.blockOf(target)
    if (block >= this.#blockCount) {
      this.ordinal = noOrdinal
      return noOrdinal
    }
    if (block !== this.#block) this.#read(block)
    const ordinals = this.#ordinals
    let at = this.#at
    while ((ordinals[at] as number) < target) at++
    this.#at = at
    this.ordinal = ordinals[at] as number
    return this.ordinal
  }

  /** The block that holds the first document at or above `target`; the number of blocks if there is none. */
  blockOf(target: number): number {
    let low = Math.max(0, this.#block)
    if (low < this.#blockCount && this.lastOf(low) >= target) return low
    let step = 1
    while (low + step < this.#blockCount && this.lastOf(low + step) < target) {
      low += step
      step *= 2
    }
    let high = Math.min(low + step, this.#blockCount)
    low++
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.lastOf(middle) < target) low = middle + 1
      else high = middle
    }
    return high
  }

  /** The last ordinal of a block; past the end: above every ordinal. */
  lastOf(block: number): number {
    if (block >= this.#blockCount) return noOrdinal
    const list = this.#list
    if (isStored(list)) return (list[block] as PostingBlock).last
    const { ordinals, count } = list.postings
    return ordinals[Math.min(count, (block + 1) * blockPostings) - 1] as number
  }

  /** `weighted` of the document. */
  weighted(bm25: Bm25, lengths: Uint32Array): number {
    this.#readCounts()
    const fields = this.#fieldCount
    return bm25.weighted(this.#counts, this.#at * fields, lengths, this.ordinal * fields)
  }

  /** Adds what ranking counts in this document to `counts` at `to`. */
  addCounts(counts: Int32Array, to: number): void {
    this.#readCounts()
    const from = this.#at * this.#fieldCount
    for (let field = 0; field < this.#fieldCount; field++) {
      counts[to + field] = (counts[to + field] as number) + (this.#counts[from + field] as number)
    }
  }

  /** What `weighted` is at most in a block; past the end nothing. */
  bound(block: number, bm25: Bm25, lengths: Uint32Array): number {
    if (block >= this.#blockCount) return 0
    this.#bounds ??= new Float64Array(this.#blockCount).fill(-1)
    let bound = this.#bounds[block] as number
    if (bound < 0) {
      bound = this.#boundOf(block, bm25, lengths)
      this.#bounds[block] = bound
    }
    return bound
  }

  /** What `weighted` is at most anywhere. */
  boundOfAll(bm25: Bm25, lengths: Uint32Array): number {
    let most = 0
    for (let block = 0; block < this.#blockCount; block++) {
      const bound = this.bound(block, bm25, lengths)
      if (bound > most) most = bound
    }
    return most
  }

  /** The places of the document, ascending; once for each document. */
  places(): number[] {
    const { source, placesAt } = (this.#list as readonly PostingBlock[])[this.#block] as PostingBlock
    this.#placeReader ??= new ByteReader(source, placesAt)
    const reader = this.#placeReader
    for (; this.#placesRead < this.#at; this.#placesRead++) reader.skipNumbers(reader.number())
    const places: number[] = []
    let place = 0
    for (let left = reader.number(); left > 0; left--) {
      place += reader.number()
      places.push(place)
    }
    this.#placesRead++
    return places
  }

  #boundOf(block: number, bm25: Bm25, lengths: Uint32Array): number {
    const list = this.#list
    const fields = this.#fieldCount
    if (!isStored(list)) return bm25.weightedBound(list.bounds[block] as readonly number[])
    const stored = list[block] as PostingBlock
    if (stored.bounds !== undefined) return bm25.weightedBound(stored.bounds)
    const ordinals = new Int32Array(stored.count)
    const counts = new Int32Array(stored.count * fields)
    readOrdinals(stored, ordinals)
    readBlockCounts(stored, counts, fields)
    return mostOf(bm25, ordinals, counts, lengths, fields)
  }

  #read(block: number): void {
    const list = this.#list
    this.#block = block
    this.#at = 0
    this.#placeReader = undefined
    this.#placesRead = 0
    if (isStored(list)) {
      const stored = list[block] as PostingBlock
      this.#size = stored.count
      this.#hasCounts = false
      readOrdinals(stored, this.#ordinals)
      return
    }
    const from = block * blockPostings
    const { ordinals, counts, count } = list.postings
    const to = Math.min(count, from + blockPostings)
    this.#size = to - from
    this.#ordinals = ordinals.subarray(from, to)
    this.#counts = counts.subarray(from * this.#fieldCount, to * this.#fieldCount)
    this.#hasCounts = true
  }

  #readCounts(): void {
    if (this.#hasCounts || this.#size === 0) return
    const stored = (this.#list as readonly PostingBlock[])[this.#block] as PostingBlock
    readBlockCounts(stored, this.#counts, this.#fieldCount)
    this.#hasCounts = true
  }
}

function isStored(list: PostingList): list is readonly PostingBlock[] {
  return Array.isArray(list)
}

function mostOf(
  bm25: Bm25,
  ordinals: Int32Array,
  counts: Int32Array,
  lengths: Uint32Array,
  fields: number,
): number {
  let most = 0
  for (let i = 0; i < ordinals.length; i++) {
    const weighted = bm25.weighted(counts, i * fields, lengths, (ordinals[i] as number) * fields)
    if (weighted > most) most = weighted
  }
  return most
}
