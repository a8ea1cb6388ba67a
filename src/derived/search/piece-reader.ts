/**
 * Reads a piece of postings (postings.ts) from its beginning to its end, block by block, into the same
 * columns again and again.
 */
import { ByteReader } from './bytes.js'
import { type BlockPlace, barePostings, blockPostings, readCounts, readOrdinals } from './postings.js'

/** One at a time; `begin` first, then `next` until there is no more. */
export class PieceReader {
  readonly #fieldCount: number
  #heads = new ByteReader(Buffer.alloc(0))
  #left = 0
  #end = 0
  #bodyAt = 0
  #last = -1
  #isBare = true
  /** Postings in the block. */
  count = 0
  readonly ordinals = new Int32Array(blockPostings)
  /** `fieldCount` for each. */
  readonly counts: Int32Array
  /** Where the places of the block stand in its source. */
  placesAt = 0
  placesEnd = 0

  constructor(fieldCount: number) {
    this.#fieldCount = fieldCount
    this.counts = new Int32Array(blockPostings * fieldCount)
  }

  /** The piece of so many postings that stands from there to there. */
  begin(source: Buffer, start: number, end: number, postings: number): void {
    if (this.#heads.source !== source) this.#heads = new ByteReader(source)
    const heads = this.#heads
    heads.at = start
    this.#left = postings
    this.#end = end
    this.#last = -1
    this.#isBare = postings <= barePostings
    this.#bodyAt = start
    if (this.#isBare) return
    for (let left = postings; left > 0; left -= blockPostings) this.#skipHead()
    this.#bodyAt = heads.at
    heads.at = start
  }

  /** Reads the next block; false if there is none. */
  next(): boolean {
    const { source } = this.#heads
    if (this.#left <= 0) return false
    this.count = Math.min(blockPostings, this.#left)
    this.#left -= this.count
    let placesEnd = this.#end
    if (!this.#isBare) {
      this.#heads.number()
      placesEnd = this.#bodyAt + this.#heads.number() + this.#heads.number() + this.#heads.number()
      this.#skipBounds()
    }
    const place: BlockPlace = { source, count: this.count, before: this.#last, ordinalsAt: this.#bodyAt }
    const countsAt = readOrdinals(place, this.ordinals)
    this.placesAt = readCounts(source, countsAt, this.count, this.counts, this.#fieldCount)
    this.placesEnd = placesEnd
    this.#bodyAt = placesEnd
    this.#last = this.ordinals[this.count - 1] as number
    return true
  }

  #skipHead(): void {
    this.#heads.skipNumbers(4)
    this.#skipBounds()
  }

  #skipBounds(): void {
    for (let field = 0; field < this.#fieldCount; field++) this.#heads.skipNumbers(2 * this.#heads.number())
  }
}
