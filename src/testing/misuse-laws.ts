/** Laws of a store: what cannot be done is refused with a code and an outcome, and does nothing. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, listed, refused, type StoreLike } from './store-like.js'

/** Never answers. */
const never = (): Promise<never> => new Promise(() => {})

/** Of bad input, deadlines, signals and the end of the store. */
export const misuseLaws: readonly Law<StoreLike>[] = [
  {
    title: 'what is no key is refused by every call',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const keys: readonly [unknown, 'INVALID' | 'TOO_LARGE'][] = [
        ['', 'INVALID'],
        [null, 'INVALID'],
        [1.5, 'INVALID'],
        [2 ** 53, 'INVALID'],
        [Number.NaN, 'INVALID'],
        [true, 'INVALID'],
        [{}, 'INVALID'],
        ['\ud800', 'INVALID'],
        ['x'.repeat(5000), 'TOO_LARGE'],
      ]
      for (const [key, code] of keys) {
        const id = key as string
        for (const call of [
          () => rows.insert({ id }),
          () => rows.put({ id }),
          () => rows.delete(id),
          () => rows.update(id, () => ({ id })),
          () => rows.get(id),
          () => rows.has(id),
          () => rows.getVersioned(id),
          () => rows.getMany(['a', id]),
          () => rows.count({ gte: id }),
          () => store.batch([{ put: { id }, in: name }]),
        ]) {
          await refused(call, code)
        }
      }
      await refused(() => rows.put({ n: 1 }), 'INVALID')
      assert.equal(await rows.count(), 0)
    },
  },
  {
    title: 'what cannot come back equal is no document, and is not stored in part',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const cycle: Record<string, unknown> = { id: 'a' }
      cycle['self'] = cycle
      class Point {}
      const values = [undefined, Number.NaN, 1n, () => 1, Symbol('x'), new Map(), new Point(), '\ud800']
      const documents: unknown[] = [cycle, null, 'text', [], ...values.map(n => ({ id: 'a', list: [{ n }] }))]
      for (const document of documents) {
        await refused(() => rows.put(document as object as Record<string, unknown>), 'INVALID')
        await refused(() => store.batch([{ put: document as object, in: name }]), 'INVALID')
      }
      assert.equal(await rows.count(), 0)
    },
  },
  {
    title: 'an option that is unknown or mistyped is refused, not passed over',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const wrong = (options: object): never => options as never
      for (const call of [
        () => rows.put({ id: 'a' }, wrong({ ifversion: null })),
        () => rows.put({ id: 'a' }, wrong({ ifVersion: '1' })),
        () => rows.insert({ id: 'a' }, wrong({ ifVersion: 1 })),
        () => rows.put({ id: 'a' }, { deadlineMs: 0 }),
        () => rows.put({ id: 'a' }, wrong({ signal: {} })),
        () => rows.put({ id: 'a' }, { requestId: '' }),
        () => rows.get('a', wrong({ level: 'fresh' })),
        () => rows.getMany(wrong({ length: 1 })),
        () => rows.count({ limit: -1 }),
        () => rows.count({ gte: 1, gt: 1 }),
        () => rows.count({ gte: 1, prefix: 'a' }),
        () => rows.update('a', wrong({})),
        () => store.batch(wrong([{ replace: { id: 'a' }, in: name }])),
        () => store.session(wrong({ numbering: 'mine' })),
      ]) {
        await refused(call, 'INVALID')
      }
      assert.equal(await rows.count(), 0)
    },
  },
  {
    title: 'a signal that was aborted before the call makes it do nothing',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const signal = AbortSignal.abort()
      for (const call of [
        () => rows.insert({ id: 'a' }, { signal }),
        () => rows.put({ id: 'a' }, { signal }),
        () => rows.update('a', () => ({ id: 'a' }), { signal }),
        () => store.batch([{ put: { id: 'a' }, in: name }], { signal }),
        () => rows.get('a', { signal }),
        () => rows.count({ signal }),
      ]) {
        await refused(call, 'ABORTED')
      }
      assert.equal(await rows.has('a'), false)
    },
  },
  {
    title: 'a signal ends the waiting of an update, which then writes nothing that was not sent',
    async check(store) {
      const { rows } = await freshCollection(store)
      const stop = new AbortController()
      const change = (): Promise<never> => {
        stop.abort()
        return never()
      }
      const { signal } = stop
      await refused(() => rows.update('a', change, { signal }), 'ABORTED', { outcome: 'either' })
      assert.equal(await rows.has('a'), false)
      assert.ok(await rows.put({ id: 'a' }), 'the key is not held by who gave up')
    },
  },
  {
    title: 'a deadline ends the waiting of an update, which then writes nothing that was not sent',
    async check(store) {
      const { rows } = await freshCollection(store)
      await refused(() => rows.update('a', never, { deadlineMs: 20 }), 'TIMED_OUT', { outcome: 'either' })
      assert.equal(await rows.has('a'), false)
      const later = await rows.update('a', () => ({ id: 'a' }))
      assert.deepEqual(later?.document, { id: 'a' }, 'the key is not held by who gave up')
    },
  },
  {
    title: 'leaving a scan early lets go of it, and a signal ends one',
    async check(store) {
      const { rows } = await freshCollection(store)
      await rows.insertMany(Array.from({ length: 50 }, (_, id) => ({ id })))
      for (let n = 0; n < 100; n++) assert.equal((await listed(rows.scan(), 1)).length, 1)
      const stop = new AbortController()
      let seen = 0
      const reading = async (): Promise<void> => {
        for await (const _ of rows.scan({ signal: stop.signal })) {
          seen += 1
          if (seen === 3) stop.abort()
        }
      }
      await refused(reading, 'ABORTED')
      assert.equal(seen, 3)
    },
  },
  {
    title: 'a store that is closed refuses all, and closing twice is no error',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      await rows.put({ id: 'a' })
      const session = await store.session()
      const inSession = session.collection(name)
      await Promise.all([store.close(), store.close()])
      for (const call of [
        () => rows.get('a'),
        () => rows.put({ id: 'b' }),
        () => rows.count(),
        () => rows.update('a', () => ({ id: 'a' })),
        () => store.batch([{ put: { id: 'b' }, in: name }]),
        () => store.define(name, { key: 'id' }),
        () => store.session(),
        () => inSession.put({ id: 'b' }),
      ]) {
        await refused(call, 'CLOSED')
      }
      await store.close()
    },
  },
]
