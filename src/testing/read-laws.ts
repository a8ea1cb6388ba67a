/** Laws of a store: what reads, scans and indexes show. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, idsOf, listed, refused, type StoreLike } from './store-like.js'

const places = [
  { id: 1, city: 'Seoul', age: 30, text: '서울에서 만난 사람' },
  { id: 2, city: 'Busan', age: 20, text: 'running by the sea' },
  { id: 3, city: 'Seoul', age: 25, text: 'the sea, the sea, the sea' },
  { id: 4, city: 'Seoul', age: 25, text: 'nothing at all' },
  { id: 5, age: 40, text: 'mountains and the sea far away behind many other words' },
]
const byCity = { type: 'secondary', fields: ['city', 'age'] }

/** Of get, has, getMany, scan and count. */
export const readLaws: readonly Law<StoreLike>[] = [
  {
    title: 'a read after an acknowledged write shows it, whoever else is writing',
    async check(store) {
      const { rows } = await freshCollection(store)
      const one = async (id: number): Promise<void> => {
        await rows.insert({ id, n: 1 })
        assert.deepEqual(await rows.get(id), { id, n: 1 })
        assert.deepEqual(await rows.get(id, { level: 'session' }), { id, n: 1 })
        await rows.put({ id, n: 2 })
        assert.deepEqual(await rows.get(id), { id, n: 2 })
        const [found] = await listed(rows.scan({ gte: id }), 1)
        assert.deepEqual(found, { id, n: 2 })
        await rows.delete(id)
        assert.equal(await rows.has(id), false)
      }
      await Promise.all(Array.from({ length: 10 }, (_, id) => one(id)))
    },
  },
  {
    title: 'all ways to read a document agree',
    async check(store) {
      const { rows } = await freshCollection(store)
      const { version } = await rows.put({ id: 'a', n: 1 })
      const document = { id: 'a', n: 1 }
      assert.deepEqual(await rows.get('a'), document)
      assert.deepEqual(await rows.getVersioned('a'), { document, version })
      assert.deepEqual(await rows.getMany(['b', 'a', 'a']), [undefined, document, document])
      assert.deepEqual(await rows.getMany([]), [])
      assert.equal(await rows.has('a'), true)
      assert.equal(await rows.get('b'), undefined)
      assert.equal(await rows.getVersioned('b'), undefined)
      assert.equal(await rows.has('b'), false)
    },
  },
  {
    title: 'a scan gives all documents in the order of their keys, in both directions',
    async check(store) {
      const { rows } = await freshCollection(store)
      const other = await freshCollection(store)
      const keys = [-3, 0, 2, 10, 2 ** 40, 'A', 'a', 'a\0', 'aa', 'b', '가', '\uffff', '\u{10000}']
      await other.rows.put({ id: 1 })
      for (const id of keys.toReversed()) await rows.put({ id })
      assert.deepEqual(await idsOf(rows.scan()), keys)
      assert.deepEqual(await idsOf(rows.scan({ reverse: true })), keys.toReversed())
      assert.equal(await rows.count(), keys.length)
    },
  },
  {
    title: 'a scan keeps to its bounds, its prefix and its limit, and count counts the same',
    async check(store) {
      const { rows } = await freshCollection(store)
      for (const id of [1, 2, 3, 'a', 'ab', 'abc', 'b']) await rows.put({ id })
      const ranges = [
        [{ gte: 2, lt: 'ab' }, [2, 3, 'a']],
        [{ gt: 2, lte: 'ab' }, [3, 'a', 'ab']],
        [{ gt: 2, lte: 'ab', reverse: true, limit: 2 }, ['ab', 'a']],
        [{ prefix: 'ab' }, ['ab', 'abc']],
        [{ prefix: 'a', reverse: true }, ['abc', 'ab', 'a']],
        [{ limit: 3 }, [1, 2, 3]],
        [{ limit: 0 }, []],
        [{ gte: 'x' }, []],
        [{ gte: 'b', lt: 'a' }, []],
      ] as const
      for (const [range, expected] of ranges) {
        assert.deepEqual(await idsOf(rows.scan(range)), expected, JSON.stringify(range))
        assert.equal(await rows.count(range), expected.length, JSON.stringify(range))
      }
    },
  },
  {
    title: 'a scan is as of one moment, whatever is written meanwhile',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const count = 600
      await rows.insertMany(Array.from({ length: count }, (_, id) => ({ id, n: 1 })))
      const found: unknown[] = []
      for await (const { id, n } of rows.scan()) {
        if (found.length === 0) {
          const news = Array.from({ length: 100 }, (_, k) => ({ put: { id: count - 1 - k, n: 2 }, in: name }))
          await store.batch([...news, { delete: 300, in: name }, { put: { id: 1e6, n: 2 }, in: name }])
        }
        assert.equal(n, 1)
        found.push(id)
      }
      assert.deepEqual(
        found,
        Array.from({ length: count }, (_, id) => id),
      )
      assert.equal(await rows.count(), count)
    },
  },
  {
    title: 'what is done to a document that was read changes nothing that is stored',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.put({ id: 'a', list: [1] })
      for (const read of [() => rows.get('a'), async () => (await listed(rows.scan()))[0]]) {
        const found = await read()
        if (Array.isArray(found?.['list'])) found['list'].push(2)
        assert.deepEqual(await rows.get('a'), { id: 'a', list: [1] })
      }
    },
  },
]

/** Of find, findPage and search. */
export const indexAnswerLaws: readonly Law<StoreLike>[] = [
  {
    title: 'a secondary index answers in the order of its fields, with all that was acknowledged before',
    async check(store) {
      const { rows } = await freshCollection(store, { indexes: { byCity } })
      await rows.insertMany(places)
      assert.deepEqual(await idsOf(rows.find('byCity')), [5, 2, 3, 4, 1])
      assert.deepEqual(await idsOf(rows.find('byCity', { eq: ['Seoul'] })), [3, 4, 1])
      assert.deepEqual(await idsOf(rows.find('byCity', { eq: ['Seoul'], gte: 26 })), [1])
      assert.deepEqual(await idsOf(rows.find('byCity', { prefix: 'S', reverse: true })), [1, 4, 3])
      await rows.put({ id: 3, city: 'Busan', age: 50 })
      await rows.delete(4)
      assert.deepEqual(await idsOf(rows.find('byCity', { eq: ['Seoul'] })), [1])
      assert.deepEqual(await listed(rows.find('byCity', { eq: ['Busan'], gt: 20 })), [
        { id: 3, city: 'Busan', age: 50 },
      ])
    },
  },
  {
    title: 'pages of an index follow each other without gap or repetition',
    async check(store) {
      const { rows } = await freshCollection(store, { indexes: { byCity } })
      const documents = Array.from({ length: 23 }, (_, id) => ({ id, city: `c${id % 5}`, age: id % 3 }))
      await rows.insertMany(documents)
      const whole = await idsOf(rows.find('byCity'))
      const paged: unknown[] = []
      let cursor: string | undefined
      do {
        const page = await rows.findPage('byCity', {}, { limit: 5, cursor })
        assert.ok(page.documents.length <= 5)
        paged.push(...page.documents.map(({ id }) => id))
        cursor = page.cursor
      } while (cursor !== undefined)
      assert.deepEqual(paged, whole)
      assert.equal(whole.length, 23)
    },
  },
  {
    title: 'a search finds the words of a text, the best first, in Korean without their particles',
    async check(store) {
      const { rows } = await freshCollection(store, {
        indexes: { text: { type: 'search', fields: ['text'] } },
      })
      await rows.insertMany(places)
      const ids = async (text: string, options = {}): Promise<unknown[]> =>
        (await rows.search('text', text, options)).hits.map(({ key }) => key)
      assert.deepEqual(await ids('sea'), [3, 2, 5])
      assert.deepEqual(await ids('서울'), [1])
      assert.deepEqual(await ids('run'), [2], 'words are stemmed')
      assert.deepEqual(await ids('"the sea far"'), [5])
      assert.deepEqual(await ids('volcano'), [])
      const first = await rows.search('text', 'sea', { limit: 2 })
      assert.deepEqual(await ids('sea', { limit: 2, cursor: first.cursor }), [5])
      await rows.delete(3)
      await rows.put({ id: 4, text: 'the sea' })
      assert.deepEqual((await ids('sea')).sort(), [2, 4, 5])
      assert.deepEqual(first.hits[0]?.document, places[2])
    },
  },
  {
    title: 'an index that is defined later shows what was there before',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      await rows.insertMany(places)
      await store.define(name, { key: 'id', indexes: { byCity } })
      await rows.put({ id: 6, city: 'Seoul', age: 1 })
      assert.deepEqual(await idsOf(rows.find('byCity', { eq: ['Seoul'] })), [6, 3, 4, 1])
    },
  },
  {
    title: 'what is no index is NOT_FOUND, what is no question INVALID',
    async check(store) {
      const { rows } = await freshCollection(store, { indexes: { byCity } })
      await refused(() => listed(rows.find('none')), 'NOT_FOUND')
      await refused(() => rows.search('none', 'x'), 'NOT_FOUND')
      await refused(() => rows.findPage('byCity', { near: 5 }), 'INVALID')
      await refused(() => listed(rows.find('byCity', { eq: ['a', 1, 2] })), 'INVALID')
    },
  },
]
