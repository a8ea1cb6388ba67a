/**
 * A segment, opened: its documents and the first terms of its pages in memory, its pages one by one.
 *
 * A segment never changes, and its digest says what is in it; so what was read of it may be kept from call to
 * call (segment-cache.ts).
 */

import { lowerBound } from '../../base/lower-bound.js'
import type { IndexRows } from '../contract.js'
import { ByteReader } from './bytes.js'
import { mustFit } from './damage.js'
import { rowKinds, type SegmentFacts, segmentKey } from './segment.js'
import type { Pause } from './sorted-texts.js'
import { termBytesMax } from './term-bytes.js'

/** The terms of one page, and where in it their postings are. */
export interface TermPage {
  readonly source: Buffer
  /** One for each entry. */
  readonly terms: readonly string[]
  readonly documents: readonly number[]
  readonly went: readonly number[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** Documents of a segment, by ordinal. */
export interface SegmentDocuments {
  readonly numbers: Float64Array
  /** By ordinal, then field. */
  readonly lengths: Uint32Array
  /** Keys and filters stand in `source`. */
  readonly source: Buffer
  readonly keyStarts: Uint32Array
  readonly keyEnds: Uint32Array
  readonly filterStarts: Uint32Array
  /** Where all that is said of a document ends. */
  readonly ends: Uint32Array
}

/** An opened segment. */
export class SegmentReader {
  readonly facts: SegmentFacts
  readonly documents: SegmentDocuments
  /** Numbers of documents of other segments that went. */
  readonly went: Float64Array
  /** The first term of each page. */
  readonly firstTerms: readonly string[]

  private constructor(
    facts: SegmentFacts,
    documents: SegmentDocuments,
    went: Float64Array,
    firstTerms: readonly string[],
  ) {
    this.facts = facts
    this.documents = documents
    this.went = went
    this.firstTerms = firstTerms
  }

  /** Reads what is kept in memory. */
  static async open(
    facts: SegmentFacts,
    rows: IndexRows,
    shape: { readonly fields: number; readonly filters: number },
  ): Promise<SegmentReader> {
    const documents = await readRows(rows, facts, 'documents')
    const index = await readRows(rows, facts, 'index')
    const went = await readRows(rows, facts, 'went')
    const firstTerms: string[] = []
    for (const row of index) {
      const reader = new ByteReader(row)
      while (!reader.isAtEnd) firstTerms.push(reader.text())
    }
    mustFit(
      firstTerms.length === facts.rows.terms,
      () => 'each page of terms has its first term in the index',
    )
    const read = await readDocuments(documents, facts.documents, shape, () => rows.pause())
    return new SegmentReader(facts, read, readNumbers(went, facts.went), firstTerms)
  }

  /** The document's ordinal; undefined if it is not here. */
  ordinalOf(number: number): number | undefined {
    const { numbers } = this.documents
    const place = lowerBound(numbers, number)
    return numbers[place] === number ? place : undefined
  }

  keyOf(ordinal: number): Buffer {
    const { source, keyStarts, keyEnds } = this.documents
    return source.subarray(keyStarts[ordinal], keyEnds[ordinal])
  }

  /** The first page that may hold a term at or above `term`. */
  pageOf(term: string): number {
    return Math.max(0, lowerBound(this.firstTerms, term) - 1)
  }
}

/** What stands in a page. */
export function parsePage(source: Buffer): TermPage {
  const reader = new ByteReader(source)
  const page = {
    source,
    terms: [] as string[],
    documents: [] as number[],
    went: [] as number[],
    starts: [] as number[],
    ends: [] as number[],
  }
  while (!reader.isAtEnd) {
    const shared = reader.number()
    const rest = reader.number()
    for (let i = 0; i < rest; i++) termBytes[shared + i] = source[reader.at + i] as number
    reader.at += rest
    page.terms.push(termBytes.toString('utf8', 0, shared + rest))
    page.documents.push(reader.number())
    page.went.push(reader.number())
    const size = reader.number()
    page.starts.push(reader.at)
    reader.at += size
    page.ends.push(reader.at)
  }
  return page
}

const termBytes = Buffer.alloc(termBytesMax)

/** The rows of a kind in their order. */
export async function readRows(
  rows: IndexRows,
  facts: SegmentFacts,
  kind: keyof typeof rowKinds,
  from = 0,
  to: number = facts.rows[kind],
): Promise<Buffer[]> {
  const keys: Buffer[] = []
  for (let n = from; n < to; n++) keys.push(segmentKey(facts.id, rowKinds[kind], n))
  const found = keys.length === 0 ? [] : await rows.getMany(keys)
  return found.map((row, at) => {
    mustFit(row !== undefined, () => `segment ${facts.id} of a search index lacks ${kind} ${from + at}`)
    return row
  })
}

function readNumbers(rows: readonly Buffer[], count: number): Float64Array {
  const numbers = new Float64Array(count)
  let size = 0
  for (const row of rows) {
    const reader = new ByteReader(row)
    let last = 0
    while (!reader.isAtEnd) {
      last += reader.number()
      numbers[size++] = last
    }
  }
  mustFit(size === count, () => `a segment says that ${count} documents went, and names ${size}`)
  return numbers
}

async function readDocuments(
  rows: readonly Buffer[],
  count: number,
  shape: { readonly fields: number; readonly filters: number },
  pause: Pause,
): Promise<SegmentDocuments> {
  const source = Buffer.concat(rows)
  const numbers = new Float64Array(count)
  const lengths = new Uint32Array(count * shape.fields)
  const keyStarts = new Uint32Array(count)
  const keyEnds = new Uint32Array(count)
  const filterStarts = new Uint32Array(count)
  const ends = new Uint32Array(count)
  const reader = new ByteReader(source)
  let ordinal = 0
  let end = 0
  for (const row of rows) {
    end += row.length
    let last = 0
    while (reader.at < end) {
      last += reader.number()
      numbers[ordinal] = last
      const keyBytes = reader.number()
      keyStarts[ordinal] = reader.at
      reader.at += keyBytes
      keyEnds[ordinal] = reader.at
      for (let field = 0; field < shape.fields; field++) {
        lengths[ordinal * shape.fields + field] = reader.number()
      }
      filterStarts[ordinal] = reader.at
      for (let filter = 0; filter < shape.filters; filter++) {
        for (let left = reader.number(); left > 0; left--) reader.block()
      }
      ends[ordinal] = reader.at
      ordinal++
    }
    const late = pause()
    if (late !== undefined) await late
  }
  mustFit(ordinal === count, () => `a segment says that it has ${count} documents, and holds ${ordinal}`)
  return { numbers, lengths, source, keyStarts, keyEnds, filterStarts, ends }
}
