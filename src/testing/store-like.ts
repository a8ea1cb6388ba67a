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
  insert(document: LawDocument, options?: InsertOptions): Promise<Written>
  insertMany(documents: Iterable<LawDocument>, options?: InsertManyOptions): Promise<InsertResult[]>
  put(document: LawDocument, options?: WriteOptions): Promise<Put>
  delete(key: DocumentKey, options?: WriteOptions): Promise<Deleted>
  update(
    key: DocumentKey,
    change: (document: LawDocument | undefined) => LawDocument | undefined | Promise<LawDocument | undefined>,
    options?: RequestOptions,
  ): Promise<Versioned<LawDocument> | undefined>
  get(key: DocumentKey, options?: ReadOptions): Promise<LawDocument | undefined>
  getVersioned(key: DocumentKey, options?: ReadOptions): Promise<Versioned<LawDocument> | undefined>
  getMany(keys: readonly DocumentKey[], options?: ReadOptions): Promise<(LawDocument | undefined)[]>
  has(key: DocumentKey, options?: ReadOptions): Promise<boolean>
  getBy(constraint: string, value: unknown, options?: ReadOptions): Promise<LawDocument | undefined>
  scan(options?: ScanOptions): AsyncIterable<LawDocument>
  count(options?: ScanOptions): Promise<number>
  find(name: string, query?: object, options?: FindOptions): AsyncIterable<LawDocument>
  findPage(name: string, query?: object, options?: PageOptions): Promise<FoundPage<LawDocument>>
  search(name: string, text: string, options?: SearchOptions): Promise<SearchPage<LawDocument>>
}

/** A session as the laws use it; see `Session`. */
export interface SessionLike {
  readonly id: number
  readonly epoch: number
  readonly lowWater: number
  collection(name: string): CollectionLike
  release(through: number): void
  batch(steps: readonly BatchStep[], options?: InsertOptions): Promise<Written>
  close(options?: CallOptions): Promise<void>
}

/** A feed as the laws use it; see `Changes`. */
export interface ChangesLike extends AsyncIterable<Change> {
  acknowledge(position: string, options?: CallOptions): Promise<void>
}

/** A store as the laws use it; see `Store`. */
export interface StoreLike {
  define(name: string, definition: Definition, options?: DefineOptions): Promise<void>
  definition(name: string): NormalDefinition | undefined
  enforced(collection: string, constraint: string, options?: CallOptions): Promise<void>
  collection(name: string): CollectionLike
  batch(steps: readonly BatchStep[], options?: RequestOptions): Promise<Written>
  requestId(): string
  outcome(
    id: string,
    request: { readonly collection: string; readonly key: DocumentKey },
    options?: CallOptions,
  ): Promise<RequestOutcome>
  session(options?: SessionOptions & CallOptions): Promise<SessionLike>
  changes(options?: ChangesOptions): ChangesLike
  forgetChanges(name: string, options?: CallOptions): Promise<boolean>
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
