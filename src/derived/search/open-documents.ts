/**
 * The documents of one segment that have any of many terms, with all counts added up.
 */
import type { PostingCursor } from './posting-cursor.js'
import {
  blockPostings,
  type PostingBlock,
  PostingColumns,
  readBlockCounts,
  readBlocks,
  readOrdinals,
} from './postings.js'
import type { TermPage } from './segment-reader.js'

// One collects at a time, from `new` to `list`: that is synchronous.
let marks = new Uint8Array(0)
let sums = new Int32Array(0)
const ordinals = new Int32Array(blockPostings)
let counts = new Int32Array(blockPostings)

/** Collects documents. */
export class OpenDocuments {
  readonly #fields: number
  #count = 0

  constructor(documents: number, fields: number) {
    this.#fields = fields
    if (marks.length < documents) marks = new Uint8Array(documents)
    if (sums.length < documents * fields) sums = new Int32Array(documents * fields)
    if (counts.length < blockPostings * fields) counts = new Int32Array(blockPostings * fields)
    marks.fill(0, 0, documents)
    sums.fill(0, 0, documents * fields)
  }

  /** Adds the postings of an entry. */
  add(page: TermPage, at: number): void {
    const { source, starts, documents } = page
    const fields = this.#fields
    for (const block of readBlocks(source, starts[at] as number, documents[at] as number, fields)) {
      this.#addBlock(block)
    }
  }

  /** Adds the document in which a cursor stands. */
  addOne(cursor: PostingCursor): void {
    const { ordinal } = cursor
    this.#mark(ordinal)
    cursor.addCounts(sums, ordinal * this.#fields)
  }

  /** All that was added, as a list of postings. */
  list(): PostingColumns {
    const fields = this.#fields
    const list = new PostingColumns(fields, this.#count)
    for (let ordinal = 0, at = 0; at < this.#count; ordinal++) {
      if (marks[ordinal] === 0) continue
      list.ordinals[at] = ordinal
      for (let field = 0; field < fields; field++) {
        list.counts[at * fields + field] = sums[ordinal * fields + field] as number
      }
      at++
    }
    list.count = this.#count
    return list
  }

  #addBlock(block: PostingBlock): void {
    const fields = this.#fields
    readOrdinals(block, ordinals)
    readBlockCounts(block, counts, fields)
    for (let i = 0; i < block.count; i++) {
      const ordinal = ordinals[i] as number
      this.#mark(ordinal)
      for (let field = 0; field < fields; field++) {
        const place = ordinal * fields + field
        sums[place] = (sums[place] as number) + (counts[i * fields + field] as number)
      }
    }
  }

  #mark(ordinal: number): void {
    if (marks[ordinal] !== 0) return
    marks[ordinal] = 1
    this.#count++
  }
}
