/** Derived indexes through the store: what a user defines, asks and is refused. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import { type IndexType, isSillokError, limits, open, SillokError, type Store } from '../../../src/index.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'
import { type WordHit, words } from './own-index.js'

t.comment(`SEED=${seed}`)

interface User {
  readonly id: string
  readonly city: string
  readonly age: number
  readonly tags?: readonly string[]
  readonly bio?: string
}

const users = {
  key: 'id',
  indexes: {
    byCity: { type: 'secondary', fields: ['city', 'age'] },
    byTag: { type: 'secondary', fields: ['tags'], each: 'tags' },
  },
} as const

async function world(t: Test): Promise<{ store: Store; own: ReturnType<typeof ownOf> }> {
  const store = await open({ memory: true, indexTypes: [words] })
  t.teardown(() => store.close())
  await store.define('users', users)
  return { store, own: ownOf(store) }
}

function ownOf(store: Store) {
  return store.collection<User, typeof users>('users')
}

async function all<T>(documents: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const document of documents) list.push(document)
  return list
}

const ids = async (documents: AsyncIterable<{ id: string }>): Promise<string> =>
  (await all(documents)).map(({ id }) => id).join(' ')

t.test('find answers in the order of the fields, and sees what was just written', async t => {
  const { own } = await world(t)
  for (const [id, city, age] of [
    ['a', 'Seoul', 40],
    ['b', 'Busan', 30],
    ['c', 'Seoul', 25],
    ['d', 'Seoul', 33],
  ] as const) {
    await own.insert({ id, city, age, tags: [city, `${age}`] })
    t.equal(await ids(own.find('byCity', { eq: [city, age] })), id)
  }
  t.equal(await ids(own.find('byCity')), 'b c d a')
  t.equal(await ids(own.find('byCity', { eq: ['Seoul'], gte: 30 })), 'd a')
  t.equal(await ids(own.find('byCity', { eq: ['Seoul'], reverse: true, limit: 2 })), 'a d')
  t.equal(await ids(own.find('byCity', { prefix: 'Bu' })), 'b')
  t.equal(await ids(own.find('byTag', { eq: ['Seoul'] })), 'a c d')
  await own.put({ id: 'd', city: 'Busan', age: 33 })
  await own.delete('b')
  t.equal(await ids(own.find('byCity')), 'd c a')
  t.equal(await ids(own.find('byTag', { eq: ['Seoul'] })), 'a c')
  // @ts-expect-error the definition has no such index
  await t.rejects(all(own.find('byAge')), { code: 'NOT_FOUND', message: /byCity, byTag/ })
  // @ts-expect-error the first field is text
  t.equal(await ids(own.find('byCity', { eq: [7] })), '')
  // @ts-expect-error there are two fields
  await t.rejects(all(own.find('byCity', { eq: ['a', 1, 2] })), { code: 'INVALID' })
})

t.test('an answer is of one moment, whatever is written while it is read', async t => {
  const { store, own } = await world(t)
  const count = 600
  for (let i = 0; i < count; i++) await own.put({ id: `k${i}`, city: 'one', age: i })
  let isOver = false
  const writer = (async () => {
    // Everything moves from one city to the other and back, by one atomic batch each.
    for (let round = 0; !isOver; round++) {
      const city = round % 2 === 0 ? 'two' : 'one'
      const steps = Array.from({ length: count }, (_, i) => ({
        in: 'users',
        put: { id: `k${i}`, city, age: i },
      }))
      await store.batch(steps)
    }
  })()
  for (let n = 0; n < 20; n++) {
    const cities = new Set<string>()
    let seen = 0
    for await (const user of own.find('byCity')) {
      cities.add(user.city)
      seen += 1
    }
    t.equal(seen, count)
    t.equal(cities.size, 1)
  }
  isOver = true
  await writer
})

t.test('pages go on where they ended, and a cursor fits its question only', async t => {
  const { own } = await world(t)
  const random = new Random(seed)
  for (let i = 0; i < 57; i++) await own.put({ id: `k${i}`, city: random.pick(['x', 'y']), age: i % 5 })
  const whole = await ids(own.find('byCity'))
  const found: string[] = []
  let cursor: string | undefined
  do {
    const page = await own.findPage('byCity', {}, { limit: 10, ...(cursor && { cursor }) })
    t.ok(page.documents.length <= 10)
    found.push(...page.documents.map(({ id }) => id))
    cursor = page.cursor
  } while (cursor !== undefined)
  t.equal(found.join(' '), whole)
  const first = await own.findPage('byCity', {}, { limit: 3 })
  const given = { limit: 3, cursor: first.cursor ?? '' }
  await t.rejects(own.findPage('byCity', { reverse: true }, given), { code: 'INVALID' })
  await t.rejects(own.findPage('byTag', {}, given), { code: 'INVALID' })
  await t.rejects(own.findPage('byCity', {}, { cursor: 'abc' }), { code: 'INVALID' })
  await t.rejects(own.findPage('byCity', {}, { limit: 0 }), { code: 'INVALID', message: /limit/ })
  await t.rejects(own.findPage('byCity', {}, { limit: Number.MAX_SAFE_INTEGER }), {
    code: 'INVALID',
    message: /from 1 to 9007199254740990, not 9007199254740991/,
  })
})

t.test('an index on what is there is built; one that is dropped is gone', async t => {
  const { store } = await world(t)
  const plain = store.collection<User>('plain')
  await store.define('plain', { key: 'id' })
  for (let i = 0; i < 30; i++) await plain.put({ id: `k${i}`, city: 'x', age: 30 - i })
  const indexed = { key: 'id', indexes: { byAge: { type: 'secondary', fields: ['age'] } } }
  await store.define('plain', indexed)
  await store.define('plain', indexed)
  t.equal((await all(plain.find('byAge', { lte: 3 }))).length, 3)
  t.match(
    store.status().indexes.find(({ name }) => name === 'byAge'),
    { collection: 'plain', type: 'secondary', state: 'live', lag: 0 },
  )
  const other = { key: 'id', indexes: { byAge: { type: 'secondary', fields: ['city'] } } }
  const text = { key: 'id', indexes: { byAge: { type: 'search', fields: ['city'] } } }
  t.match(await codeOf(store.define('plain', text)), 'INVALID')
  t.match(await codeOf(store.define('plain', { key: 'id' })), 'INVALID')
  await store.define('plain', { key: 'id' }, { drop: true })
  t.equal(await codeOf(all(plain.find('byAge'))), 'NOT_FOUND')
  await store.define('plain', other)
  t.equal((await all(plain.find('byAge', { eq: ['x'] }))).length, 30, 'the name is free again')
})

t.test('what a definition of an index lacks is named', async t => {
  const { store } = await world(t)
  const refused = async (indexes: unknown, message: RegExp): Promise<void> => {
    await t.rejects(store.define('bad', { key: 'id', indexes } as never), { code: 'INVALID', message })
  }
  await refused([], /indexes must be an object/)
  await refused({ a: 1 }, /indexes\.a must be an object/)
  await refused({ a: {} }, /its type/)
  await refused(
    { a: { type: 'other' } },
    /no type of index is named other; there are secondary, search, words/,
  )
  await refused({ a: { type: 'secondary', fields: [] } }, /indexes\.a: .*fields/)
  await refused({ a: { type: 'secondary', fields: ['x'], sort: 1 } }, /unknown "sort"/)
  await refused({ a: { type: 'words' } }, /words: field must name a field/)
  t.notOk(store.status().collections.includes('bad'))
})

t.test("a user's own type of index is fed, read and built like the others", async t => {
  const { store } = await world(t)
  const random = new Random(`${seed} words`)
  const notes = store.collection<{ id: number; text: string }>('notes')
  await store.define('notes', { key: 'id' })
  const texts = new Map<number, string>()
  const change = async (): Promise<void> => {
    const id = random.below(20)
    if (random.chance(0.3)) {
      texts.delete(id)
      await notes.delete(id)
      return
    }
    const text = Array.from({ length: random.below(4) }, () => random.pick(['ga', 'na', 'da', 'ra'])).join(
      ' ',
    )
    texts.set(id, text)
    await notes.put({ id, text })
  }
  for (let n = 0; n < 30; n++) await change()
  await store.define('notes', { key: 'id', indexes: { words: { type: 'words', field: 'text' } } })
  for (let n = 0; n < 60; n++) {
    await change()
    const expected = new Map<string, number>()
    for (const text of texts.values()) {
      for (const word of new Set(text.split(' '))) if (word) expected.set(word, (expected.get(word) ?? 0) + 1)
    }
    const found = await all(notes.query<WordHit>('words', {}))
    t.strictSame(
      found.map(({ word, documents }) => [word, documents]),
      [...expected].sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  }
  await t.rejects(all(notes.find('words')), { code: 'INVALID', message: /ask it by query/ })
})

t.test('what a type makes of a definition does not make it another type', async t => {
  const sly: IndexType = {
    type: 'sly',
    version: 1,
    configure: () => ({ type: 'secondary', fields: ['n'] }),
    open: () => ({ apply() {}, async *query() {} }),
  }
  const store = await open({ memory: true, indexTypes: [sly] })
  t.teardown(() => store.close())
  await store.define('c', { key: 'id', indexes: { s: { type: 'sly' } } })
  t.equal(store.status().indexes[0]?.type, 'sly')
})

const manyTags = Array.from({ length: 10_000 }, (_, n) => `t${n}`)

t.test('a document that an index cannot hold is refused, and the index goes on', async t => {
  const { store, own } = await world(t)
  const heavy = (id: string) => ({ id, city: 'x', age: 1, tags: manyTags })
  const more = 'more'.repeat(100)
  await own.insert(heavy('many'))
  await t.rejects(own.insert(heavy(more)), {
    code: 'TOO_LARGE',
    outcome: 'not-applied',
    message: /document "(more)+" has 10000 rows in one index, \d+ bytes; at most 1048576/,
  })
  const both = [{ put: { id: 'light', city: 'x', age: 2 }, in: 'users' } as const]
  const batch = store.batch([...both, { put: heavy(more), in: 'users' }])
  t.equal(await codeOf(batch), 'TOO_LARGE')
  t.equal(await own.get('light'), undefined, 'a batch is all or nothing')
  t.equal(await ids(own.find('byTag', { eq: ['t9999'] })), 'many')
})

t.test('the longest values of the most fields fit one row', async t => {
  const { store } = await world(t)
  const fields = Array.from({ length: limits.fieldsPerIndexMax }, (_, n) => `f${n}`)
  await store.define('wide', { key: 'id', indexes: { all: { type: 'secondary', fields, each: 'f3' } } })
  const wide = store.collection<{ id: string; f3: readonly string[] }>('wide')
  const id = '\0'.repeat(limits.keyBytesMax / 2 - 2)
  const long = '\0'.repeat(9000)
  await wide.put({ ...Object.fromEntries(fields.map(name => [name, long])), id, f3: [long, 'b'] })
  t.equal(await ids(wide.find('all')), id)
})

t.test('what was there before an index that cannot hold it fails the index until it is gone', async t => {
  const { store } = await world(t)
  const plain = store.collection<{ id: string; tags: readonly string[] }>('plain')
  await store.define('plain', { key: 'id' })
  const heavy = 'heavy'.repeat(100)
  await plain.put({ id: heavy, tags: manyTags })
  await plain.put({ id: 'light', tags: ['a'] })
  const byTag = { type: 'secondary', fields: ['tags'], each: 'tags' }
  await store.define('plain', { key: 'id', indexes: { byTag } })
  t.equal(await codeOf(all(plain.find('byTag'))), 'INDEX_FAILED')
  t.match(
    store.status().indexes.find(one => one.collection === 'plain')?.reason,
    /document "(heavy)+" has 10000/,
  )
  await plain.delete(heavy)
  while ((await codeOf(all(plain.find('byTag')))) === 'INDEX_FAILED')
    await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(await ids(plain.find('byTag')), 'light')
})

t.test("a user's own type may refuse documents", async t => {
  const picky: IndexType = {
    type: 'picky',
    version: 1,
    configure: () => ({}),
    open: () => ({
      check: ({ key }) => {
        if (key === 'bad') throw new SillokError('INVALID', 'bad is refused')
      },
      apply() {},
      async *query() {},
    }),
  }
  const store = await open({ memory: true, indexTypes: [picky] })
  t.teardown(() => store.close())
  await store.define('c', { key: 'id', indexes: { p: { type: 'picky' } } })
  await store.collection('c').put({ id: 'good' })
  t.equal(await codeOf(store.collection('c').put({ id: 'bad' })), 'INVALID')
  await store.define('c', { key: 'id' }, { drop: true })
  await store.collection('c').put({ id: 'bad' })
})

t.test('questions end with deadline, signal and store', async t => {
  const { store, own } = await world(t)
  await own.put({ id: 'a', city: 'x', age: 1 })
  t.equal(await codeOf(all(own.find('byCity', {}, { signal: AbortSignal.abort() }))), 'ABORTED')
  t.equal(await codeOf(all(own.find('byCity', {}, { deadlineMs: -1 }))), 'INVALID')
  const search = own.find('byCity')
  await search.next()
  await store.close()
  const end = await search.next().catch((error: unknown) => error)
  t.ok(isSillokError(end, 'CLOSED') || (end as { done?: boolean }).done === true)
  t.equal(await codeOf(all(own.find('byCity'))), 'CLOSED')
})

t.test('a limit counts documents that answer, not hits in doubt', async t => {
  const { own } = await world(t)
  const long = 'a'.repeat(3000)
  for (let i = 0; i < 20; i++) await own.put({ id: `k${i}`, city: `${long}${i % 5}`, age: i })
  t.equal(await ids(own.find('byCity', { eq: [`${long}3`], limit: 1 })), 'k3')
  t.equal(await ids(own.find('byCity', { eq: [`${long}4`], reverse: true, limit: 3 })), 'k19 k14 k9')
  t.equal((await own.findPage('byCity', { eq: [`${long}2`] }, { limit: 2 })).documents.length, 2)
  t.equal(await ids(own.find('byCity', { eq: [`${long}9`], limit: 1 })), '')
})

t.test('a type of index that throws fails by itself', async t => {
  for (const thrown of [new Error('boom'), Object.create(null)]) {
    const fail = (): never => {
      throw thrown
    }
    const inOpen: IndexType = { type: 'in-open', version: 1, configure: () => ({}), open: fail }
    const index = { apply: fail, query: fail }
    const inApply: IndexType = { type: 'in-apply', version: 1, configure: () => ({}), open: () => index }
    const store = await open({ memory: true, indexTypes: [inOpen, inApply] })
    const good = { type: 'secondary', fields: ['n'] }
    const indexes = { a: { type: 'in-open' }, b: { type: 'in-apply' }, good }
    await store.define('c', { key: 'id', indexes })
    const c = store.collection<{ id: string; n: number }>('c')
    await c.put({ id: 'x', n: 1 })
    t.equal(await ids(c.find('good') as AsyncIterable<{ id: string }>), 'x')
    t.equal(await codeOf(all(c.query('a', {}))), 'INDEX_FAILED')
    t.equal(await codeOf(all(c.query('b', {}))), 'INDEX_FAILED')
    t.match(
      store.status().indexes.map(({ state, reason }) => [state, typeof reason]),
      [
        ['failing', 'string'],
        ['failing', 'string'],
        ['live', 'undefined'],
      ],
    )
    t.equal(store.status().state, 'open')
    await store.close()
  }
})

async function onDisk(t: Test): Promise<{ store: Store; indexFolder: string; dir: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const store = await open({ dir })
  t.teardown(() => store.close())
  await store.define('users', users)
  const found = readdirSync(dir, { recursive: true, encoding: 'utf8' }).find(name => /indexes$/.test(name))
  return { store, dir, indexFolder: join(dir, found ?? '') }
}

t.test('a question goes on when the rows are begun anew, and ends with the store', async t => {
  const { store, indexFolder } = await onDisk(t)
  const own = ownOf(store)
  const count = 1500
  await Promise.all(
    Array.from({ length: count }, (_, i) => own.put({ id: `k${i}`, city: 'x', age: i, tags: ['a'] })),
  )
  const search = own.find('byCity')
  const seen = new Set([(await search.next()).value?.id])
  rmSync(indexFolder, { recursive: true })
  while (store.status().indexes[0]?.rebuilds === 0) await new Promise(resolve => setTimeout(resolve, 20))
  for await (const { id } of search) seen.add(id)
  t.equal(seen.size, count)
  const open = own.find('byCity')
  await open.next()
  await store.close()
  t.equal(await codeOf(all(open)), 'CLOSED')
})

t.test('a place for indexes that cannot be used keeps nobody from opening the store', async t => {
  const { store, indexFolder, dir } = await onDisk(t)
  await ownOf(store).put({ id: 'a', city: 'x', age: 1 })
  await store.close()
  rmSync(indexFolder, { recursive: true })
  writeFileSync(indexFolder, '')
  const again = await open({ dir })
  t.teardown(() => again.close())
  t.equal((await ownOf(again).get('a'))?.city, 'x')
  t.equal(await codeOf(all(ownOf(again).find('byCity'))), 'INDEX_FAILED')
  t.equal(again.status().indexes[0]?.state, 'failing')
  rmSync(indexFolder)
  t.equal(await ids(ownOf(again).find('byCity')), 'a')
})

t.test('who does not want to wait for an index is told what it is doing', async t => {
  let goOn = (): void => {}
  let failure: Error | undefined
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  const slow: IndexType<object, unknown, string> = {
    type: 'slow',
    version: 1,
    configure: () => ({}),
    open: () => ({
      apply: async () => {
        await held
        if (failure !== undefined) throw failure
      },
      async *query() {
        yield ['hit']
      },
    }),
  }
  const store = await open({ memory: true, indexTypes: [slow as IndexType] })
  t.teardown(() => store.close())
  await store.define('c', { key: 'id' })
  const c = store.collection('c')
  await c.put({ id: 'a' })
  await store.define('c', { key: 'id', indexes: { s: { type: 'slow' } } })
  const now = () => all(c.query('s', {}, { onBehind: 'error' }))
  while (store.status().indexes[0]?.state !== 'building') await new Promise(resolve => setImmediate(resolve))
  await t.rejects(now(), {
    code: 'INDEX_BEHIND',
    outcome: 'not-applied',
    retry: 'later',
    message: 'the index is building',
  })
  const patient = all(c.query('s', {}))
  goOn()
  t.strictSame(await patient, ['hit'])
  t.strictSame(await now(), ['hit'], 'a live one answers')
  await c.put({ id: 'b' })
  t.strictSame(await now(), ['hit'], 'also when it has to take what was just written')
  failure = new Error('boom')
  await c.put({ id: 'c' })
  t.equal(await codeOf(all(c.query('s', {}))), 'INDEX_FAILED')
  await t.rejects(now(), { code: 'INDEX_BEHIND', message: 'the index is failing: boom' })
})

t.test('who waits for an index that is dropped is told so', async t => {
  let goOn = (): void => {}
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  const slow: IndexType = {
    type: 'slow',
    version: 1,
    configure: () => ({}),
    open: () => ({ apply: () => held, async *query() {} }),
  }
  const store = await open({ memory: true, indexTypes: [slow] })
  t.teardown(() => store.close())
  await store.define('c', { key: 'id' })
  await store.collection('c').put({ id: 'a' })
  await store.define('c', { key: 'id', indexes: { s: { type: 'slow' } } })
  const waiting = all(store.collection('c').query('s', {})).catch((error: unknown) => error)
  t.equal(await codeOf(all(store.collection('c').query('s', {}, { deadlineMs: 20 }))), 'TIMED_OUT')
  while (store.status().indexes[0]?.state !== 'building') await new Promise(resolve => setImmediate(resolve))
  await store.define('c', { key: 'id' }, { drop: true })
  goOn()
  t.match(await waiting, { code: 'NOT_FOUND', message: 'the index s was dropped' })
})
