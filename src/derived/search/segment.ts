/**
 * Segments: what a search index is made of, each the sum of some batches, one after the other, and never
 * changed. A segment holds the documents that these batches brought, their postings, which documents of other
 * segments went, and what went with them from the number of documents that have a term.
 *
 *   's' | u32be segment | 'd' | u32be n    documents, in the order of their numbers
 *   's' | u32be segment | 't' | u32be n    a page of terms with their postings
 *   's' | u32be segment | 'i' | u32be n    the first terms of the next pages
 *   's' | u32be segment | 'x' | u32be n    numbers of documents that went
 *
 * A document has a number for each of its forms, never used again, and an ordinal in its segment, from 0.
 *
 *   documents   each: number of the document (of the first; then the distance from the one before) · key, a
 *               block · its length in each field · for each filter: how many values, each a block
 *   terms       each entry: bytes that it has in common with the term before in this page · the rest, a
 *               block · documents that have the term · documents that went and had it · postings, a block
 *               (postings.ts). After 4096 postings, or 64 KiB of places, a term goes on in the next entry,
 *               which counts its own documents; documents that went are counted in the last one
 *   first terms of pages: each a text
 *   went        each: number of the document (of the first; then the distance from the one before)
 */
import type { Hash } from 'node:crypto'
import type { IndexOps } from '../contract.js'
import { ByteWriter } from './bytes.js'
import { type PostingColumns, writePostings } from './postings.js'
import { TermBytes } from './term-bytes.js'

/** Rows of a segment by kind. */
export const rowKinds = { documents: 0x64, terms: 0x74, index: 0x69, went: 0x78 } as const

/** How many rows there are of each kind. */
export interface RowCounts {
  readonly documents: number
  readonly terms: number
  readonly index: number
  readonly went: number
}

/** What the manifest says of a segment. */
export interface SegmentFacts {
  readonly id: number
  /** Says what is in it: 16 hexadecimal digits. */
  readonly digest: string
  /** Its documents' numbers lie from `first` to before `end`. */
  readonly first: number
  readonly end: number
  readonly documents: number
  readonly went: number
  readonly rows: RowCounts
  /** Of all its rows. */
  readonly bytes: number
}

/** A page is written when it has so many bytes. */
export const pageBytes = 16 * 1024
const entryPostingsMax = 4096
const entryPlacesBytesMax = 64 * 1024
const wentPerRow = 8192

/** Postings that are written between two looks at the clock. */
export const workPerLook = 2048
/** What a term takes by itself, in postings. */
export const termWork = 16

/** The key of a row. */
export function segmentKey(id: number, kind: number, n: number): Buffer {
  const key = Buffer.allocUnsafe(10)
  key[0] = 0x73
  key.writeUInt32BE(id, 1)
  key[5] = kind
  key.writeUInt32BE(n, 6)
  return key
}

/** The digest of a segment that is made of what was hashed. */
export function digestText(hash: Hash): string {
  return hash.digest('hex').slice(0, 16)
}

/** True if no more postings belong into the entry that these will be. */
export function isFullEntry({ count, places }: PostingColumns): boolean {
  return count >= entryPostingsMax || places.size >= entryPlacesBytesMax
}

/** Writes the rows of a segment, in one go or in several, each with a writer of its own. */
export class SegmentWriter {
  readonly #ops: IndexOps
  readonly #id: number
  readonly #rows: { -readonly [Kind in keyof RowCounts]: number }
  readonly #pageBytes: number
  readonly #documents = new ByteWriter()
  readonly #terms = new ByteWriter()
  readonly #entry = new ByteWriter()
  readonly #index = new ByteWriter()
  #lastDocument = 0
  readonly #before = new TermBytes()
  /** Bytes so far. */
  bytes = 0

  constructor(ops: IndexOps, id: number, rows: RowCounts, pageBytesMin = pageBytes) {
    this.#ops = ops
    this.#id = id
    this.#rows = { ...rows }
    this.#pageBytes = pageBytesMin
  }

  get rows(): RowCounts {
    return { ...this.#rows }
  }

  /** The next document. `rest`: its lengths and filters, as they are stored. */
  document(number: number, key: Uint8Array, rest: Uint8Array): void {
    const writer = this.#documents
    writer.number(number - (writer.size === 0 ? 0 : this.#lastDocument))
    this.#lastDocument = number
    writer.block(key)
    writer.bytes(rest)
    if (writer.size >= this.#pageBytes) this.#put('documents', writer)
  }

  /**
   * The next entry: a term, postings that are no more than `isFullEntry` allows, or none, and how many
   * documents went that had it. A term may have several in a row.
   */
  term(term: TermBytes, went: number, columns: PostingColumns, lengths: Uint32Array): void {
    this.#entry.clear()
    writePostings(this.#entry, columns, 0, columns.count, lengths)
    this.#writeEntry(term, columns.count, went)
  }

  /** The documents that went, in ascending order. */
  went(numbers: readonly number[]): void {
    const writer = new ByteWriter()
    for (let at = 0; at < numbers.length; at += wentPerRow) {
      let last = 0
      for (const number of numbers.slice(at, at + wentPerRow)) {
        writer.number(number - last)
        last = number
      }
      this.#put('went', writer)
    }
  }

  /** Writes what is left over; afterwards all rows so far can be read. */
  end(): void {
    if (this.#documents.size > 0) this.#put('documents', this.#documents)
    this.#endPage()
    if (this.#index.size > 0) this.#put('index', this.#index)
  }

  #writeEntry(term: TermBytes, documents: number, went: number): void {
    const writer = this.#terms
    const before = this.#before
    const { bytes, size } = term
    let shared = 0
    if (writer.size === 0) {
      this.#index.number(size)
      this.#index.bytes(bytes, 0, size)
    } else {
      const most = Math.min(size, before.size)
      while (shared < most && bytes[shared] === before.bytes[shared]) shared++
    }
    before.copyFrom(term)
    writer.number(shared)
    writer.number(size - shared)
    writer.bytes(bytes, shared, size)
    writer.number(documents)
    writer.number(went)
    writer.number(this.#entry.size)
    writer.copy(this.#entry)
    if (writer.size >= this.#pageBytes) this.#endPage()
  }

  #endPage(): void {
    if (this.#terms.size > 0) this.#put('terms', this.#terms)
  }

  #put(kind: keyof RowCounts, writer: ByteWriter): void {
    const value = writer.view()
    this.#ops.put(segmentKey(this.#id, rowKinds[kind], this.#rows[kind]++), value)
    this.bytes += value.length
    writer.clear()
  }
}
