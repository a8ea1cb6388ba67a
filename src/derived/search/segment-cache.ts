/**
 * What was read of segments, kept from call to call.
 *
 * Rows of a segment never change and its digest says what is in it, so all that is kept here is what reading
 * the rows again would give: it makes answers fast, and no answer another one. Opened segments are kept
 * while the newest manifest that was asked for names them; pages of terms, and the documents that have any
 * term of a range, as far as limits allow, those used last.
 */
import { limits } from '../../base/limits.js'
import type { IndexRows } from '../contract.js'
import type { OpenList } from './posting-cursor.js'
import type { SegmentFacts } from './segment.js'
import { parsePage, readRows, SegmentReader, type TermPage } from './segment-reader.js'

/** What was used, up to so many bytes; the one used last stands last. */
class Kept<T> {
  readonly #bytesMax: number
  readonly #all = new Map<string, { readonly one: T; readonly bytes: number }>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(name: string): T | undefined {
    const found = this.#all.get(name)
    if (found === undefined) return undefined
    this.#all.delete(name)
    this.#all.set(name, found)
    return found.one
  }

  keep(name: string, one: T, bytes: number): void {
    this.#bytes += bytes - (this.#all.get(name)?.bytes ?? 0)
    this.#all.delete(name)
    this.#all.set(name, { one, bytes })
    for (const [oldest, { bytes }] of this.#all) {
      if (this.#bytes <= this.#bytesMax) break
      this.#all.delete(oldest)
      this.#bytes -= bytes
    }
  }
}

/** Bytes of a list beside its postings, about. */
const listBytes = 512

/** Keeps segments, pages and lists. */
export class SegmentCache {
  readonly #shape: { readonly fields: number; readonly filters: number }
  readonly #readers = new Map<string, SegmentReader>()
  readonly #pages = new Kept<TermPage>(limits.searchPagesBytesMax)
  readonly #lists = new Kept<OpenList>(limits.searchListsBytesMax)

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
    return this.#pages.get(`${nameOf(reader.facts)} ${n}`)
  }

  /** Reads pages that are not here. Each is kept as long as there is room. */
  async readPages(reader: SegmentReader, from: number, to: number, rows: IndexRows): Promise<TermPage[]> {
    const sources = await readRows(rows, reader.facts, 'terms', from, to)
    const pages: TermPage[] = []
    for (const [at, source] of sources.entries()) {
      const page = parsePage(source)
      this.#pages.keep(`${nameOf(reader.facts)} ${from + at}`, page, source.length)
      pages.push(page)
      const late = rows.pause()
      if (late !== undefined) await late
    }
    return pages
  }

  /** The list of that name, made of this segment alone, if it is here. */
  list(reader: SegmentReader, name: string): OpenList | undefined {
    return this.#lists.get(`${nameOf(reader.facts)} ${name}`)
  }

  /** Keeps it as long as there is room. */
  keepList(reader: SegmentReader, name: string, list: OpenList): void {
    const { ordinals, counts } = list.postings
    const bytes = listBytes + name.length + ordinals.byteLength + 2 * counts.byteLength
    this.#lists.keep(`${nameOf(reader.facts)} ${name}`, list, bytes)
  }
}

function nameOf({ id, digest }: SegmentFacts): string {
  return `${id}:${digest}`
}
