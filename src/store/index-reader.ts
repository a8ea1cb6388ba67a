/**
 * Questions to derived indexes: hits and documents as of one moment, whatever is written meanwhile.
 *
 * The moment shows at least all that was acknowledged when the question was asked. If a row of the index fails
 * its check on the way, the index is built anew and the question goes on behind the last hit, at a later
 * moment: what is yielded is never wrong, and nothing is left out.
 */
import { createHash } from 'node:crypto'
import { isSillokError, SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { type DocumentKey, encodeKey } from '../base/tuple.js'
import { decodeCursor, encodeCursor } from '../derived/cursor.js'
import type { Moment } from '../derived/moment.js'
import type { Indexes, OpenedIndex } from '../replica/indexes.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Asking } from './asking.js'
import { checkRead } from './check-options.js'
import type { FindOptions, FoundPage } from './options.js'
import type { Reader } from './reader.js'

/** What questions go through. */
export interface IndexReaderParts {
  readonly indexes: () => Indexes
  readonly reader: Reader
  readonly asking: Asking
  /** Signs cursors; the same for all openings of a folder. */
  readonly secret: Buffer
}

/** A hit that stands for a document. */
interface DocumentHit {
  readonly key: DocumentKey
  readonly row: Buffer
  /** Other values have the same row: the document is asked. */
  readonly doubtful?: boolean
}

/** Documents read from the state at a time. */
const documentsPerRead = 256
/** How often a question goes on after rows were found damaged. */
const damagesMax = 3

/** Asks the indexes of one store. */
export class IndexReader {
  readonly #parts: IndexReaderParts

  constructor(parts: IndexReaderParts) {
    this.#parts = parts
  }

  /** The documents that the index answers with, in its order. */
  async *find<T>(
    schema: CollectionSchema,
    name: string,
    query: object,
    options: FindOptions,
  ): AsyncGenerator<T, void, undefined> {
    const opened = this.#opened(schema, name)
    for await (const { document } of this.#hits<T>(schema, opened, query, options)) yield document
  }

  /** One page, and the cursor of the next. */
  async findPage<T>(
    schema: CollectionSchema,
    name: string,
    query: object,
    options: FindOptions & { readonly cursor?: string | undefined; readonly limit: number },
  ): Promise<FoundPage<T>> {
    const { cursor, limit } = options
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new SillokError('INVALID', `findPage: limit must be a whole number from 1, not ${limit}`)
    }
    const opened = this.#opened(schema, name)
    const place = { identity: opened.identity, query: JSON.stringify(query), secret: this.#parts.secret }
    const after = cursor === undefined ? {} : { after: decodeCursor(place, cursor) }
    const documents: T[] = []
    let position: LogIndex = 0
    let last: Buffer | undefined
    // One more tells whether there is a next page.
    for await (const hit of this.#hits<T>(schema, opened, { ...query, ...after, limit: limit + 1 }, options)) {
      position = hit.position
      if (documents.length === limit && last !== undefined) {
        return { documents, cursor: encodeCursor(place, last), position }
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
    try {
      for await (const hits of opened.index.query(query, moment.rows)) yield* hits as Hit[]
    } catch (error) {
      if (isSillokError(error, 'DAMAGED')) opened.runner.distrust(error.message)
      throw error
    } finally {
      await moment.release()
    }
  }

  async *#hits<T>(
    schema: CollectionSchema,
    opened: OpenedIndex,
    query: object,
    options: FindOptions,
  ): AsyncGenerator<{ document: T; row: Buffer; position: LogIndex }, void, undefined> {
    let rest = query as { after?: Buffer; limit?: number }
    for (let damages = 0; ; damages++) {
      const moment = await this.#moment(opened, options)
      try {
        for await (const page of opened.index.query(rest, moment.rows)) {
          const hits = page as readonly DocumentHit[]
          for (let at = 0; at < hits.length; at += documentsPerRead) {
            const some = hits.slice(at, at + documentsPerRead)
            for (const found of await this.#documents<T>(schema, opened, rest, moment, some)) {
              if (options.signal?.aborted) {
                throw new SillokError('ABORTED', 'the signal stopped the search', { cause: options.signal.reason })
              }
              yield found
              const left = rest.limit === undefined ? {} : { limit: rest.limit - 1 }
              rest = { ...rest, ...left, after: found.row }
              if (rest.limit === 0) return
            }
          }
        }
        return
      } catch (error) {
        if (!isSillokError(error, 'DAMAGED') || damages >= damagesMax) throw error
        opened.runner.distrust(error.message)
      } finally {
        await moment.release()
      }
    }
  }

  /** The documents of the hits: as of the same moment, so each is there. */
  async #documents<T>(
    schema: CollectionSchema,
    opened: OpenedIndex,
    query: object,
    moment: Moment,
    hits: readonly DocumentHit[],
  ): Promise<{ document: T; row: Buffer; position: LogIndex }[]> {
    const keys = hits.map(({ key }) => encodeKey(key))
    const documents = await moment.documents.getMany(schema.id, keys)
    const found: { document: T; row: Buffer; position: LogIndex }[] = []
    for (const [i, { key, row, doubtful }] of hits.entries()) {
      const document = documents[i]?.document
      if (document === undefined) {
        throw new SillokError('DAMAGED', `the index names ${JSON.stringify(key)}, which is not there`)
      }
      if (doubtful === true && opened.index.matches?.(query, document) === false) continue
      found.push({ document: document as T, row, position: moment.position })
    }
    return found
  }

  /** Waits for the log, then for the index; deadline and signal hold for both together. */
  async #moment(opened: OpenedIndex, options: FindOptions): Promise<Moment> {
    checkRead(options)
    await this.#parts.reader.at(options)
    let isOver = false
    const moment = opened.runner.moment(options.onBehind !== 'error')
    try {
      return await this.#parts.asking.until(moment, options)
    } catch (error) {
      isOver = true
      throw error
    } finally {
      // Nobody will let go of a moment that comes too late.
      if (isOver) moment.then(late => late.release()).catch(() => {})
    }
  }

  #opened(schema: CollectionSchema, name: string): OpenedIndex {
    const index = schema.indexes.find(one => one.name === name)
    const opened = index && this.#parts.indexes().get(schema.id, name)
    if (opened !== undefined) return opened
    if (index === undefined) {
      const names = schema.indexes.map(one => one.name).join(', ') || 'none'
      throw new SillokError('NOT_FOUND', `collection ${schema.name} has no index ${name}; it has ${names}`)
    }
    throw new SillokError('INVALID', `the store was opened without the type of index ${index.type}`)
  }
}

/** Signs the cursors of a store. */
export function cursorSecret(origin: string): Buffer {
  return createHash('sha256').update(`cursor ${origin}`).digest()
}
