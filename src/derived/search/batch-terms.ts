/**
 * The terms of one batch: collected document by document, then written as one segment.
 *
 * Sorting by term keeps the order in which they came, so the postings of a term come by ascending ordinals
 * and places.
 */
import type { AnalysisOptions } from './analysis.js'
import { PostingColumns } from './postings.js'
import { ordinalBits, rankedFlag, SaidTerms } from './said-terms.js'
import { isFullEntry, type SegmentWriter, termWork, workPerLook } from './segment.js'
import { type Pause, sortedTexts } from './sorted-texts.js'
import { gramOf } from './syllable-ids.js'
import { TermBytes } from './term-bytes.js'

/** Numbers that are moved between two looks at the clock. */
const numbersPerLook = 1 << 16

/** Collects terms. */
export class BatchTerms {
  readonly #fieldCount: number
  readonly #said: SaidTerms
  #documents = 0
  /** By ordinal, then field. */
  #lengths = new Uint32Array(1024)

  constructor(fieldCount: number, options: AnalysisOptions) {
    this.#fieldCount = fieldCount
    this.#said = new SaidTerms(fieldCount, options)
  }

  /**
   * Takes a document's texts and returns its length in each field; undefined if it has no term: then nothing
   * is taken.
   */
  add(texts: readonly (readonly string[])[]): readonly number[] | undefined {
    const lengths = this.#said.add(this.#documents, texts)
    if (lengths === undefined) return undefined
    const from = this.#fieldCount * this.#documents++
    if (from + lengths.length > this.#lengths.length) {
      const more = new Uint32Array(2 * (from + lengths.length))
      more.set(this.#lengths)
      this.#lengths = more
    }
    this.#lengths.set(lengths, from)
    return lengths
  }

  /** A document of another segment goes; returns the length that it had in each field. */
  remove(texts: readonly (readonly string[])[]): readonly number[] {
    return this.#said.remove(texts)
  }

  /** Writes all terms in their order. */
  async write(writer: SegmentWriter, pause: Pause): Promise<void> {
    const sorted = await this.#sorted(pause)
    const { starts } = sorted
    const { texts, syllables, went } = this.#said
    const columns = new PostingColumns(this.#fieldCount)
    const bytes = new TermBytes()
    let work = 0
    const put = (term: string, id: number): Promise<void> | undefined => {
      bytes.set(term)
      columns.clear()
      const [begin, end] = [starts[id] as number, starts[id + 1] as number]
      let from = this.#collect(columns, sorted, begin, end)
      while (from < end) {
        writer.term(bytes, 0, columns, this.#lengths)
        columns.clear()
        from = this.#collect(columns, sorted, from, end)
      }
      writer.term(bytes, went[id] as number, columns, this.#lengths)
      work += termWork + end - begin
      if (work < workPerLook) return undefined
      work = 0
      return pause()
    }
    const others = await sortedTexts([...texts.keys()], pause)
    let next = 0
    const putOthers = async (before: string | undefined): Promise<void> => {
      for (; next < others.length; next++) {
        const other = others[next] as string
        if (before !== undefined && other >= before) return
        const late = put(other, texts.get(other) as number)
        if (late !== undefined) await late
      }
    }
    for (const gram of syllables.inOrder()) {
      const term = gramOf(gram)
      if ((others[next] ?? term) < term) await putOthers(term)
      const late = put(term, syllables.idAt(gram))
      if (late !== undefined) await late
    }
    await putOthers(undefined)
  }

  /** Postings for one entry, of what was said from there; returns how far that is. */
  #collect(columns: PostingColumns, sorted: SortedTerms, from: number, to: number): number {
    const fieldCount = this.#fieldCount
    const { from: said, places: saidPlaces } = sorted
    const { places } = columns
    let at = from
    while (at < to && !isFullEntry(columns)) {
      const ordinal = (said[at] as number) >> ordinalBits
      let end = at + 1
      while (end < to && (said[end] as number) >> ordinalBits === ordinal) end++
      columns.begin(ordinal)
      const base = columns.count * fieldCount
      const hasPlaces = (saidPlaces[at] as number) >= 0
      if (hasPlaces) places.number(end - at)
      let last = 0
      for (; at < end; at++) {
        const flags = said[at] as number
        const count = base + (flags & 0xff)
        if ((flags & rankedFlag) !== 0) columns.counts[count] = (columns.counts[count] as number) + 1
        if (!hasPlaces) continue
        const place = saidPlaces[at] as number
        places.number(place - last)
        last = place
      }
      columns.end()
    }
    return at
  }

  async #sorted(pause: Pause): Promise<SortedTerms> {
    const { terms, from: saidFrom, places: saidPlaces, size, idCount } = this.#said
    const starts = new Int32Array(idCount + 1)
    for (let at = 0; at < size; at++) {
      const next = (terms[at] as number) + 1
      starts[next] = (starts[next] as number) + 1
    }
    for (let id = 0; id < idCount; id++) starts[id + 1] = (starts[id + 1] as number) + (starts[id] as number)
    const next = starts.slice()
    const from = new Int32Array(size)
    const places = new Int32Array(size)
    for (let begin = 0; begin < size; begin += numbersPerLook) {
      const end = Math.min(size, begin + numbersPerLook)
      for (let at = begin; at < end; at++) {
        const id = terms[at] as number
        const place = next[id] as number
        from[place] = saidFrom[at] as number
        places[place] = saidPlaces[at] as number
        next[id] = place + 1
      }
      const late = pause()
      if (late !== undefined) await late
    }
    return { starts, from, places }
  }
}

/** What was said, by term: from `starts[id]` to before `starts[id + 1]`. */
interface SortedTerms {
  readonly starts: Int32Array
  readonly from: Int32Array
  readonly places: Int32Array
}
