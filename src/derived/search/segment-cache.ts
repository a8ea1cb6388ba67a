/**
 * What was read of segments, kept from call to call.
 *
 * Rows of a segment never change and its digest says what is in it, so all that is kept here is what reading
 * the rows again would give: it makes answers fast, and no answer another one. Opened segments are kept
 * while the newest manifest that was asked for names them; pages up to `limits.searchPagesBytesMax`, those
 * used last.
 */
import { limits } from '../../base/limits.js'
import type { IndexRows } from '../contract.js'
import type { SegmentFacts } from './segment.js'
import { parsePage, readRows, SegmentReader, type TermPage } from './segment-reader.js'

/** Keeps segments and pages. */
export class SegmentCache {
  readonly #shape: { readonly fields: number; readonly filters: number }
  readonly #readers = new Map<string, SegmentReader>()
  /** The one used last stands last. */
  readonly #pages = new Map<string, TermPage>()
  #pageBytes = 0

  constructor(shape: { readonly fields: number; readonly filters: number }) {
    this.#shape = shape
  }

  /** The segments, opened. */
  async open(segments: readonly SegmentFacts[], rows: IndexRows): Promise<SegmentReader[]> {
    const opened: SegmentReader[] = []
    for (const facts of segments) {
      const name = nameOf(facts)
      let reader = this.#readers.get(name)
      reader ??= await SegmentReader.open(facts, rows, this.#shape)
      this.#readers.set(name, reader)
      opened.push(reader)
    }
    return opened
  }

  /** Lets go of segments that are none of these. */
  keepOnly(segments: readonly SegmentFacts[]): void {
    const names = new Set(segments.map(nameOf))
    for (const name of this.#readers.keys()) if (!names.has(name)) this.#readers.delete(name)
  }

  /** The page if it is here. */
  page(reader: SegmentReader, n: number): TermPage | undefined {
    const name = `${nameOf(reader.facts)} ${n}`
    const page = this.#pages.get(name)
    if (page === undefined) return undefined
    this.#pages.delete(name)
    this.#pages.set(name, page)
    return page
  }

  /** Reads pages that are not here. Each is kept as long as there is room. */
  async readPages(reader: SegmentReader, from: number, to: number, rows: IndexRows): Promise<TermPage[]> {
    const sources = await readRows(rows, reader.facts, 'terms', from, to)
    return sources.map((source, at) => {
      const page = parsePage(source)
      this.#keep(`${nameOf(reader.facts)} ${from + at}`, page)
      return page
    })
  }

  #keep(name: string, page: TermPage): void {
    if (!this.#pages.has(name)) this.#pageBytes += page.source.length
    this.#pages.set(name, page)
    for (const [oldest, { source }] of this.#pages) {
      if (this.#pageBytes <= limits.searchPagesBytesMax) break
      this.#pages.delete(oldest)
      this.#pageBytes -= source.length
    }
  }
}

function nameOf({ id, digest }: SegmentFacts): string {
  return `${id}:${digest}`
}
