/**
 * A collection of documents, as its users see it: typed, keyed, read at a level, written exactly once per
 * request, and shown to its schema before it is sent.
 */
import type { Version } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { DocumentKey } from '../base/tuple.js'
import { decodeDocument } from '../codec/document.js'
import type { Row, RowKey } from '../codec/row.js'
import type { SecondaryQuery } from '../derived/secondary/query.js'
import type { Clock } from '../env/clock.js'
import type { Operation, WriteValue } from '../machine/command.js'
import { documentBytes } from '../machine/documents.js'
import { documentPrefix } from '../machine/keys.js'
import type { Done } from '../machine/reply.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { State } from '../state/state.js'
import type { Asking } from './asking.js'
import {
  checkCall,
  checkFind,
  checkPage,
  checkRead,
  checkScan,
  checkSearch,
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
import { type InsertResult, insertMany } from './insert-many.js'
import { insertRows } from './insert-rows.js'
import type { KeyLocks } from './key-locks.js'
import { type Row as InsertedRow, type Operations, rowOfKey } from './operations.js'
import type {
  CallOptions,
  CollectionOptions,
  Deleted,
  FindOptions,
  FoundPage,
  InsertManyOptions,
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
import type { SearchReader } from './search-reader.js'
import type { SearchName, SearchOptionsOf, SearchPage } from './search-types.js'
import { type ChangeDocument, update } from './updates.js'
import type { DocumentSchema, Validation } from './validation.js'
import { type Writer, writeBy, writeChecked, written } from './writer.js'

/** What a collection works with. */
export interface CollectionParts {
  readonly schema: () => CollectionSchema
  readonly operations: Operations
  readonly writer: Writer
  readonly reader: Reader
  readonly indexReader: IndexReader
  readonly searchReader: SearchReader
  readonly asking: Asking
  readonly state: State
  readonly locks: KeyLocks
  readonly requests: Requests
  readonly clock: Clock
  /** Shows documents to a schema before they are written; undefined: there is none. */
  readonly validation?: Validation | undefined
}

/** Options of a collection without a schema. */
export interface NoSchema {
  readonly validate?: undefined
}

/** Options of a collection, with a schema or without. */
export type SchemaOptions = NoSchema | CollectionOptions<DocumentSchema>

/** A collection whose documents are of a type that only its caller knows. */
export type AnyCollection = Collection<never, unknown, never>

/**
 * The documents of one collection; `D`, its definition, types the questions to its indexes, and `In` is what
 * its writes take: what the schema takes, if it has one.
 *
 * A document is a plain object of null, booleans, finite numbers, well-formed strings, dates, bytes, arrays
 * and objects, with its key. It comes back equal to what was given (a `Buffer` as a `Uint8Array`), or it is
 * INVALID with the path of what cannot be stored: `undefined`, `NaN`, functions, class instances, a field
 * named `__proto__`.
 */
export class Collection<T extends object = Record<string, unknown>, D = unknown, In extends object = T> {
  /** The name under which it is defined. */
  readonly name: string
  readonly #parts: CollectionParts

  /**
   * Use `store.collection(name)`.
   * @internal
   */
  constructor(name: string, parts: CollectionParts) {
    this.name = name
    this.#parts = parts
  }

  /**
   * Adds a document. When it resolves, the document is durable and every later linearizable read sees it.
   * Rejects, not applied, with EXISTS (details: key, version), UNIQUE_TAKEN (details: constraint, holder,
   * version), INVALID, VALIDATION_FAILED (details: issues; what it says of a retry is unknown), TOO_LARGE,
   * NOT_FOUND for a collection that is not defined, OVERLOADED, DISK_FULL; with an unknown outcome once it
   * was sent: TIMED_OUT, ABORTED, CLOSED_WHILE_WAITING, DISK_FAILED. In a session also with SESSION_EXPIRED,
   * FENCED, and where the caller numbers it SEQUENCE_REUSED, ALREADY_ACKNOWLEDGED, WINDOW_FULL.
   */
  insert(document: In, options: InsertOptions = noOptions): Promise<Written> {
    return this.#writeDocument('insert', document, options, optionNames.insert, written)
  }

  /**
   * Inserts all, each on its own: one result per document, in order, also for those that were refused. The
   * deadline holds for each row. With a `requestId` the whole call may be sent again, and each row takes
   * effect once. In a caller-numbered session it is one request, with its `sequence`, of at most
   * `batchCommandsMax` rows and `batchCommandBytesMax`: it rejects as insert does, and the rows have one
   * version. Rejects with what the documents' iterator throws, when nothing is in flight any more.
   */
  async insertMany(documents: Iterable<In>, options: InsertManyOptions = noOptions): Promise<InsertResult[]> {
    const { asking, clock, operations, writer } = this.#parts
    if (writer.numbering === 'caller') {
      const passed = (document: unknown): T | Promise<T> => this.#passed(document as In)
      const row = (document: object): InsertedRow => operations.ofRow(this.#schema(), document)
      return await insertRows({ writer, asking, passed, row }, documents, options)
    }
    return await insertMany(documents, options, clock, (document, own) => this.insert(document, own))
  }

  /**
   * Adds or replaces a document. Rejects with CONFLICT if `ifVersion` is given and does not hold; else as
   * insert.
   */
  put(document: In, options: WriteOptions = noOptions): Promise<Put> {
    return this.#writeDocument('put', document, options, optionNames.write, changed)
  }

  /**
   * Removes a document and releases its unique values; one that is not there is no error. Rejects as put.
   */
  delete(key: DocumentKey, options: WriteOptions = noOptions): Promise<Deleted> {
    return writeBy(
      this.#parts.writer,
      () => [this.#parts.operations.ofKey(this.#schema(), 'delete', key, options.ifVersion)],
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
   * it was written then, or undefined if nothing was; LOG_TRUNCATED (unknown; the message has the version)
   * if neither state nor log has that any more. Rejects with what `change` throws, and as put; with INVALID
   * in a caller-numbered session, where a number stands for one request and its tries would be several.
   */
  async update(
    key: DocumentKey,
    change: ChangeDocument<T, In>,
    options: RequestOptions = noOptions,
  ): Promise<Versioned<T> | undefined> {
    try {
      return await this.#update(key, change, options)
    } catch (error) {
      throw options?.requestId === undefined ? error : unlessAnswered(error)
    }
  }

  async #update(
    key: DocumentKey,
    change: ChangeDocument<T, In>,
    options: RequestOptions,
  ): Promise<Versioned<T> | undefined> {
    checkCall(options, optionNames.request)
    if (typeof change !== 'function') throw invalid(`update: change must be a function, not ${show(change)}`)
    this.#refuseNumbered()
    const rowKey = this.#rowKey(key)
    const { requestId } = options
    const request = requestId === undefined ? undefined : updateMark(requestId, rowKey)
    const document = {
      rowKey,
      change,
      current: () => this.#current(key, options),
      passed: (changed: In) => this.#passed(changed),
      operation: (stored: T, was: Versioned<T> | undefined) =>
        this.#changedOperation(key, stored, was?.version),
    }
    return await update(this.#parts, document, options, request)
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
    const { reader } = this.#parts
    const row = await reader.read(options, () => {
      const schema = this.#schema()
      // Of now: another replica may have taken the place of the one that was here at the call.
      return holderOf(reader, schema, askedClaim(schema, this.#parts.state, constraint, value))
    })
    return row === null ? undefined : documentOf<T>(row)
  }

  /**
   * Documents in key order, as of one moment: later changes are not seen. Leaving the loop early lets go of
   * the view, which else keeps old forms of documents in memory. Rejects with CLOSED if the store is closed
   * before the end; where it is one of several nodes, with UNAVAILABLE if a snapshot of another one replaced
   * the documents here before the end: what was seen is of one moment, but not the whole. Then begin anew.
   */
  async *scan(options: ScanOptions = noOptions): AsyncGenerator<T, void, undefined> {
    for await (const row of this.#rows(options)) yield documentOf<T>(row)
  }

  /** How many documents there are in the range. Reads them all, and rejects as scan. */
  async count(options: ScanOptions = noOptions): Promise<number> {
    let count = 0
    for await (const _ of this.#rows(options)) count += 1
    return count
  }

  /**
   * The documents that a secondary index answers with, in the order of its fields: `eq` fixes the first
   * fields, bounds or `prefix` narrow the next. All as of one moment, which shows everything that was
   * acknowledged before the call (if rows are found damaged on the way, what follows is of a later one).
   * Waits while the index is built (`onBehind`). Leaving the loop early lets go of the moment. Rejects with
   * NOT_FOUND if there is no such index, INVALID for a query that it does not understand, INDEX_FAILED,
   * INDEX_BEHIND if that is wanted.
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
   * The documents that a search index answers a text with, the best first: one page, and a cursor for the
   * next. Hits, documents and highlights are of one moment, which shows everything that was acknowledged
   * before the call; each page has a moment of its own, as with findPage. Of the text, `"two words"` must
   * stand so, `word*` begins a word, a single run of Hangul must be in the document (if it is in none,
   * without its particles). Rejects as find; with INVALID for a cursor of another question.
   */
  async search<Name extends SearchName<D>>(
    name: Name,
    text: string,
    options: SearchOptionsOf<T, D, Name> = noOptions as SearchOptionsOf<T, D, Name>,
  ): Promise<SearchPage<T>> {
    checkSearch(options)
    return await this.#parts.searchReader.page<T>(this.#schema(), name, text, options)
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
    for await (const page of this.#parts.reader.pages({ ...range, reverse, pageRows }, options)) {
      for (const [, row] of page) {
        checkSignal(options, 'the scan')
        yield row
        left -= 1
        if (left === 0) return
      }
    }
    // A store that is being closed answers nothing any more, also where all was seen.
    this.#schema()
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
  #refuseNumbered(): void {
    if (this.#parts.writer.numbering !== 'caller') return
    throw invalid(
      'update is not possible in a caller-numbered session: it sends requests of its own, which have no ' +
        'number; read, and put with ifVersion and sequence',
    )
  }

  #row(key: DocumentKey, options: ReadOptions, allowed = optionNames.read): Promise<Row | null> {
    checkRead(options, allowed)
    const rowKey = this.#rowKey(key)
    const { reader } = this.#parts
    return reader.read(options, () => reader.row(rowKey))
  }

  #writeDocument<R>(
    op: 'insert' | 'put',
    document: In,
    options: WriteOptions,
    allowed: OptionNames,
    finish: (done: Done) => R,
  ): Promise<R> {
    const { writer, validation } = this.#parts
    const operations = (stored: object, { ifVersion }: WriteOptions): Operation[] => [
      this.#documentOperation(op, stored, op === 'put' ? ifVersion : undefined),
    ]
    if (validation === undefined) {
      return writeBy(writer, () => operations(document, options), options, allowed, finish)
    }
    const check = (): object | Promise<object> => validation.pass(document)
    return writeChecked(this.#parts, check, operations, options, allowed, finish)
  }

  /** The document as it is to be stored: what the schema makes of it, if there is one. */
  #passed(document: In): T | Promise<T> {
    const { validation } = this.#parts
    return (validation === undefined ? document : validation.pass(document)) as T | Promise<T>
  }

  #documentOperation(op: 'insert' | 'put', document: object, ifVersion?: Version | null): Operation {
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
