/**
 * Questions to derived indexes: hits and documents as of one moment, whatever is written meanwhile.
 *
 * The moment shows at least all that was acknowledged when the question was asked. If a row of the index
 * fails its check on the way, the index is built anew and the question goes on behind the last hit, at a
 * later moment: what is yielded is never wrong, and nothing is left out.
 */
import { isSillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import type { IndexType } from '../derived/contract.js'
import { decodeCursor, encodeCursor } from '../derived/cursor.js'
import type { Moment } from '../derived/moment.js'
import type { SecondaryConfig } from '../derived/secondary/config.js'
import { checkQuery, type SecondaryQuery } from '../derived/secondary/query.js'
import { matches, queryIdentity, type SecondaryHit, secondary } from '../derived/secondary/secondary.js'
import type { IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { OpenedIndex } from '../replica/indexes.js'
import { wasCutShort } from '../replica/replaced.js'
import { checkSignal, invalid } from './check-options.js'
import { documentsOf, type IndexMoments, Tries } from './index-moments.js'
import type { FindOptions, FoundPage, PageOptions } from './options.js'
import { ownCopy } from './own-copy.js'
import { rowsReplaced } from './replaced.js'
import { piecesUntilAborted } from './until-aborted.js'

/** A document that answers. */
interface Found<T> {
  readonly document: T
  readonly row: Buffer
  readonly position: LogIndex
  /** Documents whose newest change the index could not take. */
  readonly parked: number
}

/** Documents read from the state at a time. */
const documentsPerRead = 256

/** Asks the indexes of one store. */
export class IndexReader {
  readonly #moments: IndexMoments
  readonly #secret: Buffer

  /** `secret` signs cursors; the same for all openings of a folder. */
  constructor(moments: IndexMoments, secret: Buffer) {
    this.#moments = moments
    this.#secret = secret
  }

  /** How many questions to indexes wait. */
  get waiting(): number {
    return this.#moments.waiting
  }

  /** The documents that the index answers with, in its order. */
  async *find<T>(
    schema: CollectionSchema,
    name: string,
    query: SecondaryQuery,
    options: FindOptions,
  ): AsyncGenerator<T, void, undefined> {
    checkQuery(query)
    const asked = ownCopy(query)
    for await (const { document } of this.#hits<T>(schema, name, asked, options)) yield document
  }

  /** One page, and the cursor of the next. */
  async findPage<T>(
    schema: CollectionSchema,
    name: string,
    given: SecondaryQuery,
    options: PageOptions,
  ): Promise<FoundPage<T>> {
    const { cursor, limit = 100 } = options
    checkQuery(given)
    const query = ownCopy(given)
    if (query.limit !== undefined) throw invalid('findPage: limit stands in the options, not in the query')
    if (query.after !== undefined && cursor !== undefined)
      throw invalid('findPage: cursor or after, not both')
    const secret = this.#secret
    const config = this.#secondary(schema, name).config as unknown as SecondaryConfig
    const question = {
      index: this.#moments.cursorIdentity(schema, name),
      query: queryIdentity(config, query),
      reverse: query.reverse === true,
    }
    const after = cursor === undefined ? {} : { after: decodeCursor(cursor, question, secret) }
    // One more is asked for: it tells whether there is a next page.
    const documents: T[] = []
    let position: LogIndex = 0
    let last: Buffer | undefined
    let lacking: Pick<FoundPage<T>, 'parked'> = {}
    const asked = { ...query, ...after, limit: limit + 1 }
    for await (const hit of this.#hits<T>(schema, name, asked, options)) {
      position = hit.position
      if (hit.parked > 0) lacking = { parked: hit.parked }
      if (documents.length === limit && last !== undefined) {
        return { documents, cursor: encodeCursor(question, last, secret), position, ...lacking }
      }
      documents.push(hit.document)
      last = hit.row
    }
    return { documents, cursor: undefined, position, ...lacking }
  }

  /** What an index of any kind answers, hit by hit. */
  async *query<Hit>(
    schema: CollectionSchema,
    name: string,
    query: unknown,
    options: FindOptions,
  ): AsyncGenerator<Hit, void, undefined> {
    this.#moments.schemaOf(schema, name)
    const { opened, moment } = await this.#moments.moment(schema, name, options)
    const { partition } = this.#moments
    const { replica } = partition
    const read = (): AsyncIterable<readonly unknown[]> => opened.index.query(query, moment.rows)
    try {
      for await (const hits of piecesUntilAborted(read, options, 'the search', () => moment.release())) {
        for (const hit of hits) {
          checkSignal(options, 'the search')
          yield hit as Hit
        }
      }
    } catch (error) {
      if (isSillokError(error, 'DAMAGED')) opened.runner.distrust(error.message)
      throw wasCutShort(error, partition, replica) ? rowsReplaced() : error
    }
  }

  async *#hits<T>(
    schema: CollectionSchema,
    name: string,
    query: SecondaryQuery,
    options: FindOptions,
  ): AsyncGenerator<Found<T>, void, undefined> {
    this.#secondary(schema, name)
    let rest = query
    for (const tries = new Tries(); ; ) {
      const { opened, moment } = await this.#moments.moment(schema, name, options)
      const asked = rest
      const read = (): AsyncIterable<Found<T>> => this.#found<T>(schema, opened, asked, moment)
      try {
        for await (const found of piecesUntilAborted(read, options, 'the search', () => moment.release())) {
          checkSignal(options, 'the search')
          const limit = rest.limit === undefined ? undefined : rest.limit - 1
          rest = { ...rest, after: found.row, ...(limit !== undefined && limit > 0 && { limit }) }
          yield found
          if (limit === 0) return
        }
        return
      } catch (error) {
        tries.goOnAfter(error, opened)
      }
    }
  }

  /** What answers at one moment: `limit` hits, and as many more as it takes where some are none. */
  async *#found<T>(
    schema: CollectionSchema,
    opened: OpenedIndex,
    query: SecondaryQuery,
    moment: Moment,
  ): AsyncGenerator<Found<T>, void, undefined> {
    let rest = query
    for (;;) {
      let hits = 0
      let last: SecondaryHit | undefined
      const pages = opened.index.query(rest, moment.rows) as AsyncIterable<readonly SecondaryHit[]>
      for await (const page of pages) {
        for (let at = 0; at < page.length; at += documentsPerRead) {
          const some = page.slice(at, at + documentsPerRead)
          yield* await this.#documents<T>(schema, opened, query, moment, some)
        }
        hits += page.length
        last = page.at(-1) ?? last
      }
      if (last === undefined || rest.limit === undefined || hits < rest.limit) return
      rest = { ...rest, after: last.row, limit: Math.max(rest.limit, documentsPerRead) }
    }
  }

  /** The documents of the hits: as of the same moment, so each is there. */
  async #documents<T>(
    schema: CollectionSchema,
    opened: OpenedIndex,
    query: SecondaryQuery,
    moment: Moment,
    hits: readonly SecondaryHit[],
  ): Promise<Found<T>[]> {
    const documents = await documentsOf(schema, moment, hits)
    const found: Found<T>[] = []
    const parked = moment.parked.size
    for (const { document, hit, isParked } of documents) {
      // A parked one's row is of an older form of it: so it is told only if it answers as it is now.
      if ((!hit.exact || isParked) && !matches(configOf(opened), query, document)) continue
      found.push({ document: document as T, row: hit.row, position: moment.position, parked })
    }
    return found
  }

  #secondary(schema: CollectionSchema, name: string): IndexSchema {
    return this.#moments.schemaOfType(schema, name, secondary as IndexType)
  }
}

function configOf(opened: OpenedIndex): SecondaryConfig {
  return opened.schema.config as unknown as SecondaryConfig
}
