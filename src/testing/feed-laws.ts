/** Laws of a store: the feed of changes, which misses nothing and repeats nothing. */
import assert from 'node:assert/strict'
import type { Change } from '../store/options.js'
import type { Law } from './law.js'
import { freshCollection, freshName, listed, refused, type StoreLike } from './store-like.js'

/** A change in a few letters: key, put or delete, and + if the document was there. */
const short = (changes: readonly Change[]): string =>
  changes.map(({ key, op, existed }) => `${key}${op[0]}${existed ? '+' : ''}`).join(' ')

/** Of changes and forgetChanges. */
export const feedLaws: readonly Law<StoreLike>[] = [
  {
    title: 'a feed tells each change of a document once, in the order of the versions',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const other = await freshCollection(store)
      await rows.put({ id: 1, n: 1 })
      await other.rows.put({ id: 'other' })
      await store.batch([
        { put: { id: 1, n: 2 }, in: name },
        { insert: { id: 2 }, in: name },
      ])
      await rows.delete(1)
      await rows.delete('none')
      const { version } = await rows.insert({ id: 1, n: 3 })
      await refused(() => rows.insert({ id: 1 }), 'EXISTS')
      const all = await listed(store.changes({ collection: name, from: 'start', follow: false }))
      assert.equal(short([...all.slice(0, 1), ...all.slice(3)]), '1p 1d+ 1p')
      assert.deepEqual(short(all.slice(1, 3)).split(' ').sort(), ['1p+', '2p'])
      const { position, ...last } = all.at(-1) ?? {}
      const document = { id: 1, n: 3 }
      assert.deepEqual(last, { collection: name, key: 1, op: 'put', existed: false, version, document })
      assert.equal(typeof position, 'string')
      assert.equal(all[3]?.document, undefined)
      const versions = all.map(one => one.version)
      assert.deepEqual(
        versions,
        versions.toSorted((a, b) => a - b),
      )
    },
  },
  {
    title: 'behind each position of a feed comes what came after it',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      for (let n = 0; n < 6; n++) {
        const steps = [1, 2, 3].map(id => ({ put: { id: n + id, n }, in: name }))
        await store.batch(steps)
        await rows.delete(n)
      }
      const from = (position: string) => store.changes({ collection: name, from: position, follow: false })
      const all = await listed(from('start'))
      assert.ok(all.length >= 18)
      for (const [at, { position }] of all.entries()) {
        assert.deepEqual(await listed(from(position)), all.slice(at + 1))
      }
    },
  },
  {
    title: 'a feed from now tells what is written after the call, as it is written',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      await rows.put({ id: 'before' })
      const taking = listed(store.changes({ collection: name }), 3)
      for (const id of [1, 2, 3]) await rows.put({ id })
      assert.equal(short(await taking), '1p 2p 3p')
    },
  },
  {
    title: 'a named feed goes on behind what was acknowledged',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const feedName = freshName(store)
      for (let id = 1; id <= 5; id++) await rows.put({ id })
      const options = { collection: name, name: feedName, from: 'start' }
      const first = store.changes(options)
      const taken = await listed(first, 4)
      await first.acknowledge(taken[1]?.position ?? '')
      await first.acknowledge(taken[0]?.position ?? '')
      const second = store.changes(options)
      const again = await listed(second, 2)
      assert.equal(short(again), '3p 4p')
      await second.acknowledge(again[1]?.position ?? '')
      assert.equal(short(await listed(store.changes(options), 1)), '5p')
      assert.equal(await store.forgetChanges(feedName), true)
      assert.equal(await store.forgetChanges(feedName), false)
    },
  },
  {
    title: 'a named feed has one holder: who begins to read it last',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      await rows.put({ id: 1 })
      const feedName = freshName(store)
      const options = { collection: name, name: feedName, from: 'start' }
      const older = store.changes(options)
      const [one] = await listed(older, 1)
      const newer = store.changes(options)
      await listed(newer, 1)
      await refused(() => older.acknowledge(one?.position ?? ''), 'FENCED')
      await newer.acknowledge(one?.position ?? '')
      await store.forgetChanges(feedName)
      await refused(() => newer.acknowledge(one?.position ?? ''), 'NOT_FOUND')
    },
  },
  {
    title: 'a signal ends the reading of a feed that waits',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      const stop = new AbortController()
      await rows.put({ id: 1 })
      const feed = store.changes({ collection: name, from: 'start', signal: stop.signal })
      const seen: Change[] = []
      const reading = async (): Promise<void> => {
        for await (const change of feed) {
          seen.push(change)
          stop.abort()
        }
      }
      await refused(reading, 'ABORTED')
      assert.equal(seen.length, 1)
    },
  },
  {
    title: 'a position that this store never gave is refused',
    async check(store) {
      const { name } = await freshCollection(store)
      for (const from of ['', 'yesterday', '12']) {
        await refused(async () => listed(store.changes({ collection: name, from, follow: false })), 'INVALID')
      }
    },
  },
]
