/**
 * Questions to derived indexes: hits and documents as of one moment, whatever is written meanwhile.
 *
 * The moment shows at least all that was acknowledged when the question was asked. If a row of the index
 * fails its check on the way, the index is built anew and the question goes on behind the last hit, at a
 * later moment: what is yielded is never wrong, and nothing is left out.
 */
import { createHash } from 'node:crypto'
import { isSillokError, SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { encodeKey } from '../base/tuple.js'
import type { IndexType } from '../derived/contract.js'
import { decodeCursor, encodeCursor } from '../derived/cursor.js'
import type { Moment } from '../derived/moment.js'
import type { MomentWait } from '../derived/runner.js'
import type { SecondaryConfig } from '../derived/secondary/config.js'
import { checkQuery, type SecondaryQuery } from '../derived/secondary/query.js'
import { matches, queryIdentity, type SecondaryHit, secondary } from '../derived/secondary/secondary.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Indexes, OpenedIndex } from '../replica/indexes.js'
import type { Asking, Waiting } from './asking.js'
import { checkSignal, invalid } from './check-options.js'
import type { FindOptions, FoundPage, PageOptions } from './options.js'
import type { Reader } from './reader.js'
import { piecesUntilAborted } from './until-aborted.js'
import { WaitingRoom } from './waiting-room.js'

/** What questions go through. */
export interface IndexReaderParts {
  readonly indexes: () => Indexes
  readonly types: ReadonlyMap<string, IndexType>
  readonly reader: Reader
  readonly asking: Asking
  /** Signs cursors; the same for all openings of a folder. */
  readonly secret: Buffer
  /** Questions that may wait at a time, else OVERLOADED. */
  readonly waitingMax: number
}

/** A document that answers. */
interface Found<T> {
  readonly document: T
  readonly row: Buffer
  readonly position: LogIndex
}

/** Documents read from the state at a time. */
const documentsPerRead = 256
/** How often a question goes on after rows were found damaged. */
const damagesMax = 3

/** Asks the indexes of one store. */
export class IndexReader {
  readonly #parts: IndexReaderParts
  readonly #room: WaitingRoom

  constructor(parts: IndexReaderParts) {
    this.#parts = parts
    this.#room = new WaitingRoom(parts.waitingMax, 'questions to indexes')
  }

  /** How many questions wait. */
  get waiting(): number {
    return this.#room.count
  }

  /** The documents that the index answers with, in its order. */
  async *find<T>(
    schema: CollectionSchema,
    name: string,
    query: SecondaryQuery,
    options: FindOptions,
  ): AsyncGenerator<T, void, undefined> {
    checkQuery(query)
    const opened = this.#secondary(schema, name)
    for await (const { document } of this.#hits<T>(schema, opened, query, options)) yield document
  }

  /** One page, and the cursor of the next. */
  async findPage<T>(
    schema: CollectionSchema,
    name: string,
    query: SecondaryQuery,
    options: PageOptions,
  ): Promise<FoundPage<T>> {
    const { cursor, limit = 100 } = options
    checkQuery(query)
    if (query.limit !== undefined) throw invalid('findPage: limit stands in the options, not in the query')
    if (query.after !== undefined && cursor !== undefined)
      throw invalid('findPage: cursor or after, not both')
    const opened = this.#secondary(schema, name)
    const { secret } = this.#parts
    const question = {
      index: opened.identity,
      query: queryIdentity(configOf(opened), query),
      reverse: query.reverse === true,
    }
    const after = cursor === undefined ? {} : { after: decodeCursor(cursor, question, secret) }
    // One more is asked for: it tells whether there is a next page.
    const documents: T[] = []
    let position: LogIndex = 0
    let last: Buffer | undefined
    for await (const hit of this.#hits<T>(
      schema,
      opened,
      { ...query, ...after, limit: limit + 1 },
      options,
    )) {
      position = hit.position
      if (documents.length === limit && last !== undefined) {
        return { documents, cursor: encodeCursor(question, last, secret), position }
      }
      documents.push(hit.document)
      last = hit.row
    }
    return { documents, cursor: undefined, position }
  }

  /** What an index of any kind answers, hit by hit. */
  async *query<Hit>(
    schema: CollectionSchema,
    name: string,
    query: unknown,
    options: FindOptions,
  ): AsyncGenerator<Hit, void, undefined> {
    const opened = this.#opened(schema, name)
    const moment = await this.#moment(opened, options)
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
      throw error
    }
  }

  async *#hits<T>(
    schema: CollectionSchema,
    opened: OpenedIndex,
    query: SecondaryQuery,
    options: FindOptions,
  ): AsyncGenerator<Found<T>, void, undefined> {
    let rest = query
    for (let damages = 0; ; ) {
      const moment = await this.#moment(opened, options)
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
        if (error instanceof DocumentsFailed) throw error.cause
        // The rows were closed to begin anew: the next moment comes, or says that the store is closed.
        if (isSillokError(error, 'CLOSED')) continue
        damages += 1
        if (!isSillokError(error, 'DAMAGED') || damages > damagesMax) throw error
        opened.runner.distrust(error.message)
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
    const keys = hits.map(({ key }) => encodeKey(key))
    const documents = await moment.documents.getMany(schema.id, keys).catch((error: unknown) => {
      throw new DocumentsFailed(error)
    })
    const found: Found<T>[] = []
    for (const [i, { key, row, exact }] of hits.entries()) {
      const document = documents[i]
      if (document === undefined) {
        throw new SillokError('DAMAGED', `the index names ${JSON.stringify(key)}, which is not there`)
      }
      if (!exact && !matches(configOf(opened), query, document)) continue
      found.push({ document: document as T, row, position: moment.position })
    }
    return found
  }

  /** Waits for the log, then for the index; one deadline and one signal hold for both together. */
  async #moment(opened: OpenedIndex, options: FindOptions): Promise<Moment> {
    checkSignal(options, 'the search')
    const { reader, asking } = this.#parts
    const begun: MomentWait[] = []
    const work = async (waiting: Waiting): Promise<Moment> => {
      await reader.read(options, () => {})
      if (waiting.settled) throw new SillokError('ABORTED', 'nobody waits any more')
      const wait = opened.runner.moment(options.onBehind !== 'error')
      begun.push(wait)
      return await wait.moment
    }
    this.#room.enter()
    asking.counts.questions += 1
    try {
      return await asking.until(work, options, false)
    } catch (error) {
      for (const wait of begun) wait.cancel()
      throw error
    } finally {
      this.#room.leave()
    }
  }

  #secondary(schema: CollectionSchema, name: string): OpenedIndex {
    const opened = this.#opened(schema, name)
    if (opened.type === (secondary as IndexType)) return opened
    throw new SillokError('INVALID', `${name} is an index of type ${opened.type.type}: ask it by query()`)
  }

  #opened(schema: CollectionSchema, name: string): OpenedIndex {
    const index = schema.indexes.find(one => one.name === name)
    const opened = index && this.#parts.indexes().get(schema.id, name)
    if (opened !== undefined) return opened
    if (index === undefined) {
      const names = schema.indexes.map(one => one.name).join(', ') || 'none'
      throw new SillokError('NOT_FOUND', `collection ${schema.name} has no index ${name}; it has ${names}`)
    }
    if (this.#parts.types.has(index.type))
      throw new SillokError('NOT_FOUND', `the index ${name} is being dropped`)
    throw new SillokError('INVALID', `the store was opened without the type of index ${index.type}`)
  }
}

/** The state failed, not the index. */
class DocumentsFailed extends Error {
  constructor(cause: unknown) {
    super('the documents of an index cannot be read', { cause })
  }
}

function configOf(opened: OpenedIndex): SecondaryConfig {
  return opened.schema.config as unknown as SecondaryConfig
}

/** Signs the cursors of a store. */
export function cursorSecret(origin: string): Buffer {
  return createHash('sha256').update(`cursor ${origin}`).digest()
}
