/**
 * A collection of documents, as its users see it: typed, keyed, read at a level, written exactly once per
 * request.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { Version } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { DocumentKey } from '../base/tuple.js'
import { decodeDocument } from '../codec/document.js'
import type { Row, RowKey } from '../codec/row.js'
import type { SecondaryQuery } from '../derived/secondary/query.js'
import type { Operation, RequestMark, WriteValue } from '../machine/command.js'
import { documentBytes } from '../machine/documents.js'
import { documentPrefix } from '../machine/keys.js'
import type { Done } from '../machine/reply.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { State } from '../state/state.js'
import type { Asking, Waiting } from './asking.js'
import {
  checkCall,
  checkFind,
  checkPage,
  checkRead,
  checkScan,
  checkSignal,
  invalid,
  noOptions,
  type OptionNames,
  optionNames,
  show,
} from './check-options.js'
import { askedClaim } from './constraints.js'
import type { FindQuery, IndexName } from './find-types.js'
import { holderOf } from './holder.js'
import type { IndexReader } from './index-reader.js'
import type { KeyLocks } from './key-locks.js'
import { type Operations, rowOfKey } from './operations.js'
import type {
  CallOptions,
  Deleted,
  FindOptions,
  FoundPage,
  InsertOptions,
  PageOptions,
  Put,
  ReadOptions,
  RequestOptions,
  ScanOptions,
  Versioned,
  WriteOptions,
  Written,
} from './options.js'
import { scanRange } from './range.js'
import type { Reader } from './reader.js'
import { updateMark } from './request-hash.js'
import { type Requests, unlessAnswered } from './requests.js'
import { type Writer, writeBy, written } from './writer.js'

/** What a collection works with. */
export interface CollectionParts {
  readonly schema: () => CollectionSchema
  readonly operations: Operations
  readonly writer: Writer
  readonly reader: Reader
  readonly indexReader: IndexReader
  readonly asking: Asking
  readonly state: State
  readonly locks: KeyLocks
  readonly requests: Requests
}

/** What one row of `insertMany` came to. */
export type InsertResult =
  | ({ readonly ok: true } & Written)
  | { readonly ok: false; readonly error: SillokError }

/** What `update` makes of a document; undefined: nothing is to be written. */
export type ChangeDocument<T> = (document: T | undefined) => T | undefined | Promise<T | undefined>

/** Rows that `insertMany` has in flight at a time. */
const insertsInFlight = 1024

/** The documents of one collection; `D`, its definition, types the questions to its indexes. */
export class Collection<T extends object = Record<string, unknown>, D = unknown> {
  /** The name under which it is defined. */
  readonly name: string
  readonly #parts: CollectionParts

  /** Use `store.collection(name)`. */
  constructor(name: string, parts: CollectionParts) {
    this.name = name
    this.#parts = parts
  }

  /**
   * Adds a document. When it resolves, the document is durable and every later linearizable read sees it.
   * Rejects, not applied, with EXISTS (details: key, version), UNIQUE_TAKEN (details: constraint, holder,
   * version), INVALID, TOO_LARGE, NOT_FOUND for a collection that is not defined, OVERLOADED, DISK_FULL; with
   * an unknown outcome once it was sent: TIMED_OUT, ABORTED, CLOSED_WHILE_WAITING, DISK_FAILED. In a session
   * also with SESSION_EXPIRED, FENCED, and where the caller numbers it SEQUENCE_REUSED, ALREADY_ACKNOWLEDGED,
   * WINDOW_FULL.
   */
  insert(document: T, options: InsertOptions = noOptions): Promise<Written> {
    return this.#write(
      () => this.#documentOperation('insert', document),
      options,
      optionNames.insert,
      written,
    )
  }

  /**
   * Inserts all, each on its own: one result per document, in order, also for those that were refused.
   * Rejects with INVALID in a caller-numbered session, where each insert needs its own number.
   */
  async insertMany(documents: Iterable<T>, options: CallOptions = noOptions): Promise<InsertResult[]> {
    checkCall(options, optionNames.call)
    if (typeof documents !== 'object' || typeof documents?.[Symbol.iterator] !== 'function') {
      throw invalid(`insertMany: the documents must be a list, or iterable, not ${show(documents)}`)
    }
    this.#refuseNumbered('insertMany')
    const results: InsertResult[] = []
    const rows = documents[Symbol.iterator]()
    let next = 0
    const lane = async (): Promise<void> => {
      for (let row = rows.next(); row.done !== true; row = rows.next()) {
        const place = next++
        results[place] = await this.#insertOne(row.value, options)
      }
    }
    await Promise.all(Array.from({ length: insertsInFlight }, lane))
    return results
  }

  /**
   * Adds or replaces a document. Rejects with CONFLICT if `ifVersion` is given and does not hold; else as
   * insert.
   */
  put(document: T, options: WriteOptions = noOptions): Promise<Put> {
    return this.#write(
      () => this.#documentOperation('put', document, options.ifVersion),
      options,
      optionNames.write,
      changed,
    )
  }

  /**
   * Removes a document and releases its unique values; one that is not there is no error. Rejects as put.
   */
  delete(key: DocumentKey, options: WriteOptions = noOptions): Promise<Deleted> {
    return this.#write(
      () => this.#parts.operations.ofKey(this.#schema(), 'delete', key, options.ifVersion),
      options,
      optionNames.write,
      changed,
    )
  }

  /**
   * Reads, computes and puts, if the document has not changed meanwhile: at most 10 tries, then CONFLICT. On
   * a missing key `change` gets undefined; if it returns undefined nothing is written, whatever it did to the
   * object that it was given. Updates of this store to one key wait for each other and spend no tries.
   * `change` may be called several times and may be async. Once deadline or signal have ended the wait it is
   * called no more, and what it still computes is not written; a write that was sent may take effect. With a
   * `requestId` that was answered before, the first answer comes without a call of `change`: the document as
   * it was written then, or undefined if nothing was. Rejects with what `change` throws, and as put; with
   * INVALID in a caller-numbered session, where a number stands for one request and its tries would be
   * several.
   */
  async update(
    key: DocumentKey,
    change: ChangeDocument<T>,
    options: RequestOptions = noOptions,
  ): Promise<Versioned<T> | undefined> {
    try {
      return await this.#updateBy(key, change, options)
    } catch (error) {
      throw options?.requestId === undefined ? error : unlessAnswered(error)
    }
  }

  async #updateBy(
    key: DocumentKey,
    change: ChangeDocument<T>,
    options: RequestOptions,
  ): Promise<Versioned<T> | undefined> {
    checkCall(options, optionNames.request)
    if (typeof change !== 'function') throw invalid(`update: change must be a function, not ${show(change)}`)
    this.#refuseNumbered('update')
    const rowKey = this.#rowKey(key)
    const { requestId } = options
    const request = requestId === undefined ? undefined : updateMark(requestId, rowKey)
    const { asking, locks } = this.#parts
    return await asking.until(
      waiting =>
        locks.run(rowKey, () =>
          request === undefined
            ? this.#update(key, change, options, waiting)
            : this.#updateOnce(key, change, options, waiting, request),
        ),
      options,
    )
  }

  /**
   * The document, undefined if there is none. Rejects, as all reads, with INVALID, NOT_FOUND for a collection
   * that is not defined, OVERLOADED, TIMED_OUT, ABORTED, CLOSED, or DAMAGED if a row fails its check.
   */
  async get(key: DocumentKey, options: ReadOptions = noOptions): Promise<T | undefined> {
    const row = await this.#row(key, options)
    return row === null ? undefined : documentOf<T>(row)
  }

  /** The document with its version, for a conditional write. */
  async getVersioned(key: DocumentKey, options: ReadOptions = noOptions): Promise<Versioned<T> | undefined> {
    const row = await this.#row(key, options)
    return row === null ? undefined : { document: documentOf<T>(row), version: row.version }
  }

  /** The documents in the order of the keys, all as of one moment; undefined where there is none. */
  async getMany(keys: readonly DocumentKey[], options: ReadOptions = noOptions): Promise<(T | undefined)[]> {
    checkRead(options)
    if (!Array.isArray(keys)) throw invalid(`getMany: the keys must be a list, not ${show(keys)}`)
    const rowKeys = keys.map(key => this.#rowKey(key))
    const { reader } = this.#parts
    const rows = await reader.read(options, () => reader.ofOneMoment(view => view.getMany(rowKeys)))
    return rows.map(row => (row === null ? undefined : documentOf<T>(row)))
  }

  /** True if there is a document under the key. */
  async has(key: DocumentKey, options: ReadOptions = noOptions): Promise<boolean> {
    return (await this.#row(key, options)) !== null
  }

  /**
   * The document that holds the unique value: one value, or a list with one per field of the constraint.
   * With `each`, one element. Values are normalised as the constraint says. While the constraint is violated,
   * of the documents that share the value it is the one that holds it. Rejects with NOT_FOUND if there is no
   * such constraint, INDEX_BEHIND while it is built for the first time.
   */
  async getBy(constraint: string, value: unknown, options: ReadOptions = noOptions): Promise<T | undefined> {
    checkRead(options)
    const { reader, state } = this.#parts
    const row = await reader.read(options, () => {
      const schema = this.#schema()
      return holderOf(reader, schema, askedClaim(schema, state, constraint, value))
    })
    return row === null ? undefined : documentOf<T>(row)
  }

  /**
   * Documents in key order, as of one moment: later changes are not seen. Leaving the loop early lets go of
   * the view, which else keeps old forms of documents in memory. Rejects with CLOSED if the store is closed
   * before the end.
   */
  async *scan(options: ScanOptions = noOptions): AsyncGenerator<T, void, undefined> {
    for await (const row of this.#rows(options)) yield documentOf<T>(row)
  }

  /** How many documents there are in the range. Reads them all. */
  async count(options: ScanOptions = noOptions): Promise<number> {
    let count = 0
    for await (const _ of this.#rows(options)) count += 1
    return count
  }

  /**
   * The documents that a secondary index answers with, in the order of its fields: `eq` fixes the first
   * fields, bounds or `prefix` narrow the next. All as of one moment, which shows everything that was
   * acknowledged before the call. Waits while the index is built (`onBehind`). Leaving the loop early lets go
   * of the moment. Rejects with NOT_FOUND if there is no such index, INVALID for a query that it does not
   * understand, INDEX_FAILED, INDEX_BEHIND if that is wanted.
   */
  async *find<Name extends IndexName<D>>(
    name: Name,
    query?: FindQuery<T, D, Name>,
    options: FindOptions = noOptions,
  ): AsyncGenerator<T, void> {
    checkFind(options)
    const asked = (query === undefined ? {} : query) as SecondaryQuery
    yield* this.#parts.indexReader.find<T>(this.#schema(), name, asked, options)
  }

  /**
   * The same page by page: `limit` documents (100), and a cursor for the next page. Each page is of a moment
   * of its own: a document that changes in between may be missed, or come again. The question must be the
   * same for all pages, and has no `limit` itself.
   */
  async findPage<Name extends IndexName<D>>(
    name: Name,
    query?: FindQuery<T, D, Name> & { readonly limit?: undefined },
    options: PageOptions = noOptions,
  ): Promise<FoundPage<T>> {
    checkPage(options)
    const asked = (query === undefined ? {} : query) as SecondaryQuery
    return await this.#parts.indexReader.findPage<T>(this.#schema(), name, asked, options)
  }

  /**
   * What an index of any kind answers to a query of its own, hit by hit, as of one moment; `SecondaryHit`s if
   * it is a secondary one. Rejects as find; with DAMAGED if its rows are, which are then built anew.
   */
  async *query<Hit>(
    name: string,
    query: unknown,
    options: FindOptions = noOptions,
  ): AsyncGenerator<Hit, void> {
    checkFind(options)
    yield* this.#parts.indexReader.query<Hit>(this.#schema(), name, query, options)
  }

  async *#rows(options: ScanOptions): AsyncGenerator<Row, void, undefined> {
    checkScan(options)
    const { limit = Number.POSITIVE_INFINITY, reverse = false } = options
    const range = scanRange(documentPrefix(this.#schema().id), options)
    await this.#parts.reader.read(options, () => {})
    if (limit === 0 || range === undefined) return
    const pageRows = Math.min(limit, limits.scanPageRows)
    let left = limit
    for await (const page of this.#parts.state.scan({ ...range, reverse, pageRows })) {
      for (const [, row] of page) {
        checkSignal(options, 'the scan')
        yield row
        left -= 1
        if (left === 0) return
      }
    }
    // A store that is closed ends its scans: what was seen must not pass for the whole.
    this.#schema()
  }

  async #insertOne(document: T, options: CallOptions): Promise<InsertResult> {
    try {
      return { ok: true, ...(await this.insert(document, options)) }
    } catch (error) {
      if (error instanceof SillokError) return { ok: false, error }
      throw error
    }
  }

  /** Ends early, with undefined, when nobody waits any more. */
  async #update(
    key: DocumentKey,
    change: ChangeDocument<T>,
    options: CallOptions,
    waiting: Waiting,
  ): Promise<Versioned<T> | undefined> {
    for (let tries = 1; !waiting.settled; tries++) {
      const current = await this.#current(key, options)
      if (waiting.settled) break
      const document = await change(current?.document)
      if (document === undefined || waiting.settled) break
      const operation = this.#changedOperation(key, document, current?.version)
      try {
        const { version } = await this.#write(() => operation, options, optionNames.request, written)
        return { document, version }
      } catch (error) {
        if (!isSillokError(error, 'CONFLICT') || tries === limits.updateTriesMax) throw error
      }
    }
    return undefined
  }

  /** The same for a request with an id: whatever comes of it is kept, also that nothing was to be written. */
  async #updateOnce(
    key: DocumentKey,
    change: ChangeDocument<T>,
    options: CallOptions,
    waiting: Waiting,
    request: RequestMark,
  ): Promise<Versioned<T> | undefined> {
    const { requests, writer } = this.#parts
    const rowKey = this.#rowKey(key)
    const kept = await requests.kept(request, writer, options)
    if (kept !== undefined) return await requests.updated<T>(rowKey, kept)
    for (let tries = 1; !waiting.settled; tries++) {
      const current = await this.#current(key, options)
      if (waiting.settled) break
      const document = await change(current?.document)
      if (waiting.settled) break
      const operations =
        document === undefined ? [] : [this.#changedOperation(key, document, current?.version)]
      const isLast = tries === limits.updateTriesMax
      const mark = isLast ? request : { ...request, isRetriedOnConflict: true }
      try {
        // Another sender may have been first: what is answered is what was written then.
        return await requests.updated<T>(rowKey, await writer.write(operations, options, done => done, mark))
      } catch (error) {
        if (!isSillokError(error, 'CONFLICT') || isLast) throw error
      }
    }
    return undefined
  }

  async #current(key: DocumentKey, options: CallOptions): Promise<Versioned<T> | undefined> {
    const row = await this.#row(key, options, optionNames.request)
    return row === null ? undefined : { document: documentOf<T>(row), version: row.version }
  }

  #changedOperation(key: DocumentKey, document: T, version: Version | undefined): Operation {
    const operation = this.#documentOperation('put', document, version ?? null)
    if (operation.key === this.#rowKey(key)) return operation
    throw invalid(`update: the new document has another key than ${JSON.stringify(key)}`)
  }

  /** Throws INVALID where each request needs a number of its own. */
  #refuseNumbered(method: string): void {
    if (this.#parts.writer.numbering !== 'caller') return
    const instead = method === 'update' ? 'read, and put with ifVersion and sequence' : 'insert with sequence'
    throw invalid(
      `${method} is not possible in a caller-numbered session: it sends requests of its own, which have no ` +
        `number; ${instead}`,
    )
  }

  #row(key: DocumentKey, options: ReadOptions, allowed = optionNames.read): Promise<Row | null> {
    checkRead(options, allowed)
    const rowKey = this.#rowKey(key)
    const { reader } = this.#parts
    return reader.read(options, () => reader.row(rowKey))
  }

  #write<R>(
    operation: () => Operation,
    options: WriteOptions,
    allowed: OptionNames,
    finish: (done: Done) => R,
  ): Promise<R> {
    return writeBy(this.#parts.writer, () => [operation()], options, allowed, finish)
  }

  #documentOperation(op: 'insert' | 'put', document: T, ifVersion?: Version | null): Operation {
    return this.#parts.operations.ofDocument(this.#schema(), op, document, ifVersion)
  }

  #rowKey(key: DocumentKey): RowKey {
    return rowOfKey(this.#schema(), key)
  }

  #schema(): CollectionSchema {
    return this.#parts.schema()
  }
}

function changed({ version, value }: Done): Put {
  return { version, existed: (value as WriteValue).existed[0] === true }
}

function documentOf<T>(row: Row): T {
  return decodeDocument(documentBytes(row.value)) as T
}
