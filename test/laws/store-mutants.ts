/** Stores that break one promise each: a real one, of which some methods do something else. */
import { isSillokError, SillokError } from '../../src/base/errors.js'
import type {
  ChangesLike,
  CollectionLike,
  LawDocument,
  SessionLike,
  StoreLike,
} from '../../src/testing/store-like.js'
import { type Instead, withInstead } from './instead.js'

/** One broken promise. */
export interface StoreMutant {
  readonly store?: Instead<StoreLike>
  readonly rows?: Instead<CollectionLike>
  readonly session?: Instead<SessionLike>
  readonly feed?: (inner: ChangesLike, from: string | undefined) => Partial<ChangesLike>
}

/** The store with the promise broken. */
export function mutated(store: StoreLike, mutant: StoreMutant): StoreLike {
  const { store: ofStore = {}, rows = {}, session: ofSession = {}, feed } = mutant
  const collection = (inner: StoreLike | SessionLike, name: string): CollectionLike =>
    withInstead(inner.collection(name), rows)
  return withInstead(store, {
    collection,
    session: async (inner: StoreLike, options: object) => {
      const session = await (ofStore.session ?? ((one, own) => one.session(own)))(inner, options)
      return withInstead(session, { collection, ...ofSession })
    },
    changes: (inner: StoreLike, options: { from?: string } = {}) => {
      const changes = (ofStore.changes ?? ((one, own) => one.changes(own)))(inner, options)
      const own = feed?.(changes, options.from)
      const found = { [Symbol.asyncIterator]: () => changes[Symbol.asyncIterator]() }
      return own ? { acknowledge: changes.acknowledge.bind(changes), ...found, ...own } : changes
    },
    ...Object.fromEntries(
      Object.entries(ofStore).filter(([name]) => name !== 'session' && name !== 'changes'),
    ),
  })
}

const without = (options: object | undefined, ...names: string[]): object =>
  Object.fromEntries(Object.entries(options ?? {}).filter(([name]) => !names.includes(name)))

async function* filtered(
  documents: AsyncIterable<LawDocument>,
  keep: (document: LawDocument) => boolean,
): AsyncGenerator<LawDocument> {
  for await (const document of documents) if (keep(document)) yield document
}

async function* sorted(documents: AsyncIterable<LawDocument>): AsyncGenerator<LawDocument> {
  const all: LawDocument[] = []
  for await (const document of documents) all.push(document)
  yield* all.sort((a, b) => Number(a['id']) - Number(b['id']))
}

async function* quiet<T>(items: AsyncIterable<T>, times = 1): AsyncGenerator<T> {
  try {
    for await (const item of items) for (let n = 0; n < times; n++) yield item
  } catch {}
}

async function* behind<T>(items: AsyncIterable<T>, skip: number): AsyncGenerator<T> {
  let left = skip
  for await (const item of items) if (left-- <= 0) yield item
}

const oneByOne: StoreMutant = {
  store: {
    batch: async (store, steps) => {
      let version = 0
      for (const step of steps) ({ version } = await store.batch([step]))
      return { version }
    },
  },
}
const insertsAnyhow: StoreMutant = { rows: { insert: (rows, document) => rows.put(document) } }
const forgetsIds: StoreMutant = {
  rows: {
    insert: (rows, document, options) => rows.insert(document, without(options, 'requestId')),
    put: (rows, document, options) => rows.put(document, without(options, 'requestId')),
    update: (rows, key, change, options) => rows.update(key, change, without(options, 'requestId')),
    insertMany: (rows, documents, options) => rows.insertMany(documents, without(options, 'requestId')),
  },
  store: { batch: (store, steps) => store.batch(steps) },
}
const answersNothing: StoreMutant = {
  rows: { get: (rows, key, options) => rows.get(key, options).catch(() => undefined) },
}
const writesAfterAll: StoreMutant = {
  rows: {
    update: async (rows, key, change, options) => {
      try {
        return await rows.update(key, change, options)
      } catch (error) {
        await rows.put({ id: key })
        throw error
      }
    },
  },
}
const read = new Map<unknown, LawDocument | undefined>()
const keepsWhatItRead: StoreMutant = {
  rows: {
    async get(rows, key) {
      if (!read.has(key)) read.set(key, await rows.get(key))
      return read.get(key)
    },
  },
}

/** By the title of the law that must find it. */
export const storeMutants: Readonly<Record<string, StoreMutant>> = {
  'an insert adds a document, and refuses a key that is there': insertsAnyhow,
  'a put adds or replaces, and says which': {
    rows: { put: async (rows, ...args) => ({ ...(await rows.put(...args)), existed: false }) },
  },
  'a delete removes, and says whether there was anything': {
    rows: { delete: async (rows, ...args) => ({ ...(await rows.delete(...args)), existed: true }) },
  },
  'versions of a key only grow, also when a deleted document returns': {
    rows: { delete: async (rows, ...args) => ({ ...(await rows.delete(...args)), version: 1 }) },
  },
  'a write under a condition takes effect only if it holds': {
    rows: { put: (rows, document, options) => rows.put(document, without(options, 'ifVersion')) },
  },
  'of many who race for an absent key one wins': insertsAnyhow,
  'a document comes back equal to what was given': {
    rows: {
      get: async (rows, key) => JSON.parse(JSON.stringify(await rows.get(key))) as LawDocument,
    },
  },
  'the keys 1 and "1" are two documents': {
    rows: { getMany: (rows, keys) => rows.getMany(keys.map(String)) },
  },
  'updates compute from what is there, and none of many at once is lost': {
    rows: {
      async update(rows, key, change) {
        const document = (await change(await rows.get(key))) ?? {}
        return { document, version: (await rows.put(document)).version }
      },
    },
  },
  'an update that returns nothing writes nothing': {
    rows: {
      update: async (rows, key, change) => {
        await rows.update(key, async document => (await change(document)) ?? document ?? { id: key })
        return undefined
      },
    },
  },
  'an update of a missing key may make it, and keeps to its key': {
    rows: {
      update: (rows, key, change) =>
        rows.update(key, async document => {
          const changed = await change(document)
          return changed && { ...changed, id: key }
        }),
    },
  },
  'what the function of an update throws comes to its caller, and nothing is written': {
    rows: { update: (rows, key, change) => rows.update(key, change).catch(() => undefined) },
  },
  'insertMany answers for each document, in their order, and one refusal harms no other': {
    rows: {
      insertMany: async (rows, ...args) =>
        (await rows.insertMany(...args)).sort((a, b) => Number(b.ok) - Number(a.ok)),
    },
  },
  'a batch takes effect in all of its collections, under one version': {
    store: { batch: (store, steps) => store.batch(steps.filter(step => step.in === steps[0]?.in)) },
  },
  'one step that is refused refuses the whole batch': oneByOne,
  'steps of a batch see the ones before them': {
    store: { batch: (store, steps) => store.batch(steps.toReversed()) },
  },
  'a check writes nothing, and holds for its whole batch': {
    store: { batch: (store, steps) => store.batch(steps.filter(step => !('check' in step))) },
  },
  'nobody sees half of a batch': oneByOne,
  'a read after an acknowledged write shows it, whoever else is writing': keepsWhatItRead,
  'all ways to read a document agree': { rows: { has: async () => true } },
  'a scan gives all documents in the order of their keys, in both directions': {
    rows: { scan: (rows, options) => rows.scan({ ...options, reverse: false }) },
  },
  'a scan keeps to its bounds, its prefix and its limit, and count counts the same': {
    rows: { count: (rows, options) => rows.count({ ...options, limit: undefined }) },
  },
  'a scan is as of one moment, whatever is written meanwhile': {
    rows: {
      async *scan(rows) {
        const keys: unknown[] = []
        for await (const { id } of rows.scan()) keys.push(id)
        for (const key of keys) {
          const document = await rows.get(key as string)
          if (document !== undefined) yield document
        }
      },
    },
  },
  'what is done to a document that was read changes nothing that is stored': keepsWhatItRead,
  'a secondary index answers in the order of its fields, with all that was acknowledged before': {
    rows: { find: (rows, ...args) => sorted(rows.find(...args)) },
  },
  'pages of an index follow each other without gap or repetition': {
    rows: {
      async findPage(rows, ...args) {
        const page = await rows.findPage(...args)
        return page.cursor === undefined ? page : { ...page, documents: page.documents.slice(1) }
      },
    },
  },
  'a search finds the words of a text, the best first, in Korean without their particles': {
    rows: {
      async search(rows, ...args) {
        const page = await rows.search(...args)
        return { ...page, hits: page.hits.toReversed() }
      },
    },
  },
  'an index that is defined later shows what was there before': {
    rows: { find: (rows, ...args) => filtered(rows.find(...args), ({ id }) => Number(id) > 5) },
  },
  'what is no index is NOT_FOUND, what is no question INVALID': {
    rows: { find: (rows, ...args) => quiet(rows.find(...args)) },
  },
  'a unique value has one holder, and a refusal names it': {
    rows: {
      put: (rows, ...args) =>
        rows.put(...args).catch((error: unknown) => {
          throw isSillokError(error) ? new SillokError(error.code, error.message) : error
        }),
    },
  },
  'of many who ask for a unique value at once one gets it': {
    rows: { insert: (rows, document) => rows.insert(document).catch(() => rows.put({ id: document['id'] })) },
  },
  'spellings that the rule makes equal are one value, for writes and for getBy': {
    rows: {
      async getBy(rows, constraint, value) {
        const found = await rows.getBy(constraint, value)
        return found?.['email'] === value ? found : undefined
      },
    },
  },
  'a value that its holder gives up is free again': {
    rows: {
      put: async (rows, document) => rows.put({ ...document, ...(await rows.get(document['id'] as string)) }),
    },
  },
  'documents without the value do not take it from each other': {
    rows: { insert: (rows, document) => rows.insert({ ...document, email: document['email'] ?? '' }) },
  },
  'a constraint over several fields holds for all of them together': {
    rows: {
      getBy: (rows, name, value) => rows.getBy(name, Array.isArray(value) ? value.toReversed() : value),
    },
  },
  'a constraint that is defined later is enforced once it is built from what is there': {
    store: {
      define: (store, name, { key }) => store.define(name, { key }),
      enforced: async () => {},
    },
  },
  'the same definition again changes nothing, and its normal form is the same definition': {
    store: {
      definition(store, name) {
        const shown = store.definition(name)
        return shown && { ...shown, indexes: {} }
      },
    },
  },
  'another key of a collection is refused, and so is what only drop may take away': {
    store: { define: (store, name, definition) => store.define(name, definition, { drop: true }) },
  },
  'a collection that is not defined is NOT_FOUND until it is, also for objects made before': answersNothing,
  'what is no definition is INVALID, and defines nothing': {
    store: {
      define: (store, name, definition) =>
        store.define(name, definition).catch(async error => {
          await store.define(name, { key: 'id' })
          throw error
        }),
    },
  },
  'a request under an id takes effect once, and gets its first answer again': forgetsIds,
  'a request that was refused under an id stays refused': forgetsIds,
  'another request under an id is refused': forgetsIds,
  'an update under an id is computed once': forgetsIds,
  'a batch under an id takes effect once': forgetsIds,
  'insertMany that is sent again under its id inserts what is missing, and nothing twice': forgetsIds,
  'the outcome of a request is told as it was, committed or refused': {
    store: { outcome: async () => ({ state: 'committed', version: 1, existed: [false] }) },
  },
  'a request whose outcome was asked for before it came never takes effect': {
    store: { outcome: async () => ({ state: 'fenced' }) },
  },
  'writes of a session are writes of the store, in the order of the calls': {
    session: { batch: async () => ({ version: 1 }) },
  },
  "a caller's number stands for one request, whose first answer is kept": {
    store: { session: store => store.session() },
    rows: { insert: (rows, document) => rows.insert(document) },
  },
  'whoever resumes a name fences the holder before': {
    store: { session: store => store.session() },
  },
  'whoever resumes a numbered session sends all again from its low water, and nothing is done twice': {
    store: { session: (store, options) => store.session(without(options, 'name')) },
  },
  'a released number takes no effect any more': { session: { release: () => {} } },
  'a session is resumed as what it is: its numbering and its input stay': {
    store: { session: (store, options) => store.session(without(options, 'input')) },
  },
  'insertMany of a numbered session is one request': {
    rows: {
      insertMany: async (rows, ...args) =>
        (await rows.insertMany(...args)).map(() => ({ ok: true, version: 1 })),
    },
  },
  'a session that is closed takes no writes': { session: { close: async () => {} } },
  'a feed tells each change of a document once, in the order of the versions': {
    feed: feed => ({ [Symbol.asyncIterator]: () => quiet(feed, 2) }),
  },
  'behind each position of a feed comes what came after it': {
    feed: (feed, from) => ({ [Symbol.asyncIterator]: () => behind(feed, from === 'start' ? 0 : 1) }),
  },
  'a feed from now tells what is written after the call, as it is written': {
    store: { changes: (store, options) => store.changes({ ...options, from: 'start' }) },
  },
  'a named feed goes on behind what was acknowledged': { feed: () => ({ acknowledge: async () => {} }) },
  'a named feed has one holder: who begins to read it last': {
    feed: feed => ({ acknowledge: position => feed.acknowledge(position).catch(() => {}) }),
  },
  'a signal ends the reading of a feed that waits': {
    feed: feed => ({ [Symbol.asyncIterator]: () => quiet(feed) }),
  },
  'a position that this store never gave is refused': {
    store: { changes: (store, options) => store.changes({ ...options, from: 'start' }) },
  },
  'what is no key is refused by every call': answersNothing,
  'what cannot come back equal is no document, and is not stored in part': {
    rows: { put: (rows, document) => rows.put(document).catch(() => rows.put({ id: 'a' })) },
  },
  'an option that is unknown or mistyped is refused, not passed over': {
    rows: { put: (rows, document) => rows.put(document) },
  },
  'a signal that was aborted before the call makes it do nothing': {
    rows: { put: (rows, document) => rows.put(document) },
  },
  'a signal ends the waiting of an update, which then writes nothing that was not sent': writesAfterAll,
  'a deadline ends the waiting of an update, which then writes nothing that was not sent': writesAfterAll,
  'leaving a scan early lets go of it, and a signal ends one': {
    rows: { scan: (rows, options) => rows.scan(without(options, 'signal')) },
  },
  'a store that is closed refuses all, and closing twice is no error': { store: { close: async () => {} } },
}
