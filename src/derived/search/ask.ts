/**
 * Answers a question from one view: finds the terms, weighs them over all segments, and asks each segment.
 */
import { type DocumentKey, decodeKey } from '../../base/tuple.js'
import type { IndexRows } from '../contract.js'
import { Bm25, termWorth } from './bm25.js'
import type { FilterTest } from './filter.js'
import { passing } from './filter.js'
import { type Matcher, PhraseMatcher, TermMatcher } from './matcher.js'
import { OpenDocuments } from './open-documents.js'
import { noOrdinal, type OpenList, PostingCursor } from './posting-cursor.js'
import type { Clause, Question } from './question.js'
import type { SegmentCache } from './segment-cache.js'
import {
  hasRequired,
  type RankedList,
  type SegmentQuestion,
  searchSegment,
  seenPerLook,
} from './segment-search.js'
import type { Pause } from './sorted-texts.js'
import { TermLookup, type TermRange } from './term-lookup.js'
import { hitRow, type ScoredDocument, TopHits } from './top-hits.js'
import type { SearchView } from './view.js'

/** A document that answers. */
export interface SearchHit {
  readonly key: DocumentKey
  readonly score: number
  /** Where it stands among the hits: a later query goes on `after` it. */
  readonly row: Buffer
}

/** A clause with its open end found, in one segment. */
type OpenLists = ReadonlyMap<Clause, OpenList>

/** What a question is asked of. */
export interface AskedIndex {
  readonly view: SearchView
  readonly cache: SegmentCache
  readonly rows: IndexRows
  readonly weights: readonly number[]
  readonly filterCount: number
}

/** One question and one view. */
export class Asking {
  readonly #asked: AskedIndex
  readonly #tests: readonly FilterTest[]
  readonly #lookup: TermLookup
  readonly #bm25: Bm25
  readonly #pause: Pause
  #question: Question
  /** By segment. */
  #open: readonly OpenLists[] = []
  /** What terms and open clauses are worth, in the order of summing. */
  #worths = new Map<string | Clause, number>()

  private constructor(asked: AskedIndex, question: Question, tests: readonly FilterTest[]) {
    const { view, cache, weights } = asked
    this.#asked = asked
    this.#pause = () => asked.rows.pause()
    this.#question = question
    this.#tests = tests
    const readers = view.segments.map(({ reader }) => reader)
    this.#lookup = new TermLookup(readers, cache, weights.length)
    this.#bm25 = new Bm25(view.manifest.documents, view.manifest.lengths, weights)
  }

  /** Reads all that the answer takes. */
  static async prepare(asked: AskedIndex, question: Question, tests: readonly FilterTest[]): Promise<Asking> {
    const asking = new Asking(asked, question, tests)
    await asking.#load(question)
    if (question.otherwise !== undefined && !(await asking.#hasAnswer())) {
      asking.#question = question.otherwise
      await asking.#load(question.otherwise)
    }
    return asking
  }

  /** The best hits behind `after`, so many at most. Once: the places in lists move forward only. */
  async best(
    size: number,
    after: ScoredDocument | undefined,
  ): Promise<{ hits: SearchHit[]; last: ScoredDocument | undefined }> {
    const top = new TopHits(size, after)
    const largest = this.#asked.view.segments
      .map(({ reader }, n) => ({ n, documents: reader.facts.documents }))
      .sort((a, b) => b.documents - a.documents)
    for (const { n } of largest) {
      const passes = await this.#passing(n)
      await searchSegment(this.#inSegment(n, passes), top, this.#pause)
    }
    const found = top.sorted()
    const hits = found.map(one => ({ key: decodeKey(one.key), score: one.score, row: hitRow(one) }))
    return { hits, last: found.at(-1) }
  }

  async #load(question: Question): Promise<void> {
    const clauses = [...question.required, ...question.optional]
    const terms = new Set(question.ranking.keys())
    const ranges: TermRange[] = []
    for (const { terms: placed, open } of clauses) {
      for (const { term } of placed) terms.add(term)
      if (open !== undefined) ranges.push(...open.ranges)
    }
    await this.#lookup.load(terms, ranges, this.#asked.rows)
    const { segments } = this.#asked.view
    const opened = clauses.filter(({ open }) => open !== undefined)
    const open: OpenLists[] = []
    for (const n of segments.keys()) {
      const lists = new Map<Clause, OpenList>()
      for (const clause of opened) lists.set(clause, await this.#openList(n, clause))
      open.push(lists)
    }
    this.#open = open
    this.#weigh(question, opened)
  }

  /** How many documents have a term is summed over all segments, less those that went. */
  #weigh(question: Question, opened: readonly Clause[]): void {
    const { segments, manifest } = this.#asked.view
    this.#worths = new Map()
    for (const term of [...question.ranking.keys()].sort()) {
      let documents = 0
      for (const n of segments.keys()) {
        const entry = this.#lookup.entry(n, term)
        documents += entry.documents - entry.went
      }
      const times = question.ranking.get(term) ?? 0
      if (documents > 0) this.#worths.set(term, times * termWorth(manifest.documents, documents))
    }
    for (const clause of opened) {
      let documents = 0
      for (const [n, { gone }] of segments.entries()) {
        const list = this.#open[n]?.get(clause)?.postings
        if (list === undefined) continue
        if (gone === undefined) documents += list.count
        else
          for (let i = 0; i < list.count; i++) documents += 1 - (gone[list.ordinals[i] as number] as number)
      }
      if (documents > 0) this.#worths.set(clause, termWorth(manifest.documents, documents))
    }
  }

  async #hasAnswer(): Promise<boolean> {
    for (const n of this.#asked.view.segments.keys()) {
      if (await hasRequired(this.#inSegment(n, undefined), this.#pause)) return true
    }
    return false
  }

  async #passing(n: number): Promise<Uint8Array | undefined> {
    const segment = this.#asked.view.segments[n]
    if (segment === undefined) return undefined
    return await passing(segment.reader, this.#tests, this.#asked.filterCount, this.#pause)
  }

  #inSegment(n: number, passes: Uint8Array | undefined): SegmentQuestion {
    const { view, weights } = this.#asked
    const segment = view.segments[n] as SearchView['segments'][number]
    const { gone, reader } = segment
    const { required, optional } = this.#question
    const lists: RankedList[] = []
    for (const [name, worth] of this.#worths) {
      const list = typeof name === 'string' ? this.#lookup.entry(n, name).blocks : this.#open[n]?.get(name)
      const count = list === undefined ? 0 : 'length' in list ? list.length : list.postings.count
      if (list !== undefined && count > 0)
        lists.push({ cursor: new PostingCursor(list, weights.length), worth })
    }
    const walks = this.#walksLists(lists.length)
    return {
      reader,
      bm25: this.#bm25,
      lists,
      required: walks ? [] : required.map(clause => this.#matcher(n, clause)),
      optional: walks || this.#isOneEnough() ? undefined : optional.map(clause => this.#matcher(n, clause)),
      counts: ordinal => gone?.[ordinal] !== 1 && passes?.[ordinal] !== 0,
    }
  }

  /** True if what is required is one list, and that list is all that ranks: then it is walked with bounds. */
  #walksLists(listCount: number): boolean {
    const [clause, ...others] = this.#question.required
    if (clause === undefined || others.length > 0 || this.#worths.size !== 1 || listCount !== 1) return false
    const [name] = this.#worths.keys()
    if (clause.open !== undefined) return name === clause
    return clause.terms.length === 1 && clause.terms[0]?.term === name
  }

  /** True if each list that ranks is a clause by itself: then each of its documents matches. */
  #isOneEnough(): boolean {
    const alone = new Set<string | Clause>()
    for (const clause of this.#question.optional) {
      const [first, ...others] = clause.terms
      if (clause.open !== undefined) alone.add(clause)
      else if (first !== undefined && others.length === 0) alone.add(first.term)
    }
    return [...this.#worths.keys()].every(name => alone.has(name))
  }

  #matcher(n: number, clause: Clause): Matcher {
    const fields = this.#asked.weights.length
    const open = this.#open[n]?.get(clause)
    if (open !== undefined) return new TermMatcher(new PostingCursor(open, fields))
    const cursor = (term: string): PostingCursor =>
      new PostingCursor(this.#lookup.entry(n, term).blocks, fields)
    const [only, ...others] = clause.terms
    if (only !== undefined && others.length === 0) return new TermMatcher(cursor(only.term))
    const offsets = new Map<string, number[]>()
    for (const { term, offset } of clause.terms) {
      const known = offsets.get(term)
      if (known === undefined) offsets.set(term, [offset])
      else known.push(offset)
    }
    return new PhraseMatcher([...offsets].map(([term, own]) => ({ cursor: cursor(term), offsets: own })))
  }

  /** The documents of one segment that match an open clause, with what ranking counts of the open terms. */
  async #openList(n: number, { terms, open }: Clause): Promise<OpenList> {
    const { view, cache, weights } = this.#asked
    const { reader } = view.segments[n] as SearchView['segments'][number]
    const ranges = open?.ranges ?? []
    // Without terms before it, it is the same for all questions.
    const name = terms.length === 0 ? ranges.map(({ from, to }) => `${from}\0${to}`).join('\0') : undefined
    const kept = name === undefined ? undefined : cache.list(reader, name)
    if (kept !== undefined) return kept
    const found = new OpenDocuments(reader.facts.documents, weights.length)
    for (const range of ranges) {
      const ends = new Set<string>()
      for (const [page, from, to] of this.#lookup.entries(n, range)) {
        if (terms.length === 0) found.add(page, from, to)
        else for (const end of page.terms.slice(from, to)) ends.add(end)
        const late = this.#pause()
        if (late !== undefined) await late
      }
      for (const term of ends) {
        await this.#addPhrases(n, [...terms, { term, offset: open?.offset ?? 0 }], found)
      }
    }
    const list = found.list(reader.documents.lengths)
    if (name !== undefined) cache.keepList(reader, name, list)
    return list
  }

  async #addPhrases(n: number, terms: Clause['terms'], found: OpenDocuments): Promise<void> {
    const matcher = this.#matcher(n, { terms })
    const fields = this.#asked.weights.length
    const last = new PostingCursor(this.#lookup.entry(n, terms.at(-1)?.term ?? '').blocks, fields)
    let seen = 0
    for (let at = matcher.candidate(0); at !== noOrdinal; at = matcher.candidate(at + 1)) {
      if (matcher.matches(at) && last.seek(at) === at) found.addOne(last)
      const late = ++seen % seenPerLook === 0 ? this.#pause() : undefined
      if (late !== undefined) await late
    }
  }
}
