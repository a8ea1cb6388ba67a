/** Laws of a store: sessions, whose writes take effect exactly once. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, freshName, listed, refused, type StoreLike } from './store-like.js'

/** Of sessions, numbered by the library or by the caller, with a name and without. */
export const sessionLaws: readonly Law<StoreLike>[] = [
  {
    title: 'writes of a session are writes of the store, in the order of the calls',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const session = await store.session()
      const own = session.collection(name)
      const writes = Array.from({ length: 30 }, (_, n) => own.put({ id: 'a', n }))
      const versions = (await Promise.all(writes)).map(({ version }) => version)
      assert.deepEqual(
        versions,
        versions.toSorted((a, b) => a - b),
      )
      assert.deepEqual(await rows.get('a'), { id: 'a', n: 29 })
      await session.batch([
        { delete: 'a', in: name },
        { insert: { id: 'b' }, in: name },
      ])
      assert.deepEqual(await listed(own.scan()), [{ id: 'b' }])
      await refused(() => own.insert({ id: 'b' }), 'EXISTS')
      await refused(() => own.insert({ id: 'c' }, { sequence: 1 }), 'INVALID')
      await session.close()
    },
  },
  {
    title: "a caller's number stands for one request, whose first answer is kept",
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const session = await store.session({ numbering: 'caller' })
      const own = session.collection(name)
      const first = await own.insert({ id: 1, n: 1 }, { sequence: 1 })
      await refused(() => own.insert({ id: 1, n: 2 }, { sequence: 2 }), 'EXISTS')
      await rows.delete(1)
      assert.deepEqual(await own.insert({ id: 1, n: 1 }, { sequence: 1 }), first)
      await refused(() => own.insert({ id: 1, n: 2 }, { sequence: 2 }), 'EXISTS')
      assert.equal(await rows.count(), 0, 'nothing is executed again')
      await refused(() => own.insert({ id: 1, n: 3 }, { sequence: 1 }), 'SEQUENCE_REUSED')
      await refused(() => own.delete(5, { sequence: 1 }), 'SEQUENCE_REUSED')
      await refused(() => own.insert({ id: 9 }), 'INVALID')
      await session.close()
    },
  },
  {
    title: 'whoever resumes a name fences the holder before',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const options = { name: freshName(store) }
      const older = await store.session(options)
      await older.collection(name).put({ id: 'a' })
      const newer = await store.session(options)
      assert.equal(newer.id, older.id)
      assert.ok(newer.epoch > older.epoch)
      await refused(() => older.collection(name).put({ id: 'b' }), 'FENCED')
      await newer.collection(name).put({ id: 'c' })
      assert.deepEqual(await listed(rows.scan()), [{ id: 'a' }, { id: 'c' }])
      await newer.close()
    },
  },
  {
    title: 'whoever resumes a numbered session sends all again from its low water, and nothing is done twice',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const options = { name: freshName(store), numbering: 'caller' } as const
      const first = await store.session(options)
      const answers = new Map<number, unknown>()
      for (let sequence = 1; sequence <= 4; sequence++) {
        const written = await first.collection(name).insert({ id: sequence }, { sequence })
        answers.set(sequence, written)
      }
      await rows.delete(4)
      const resumed = await store.session(options)
      const own = resumed.collection(name)
      assert.ok(resumed.lowWater <= 5)
      for (let sequence = resumed.lowWater; sequence <= 6; sequence++) {
        const written = await own.insert({ id: sequence }, { sequence })
        if (sequence <= 4) assert.deepEqual(written, answers.get(sequence))
      }
      const ids = (await listed(rows.scan())).map(({ id }) => id)
      assert.deepEqual(ids, [1, 2, 3, 5, 6])
      await resumed.close()
    },
  },
  {
    title: 'a released number takes no effect any more',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const session = await store.session({ numbering: 'caller' })
      const own = session.collection(name)
      for (let sequence = 1; sequence <= 3; sequence++) await own.put({ id: 'k', n: sequence }, { sequence })
      session.release(2)
      assert.equal(session.lowWater, 3)
      await own.put({ id: 'k', n: 4 }, { sequence: 4 })
      const late = { outcome: 'unknown' } as const
      await refused(() => own.put({ id: 'k', n: 2 }, { sequence: 2 }), 'ALREADY_ACKNOWLEDGED', late)
      await own.put({ id: 'k', n: 3 }, { sequence: 3 })
      assert.deepEqual(await rows.get('k'), { id: 'k', n: 4 })
      await session.close()
    },
  },
  {
    title: 'a session is resumed as what it is: its numbering and its input stay',
    async check(store) {
      const name = freshName(store)
      const session = await store.session({ name, numbering: 'caller', input: 'digest' })
      await refused(() => store.session({ name }), 'INVALID')
      const other = { name, numbering: 'caller', input: 'other' } as const
      await refused(() => store.session(other), 'SESSION_INPUT_CHANGED')
      await session.close()
    },
  },
  {
    title: 'insertMany of a numbered session is one request',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const session = await store.session({ numbering: 'caller' })
      const own = session.collection(name)
      await rows.put({ id: 2 })
      const documents = [{ id: 1 }, { id: 2 }, { id: 3 }]
      const codes = async () =>
        (await own.insertMany(documents, { sequence: 1 })).map(one => (one.ok ? 'done' : one.error.code))
      assert.deepEqual(await codes(), ['done', 'EXISTS', 'done'])
      await rows.delete(1)
      assert.deepEqual(await codes(), ['done', 'EXISTS', 'done'])
      assert.equal(await rows.has(1), false)
      await session.close()
    },
  },
  {
    title: 'a session that is closed takes no writes',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const session = await store.session()
      const own = session.collection(name)
      await own.put({ id: 'a' })
      await session.close()
      await session.close()
      await refused(() => own.put({ id: 'b' }), 'CLOSED')
      assert.deepEqual(await listed(rows.scan()), [{ id: 'a' }])
    },
  },
]
