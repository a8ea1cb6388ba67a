/**
 * The search index: documents that answer a question in words, the best first.
 *
 * What words are is said by the analysis (analysis.ts), what a question means by question.ts, what is best by
 * bm25.ts. The index is kept as segments (segment.ts): each batch adds one, and neighbours are merged as they
 * become many (merge-policy.ts), some of the work with each batch. A document that changes or goes is out of
 * the answers with its batch; numbers of documents, lengths and frequencies are exact then, so hits and
 * scores do not depend on the batches in which documents came. The rows do.
 *
 * A hit stands at its score and key; a later query goes on after any such place. Between pages documents may
 * change, and with them all scores: each page holds for the rows as of its own question.
 */
import { limits } from '../../base/limits.js'
import type {
  DerivedIndex,
  IndexChange,
  IndexOps,
  IndexRow,
  IndexRows,
  IndexType,
  KeyedDocument,
} from '../contract.js'
import { analysisVersion } from './analysis.js'
import { applyChanges, type SearchOptions } from './apply.js'
import { type AskedIndex, Asking, type SearchHit } from './ask.js'
import { canonicalRows } from './canonical.js'
import { configureSearch, type SearchConfig } from './config.js'
import { decodeNote, documentParts, type SearchShape, searchShape } from './document-parts.js'
import { filterTests } from './filter.js'
import { parseQuestion } from './question.js'
import { checkSearchQuery, type SearchQuery } from './search-query.js'
import { SegmentCache } from './segment-cache.js'
import { readHitRow } from './top-hits.js'
import { Views } from './view.js'

/** Number of what rows mean; raised together with the analysis it makes the type's version. */
const rowsVersion = 1

/** The index type. */
export const search: IndexType<SearchConfig, SearchQuery, SearchHit> = {
  type: 'search',
  version: 1000 * analysisVersion + rowsVersion,
  configure: configureSearch,
  open: config => new SearchIndex(config),
  sameQuestions: (one, other) => namesOf(one) === namesOf(other),
}

/** What questions name. */
function namesOf({ fields, filters }: SearchConfig): string {
  return JSON.stringify([fields.map(({ field }) => field), filters])
}

/** An index, opened. */
export class SearchIndex implements DerivedIndex<SearchQuery, SearchHit> {
  readonly #config: SearchConfig
  readonly #options: SearchOptions
  readonly #shape: SearchShape
  readonly #cache: SegmentCache
  readonly #views: Views

  constructor(config: SearchConfig, options: SearchOptions = {}) {
    this.#config = config
    this.#options = options
    this.#shape = searchShape(config)
    const { fields, filters } = this.#shape
    this.#cache = new SegmentCache({ fields: fields.length, filters: filters.length })
    this.#views = new Views(this.#cache, fields.length)
  }

  check(keyed: KeyedDocument): void {
    documentParts(this.#shape, keyed, 0)
  }

  async apply(changes: readonly IndexChange[], rows: IndexRows, ops: IndexOps): Promise<void> {
    const writer = { shape: this.#shape, options: this.#options, cache: this.#cache }
    await applyChanges(writer, changes, rows, ops)
  }

  query(query: SearchQuery, rows: IndexRows): AsyncIterable<readonly SearchHit[]> {
    checkSearchQuery(query)
    const { text, match, prefix = false, where, limit, after } = query
    const question = parseQuestion(text, { ...this.#options, match, prefix })
    const tests = filterTests(this.#config.filters, where)
    const from = after === undefined ? undefined : readHitRow(after)
    return this.#pages(rows, limit, from, asked => Asking.prepare(asked, question, tests))
  }

  async *canonical(rows: IndexRows): AsyncGenerator<readonly IndexRow[]> {
    yield* canonicalRows(await this.#views.view(rows), rows, this.#shape.fields.length)
  }

  /** A document's number depends on the batches; what it gave does not. */
  canonicalNote(note: Buffer): Uint8Array {
    return decodeNote(note).body
  }

  async *#pages(
    rows: IndexRows,
    limit: number | undefined,
    from: ReturnType<typeof readHitRow> | undefined,
    prepare: (asked: AskedIndex) => Promise<Asking>,
  ): AsyncGenerator<readonly SearchHit[]> {
    const asked: AskedIndex = {
      view: await this.#views.view(rows),
      cache: this.#cache,
      rows,
      weights: this.#config.fields.map(({ weight }) => weight),
      filterCount: this.#config.filters.length,
    }
    let after = from
    for (let left = limit ?? Number.POSITIVE_INFINITY; left > 0; ) {
      const size = Math.min(left, limits.scanPageRows)
      // A place moves forward only: each page has places of its own.
      const asking = await prepare(asked)
      const { hits, last } = await asking.best(size, after)
      if (hits.length > 0) yield hits
      if (hits.length < size) return
      left -= hits.length
      after = last
    }
  }
}
