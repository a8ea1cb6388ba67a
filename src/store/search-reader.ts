/**
 * Searches: a page of hits with their documents and what is to be shown of them, all as of one moment.
 *
 * Hits, documents and their versions come from one moment, which shows at least all that was acknowledged
 * when the search was asked for; highlights are made of these same documents. If rows of the index are found
 * damaged on the way, the index is built anew and the whole page is made again, at a later moment. A cursor
 * is signed and belongs to one question: one of another question, index or store is refused.
 */
import { encodeTuple, type TupleValue } from '../base/tuple.js'
import { isPlainObject } from '../codec/value.js'
import type { IndexType } from '../derived/contract.js'
import { type CursorQuestion, decodeCursor, encodeCursor } from '../derived/cursor.js'
import type { SearchHit } from '../derived/search/ask.js'
import type { SearchConfig } from '../derived/search/config.js'
import { DocumentHighlights } from '../derived/search/document-highlights.js'
import { filterTests, given, type SearchFilter } from '../derived/search/filter.js'
import { fragmentHtml } from '../derived/search/fragments.js'
import { search } from '../derived/search/search.js'
import { checkSearchQuery, type SearchQuery } from '../derived/search/search-query.js'
import type { Clock } from '../env/clock.js'
import type { CollectionSchema } from '../machine/schema.js'
import { checkSignal, noOptions } from './check-options.js'
import { documentsOf, type HitDocument, type IndexMoments, Tries } from './index-moments.js'
import { ownCopy } from './own-copy.js'
import type { FoundDocument, SearchOptions, SearchPage } from './search-types.js'
import { untilAborted } from './until-aborted.js'

/** Hits of a page, unless it is said. */
const pageHits = 10
/** Text that is looked through for marks without a pause, in UTF-16 units: a few milliseconds. */
const unitsPerTurn = 64 * 1024

/** What a search found at its moment. */
interface Answer {
  readonly hits: readonly SearchHit[]
  readonly documents: readonly HitDocument<SearchHit>[]
  readonly position: number
  readonly parked: number
}

/** Searches the collections of one store. */
export class SearchReader {
  readonly #moments: IndexMoments
  readonly #clock: Clock
  readonly #secret: Buffer

  /** `secret` signs cursors; the same for all openings of a folder. */
  constructor(moments: IndexMoments, clock: Clock, secret: Buffer) {
    this.#moments = moments
    this.#clock = clock
    this.#secret = secret
  }

  /** One page, and the cursor of the next. The options are checked but for what depends on the index. */
  async page<T>(
    schema: CollectionSchema,
    name: string,
    text: string,
    options: SearchOptions = noOptions,
  ): Promise<SearchPage<T>> {
    return await untilAborted(this.#page<T>(schema, name, text, options), options, 'the search')
  }

  async #page<T>(
    schema: CollectionSchema,
    name: string,
    text: string,
    options: SearchOptions,
  ): Promise<SearchPage<T>> {
    const { limit = pageHits, cursor, match, prefix, highlight = false } = options
    const where = ownCopy(options.where)
    const config = this.#configOf(schema, name)
    const asked: SearchQuery = {
      text,
      ...(match !== undefined && { match }),
      ...(prefix !== undefined && { prefix }),
      ...(where !== undefined && { where }),
    }
    // Looks at the whole question before it is known by a cursor, or waited for.
    checkSearchQuery(asked)
    filterTests(config.filters, where)
    const highlights =
      highlight === false ? undefined : new DocumentHighlights(config, text, { match, prefix }, highlight)
    const question = questionOf(this.#moments.cursorIdentity(schema, name), asked)
    const after = cursor === undefined ? {} : { after: decodeCursor(cursor, question, this.#secret) }
    // One more is asked for: it tells whether there is a next page.
    const query = { ...asked, ...after, limit: limit + 1 }
    const { hits, documents, position, parked } = await this.#answer(schema, name, query, limit, options)
    const found: FoundDocument<T>[] = []
    let units = 0
    for (const { document, version, hit } of documents) {
      const { key, score } = hit
      const one = { key, version, score, document: document as T }
      if (highlights === undefined) {
        found.push(one)
        continue
      }
      units += highlights.unitsOf(document)
      if (units > unitsPerTurn) {
        units = 0
        await new Promise<void>(resolve => this.#clock.soon(resolve))
        checkSignal(options, 'the search')
      }
      found.push({ ...one, highlights: htmlOf(highlights, document) })
    }
    const last = hits.length > limit ? hits[limit - 1] : undefined
    const next = last && encodeCursor(question, last.row, this.#secret)
    return { hits: found, cursor: next, position, ...(parked > 0 && { parked }) }
  }

  /** Hits, one more than `limit` if there is, and the documents of `limit` of them, less parked ones. */
  async #answer(
    schema: CollectionSchema,
    name: string,
    query: SearchQuery,
    limit: number,
    options: SearchOptions,
  ): Promise<Answer> {
    for (const tries = new Tries(); ; ) {
      const { opened, moment } = await this.#moments.moment(schema, name, options)
      try {
        const hits: SearchHit[] = []
        for await (const page of opened.index.query(query, moment.rows)) {
          checkSignal(options, 'the search')
          hits.push(...(page as SearchHit[]))
        }
        const documents = await documentsOf(schema, moment, hits.slice(0, limit))
        checkSignal(options, 'the search')
        // Hits on parked documents are on older forms of them.
        const current = documents.filter(({ isParked }) => !isParked)
        return { hits, documents: current, position: moment.position, parked: moment.parked.size }
      } catch (error) {
        tries.goOnAfter(error, opened)
      } finally {
        await moment.release()
      }
    }
  }

  #configOf(schema: CollectionSchema, name: string): SearchConfig {
    const { config } = this.#moments.schemaOfType(schema, name, search as IndexType)
    return config as unknown as SearchConfig
  }
}

function htmlOf(
  highlights: DocumentHighlights,
  document: Readonly<Record<string, unknown>>,
): Readonly<Record<string, readonly string[]>> {
  const fields = [...highlights.of(document)]
  return Object.fromEntries(fields.map(([field, fragments]) => [field, fragments.map(fragmentHtml)]))
}

/** What a cursor belongs to: all of the question that says which documents answer, and in which order. */
function questionOf(index: string, { text, match, prefix, where }: SearchQuery): CursorQuestion {
  const asked = [text, match ?? null, prefix === true, conditions(where)] as const
  return { index, query: encodeTuple(asked), reverse: false }
}

/** The same conditions give the same values, whichever field or bound is first; the checks went before. */
function conditions(where: SearchFilter = {}): TupleValue[] {
  return byName(where).map(([field, condition]) => {
    if (Array.isArray(condition)) return [field, 'one of', condition as TupleValue[]]
    if (typeof condition === 'object' && condition !== null && isPlainObject(condition))
      return [field, 'within', byName(condition).flat() as TupleValue[]]
    return [field, 'is', condition as TupleValue]
  })
}

function byName(of: Readonly<Record<string, unknown>>): [name: string, value: unknown][] {
  return given(of).sort(([one], [other]) => (one < other ? -1 : 1))
}
