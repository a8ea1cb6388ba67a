/**
 * The life of an index through the store: documents it cannot take, another configuration, being made again.
 */
import { cpSync, mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { search } from '../../../src/derived/search/search.js'
import { secondary } from '../../../src/derived/secondary/secondary.js'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import { realEnvironment } from '../../../src/env/real-environment.js'
import {
  type IndexChange,
  type IndexOps,
  type IndexType,
  type NamedIndexStatus,
  open,
  type SillokError,
} from '../../../src/index.js'
import { type VerifyReport, verifyStore } from '../../../src/replica/verify.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import { codeOf } from './code-of.js'

interface Item {
  readonly id: string
  readonly word: string
}

/** Documents by their word; which words it throws for, and whether it may go on, is said from outside. */
class Words {
  bad = new Set<string>()
  #gates = new Map<string, Promise<void>>()
  readonly #open = new Map<string, () => void>()
  opened = 0

  /** From now on the index of that tag waits before it does anything. */
  hold(tag: string): void {
    this.#gates.set(tag, new Promise(resolve => this.#open.set(tag, resolve)))
  }

  letGo(tag: string): void {
    this.#open.get(tag)?.()
    this.#gates.delete(tag)
  }

  readonly type: IndexType<{ readonly tag: string }, { readonly from?: string }, string> = {
    type: 'words',
    version: 1,
    configure: ({ tag = 'one' }) => ({ tag: String(tag) }),
    open: ({ tag }) => ({
      apply: async (changes: readonly IndexChange[], _: unknown, ops: IndexOps) => {
        await this.#gates.get(tag)
        for (const change of changes) {
          if (change.note !== undefined) ops.delete(change.note)
          const word = change.document?.['word']
          if (typeof word === 'string' && this.bad.has(word)) throw new Error(`no ${word}`)
          const row = Buffer.from(`${String(word)}/${String(change.key)}`)
          if (change.document !== undefined) ops.put(row, Buffer.from(tag))
          ops.note(change, change.document === undefined ? undefined : row)
        }
      },
      async *query({ from = '' }, rows) {
        for await (const page of rows.scan({ gte: Buffer.from(from) }, 1)) {
          yield page.map(([key, value]) => `${key}=${value}`)
        }
      },
    }),
  }
}

const definition = (more: object = {}) => ({ key: 'id', indexes: { w: { type: 'words', ...more } } })

/** A new store with one document and its index. */
async function openWithItem(dir: string, words: Words): Promise<Store> {
  const store = await open({ dir, indexTypes: [words.type] })
  await store.define('items', definition())
  await store.collection<Item>('items').put({ id: 'a', word: 'x' })
  return store
}

async function answers(store: Store, index = 'w'): Promise<string> {
  const hits: string[] = []
  for await (const hit of store.collection('items').query<string>(index, {})) hits.push(hit)
  return hits.join(' ')
}

function statusOf(store: Store, name = 'w'): NamedIndexStatus {
  const status = store.status().indexes.find(one => one.name === name)
  if (status === undefined) throw new Error(`no index ${name}`)
  return status
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > 400) throw new Error(`still not: ${String(what)}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

function temporary(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sillok-lifecycle-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const foldersOf = (folder: string): string =>
  readdirSync(path.join(folder, 'partitions/1-1/indexes')).sort().join(' ')

async function verified(t: Test, folder: string, words: Words): Promise<VerifyReport> {
  const env = realEnvironment()
  const scratch = path.join(temporary(t), 'scratch')
  const indexTypes = new IndexTypes([words.type as IndexType]).byName
  try {
    return await verifyStore({ env, folder, scratch, indexTypes })
  } finally {
    await env.disk.close()
  }
}

t.test('a document that an index cannot take is put aside; mended, it is as if it never was', async t => {
  const dir = temporary(t)
  const words = new Words()
  words.bad.add('bad')
  let store = await open({ dir, indexTypes: [words.type] })
  const put = async (id: string, word: string) => {
    await store.collection<Item>('items').put({ id, word })
  }
  await store.define('items', definition({ onError: 'park' }))
  t.match(store.definition('items'), definition({ onError: 'park', tag: 'one' }))
  await put('a', 'good')
  t.equal(await answers(store), 'good/a=one')
  await put('b', 'bad')
  await put('a', 'bad')
  await put('c', 'good')
  t.equal(await answers(store), 'good/a=one good/c=one', 'others flow, and what it held stays')
  t.match(statusOf(store), { state: 'live', parked: 2, skipped: 0, onError: 'park', version: 1, lag: 0 })
  t.match(await store.parked('items', 'w'), [
    { key: 'a', message: 'no bad', isGone: false },
    { key: 'b', message: 'no bad' },
  ])
  await put('b', 'good')
  t.equal(await answers(store), 'good/a=one good/b=one good/c=one', 'a later change is tried')
  await put('b', 'bad')
  await answers(store)
  t.strictSame(await store.retryParked('items', 'w'), { tried: 2, parked: 2 })
  await store.close()
  t.strictSame((await verified(t, dir, words)).faults, [], 'nothing is wrong with that')
  words.bad.clear()
  t.strictSame((await verified(t, dir, words)).faults, [], 'also by the mended code')
  words.bad.add('bad')
  store = await open({ dir, indexTypes: [words.type] })
  t.equal(await answers(store), 'good/a=one good/b=one good/c=one')
  t.equal(statusOf(store).parked, 2)
  words.bad.clear()
  t.strictSame(await store.retryParked('items', 'w'), { tried: 2, parked: 0 })
  t.equal(await answers(store), 'bad/a=one bad/b=one good/c=one')
  words.bad.add('bad')
  await put('c', 'bad')
  t.equal(await answers(store), 'bad/a=one bad/b=one good/c=one')
  await store.close()
  words.bad.clear()
  store = await open({ dir, indexTypes: [words.type] })
  await until(() => statusOf(store).parked === 0)
  t.equal(await answers(store), 'bad/a=one bad/b=one bad/c=one', 'opening tries again')
  t.equal(await codeOf(store.parked('items', 'x')), 'NOT_FOUND')
  t.equal(await codeOf(store.retryParked('others', 'w')), 'NOT_FOUND')
  t.equal(await codeOf(store.parked('items', '')), 'INVALID')
  await store.close()
  t.strictSame((await verified(t, dir, words)).faults, [])
})

t.test('one that stops names the document, and can be told to park or skip without a new build', async t => {
  const dir = temporary(t)
  const words = new Words()
  words.bad.add('bad')
  const store = await open({ dir, indexTypes: [words.type] })
  const items = store.collection<Item>('items')
  await store.define('items', definition())
  await items.put({ id: 'a', word: 'good' })
  t.equal(await answers(store), 'good/a=one')
  await items.put({ id: 'b', word: 'bad' })
  await items.put({ id: 'a', word: 'bad' })
  t.equal(await codeOf(answers(store)), 'INDEX_FAILED')
  t.match(statusOf(store), { onError: 'stop', reason: 'no bad', failingDocument: /^[ab]$/, parked: 0 })
  await store.define('items', definition({ onError: 'skip' }))
  await until(() => statusOf(store).lag === 0 && statusOf(store).state === 'live')
  t.equal(await answers(store), '', 'what it held of a skipped document is gone')
  t.match(statusOf(store), { onError: 'skip', skipped: 2, parked: 0, failingDocument: undefined })
  t.equal(foldersOf(dir), '1', 'the rows are those of before')
  await items.put({ id: 'b', word: 'good' })
  t.equal(await answers(store), 'good/b=one')
  t.equal(statusOf(store).skipped, 1)
  await items.delete('a')
  t.equal(await answers(store), 'good/b=one')
  t.equal(statusOf(store).skipped, 0)
  await items.put({ id: 'c', word: 'bad' })
  await answers(store)
  await store.define('items', definition({ onError: 'park' }))
  await items.put({ id: 'c', word: 'bad' })
  await items.put({ id: 'd', word: 'bad' })
  await answers(store)
  t.match(statusOf(store), { parked: 2, skipped: 1 })
  await store.close()
  t.strictSame((await verified(t, dir, words)).faults, [])
  const again = definition({ onError: 'sometimes' })
  const memory = await open({ memory: true, indexTypes: [words.type] })
  const message = /indexes\.w: onError is one of stop, park, skip, not "sometimes"/
  await t.rejects(memory.define('items', again as never), { code: 'INVALID', message })
  await memory.close()
})

t.test('an index that is made again answers until the new one is built, also after a kill', async t => {
  const dir = temporary(t)
  const words = new Words()
  let store = await open({ dir, indexTypes: [words.type] })
  const put = async (id: string, word: string) => {
    await store.collection<Item>('items').put({ id, word })
  }
  await store.define('items', definition())
  for (const id of ['a', 'b', 'c']) await put(id, 'x')
  t.equal(await answers(store), 'x/a=one x/b=one x/c=one')
  words.hold('two')
  await store.define('items', definition({ tag: 'two' }))
  await put('d', 'x')
  t.equal(await answers(store), 'x/a=one x/b=one x/c=one x/d=one', 'the old one answers, and follows')
  t.match(statusOf(store), { state: 'live', next: { state: 'building' } })
  t.equal(foldersOf(dir), '1 2')
  // What a kill leaves.
  const killed = temporary(t)
  cpSync(dir, killed, { recursive: true })
  const other = await open({ dir: killed, indexTypes: [words.type] })
  t.equal(await answers(other), 'x/a=one x/b=one x/c=one x/d=one')
  await other.close()
  t.equal(foldersOf(killed), '1 2')
  t.strictSame((await verified(t, killed, words)).faults, [])
  await store.close()
  store = await open({ dir, indexTypes: [words.type] })
  t.equal(await answers(store), 'x/a=one x/b=one x/c=one x/d=one', 'after an opening too')
  // A reader stays with what it began to read.
  const reading = store.collection('items').query<string>('w', {})
  t.equal((await reading.next()).value, 'x/a=one')
  words.letGo('two')
  await until(() => statusOf(store).next === undefined)
  t.equal(await answers(store), 'x/a=two x/b=two x/c=two x/d=two')
  t.equal((await reading.next()).value, 'x/b=one')
  await reading.return(undefined)
  await until(() => foldersOf(dir) === '2')
  await store.close()
  const resumed = await open({ dir: killed, indexTypes: [words.type] })
  await until(() => statusOf(resumed).next === undefined && statusOf(resumed).state === 'live')
  t.equal(await answers(resumed), 'x/a=two x/b=two x/c=two x/d=two')
  await until(() => foldersOf(killed) === '2')
  await resumed.close()
  // Killed between the last batch of the build and the removal of the old folder.
  cpSync(path.join(dir, 'partitions/1-1/indexes/2'), path.join(dir, 'partitions/1-1/indexes/1'), {
    recursive: true,
  })
  store = await open({ dir, indexTypes: [words.type] })
  t.equal(await answers(store), 'x/a=two x/b=two x/c=two x/d=two')
  await until(() => foldersOf(dir) === '2')
  await store.rebuildIndex('items', 'w')
  await until(() => statusOf(store).next === undefined && statusOf(store).state === 'live')
  t.equal(await answers(store), 'x/a=two x/b=two x/c=two x/d=two')
  await until(() => foldersOf(dir) === '3')
  t.equal(await codeOf(store.rebuildIndex('items', 'x')), 'NOT_FOUND')
  t.equal(await codeOf(store.rebuildIndex('others', 'w')), 'NOT_FOUND')
  t.match(statusOf(store), { documentsRead: 4, rebuilds: 0, builtAt: /^20\d\d-/, lagMs: 0 })
  await store.define('items', { key: 'id' }, { drop: true })
  await until(() => foldersOf(dir) === '')
  await store.close()
  t.strictSame((await verified(t, dir, words)).faults, [])
})

t.test('an opening without its type keeps what answers until an index is built', async t => {
  const dir = temporary(t)
  const words = new Words()
  let store = await openWithItem(dir, words)
  t.equal(await answers(store), 'x/a=one')
  words.hold('two')
  await store.define('items', definition({ tag: 'two' }))
  t.equal(await answers(store), 'x/a=one')
  await store.close()
  store = await open({ dir })
  t.match(statusOf(store), { state: 'unknown' })
  await store.close()
  t.equal(foldersOf(dir), '1 2')
  store = await open({ dir, indexTypes: [words.type] })
  t.equal(await answers(store), 'x/a=one')
  words.letGo('two')
  await until(() => foldersOf(dir) === '2')
  t.equal(await answers(store), 'x/a=two')
  await store.close()
  // Without the type it is dropped all the same.
  store = await open({ dir })
  await store.define('items', { key: 'id' }, { drop: true })
  await store.close()
  store = await open({ dir })
  t.equal(foldersOf(dir), '')
  await store.close()
})

t.test('of several new configurations the one that answers and the newest are kept', async t => {
  const dir = temporary(t)
  const words = new Words()
  const store = await openWithItem(dir, words)
  t.equal(await answers(store), 'x/a=one')
  for (const tag of ['two', 'three', 'four']) {
    words.hold(tag)
    await store.define('items', definition({ tag }))
    t.equal(await answers(store), 'x/a=one')
  }
  words.letGo('two')
  words.letGo('three')
  await until(() => foldersOf(dir) === '1 4')
  t.equal(await answers(store), 'x/a=one')
  words.letGo('four')
  await until(() => statusOf(store).next === undefined)
  t.equal(await answers(store), 'x/a=four')
  words.hold('five')
  await store.define('items', definition({ tag: 'five' }))
  await store.define('items', { key: 'id' }, { drop: true })
  words.letGo('five')
  await until(() => foldersOf(dir) === '')
  words.hold('six')
  await store.define('items', definition({ tag: 'six' }))
  await store.define('items', definition({ tag: 'seven' }))
  t.equal(await answers(store), 'x/a=seven', 'what was not built itself is not waited for')
  await store.close()
})

t.test('what waits for an index that is replaced meanwhile is done with the one in its place', async t => {
  const kind = new Words()
  const store = await Store.open(memoryEnvironment(), 'memory', {}, {}, new IndexTypes([kind.type]))
  await store.define('items', definition({ onError: 'park' }))
  const items = store.collection<Item>('items')
  await items.put({ id: 'a', word: 'x' })
  t.equal(await answers(store), 'x/a=one')
  kind.hold('one')
  await items.put({ id: 'b', word: 'y' })
  // Until the old one is in the midst of its batch.
  await new Promise(resolve => setTimeout(resolve, 100))
  kind.hold('two')
  await store.define('items', definition({ onError: 'park', tag: 'two' }))
  const retried = store.retryParked('items', 'w')
  const parked = store.parked('items', 'w')
  await new Promise(resolve => setTimeout(resolve, 20))
  kind.letGo('two')
  t.strictSame(await retried, { tried: 0, parked: 0 })
  t.strictSame(await parked, [])
  kind.letGo('one')
  t.equal(await answers(store), 'x/a=two y/b=two')
  await store.close()
})

t.test('an index that would be asked other questions does not answer for the new one', async t => {
  const words = new Words()
  const strict = {
    ...words.type,
    sameQuestions: (one: { tag: string }, other: { tag: string }) => one === other,
  }
  const own = await open({ memory: true, indexTypes: [strict as typeof words.type] })
  await own.define('items', definition())
  await own.collection<Item>('items').put({ id: 'a', word: 'x' })
  t.equal(await answers(own), 'x/a=one')
  words.hold('two')
  await own.define('items', definition({ tag: 'two' }))
  const now = own.collection('items').query('w', {}, { onBehind: 'error' })
  t.equal(await codeOf(now.next()), 'INDEX_BEHIND')
  t.match(statusOf(own), { state: 'building', next: undefined })
  words.letGo('two')
  t.equal(await answers(own), 'x/a=two')
  await own.close()
  const config = { fields: ['a'], each: null, sparse: false }
  t.notOk(secondary.sameQuestions?.(config, { ...config, sparse: true }))
  t.notOk(secondary.sameQuestions?.(config, { ...config, fields: ['b'] }))
  t.notOk(secondary.sameQuestions?.(config, { ...config, each: 'a' }))
  const text = { fields: [{ field: 'a', weight: 1 }], filters: ['b'] }
  t.ok(search.sameQuestions?.(text, { ...text, fields: [{ field: 'a', weight: 2 }] }))
  t.notOk(search.sameQuestions?.(text, { ...text, filters: [] }))
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  const items = store.collection<{ id: number; a: number; b?: number }>('items')
  const define = (byA: object) =>
    store.define('items', { key: 'id', indexes: { byA: { type: 'secondary', ...byA } } } as never)
  await define({ fields: ['a'] })
  for (let id = 0; id < 10; id++) await items.put({ id, a: 10 - id, b: id })
  const ids = async (query: object) => {
    const found: number[] = []
    for await (const { id } of items.find('byA', query)) found.push(id)
    return found.join(' ')
  }
  t.equal(await ids({ eq: [10] }), '0')
  const first = await items.findPage('byA', {}, { limit: 4 })
  await store.rebuildIndex('items', 'byA')
  const second = await items.findPage('byA', {}, { limit: 9, cursor: first.cursor })
  t.equal(second.documents.map(({ id }) => id).join(' '), '5 4 3 2 1 0', 'a cursor outlives a rebuild')
  await define({ fields: ['b'] })
  t.equal(await ids({ eq: [9] }), '9', 'the question waits for the index that is meant')
  await define({ fields: ['b'], sparse: true })
  t.equal(await ids({ eq: [9] }), '9')
})

t.test('what find answers fits the question, though the index holds an older form', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  const items = store.collection<{ id: string; tags?: readonly string[] }>('items')
  await store.define('items', { key: 'id' })
  // More than the index can take, and there before it.
  const many = Array.from({ length: 10_000 }, (_, n) => `t${n}`)
  const id = 'many'.repeat(100)
  await items.put({ id, tags: many })
  await items.put({ id: 'few', tags: ['t1', 't2'] })
  const byTag = { type: 'secondary', fields: ['tags'], each: 'tags', onError: 'park' } as const
  await store.define('items', { key: 'id', indexes: { byTag } })
  const page = await items.findPage('byTag', { eq: ['t1'] })
  t.strictSame(
    page.documents.map(one => one.id),
    ['few'],
  )
  t.equal(page.parked, 1, 'and says that something may be missing')
  t.match(await store.parked('items', 'byTag'), [{ key: id, message: /10000 rows in one index/ }])
  await items.put({ id, tags: ['t1'] })
  const whole = await items.findPage('byTag', { eq: ['t1'] })
  t.equal(whole.documents.length, 2)
  t.notOk('parked' in whole)
})

t.test('an index that cannot hold a document says nothing about an attempt before it was there', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  const definition = { key: 'id' } as const
  await store.define('rows', definition)
  const rows = store.collection('rows')
  const document = { id: 1, long: 'x'.repeat(5000) }
  const session = await store.session({ numbering: 'caller' })
  const ways: Record<string, () => Promise<unknown>> = {
    put: () => rows.put(document, { requestId: 'p' }),
    batch: () => store.batch([{ put: document, in: 'rows' }], { requestId: 'b' }),
    update: () => rows.update(1, () => document, { requestId: 'u' }),
    numbered: () => session.collection('rows').put(document, { sequence: 1 }),
  }
  for (const way of Object.values(ways)) await way()
  const text = { type: 'search', fields: ['text'], filters: ['long'], onError: 'park' } as const
  await store.define('rows', { ...definition, indexes: { text } })
  for (const [name, way] of Object.entries(ways)) {
    const told = await way().then(
      () => 'first answer',
      (error: SillokError) => `${error.code} ${error.outcome} ${String(error.details['index'])}`,
    )
    t.equal(told, name === 'update' ? 'first answer' : 'TOO_LARGE unknown text', name)
  }
  await t.rejects(rows.put(document), { code: 'TOO_LARGE', outcome: 'not-applied' })
})
