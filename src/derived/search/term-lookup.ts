/**
 * The postings of terms, from the pages of all segments of a view.
 */
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

  constructor(segments: readonly SegmentReader[], cache: SegmentCache, fieldCount: number) {
    this.#segments = segments
    this.#cache = cache
    this.#fieldCount = fieldCount
    this.#pages = segments.map(() => new Map<number, TermPage>())
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
    const [entry] = this.entries(segment, { from: term, to: `${term}\0` })
    return entry ?? { term, blocks: [], documents: 0, went: 0 }
  }

  /** The terms of a range in that segment, in their order. */
  entries(segment: number, range: TermRange): TermEntry[] {
    const reader = this.#segments[segment] as SegmentReader
    const found: TermEntry[] = []
    const { first, end } = pagesOf(reader, range)
    for (let n = first; n < end; n++) {
      const page = this.#pages[segment]?.get(n)
      if (page === undefined) continue
      for (let at = firstAt(page.terms, range.from); at < page.terms.length; at++) {
        const term = page.terms[at] as string
        if (term >= range.to) return found
        this.#add(found, page, at)
      }
    }
    return found
  }

  #add(found: TermEntry[], page: TermPage, at: number): void {
    const term = page.terms[at] as string
    const documents = page.documents[at] as number
    const went = page.went[at] as number
    const blocks = readBlocks(page.source, page.starts[at] as number, documents, this.#fieldCount)
    const before = found.at(-1)
    if (before?.term !== term) {
      found.push({ term, blocks, documents, went })
      return
    }
    // A term that goes on in the next entry.
    found[found.length - 1] = {
      term,
      blocks: [...before.blocks, ...blocks],
      documents: before.documents + documents,
      went: before.went + went,
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

function firstAt(terms: readonly string[], from: string): number {
  let low = 0
  let high = terms.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((terms[middle] as string) < from) low = middle + 1
    else high = middle
  }
  return low
}
