/** Laws of a store: a request under an id takes effect once, and its outcome can be asked for. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, listed, refused, type StoreLike } from './store-like.js'

/** Of request ids and outcomes. */
export const requestLaws: readonly Law<StoreLike>[] = [
  {
    title: 'a request under an id takes effect once, and gets its first answer again',
    async check(store) {
      const { rows } = await freshCollection(store)
      const requestId = store.requestId()
      const first = await rows.insert({ id: 'a', n: 1 }, { requestId })
      assert.deepEqual(await rows.insert({ id: 'a', n: 1 }, { requestId }), first)
      await rows.put({ id: 'a', n: 2 })
      assert.deepEqual(await rows.insert({ id: 'a', n: 1 }, { requestId }), first)
      assert.deepEqual(await rows.get('a'), { id: 'a', n: 2 })
      await rows.delete('a')
      assert.deepEqual(await rows.insert({ id: 'a', n: 1 }, { requestId }), first)
      assert.equal(await rows.has('a'), false, 'what was done is not done again')
      const put = { requestId: store.requestId() }
      const copies = Array.from({ length: 10 }, () => rows.put({ id: 'b' }, put))
      const versions = new Set((await Promise.all(copies)).map(({ version }) => version))
      assert.equal(versions.size, 1, 'copies in flight at once get one answer')
    },
  },
  {
    title: 'a request that was refused under an id stays refused',
    async check(store) {
      const { rows } = await freshCollection(store)
      const { version } = await rows.put({ id: 'a' })
      const requestId = store.requestId()
      const details = { key: 'a', version }
      await refused(() => rows.insert({ id: 'a', n: 2 }, { requestId }), 'EXISTS', { details })
      await rows.delete('a')
      await refused(() => rows.insert({ id: 'a', n: 2 }, { requestId }), 'EXISTS', { details })
      assert.equal(await rows.has('a'), false)
    },
  },
  {
    title: 'another request under an id is refused',
    async check(store) {
      const { rows } = await freshCollection(store)
      const requestId = store.requestId()
      await rows.put({ id: 'a', n: 1 }, { requestId })
      for (const other of [
        () => rows.put({ id: 'a', n: 2 }, { requestId }),
        () => rows.insert({ id: 'a', n: 1 }, { requestId }),
        () => rows.delete('a', { requestId }),
        () => rows.put({ id: 'a', n: 1 }, { requestId, ifVersion: null }),
      ]) {
        await refused(other, 'REQUEST_ID_REUSED')
      }
      assert.deepEqual(await rows.get('a'), { id: 'a', n: 1 })
    },
  },
  {
    title: 'an update under an id is computed once',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.put({ id: 'a', n: 1 })
      const requestId = store.requestId()
      let calls = 0
      const add = (document: { n?: unknown } | undefined) => {
        calls += 1
        return { id: 'a', n: Number(document?.n) + 1 }
      }
      const first = await rows.update('a', add, { requestId })
      assert.deepEqual(first?.document, { id: 'a', n: 2 })
      const called = calls
      assert.deepEqual(await rows.update('a', add, { requestId }), first)
      assert.equal(calls, called, 'the second time nothing is computed')
      assert.deepEqual(await rows.get('a'), { id: 'a', n: 2 })
    },
  },
  {
    title: 'a batch under an id takes effect once',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const requestId = store.requestId()
      const steps = [
        { insert: { id: 'a' }, in: name },
        { put: { id: 'b', n: 1 }, in: name },
      ]
      const first = await store.batch(steps, { requestId })
      await rows.put({ id: 'b', n: 2 })
      assert.deepEqual(await store.batch(steps, { requestId }), first)
      assert.deepEqual(await rows.get('b'), { id: 'b', n: 2 })
    },
  },
  {
    title: 'insertMany that is sent again under its id inserts what is missing, and nothing twice',
    async check(store) {
      const { rows } = await freshCollection(store)
      const requestId = store.requestId()
      const documents = Array.from({ length: 12 }, (_, id) => ({ id }))
      const some = await rows.insertMany(documents.slice(0, 5), { requestId })
      await rows.delete(3)
      const all = await rows.insertMany(documents, { requestId })
      assert.deepEqual(all.slice(0, 5), some)
      assert.ok(all.every(({ ok }) => ok))
      assert.deepEqual(
        (await listed(rows.scan())).map(({ id }) => id),
        documents.map(({ id }) => id).filter(id => id !== 3),
      )
    },
  },
  {
    title: 'the outcome of a request is told as it was, committed or refused',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const [put, insert] = [store.requestId(), store.requestId()]
      const request = { collection: name, key: 'a' }
      const { version } = await rows.put({ id: 'a' }, { requestId: put })
      await refused(() => rows.insert({ id: 'a' }, { requestId: insert }), 'EXISTS')
      assert.deepEqual(await store.outcome(put, request), { state: 'committed', version, existed: [false] })
      const other = await store.outcome(insert, request)
      assert.equal(other.state, 'refused')
      assert.equal(other.state === 'refused' && other.error.code, 'EXISTS')
    },
  },
  {
    title: 'a request whose outcome was asked for before it came never takes effect',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const requestId = store.requestId()
      const request = { collection: name, key: 'a' }
      assert.deepEqual(await store.outcome(requestId, request), { state: 'fenced' })
      await refused(() => rows.put({ id: 'a' }, { requestId }), 'REQUEST_FENCED')
      assert.deepEqual(await store.outcome(requestId, request), { state: 'fenced' })
      assert.equal(await rows.has('a'), false)
    },
  },
]
