/**
 * The postings of terms, from the pages of all segments of a view.
 */
import { lowerBound } from '../../base/lower-bound.js'
import type { IndexRows } from '../contract.js'
import { type PostingBlock, readBlocks } from './postings.js'
import type { SegmentCache } from './segment-cache.js'
import type { SegmentReader, TermPage } from './segment-reader.js'

/** All terms from `from` on, before `to`. */
export interface TermRange {
  readonly from: string
  readonly to: string
}

/** What one segment has of a term. */
export interface TermEntry {
  readonly term: string
  readonly blocks: readonly PostingBlock[]
  readonly documents: number
  readonly went: number
}

/** Finds terms in segments; what may be asked for is loaded before. */
export class TermLookup {
  readonly #segments: readonly SegmentReader[]
  readonly #cache: SegmentCache
  readonly #fieldCount: number
  /** By segment, then page. */
  readonly #pages: readonly Map<number, TermPage>[]
  /** By segment, then term: what was asked for so far. */
  readonly #entries: readonly Map<string, TermEntry>[]

  constructor(segments: readonly SegmentReader[], cache: SegmentCache, fieldCount: number) {
    this.#segments = segments
    this.#cache = cache
    this.#fieldCount = fieldCount
    this.#pages = segments.map(() => new Map<number, TermPage>())
    this.#entries = segments.map(() => new Map<string, TermEntry>())
  }

  /** Makes these terms and ranges known. */
  async load(terms: Iterable<string>, ranges: readonly TermRange[], rows: IndexRows): Promise<void> {
    const wanted = [...terms].map(term => ({ from: term, to: `${term}\0` }))
    for (const [n, segment] of this.#segments.entries()) {
      for (const range of [...wanted, ...ranges]) {
        const { first, end } = pagesOf(segment, range)
        await this.#loadPages(n, first, end, rows)
      }
    }
  }

  /** The term in that segment. */
  entry(segment: number, term: string): TermEntry {
    const known = this.#entries[segment]?.get(term)
    if (known !== undefined) return known
    let entry: TermEntry = { term, blocks: [], documents: 0, went: 0 }
    for (const [page, from, to] of this.entries(segment, { from: term, to: `${term}\0` })) {
      for (let at = from; at < to; at++) {
        const documents = page.documents[at] as number
        const blocks = readBlocks(page.source, page.starts[at] as number, documents, this.#fieldCount)
        // A term may go on in the next entry.
        entry = {
          term,
          blocks: entry.blocks.length === 0 ? blocks : [...entry.blocks, ...blocks],
          documents: entry.documents + documents,
          went: entry.went + (page.went[at] as number),
        }
      }
    }
    this.#entries[segment]?.set(term, entry)
    return entry
  }

  /** The entries of a range in that segment, in their order: in each page from one to before another. */
  *entries(
    segment: number,
    range: TermRange,
  ): Generator<readonly [page: TermPage, from: number, to: number]> {
    const reader = this.#segments[segment] as SegmentReader
    const { first, end } = pagesOf(reader, range)
    for (let n = first; n < end; n++) {
      const page = this.#pages[segment]?.get(n)
      if (page === undefined) continue
      const { terms } = page
      const from = n === first ? lowerBound(terms, range.from) : 0
      const to = n < end - 1 ? terms.length : lowerBound(terms, range.to)
      if (from < to) yield [page, from, to]
    }
  }

  async #loadPages(segment: number, first: number, end: number, rows: IndexRows): Promise<void> {
    const reader = this.#segments[segment] as SegmentReader
    const pages = this.#pages[segment] as Map<number, TermPage>
    for (let n = first; n < end; n++) {
      if (pages.has(n)) continue
      const kept = this.#cache.page(reader, n)
      if (kept !== undefined) {
        pages.set(n, kept)
        continue
      }
      let to = n + 1
      while (to < end && !pages.has(to) && to - n < pagesPerRead) to++
      const read = await this.#cache.readPages(reader, n, to, rows)
      for (const [at, page] of read.entries()) pages.set(n + at, page)
    }
  }
}

const pagesPerRead = 64

/** The pages that may hold terms of the range. */
function pagesOf(reader: SegmentReader, { from, to }: TermRange): { first: number; end: number } {
  const { firstTerms } = reader
  if (firstTerms.length === 0) return { first: 0, end: 0 }
  const first = reader.pageOf(from)
  let end = first + 1
  while (end < firstTerms.length && (firstTerms[end] as string) < to) end++
  return { first, end }
}
