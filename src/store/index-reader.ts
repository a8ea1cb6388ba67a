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
import type { MomentWait } from '../derived/index-asks.js'
import type { Moment } from '../derived/moment.js'
import { nameOf } from '../derived/parked.js'
import type { SecondaryConfig } from '../derived/secondary/config.js'
import { checkQuery, type SecondaryQuery } from '../derived/secondary/query.js'
import { matches, queryIdentity, type SecondaryHit, secondary } from '../derived/secondary/secondary.js'
import type { IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Indexes, OpenedIndex } from '../replica/indexes.js'
import type { Asking, Waiting } from './asking.js'
import { checkSignal, invalid } from './check-options.js'
import type { FindOptions, FoundPage, PageOptions } from './options.js'
import type { Reader } from './reader.js'
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
  /** Documents whose newest change the index could not take. */
  readonly parked: number
}

/** The making of an index that answers, and a moment of it. */
interface Answering {
  readonly opened: OpenedIndex
  readonly moment: Moment
}

const noKey = Buffer.alloc(0)
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

  /** The documents that the index answers with, in its order. */
  async *find<T>(
    schema: CollectionSchema,
    name: string,
    query: SecondaryQuery,
    options: FindOptions,
  ): AsyncGenerator<T, void, undefined> {
    checkQuery(query)
    for await (const { document } of this.#hits<T>(schema, name, query, options)) yield document
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
    const { secret } = this.#parts
    const config = this.#secondary(schema, name).config as unknown as SecondaryConfig
    const question = {
      index: this.#cursorIdentity(schema, name),
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
    this.#schemaOf(schema, name)
    const { opened, moment } = await this.#moment(schema, name, options)
    try {
      for await (const hits of opened.index.query(query, moment.rows)) {
        for (const hit of hits) {
          checkSignal(options, 'the search')
          yield hit as Hit
        }
      }
    } catch (error) {
      if (isSillokError(error, 'DAMAGED')) opened.runner.distrust(error.message)
      throw error
    } finally {
      await moment.release()
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
    for (let damages = 0; ; ) {
      const { opened, moment } = await this.#moment(schema, name, options)
      try {
        for await (const found of this.#found<T>(schema, opened, rest, moment)) {
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
      } finally {
        await moment.release()
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
    const parked = moment.parked.size
    for (const [i, { key, row, exact }] of hits.entries()) {
      const document = documents[i]
      // Its row is of an older form of the document: so it is told only if it answers as it is now.
      const isParked = parked > 0 && moment.parked.has(nameOf(keys[i] ?? noKey))
      if (document === undefined) {
        if (isParked) continue
        throw new SillokError('DAMAGED', `the index names ${JSON.stringify(key)}, which is not there`)
      }
      if ((!exact || isParked) && !matches(configOf(opened), query, document)) continue
      found.push({ document: document as T, row, position: moment.position, parked })
    }
    return found
  }

  /** Waits for the log, then for the index; one deadline and one signal hold for both together. */
  async #moment(schema: CollectionSchema, name: string, options: FindOptions): Promise<Answering> {
    checkSignal(options, 'the search')
    const { reader, asking, indexes } = this.#parts
    const begun: MomentWait[] = []
    const isPatient = options.onBehind !== 'error'
    const work = async (waiting: Waiting): Promise<Answering> => {
      await reader.read(options, () => {})
      for (let replaced: unknown; ; ) {
        const opened = await indexes().answering(schema.id, name, isPatient)
        if (opened === undefined) throw replaced ?? this.#missing(schema, name)
        if (waiting.settled) throw new SillokError('ABORTED', 'nobody waits any more')
        const wait = opened.runner.moment(isPatient)
        begun.push(wait)
        try {
          return { opened, moment: await wait.moment }
        } catch (error) {
          // It may have been replaced just now: then the one in its place answers.
          const isReplaced = isSillokError(error, 'NOT_FOUND') && opened.runner.state === 'closed'
          if (!isReplaced) throw error
          replaced = error
        }
      }
    }
    this.#room.enter()
    try {
      return await asking.until(work, options, true)
    } catch (error) {
      for (const wait of begun) wait.cancel()
      throw error
    } finally {
      this.#room.leave()
    }
  }

  #secondary(schema: CollectionSchema, name: string): IndexSchema {
    const index = this.#schemaOf(schema, name)
    if (this.#parts.types.get(index.type) === (secondary as IndexType)) return index
    throw new SillokError('INVALID', `${name} is an index of type ${index.type}: ask it by query()`)
  }

  /** The index as it is defined. Throws NOT_FOUND, and INVALID for a type that this store does not know. */
  #schemaOf(schema: CollectionSchema, name: string): IndexSchema {
    const index = schema.indexes.find(one => one.name === name)
    if (index === undefined) {
      const names = schema.indexes.map(one => one.name).join(', ') || 'none'
      throw new SillokError('NOT_FOUND', `collection ${schema.name} has no index ${name}; it has ${names}`)
    }
    if (this.#parts.types.has(index.type)) return index
    throw new SillokError('INVALID', `the store was opened without the type of index ${index.type}`)
  }

  #missing(schema: CollectionSchema, name: string): SillokError {
    this.#schemaOf(schema, name)
    return new SillokError('NOT_FOUND', `the index ${name} is being dropped`)
  }

  /** A cursor holds for every making of the index whose rows have the same form. */
  #cursorIdentity(schema: CollectionSchema, name: string): string {
    const { type, config } = this.#secondary(schema, name)
    const version = this.#parts.types.get(type)?.version
    return ['cursor', schema.id, name, type, version, JSON.stringify(config)].join('/')
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
