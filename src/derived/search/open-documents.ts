/**
 * The documents of one segment that have any of many terms, with all counts added up.
 */
import { PieceReader } from './piece-reader.js'
import type { OpenList, PostingCursor } from './posting-cursor.js'
import { blockPostings, boundsOf, PostingColumns } from './postings.js'
import type { TermPage } from './segment-reader.js'

/** Set in the first sum of a document that has a term; counts stay below it. */
const mark = 2 ** 30

/** Sums that nobody uses now, all of them 0. */
let spare: Int32Array | undefined

/** Collects documents, from `new` to `list`. */
export class OpenDocuments {
  readonly #documents: number
  readonly #fields: number
  readonly #piece: PieceReader
  readonly #lent: Int32Array
  /** The beginning of what is lent: by ordinal, then field. */
  readonly #sums: Int32Array
  #count = 0

  constructor(documents: number, fields: number) {
    this.#documents = documents
    this.#fields = fields
    this.#piece = new PieceReader(fields)
    const size = documents * fields
    this.#lent = spare !== undefined && spare.length >= size ? spare : new Int32Array(size)
    if (this.#lent === spare) spare = undefined
    this.#sums = this.#lent.subarray(0, size)
  }

  /** Adds the postings of entries of a page, from one to before another. */
  add(page: TermPage, from: number, to: number): void {
    const { source, documents, starts, ends } = page
    for (let at = from; at < to; at++) {
      const count = documents[at] as number
      const start = starts[at] as number
      if (count === 1 && this.#fields === 1 && this.#addSmall(source, start)) continue
      this.#piece.begin(source, start, ends[at] as number, count)
      while (this.#piece.next()) this.#addBlock()
    }
  }

  /** Adds the document in which a cursor stands. */
  addOne(cursor: PostingCursor): void {
    const at = cursor.ordinal * this.#fields
    this.#mark(at)
    cursor.addCounts(this.#sums, at)
  }

  /** All that was added, as a list of postings, with the bounds of its blocks. `lengths`: the segment's. */
  list(lengths: Uint32Array): OpenList {
    const fields = this.#fields
    const sums = this.#sums
    const list = new PostingColumns(fields, this.#count)
    const { ordinals, counts } = list
    let at = 0
    for (let ordinal = 0, from = 0; ordinal < this.#documents; ordinal++, from += fields) {
      const first = sums[from] as number
      if (first < mark) continue
      ordinals[at] = ordinal
      counts[at * fields] = first - mark
      sums[from] = 0
      for (let field = 1; field < fields; field++) {
        counts[at * fields + field] = sums[from + field] as number
        sums[from + field] = 0
      }
      at++
    }
    list.count = at
    spare = this.#lent
    const blocks = Math.ceil(at / blockPostings)
    return { postings: list, bounds: Array.from({ length: blocks }, (_, n) => boundsOf(list, n, lengths)) }
  }

  /** One posting of one field, of numbers of a byte or two each; false if it is none. */
  #addSmall(source: Buffer, start: number): boolean {
    let at = start
    let ordinal = source[at++] as number
    if (ordinal >= 0x80) {
      const high = source[at++] as number
      if (high >= 0x80) return false
      ordinal = (ordinal & 0x7f) | (high << 7)
    }
    const count = source[at] as number
    if (count >= 0x80) return false
    this.#mark(ordinal)
    this.#sums[ordinal] = (this.#sums[ordinal] as number) + count
    return true
  }

  #addBlock(): void {
    const fields = this.#fields
    const sums = this.#sums
    const { count, ordinals, counts } = this.#piece
    for (let i = 0; i < count; i++) {
      const at = (ordinals[i] as number) * fields
      this.#mark(at)
      for (let field = 0; field < fields; field++) {
        sums[at + field] = (sums[at + field] as number) + (counts[i * fields + field] as number)
      }
    }
  }

  #mark(at: number): void {
    const first = this.#sums[at] as number
    if (first >= mark) return
    this.#sums[at] = first + mark
    this.#count++
  }
}
