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

/** Walks in the order of the terms at which they stand, and among equals in their own. */
export class WalksInOrder {
  readonly #walks: readonly TermWalk[]
  /** Numbers of walks that are not done. */
  readonly #order: number[] = []
  /** So many of the first ones stand at the least term. */
  #lowest = 0

  /** Of walks that have begun. */
  constructor(walks: readonly TermWalk[]) {
    this.#walks = walks
    for (const [n, walk] of walks.entries()) if (!walk.isDone) this.#insert(this.#order.length, n)
  }

  /** The walks at the least term, put into `found` in their own order; none at the end of all. */
  lowest(found: number[]): void {
    this.#settle()
    found.length = 0
    const first = this.#order[0]
    if (first === undefined) return
    const { term } = this.#walks[first] as TermWalk
    let size = 1
    for (; size < this.#order.length; size++) {
      const walk = this.#walks[this.#order[size] as number] as TermWalk
      if (walk.term.compare(term) !== 0) break
    }
    for (let at = 0; at < size; at++) found.push(this.#order[at] as number)
    this.#lowest = size
  }

  /** Those that stood at the least term have gone on: each gets a new place. */
  #settle(): void {
    for (let at = this.#lowest - 1; at >= 0; at--) {
      const n = this.#order[at] as number
      if ((this.#walks[n] as TermWalk).isDone) this.#order.splice(at, 1)
      else this.#sink(at, n)
    }
    this.#lowest = 0
  }

  #sink(from: number, n: number): void {
    let at = from
    while (at + 1 < this.#order.length && this.#isAbove(n, this.#order[at + 1] as number)) {
      this.#order[at] = this.#order[at + 1] as number
      at++
    }
    this.#order[at] = n
  }

  #insert(from: number, n: number): void {
    let at = from
    while (at > 0 && this.#isAbove(this.#order[at - 1] as number, n)) {
      this.#order[at] = this.#order[at - 1] as number
      at--
    }
    this.#order[at] = n
  }

  #isAbove(one: number, other: number): boolean {
    const order = (this.#walks[one] as TermWalk).term.compare((this.#walks[other] as TermWalk).term)
    return order > 0 || (order === 0 && one > other)
  }
}
