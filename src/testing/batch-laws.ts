/** Laws of a store: batches take effect whole or not at all. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, listed, refused, type StoreLike } from './store-like.js'

/** Of batches. */
export const batchLaws: readonly Law<StoreLike>[] = [
  {
    title: 'a batch takes effect in all of its collections, under one version',
    async check(store) {
      const { name: a, rows } = await freshCollection(store)
      const { name: b, rows: others } = await freshCollection(store)
      await rows.put({ id: 'gone' })
      const { version } = await store.batch([
        { insert: { id: 1 }, in: a },
        { put: { id: 2 }, in: b },
        { delete: 'gone', in: a },
      ])
      assert.deepEqual(await rows.getVersioned(1), { document: { id: 1 }, version })
      assert.deepEqual(await others.getVersioned(2), { document: { id: 2 }, version })
      assert.equal(await rows.has('gone'), false)
    },
  },
  {
    title: 'one step that is refused refuses the whole batch',
    async check(store) {
      const { name, rows } = await freshCollection(store, { unique: { tag: { fields: ['tag'] } } })
      const { version } = await rows.put({ id: 'old', tag: 'x' })
      const begin = [
        { put: { id: 'new' }, in: name },
        { delete: 'none', in: name },
        { put: { id: 'old', n: 2 }, in: name },
      ]
      const ends = [
        [{ insert: { id: 'old' }, in: name }, 'EXISTS'],
        [{ put: { id: 'old' }, in: name, ifVersion: version + 5 }, 'CONFLICT'],
        [{ put: { id: Number.NaN }, in: name }, 'INVALID'],
        [{ put: { id: 'x' }, in: `${name}-none` }, 'NOT_FOUND'],
      ] as const
      for (const [end, code] of ends) await refused(() => store.batch([...begin, end]), code)
      const taken = [
        { insert: { id: 'first', n: 1 }, in: name },
        { insert: { id: 'twin', tag: 'x' }, in: name },
      ]
      await refused(() => store.batch(taken), 'UNIQUE_TAKEN')
      assert.deepEqual(await listed(rows.scan()), [{ id: 'old', tag: 'x' }])
      assert.equal((await rows.getVersioned('old'))?.version, version)
    },
  },
  {
    title: 'steps of a batch see the ones before them',
    async check(store) {
      const { name, rows } = await freshCollection(store, { unique: { tag: { fields: ['tag'] } } })
      await rows.put({ id: 'a', tag: 'x' })
      await store.batch([
        { delete: 'a', in: name },
        { insert: { id: 'b', tag: 'x' }, in: name },
        { insert: { id: 'a', tag: 'y' }, in: name },
        { put: { id: 'a', tag: 'z' }, in: name },
      ])
      assert.deepEqual(await listed(rows.scan()), [
        { id: 'a', tag: 'z' },
        { id: 'b', tag: 'x' },
      ])
      const twice = [
        { insert: { id: 'c' }, in: name },
        { insert: { id: 'c' }, in: name },
      ]
      await refused(() => store.batch(twice), 'EXISTS')
    },
  },
  {
    title: 'a check writes nothing, and holds for its whole batch',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const { version } = await rows.put({ id: 'a' })
      const put = { put: { id: 'b' }, in: name }
      const check = (key: string, ifVersion: number | null) => ({ check: key, in: name, ifVersion })
      await refused(() => store.batch([put, check('a', null)]), 'CONFLICT')
      await refused(() => store.batch([check('a', version + 1), put]), 'CONFLICT')
      await refused(() => store.batch([check('c', version), put]), 'CONFLICT')
      assert.equal(await rows.has('b'), false)
      await store.batch([check('a', version), check('c', null), put])
      assert.equal(await rows.has('b'), true)
      assert.equal((await rows.getVersioned('a'))?.version, version)
    },
  },
  {
    title: 'nobody sees half of a batch',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const write = (n: number) => store.batch([1, 2, 3].map(id => ({ put: { id, n }, in: name })))
      await write(0)
      const looks: Promise<unknown>[] = []
      for (let n = 1; n <= 20; n++) {
        looks.push(write(n))
        const look = rows.getMany([1, 2, 3]).then(found => new Set(found.map(row => row?.['n'])).size)
        looks.push(look.then(size => assert.equal(size, 1, 'all three are of one batch')))
      }
      await Promise.all(looks)
    },
  },
]
