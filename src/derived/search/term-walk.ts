/**
 * The entries of one segment in the order of their terms, a few pages in memory at a time.
 */
import type { IndexRows } from '../contract.js'
import { ByteReader } from './bytes.js'
import { readRows, type SegmentReader } from './segment-reader.js'
import { TermBytes } from './term-bytes.js'

/** Pages that are read at a time. */
const pagesAhead = 4
const noPage = Buffer.alloc(0)

/** A place among the entries behind a term; `begin` first. */
export class TermWalk {
  readonly #reader: SegmentReader
  readonly #rows: IndexRows
  readonly #after: string
  #pages: readonly Buffer[] = []
  #pageAt = 0
  #nextPage: number
  #page = new ByteReader(noPage)
  /** At the end of all. */
  isDone = false
  readonly term = new TermBytes()
  /** Postings of the entry, and where they stand in `source`. */
  documents = 0
  went = 0
  start = 0
  end = 0

  constructor(reader: SegmentReader, rows: IndexRows, after: string) {
    this.#reader = reader
    this.#rows = rows
    this.#after = after
    this.#nextPage = reader.pageOf(after)
  }

  get source(): Buffer {
    return this.#page.source
  }

  /** Goes to the first entry. */
  async begin(): Promise<void> {
    const after = new TermBytes()
    after.set(this.#after)
    do {
      if (!this.step()) await this.nextPage()
    } while (!this.isDone && this.term.compare(after) <= 0)
  }

  /** Goes to the next entry; false if the page has no more: then `nextPage` does. */
  step(): boolean {
    const page = this.#page
    if (page.isAtEnd) return false
    const { source } = page
    const { bytes } = this.term
    let at = page.number()
    const rest = page.number()
    this.term.size = at + rest
    for (let from = page.at; from < page.at + rest; from++) bytes[at++] = source[from] as number
    page.at += rest
    this.documents = page.number()
    this.went = page.number()
    const size = page.number()
    this.start = page.at
    page.at += size
    this.end = page.at
    return true
  }

  /** Goes to the first entry of the next page, or to the end of all. */
  async nextPage(): Promise<void> {
    if (this.#pageAt >= this.#pages.length) {
      const { facts } = this.#reader
      const to = Math.min(facts.rows.terms, this.#nextPage + pagesAhead)
      if (this.#nextPage >= to) {
        this.isDone = true
        return
      }
      this.#pages = await readRows(this.#rows, facts, 'terms', this.#nextPage, to)
      this.#nextPage = to
      this.#pageAt = 0
    }
    this.#page = new ByteReader(this.#pages[this.#pageAt++] ?? noPage)
    if (!this.step()) await this.nextPage()
  }
}

/** The walks that stand at the least term, put into `found` in their order; none at the end of all. */
export function atLowest(walks: readonly TermWalk[], found: number[]): void {
  found.length = 0
  let lowest: TermWalk | undefined
  for (const [n, walk] of walks.entries()) {
    if (walk.isDone) continue
    const order = lowest === undefined ? -1 : walk.term.compare(lowest.term)
    if (order > 0) continue
    if (order < 0) {
      lowest = walk
      found.length = 0
    }
    found.push(n)
  }
}
