/**
 * What the laws of a store ask of it: its public face, as far as they need it. The embedded `Store` has it;
 * so must whatever else wants to pass for one.
 */
import { deepEqual, equal, fail, ok } from 'node:assert/strict'
import { type Code, isSillokError, type Outcome, type SillokError } from '../base/errors.js'
import type { DocumentKey } from '../base/tuple.js'
import type { Definition } from '../machine/schema.js'
import type { NormalDefinition } from '../store/definition.js'
import type { InsertResult } from '../store/insert-many.js'
import type {
  BatchStep,
  CallOptions,
  Change,
  ChangesOptions,
  DefineOptions,
  Deleted,
  FindOptions,
  FoundPage,
  InsertManyOptions,
  InsertOptions,
  PageOptions,
  Put,
  ReadOptions,
  RequestOptions,
  RequestOutcome,
  ScanOptions,
  SessionOptions,
  Versioned,
  WriteOptions,
  Written,
} from '../store/options.js'
import type { SearchOptions, SearchPage } from '../store/search-types.js'

/** A document of the laws. */
export type LawDocument = Record<string, unknown>

/** A collection as the laws use it; see `Collection`. */
export interface CollectionLike {
  /** As `Collection.insert`. */
  insert(document: LawDocument, options?: InsertOptions): Promise<Written>
  /** As `Collection.insertMany`. */
  insertMany(documents: Iterable<LawDocument>, options?: InsertManyOptions): Promise<InsertResult[]>
  /** As `Collection.put`. */
  put(document: LawDocument, options?: WriteOptions): Promise<Put>
  /** As `Collection.delete`. */
  delete(key: DocumentKey, options?: WriteOptions): Promise<Deleted>
  /** As `Collection.update`. */
  update(
    key: DocumentKey,
    change: (document: LawDocument | undefined) => LawDocument | undefined | Promise<LawDocument | undefined>,
    options?: RequestOptions,
  ): Promise<Versioned<LawDocument> | undefined>
  /** As `Collection.get`. */
  get(key: DocumentKey, options?: ReadOptions): Promise<LawDocument | undefined>
  /** As `Collection.getVersioned`. */
  getVersioned(key: DocumentKey, options?: ReadOptions): Promise<Versioned<LawDocument> | undefined>
  /** As `Collection.getMany`. */
  getMany(keys: readonly DocumentKey[], options?: ReadOptions): Promise<(LawDocument | undefined)[]>
  /** As `Collection.has`. */
  has(key: DocumentKey, options?: ReadOptions): Promise<boolean>
  /** As `Collection.getBy`. */
  getBy(constraint: string, value: unknown, options?: ReadOptions): Promise<LawDocument | undefined>
  /** As `Collection.scan`. */
  scan(options?: ScanOptions): AsyncIterable<LawDocument>
  /** As `Collection.count`. */
  count(options?: ScanOptions): Promise<number>
  /** As `Collection.find`. */
  find(name: string, query?: object, options?: FindOptions): AsyncIterable<LawDocument>
  /** As `Collection.findPage`. */
  findPage(name: string, query?: object, options?: PageOptions): Promise<FoundPage<LawDocument>>
  /** As `Collection.search`. */
  search(name: string, text: string, options?: SearchOptions): Promise<SearchPage<LawDocument>>
}

/** A session as the laws use it; see `Session`. */
export interface SessionLike {
  /** As `Session.id`. */
  readonly id: number
  /** As `Session.epoch`. */
  readonly epoch: number
  /** As `Session.lowWater`. */
  readonly lowWater: number
  /** As `Session.collection`. */
  collection(name: string): CollectionLike
  /** As `Session.release`. */
  release(through: number): void
  /** As `Session.batch`. */
  batch(steps: readonly BatchStep[], options?: InsertOptions): Promise<Written>
  /** As `Session.close`. */
  close(options?: CallOptions): Promise<void>
}

/** A feed as the laws use it; see `Changes`. */
export interface ChangesLike extends AsyncIterable<Change> {
  /** As `Changes.acknowledge`. */
  acknowledge(position: string, options?: CallOptions): Promise<void>
}

/** A store as the laws use it; see `Store`. */
export interface StoreLike {
  /** As `Store.define`. */
  define(name: string, definition: Definition, options?: DefineOptions): Promise<void>
  /** As `Store.definition`. */
  definition(name: string): NormalDefinition | undefined
  /** As `Store.enforced`. */
  enforced(collection: string, constraint: string, options?: CallOptions): Promise<void>
  /** As `Store.collection`. */
  collection(name: string): CollectionLike
  /** As `Store.batch`. */
  batch(steps: readonly BatchStep[], options?: RequestOptions): Promise<Written>
  /** As `Store.requestId`. */
  requestId(): string
  /** As `Store.outcome`. */
  outcome(
    id: string,
    request: { readonly collection: string; readonly key: DocumentKey },
    options?: CallOptions,
  ): Promise<RequestOutcome>
  /** As `Store.session`. */
  session(options?: SessionOptions & CallOptions): Promise<SessionLike>
  /** As `Store.changes`. */
  changes(options?: ChangesOptions): ChangesLike
  /** As `Store.forgetChanges`. */
  forgetChanges(name: string, options?: CallOptions): Promise<boolean>
  /** As `Store.close`. */
  close(): Promise<void>
}

/** A name that nothing else in the store has, whoever else uses it. */
export function freshName(store: StoreLike): string {
  return `laws-${store.requestId().slice(3)}`
}

/** A new collection with key `id`, and its name. */
export async function freshCollection(
  store: StoreLike,
  definition: Omit<Definition, 'key'> = {},
): Promise<{ readonly name: string; readonly rows: CollectionLike }> {
  const name = freshName(store)
  await store.define(name, { key: 'id', ...definition })
  return { name, rows: store.collection(name) }
}

/** What the call must reject with. */
export interface Refusal {
  /** `either`: nobody need know what became of it. */
  readonly outcome?: Outcome | 'either'
  readonly details?: Readonly<Record<string, unknown>>
}

/** The call must reject, not throw, with that code; not applied, unless another outcome is named. */
export async function refused(
  call: () => Promise<unknown>,
  code: Code,
  { outcome = 'not-applied', details = {} }: Refusal = {},
): Promise<SillokError> {
  // A call that throws before it returns its promise escapes a caller's .catch().
  const error = await call().then(
    answer => fail(`${code} expected, answered was ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  )
  if (!isSillokError(error)) throw error
  equal(error.code, code, error.message)
  if (outcome !== 'either') equal(error.outcome, outcome, `the outcome of ${code}: ${error.message}`)
  for (const [name, value] of Object.entries(details)) deepEqual(error.details[name], value, name)
  ok(error.message.length > 0)
  return error
}

/** All that an iteration gives. */
export async function listed<T>(items: AsyncIterable<T>, most = Number.POSITIVE_INFINITY): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) {
    all.push(item)
    if (all.length >= most) break
  }
  return all
}

/** The keys of documents. */
export async function idsOf(documents: AsyncIterable<LawDocument>): Promise<unknown[]> {
  return (await listed(documents)).map(({ id }) => id)
}
