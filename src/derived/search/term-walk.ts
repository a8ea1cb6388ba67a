/**
 * The entries of one segment in the order of their terms, a few pages in memory at a time.
 */
import { must } from '../../base/assert.js'
import type { IndexRows } from '../contract.js'
import { parsePage, readRows, type SegmentReader, type TermPage } from './segment-reader.js'

/** Pages that are read at a time. */
const pagesAhead = 4

/** A place among the entries behind a term; `begin` first. */
export class TermWalk {
  readonly #reader: SegmentReader
  readonly #rows: IndexRows
  readonly #after: string
  #pages: readonly TermPage[] = []
  #pageAt = 0
  #nextPage: number
  page: TermPage = parsePage(Buffer.alloc(0))
  at = 0

  constructor(reader: SegmentReader, rows: IndexRows, after: string) {
    this.#reader = reader
    this.#rows = rows
    this.#after = after
    this.#nextPage = reader.pageOf(after)
  }

  /** Undefined at the end. */
  get term(): string | undefined {
    return this.page.terms[this.at]
  }

  async begin(): Promise<void> {
    await this.nextPage()
    while (this.term !== undefined && this.term <= this.#after) {
      this.step()
      if (this.isPageDone()) await this.nextPage()
    }
  }

  step(): void {
    this.at++
  }

  isPageDone(): boolean {
    return this.at >= this.page.terms.length
  }

  async nextPage(): Promise<void> {
    if (this.#pageAt >= this.#pages.length) {
      const { facts } = this.#reader
      const to = Math.min(facts.rows.terms, this.#nextPage + pagesAhead)
      if (this.#nextPage >= to) return
      const sources = await readRows(this.#rows, facts, 'terms', this.#nextPage, to)
      this.#nextPage = to
      this.#pages = sources.map(parsePage)
      this.#pageAt = 0
    }
    this.page = must(this.#pages[this.#pageAt++], 'a page')
    this.at = 0
  }
}

/** The least term at which any walk stands; undefined at the end of all. */
export function lowest(walks: readonly TermWalk[]): string | undefined {
  let term: string | undefined
  for (const walk of walks) {
    if (walk.term !== undefined && (term === undefined || walk.term < term)) term = walk.term
  }
  return term
}
