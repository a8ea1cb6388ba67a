/** Laws of a store: what single writes do, under which conditions, and what they answer. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, listed, refused, type StoreLike } from './store-like.js'

/** Of insert, put, delete, update and insertMany. */
export const writeLaws: readonly Law<StoreLike>[] = [
  {
    title: 'an insert adds a document, and refuses a key that is there',
    async check(store) {
      const { rows } = await freshCollection(store)
      const { version } = await rows.insert({ id: 'a', n: 1 })
      const details = { key: 'a', version }
      await refused(() => rows.insert({ id: 'a', n: 2 }), 'EXISTS', { details })
      assert.deepEqual(await rows.getVersioned('a'), { document: { id: 'a', n: 1 }, version })
    },
  },
  {
    title: 'a put adds or replaces, and says which',
    async check(store) {
      const { rows } = await freshCollection(store)
      assert.equal((await rows.put({ id: 'a', n: 1, more: true })).existed, false)
      const { existed, version } = await rows.put({ id: 'a', n: 2 })
      assert.equal(existed, true)
      assert.deepEqual(await rows.getVersioned('a'), { document: { id: 'a', n: 2 }, version })
    },
  },
  {
    title: 'a delete removes, and says whether there was anything',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.put({ id: 'a' })
      await rows.put({ id: 'b' })
      assert.equal((await rows.delete('a')).existed, true)
      assert.equal(await rows.get('a'), undefined)
      assert.equal((await rows.delete('a')).existed, false)
      assert.deepEqual(await rows.get('b'), { id: 'b' })
    },
  },
  {
    title: 'versions of a key only grow, also when a deleted document returns',
    async check(store) {
      const { rows } = await freshCollection(store)
      const versions: number[] = []
      for (let n = 0; n < 4; n++) {
        versions.push((await rows.insert({ id: 'a', n })).version)
        versions.push((await rows.put({ id: 'a', n: -n })).version)
        versions.push((await rows.delete('a')).version)
      }
      const sorted = [...new Set(versions)].sort((a, b) => a - b)
      assert.deepEqual(versions, sorted)
    },
  },
  {
    title: 'a write under a condition takes effect only if it holds',
    async check(store) {
      const { rows } = await freshCollection(store)
      const first = await rows.put({ id: 'a', n: 1 }, { ifVersion: null })
      const details = { key: 'a', version: first.version }
      const conflict = (call: () => Promise<unknown>): Promise<unknown> =>
        refused(call, 'CONFLICT', { details })
      await conflict(() => rows.put({ id: 'a', n: 2 }, { ifVersion: null }))
      await conflict(() => rows.put({ id: 'a', n: 2 }, { ifVersion: first.version + 1 }))
      await conflict(() => rows.delete('a', { ifVersion: first.version + 1 }))
      await refused(() => rows.put({ id: 'b', n: 2 }, { ifVersion: first.version }), 'CONFLICT')
      assert.deepEqual(await rows.getMany(['a', 'b']), [{ id: 'a', n: 1 }, undefined])
      const second = await rows.put({ id: 'a', n: 3 }, { ifVersion: first.version })
      await refused(() => rows.delete('a', { ifVersion: first.version }), 'CONFLICT')
      assert.equal((await rows.delete('a', { ifVersion: second.version })).existed, true)
    },
  },
  {
    title: 'of many who race for an absent key one wins',
    async check(store) {
      const { rows } = await freshCollection(store)
      const racers = Array.from({ length: 30 }, (_, n) =>
        n % 2 === 0 ? rows.insert({ id: 'a', n }) : rows.put({ id: 'a', n }, { ifVersion: null }),
      )
      const answers = await Promise.allSettled(racers)
      const winners = answers.flatMap(({ status }, n) => (status === 'fulfilled' ? [n] : []))
      assert.equal(winners.length, 1)
      assert.deepEqual(await rows.get('a'), { id: 'a', n: winners[0] })
      for (const [n, answer] of answers.entries()) {
        if (answer.status === 'rejected') {
          await refused(() => Promise.reject(answer.reason), n % 2 === 0 ? 'EXISTS' : 'CONFLICT')
        }
      }
    },
  },
  {
    title: 'a document comes back equal to what was given',
    async check(store) {
      const { rows } = await freshCollection(store)
      const document = {
        id: -7,
        nothing: null,
        flags: [true, false],
        numbers: [0, -1, 0.1, 5e-324, 1.5e300, 2 ** 53 - 1, -(2 ** 31)],
        texts: ['', 'a\0b', '서울에서', '\u{1f600}', 'e\u0301', 'é'],
        at: new Date(1_700_000_000_123),
        bytes: new Uint8Array([0, 1, 255]),
        deep: { list: [[], [{}], { 'a.b': { '': 1 } }] },
      }
      await rows.put(document)
      assert.deepEqual(await rows.get(-7), document)
      const [scanned] = await listed(rows.scan())
      assert.deepEqual(scanned, document)
    },
  },
  {
    title: 'the keys 1 and "1" are two documents',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.insert({ id: 1, n: 'number' })
      await rows.insert({ id: '1', n: 'text' })
      assert.deepEqual(await rows.getMany([1, '1']), [
        { id: 1, n: 'number' },
        { id: '1', n: 'text' },
      ])
    },
  },
  {
    title: 'updates compute from what is there, and none of many at once is lost',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.put({ id: 'a', n: 0 })
      const add = async (document: { n?: unknown } | undefined) => ({ id: 'a', n: Number(document?.n) + 1 })
      const answers = await Promise.all(Array.from({ length: 20 }, () => rows.update('a', add)))
      const counts = answers.map(answer => Number(answer?.document['n'])).sort((a, b) => a - b)
      assert.deepEqual(
        counts,
        Array.from({ length: 20 }, (_, n) => n + 1),
      )
      assert.deepEqual(await rows.get('a'), { id: 'a', n: 20 })
    },
  },
  {
    title: 'an update that returns nothing writes nothing',
    async check(store) {
      const { rows } = await freshCollection(store)
      const told: unknown[] = []
      const look = (document: unknown): undefined => void told.push(document)
      assert.equal(await rows.update('a', look), undefined)
      assert.equal(await rows.has('a'), false)
      const { version } = await rows.put({ id: 'a', n: 1 })
      assert.equal(await rows.update('a', look), undefined)
      assert.equal((await rows.getVersioned('a'))?.version, version)
      assert.deepEqual(told, [undefined, { id: 'a', n: 1 }])
    },
  },
  {
    title: 'an update of a missing key may make it, and keeps to its key',
    async check(store) {
      const { rows } = await freshCollection(store)
      const made = await rows.update('a', document => (document === undefined ? { id: 'a' } : undefined))
      assert.deepEqual(await rows.getVersioned('a'), made)
      await refused(() => rows.update('a', () => ({ id: 'b' })), 'INVALID')
      assert.deepEqual(await rows.getMany(['a', 'b']), [{ id: 'a' }, undefined])
    },
  },
  {
    title: 'what the function of an update throws comes to its caller, and nothing is written',
    async check(store) {
      const { rows } = await freshCollection(store)
      const { version } = await rows.put({ id: 'a' })
      const own = new Error('the own error of the caller')
      const change = (): never => {
        throw own
      }
      const found = await rows.update('a', change).catch((error: unknown) => error)
      assert.equal(found, own)
      assert.equal((await rows.getVersioned('a'))?.version, version)
    },
  },
  {
    title: 'insertMany answers for each document, in their order, and one refusal harms no other',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.put({ id: 2, old: true })
      const given = [{ id: 1 }, { id: 2 }, { id: Number.NaN }, { id: 3 }, { id: 1 }]
      const answers = await rows.insertMany(given)
      const codes = answers.map(answer => (answer.ok ? 'done' : answer.error.code))
      assert.deepEqual(codes, ['done', 'EXISTS', 'INVALID', 'done', 'EXISTS'])
      assert.deepEqual(await listed(rows.scan()), [{ id: 1 }, { id: 2, old: true }, { id: 3 }])
      const [first] = answers
      assert.equal((await rows.getVersioned(1))?.version, first?.ok && first.version)
      assert.deepEqual(await rows.insertMany([]), [])
    },
  },
]
