/**
 * The terms of one batch: collected document by document, then written as one segment.
 *
 * All that is said of terms stands in columns of numbers, in the order in which it came; sorting by term
 * keeps that order, so the postings of a term come by ascending ordinals and places.
 */
import { type AnalysisOptions, eachTerm, type TermTaker, termKinds } from './analysis.js'
import { PostingColumns } from './postings.js'
import type { SegmentWriter } from './segment.js'
import { isSyllable, SyllableIds } from './syllable-ids.js'

const rankedFlag = 0x100

/** Collects terms. */
export class BatchTerms {
  readonly #fieldCount: number
  readonly #options: AnalysisOptions
  readonly #ids = new Map<string, number>()
  readonly #syllables = new SyllableIds()
  #idCount = 0
  readonly #went: number[] = []
  /** One of each for every time a term was said. */
  #terms = new Int32Array(4096)
  #ordinals = new Int32Array(4096)
  #places = new Int32Array(4096)
  #flags = new Int32Array(4096)
  #size = 0
  #documents = 0
  #lengths: number[] = []

  constructor(fieldCount: number, options: AnalysisOptions) {
    this.#fieldCount = fieldCount
    this.#options = options
  }

  /** Documents with terms so far. */
  get documents(): number {
    return this.#documents
  }

  /** By ordinal, then field. */
  get lengths(): readonly number[] {
    return this.#lengths
  }

  /**
   * Takes a document's texts and returns its length in each field; undefined if it has no term: then nothing
   * is taken.
   */
  add(texts: readonly (readonly string[])[]): readonly number[] | undefined {
    const before = this.#size
    let field = 0
    const lengths = new Array<number>(this.#fieldCount).fill(0)
    const ordinal = this.#documents
    const say = (id: number, place: number, ranked: boolean): void => {
      if (this.#size === this.#terms.length) this.#grow()
      const at = this.#size++
      this.#terms[at] = id
      this.#ordinals[at] = ordinal
      this.#places[at] = place
      this.#flags[at] = ranked ? field | rankedFlag : field
    }
    const taker: TermTaker = {
      take: (term, place, ranked) => {
        if (ranked && isCounted(term)) lengths[field] = (lengths[field] as number) + 1
        say(this.#idOf(term), place, ranked)
      },
      takeSyllables: (first, second, place, ranked) => {
        if (ranked) lengths[field] = (lengths[field] as number) + 1
        say(this.#idOfSyllables(first, second), place, ranked)
      },
    }
    let place = 0
    for (field = 0; field < texts.length; field++) {
      for (const text of texts[field] as readonly string[]) {
        place = eachTerm(text, place, taker, this.#options)
      }
    }
    if (this.#size === before) return undefined
    this.#documents++
    for (const length of lengths) this.#lengths.push(length)
    return lengths
  }

  /** A document of another segment goes; returns the length that it had in each field. */
  remove(texts: readonly (readonly string[])[]): readonly number[] {
    let field = 0
    const lengths = new Array<number>(this.#fieldCount).fill(0)
    const had = new Set<number>()
    const taker: TermTaker = {
      take: (term, _place, ranked) => {
        if (ranked && isCounted(term)) lengths[field] = (lengths[field] as number) + 1
        had.add(this.#idOf(term))
      },
    }
    for (field = 0; field < texts.length; field++) {
      for (const text of texts[field] as readonly string[]) eachTerm(text, 0, taker, this.#options)
    }
    for (const id of had) this.#went[id] = (this.#went[id] as number) + 1
    return lengths
  }

  /** Writes all terms in their order. */
  write(writer: SegmentWriter): void {
    const lengths = Uint32Array.from(this.#lengths)
    const { starts, order } = this.#sorted()
    const columns = new PostingColumns(this.#fieldCount)
    for (const [term, id] of this.#inOrder()) {
      columns.clear()
      this.#collect(columns, order, starts[id] as number, starts[id + 1] as number)
      writer.term(term, this.#went[id] as number, columns, lengths)
    }
  }

  #collect(columns: PostingColumns, order: Int32Array, from: number, to: number): void {
    const fieldCount = this.#fieldCount
    for (let at = from; at < to; ) {
      const ordinal = this.#ordinals[order[at] as number] as number
      let end = at + 1
      while (end < to && this.#ordinals[order[end] as number] === ordinal) end++
      columns.begin(ordinal)
      const base = columns.count * fieldCount
      let last = 0
      for (let i = at; i < end; i++) {
        const said = order[i] as number
        const flags = this.#flags[said] as number
        const count = base + (flags & 0xff)
        if (flags >= rankedFlag) columns.counts[count] = (columns.counts[count] as number) + 1
        const place = this.#places[said] as number
        if (place < 0) continue
        if (i === at) columns.places.number(end - at)
        columns.places.number(place - last)
        last = place
      }
      columns.end()
      at = end
    }
  }

  /** What was said, by term: `order[starts[id]]` is the first of that term. */
  #sorted(): { starts: Int32Array; order: Int32Array } {
    const starts = new Int32Array(this.#idCount + 1)
    for (let at = 0; at < this.#size; at++) {
      const next = (this.#terms[at] as number) + 1
      starts[next] = (starts[next] as number) + 1
    }
    for (let id = 0; id < this.#idCount; id++)
      starts[id + 1] = (starts[id + 1] as number) + (starts[id] as number)
    const next = starts.slice()
    const order = new Int32Array(this.#size)
    for (let at = 0; at < this.#size; at++) {
      const id = this.#terms[at] as number
      const place = next[id] as number
      order[place] = at
      next[id] = place + 1
    }
    return { starts, order }
  }

  /** All terms with their ids. */
  *#inOrder(): Generator<readonly [string, number]> {
    const others = [...this.#ids.keys()].sort()
    let next = 0
    for (const [gram, id] of this.#syllables.inOrder()) {
      for (let other = others[next]; other !== undefined && other < gram; other = others[++next]) {
        yield [other, this.#ids.get(other) as number]
      }
      yield [gram, id]
    }
    for (const other of others.slice(next)) yield [other, this.#ids.get(other) as number]
  }

  #idOf(term: string): number {
    if (term.charCodeAt(0) === gramCode && term.length <= 3) {
      const first = term.charCodeAt(1)
      const second = term.length === 2 ? 0 : term.charCodeAt(2)
      if (isSyllable(first) && (second === 0 || isSyllable(second))) return this.#idOfSyllables(first, second)
    }
    const known = this.#ids.get(term)
    if (known !== undefined) return known
    this.#ids.set(term, this.#idCount)
    return this.#newId()
  }

  #idOfSyllables(first: number, second: number): number {
    const id = this.#syllables.idOf(first, second, this.#idCount)
    return id === this.#idCount ? this.#newId() : id
  }

  #newId(): number {
    this.#went.push(0)
    return this.#idCount++
  }

  #grow(): void {
    const size = 2 * this.#terms.length
    this.#terms = grown(this.#terms, size)
    this.#ordinals = grown(this.#ordinals, size)
    this.#places = grown(this.#places, size)
    this.#flags = grown(this.#flags, size)
  }
}

const wordCode = termKinds.word.charCodeAt(0)
const gramCode = termKinds.gram.charCodeAt(0)

/** True for what makes a text longer to ranking. */
function isCounted(term: string): boolean {
  return term.charCodeAt(0) !== wordCode
}

function grown(column: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(size)
  more.set(column)
  return more
}
