/**
 * The laws of the door to key-value stores, for every implementation. What a crash may leave is not among
 * them: no law can crash the machine.
 */
import assert from 'node:assert/strict'
import type { Random } from '../base/random.js'
import type { KeyRange, KeyValueStore, KeyValueStores } from '../env/key-value.js'
import type { Law } from './law.js'

type Rows = [string, string][]

/** What the laws are put to. */
export interface KeyValueSubject {
  readonly stores: KeyValueStores
  /** A folder in which stores may be made. */
  readonly folder: string
  readonly random: Random
}

const options = { writeBufferBytes: 4 * 1024 * 1024 }
const text = (rows: readonly [Buffer, Buffer][]): Rows =>
  rows.map(([key, value]) => [key.toString('latin1'), value.toString('latin1')])
const bytes = (value: string): Buffer => Buffer.from(value, 'latin1')

async function put(store: KeyValueStore, rows: Rows, sync = false): Promise<void> {
  const batch = store.batch()
  for (const [key, value] of rows) batch.put(bytes(key), bytes(value))
  await batch.write({ sync })
}

async function all(store: KeyValueStore, range: KeyRange = {}, page = 3): Promise<Rows> {
  const iterator = store.iterate(range)
  const rows: Rows = []
  for (;;) {
    const next = await iterator.next(page)
    if (next.length === 0) break
    if (next.length > page) throw new Error(`${next.length} rows for ${page}`)
    rows.push(...text(next))
  }
  await iterator.close()
  return rows
}

/** What every key-value store keeps. */
export const keyValueLaws: readonly Law<KeyValueSubject>[] = [
  {
    title: 'rows are read back, missing ones are undefined',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      await put(store, [
        ['b', '2'],
        ['a', '1'],
        ['empty', ''],
      ])
      const found = await store.getMany([bytes('a'), bytes('x'), bytes('empty')])
      assert.deepEqual(
        found.map(value => value?.toString()),
        ['1', undefined, ''],
      )
      assert.equal(store.getSync(bytes('b'))?.toString(), '2')
      assert.equal(store.getSync(bytes('x')), undefined)
      assert.deepEqual(await store.getMany([]), [])
      await store.close()
    },
  },

  {
    title: 'what was written is there after closing and opening again',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      await put(store, [['a', '1']], true)
      await put(store, [['b', '2']])
      await store.close()
      const again = await stores.open(`${folder}/a`, options)
      assert.deepEqual(await all(again), [
        ['a', '1'],
        ['b', '2'],
      ])
      await again.close()
    },
  },

  {
    title: 'rows are ordered as bytes, in all kinds of ranges and both directions',
    async check({ stores, folder, random }) {
      const store = await stores.open(`${folder}/a`, options)
      const keys = ['\x00', '\x00\x00', '\x00\xff', 'A', 'a', 'aa', 'b', '\x7f', '\x80', '\xff', '\xff\xff']
      await put(
        store,
        keys.toReversed().map(key => [key, key]),
      )
      const sorted = (await all(store)).map(([key]) => key)
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => bytes(a).compare(bytes(b))),
      )
      assert.equal(sorted.length, keys.length)
      const take = async (range: KeyRange): Promise<string[]> => (await all(store, range)).map(([key]) => key)
      for (const reverse of [false, true]) {
        for (let i = 0; i < 60; i++) {
          const edge = (): string => (random.chance(0.8) ? random.pick(keys) : 'zz')
          const low = edge()
          const high = edge()
          const lowName = random.pick(['gt', 'gte'] as const)
          const highName = random.pick(['lt', 'lte'] as const)
          const within = (key: string): boolean => {
            const above = bytes(key).compare(bytes(low))
            const below = bytes(key).compare(bytes(high))
            return above >= (lowName === 'gt' ? 1 : 0) && below <= (highName === 'lt' ? -1 : 0)
          }
          const wanted = sorted.filter(within)
          const range = { [lowName]: bytes(low), [highName]: bytes(high), reverse }
          assert.deepEqual(
            await take(range),
            reverse ? wanted.toReversed() : wanted,
            `${lowName} ${bytes(low).toString('hex')}`,
          )
        }
      }
      await store.close()
    },
  },

  {
    title: 'a snapshot and a begun iterator do not see later writes',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      await put(store, [
        ['a', '1'],
        ['b', '1'],
        ['c', '1'],
      ])
      const snapshot = store.snapshot()
      const iterator = store.iterate({})
      const first = await iterator.next(1)
      const batch = store.batch()
      batch.put(bytes('a'), bytes('2'))
      batch.delete(bytes('b'))
      batch.put(bytes('d'), bytes('2'))
      await batch.write()
      const frozen: Rows = [
        ['a', '1'],
        ['b', '1'],
        ['c', '1'],
      ]
      assert.deepEqual(text([...first, ...(await iterator.next(100))]), frozen)
      assert.deepEqual(await all(store, { snapshot }), frozen)
      assert.equal(store.getSync(bytes('a'), snapshot)?.toString(), '1')
      assert.equal((await store.getMany([bytes('d')], snapshot))[0], undefined)
      assert.deepEqual(await all(store), [
        ['a', '2'],
        ['c', '1'],
        ['d', '2'],
      ])
      await iterator.close()
      await snapshot.close()
      await store.close()
    },
  },

  {
    title: 'an iterator sees what was there when it began',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      const rows: Rows = Array.from({ length: 300 }, (_, i) => [`k${1000 + i}`, '1'])
      await put(store, rows)
      const forward = store.iterate({})
      const first = await forward.next(1)
      const backward = store.iterate({ reverse: true })
      const batch = store.batch()
      for (const [key] of rows.slice(100)) batch.delete(bytes(key))
      batch.put(bytes('k10995'), bytes('2'))
      batch.put(bytes('z'), bytes('2'))
      await batch.write()
      assert.deepEqual(text([...first, ...(await forward.next(1000))]), rows)
      assert.deepEqual(text(await backward.next(1000)), rows.toReversed())
      await forward.close()
      await backward.close()
      await store.close()
    },
  },

  {
    title: 'changes of a batch count in their order, all at once',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      const batch = store.batch()
      batch.put(bytes('a'), bytes('1'))
      batch.delete(bytes('a'))
      batch.delete(bytes('b'))
      batch.put(bytes('b'), bytes('2'))
      assert.deepEqual(await all(store), [], 'nothing before it is written')
      await batch.write({ sync: true })
      assert.deepEqual(await all(store), [['b', '2']])
      await store.batch().write({ sync: true })
      await store.close()
    },
  },

  {
    title: 'compaction changes no row',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      const rows: Rows = Array.from({ length: 200 }, (_, i) => [`k${1000 + i}`, `v${i}`])
      await put(store, rows)
      await store.compact()
      assert.deepEqual(await all(store, {}, 64), rows)
      await store.close()
    },
  },

  {
    title: 'a page of an iterator ends at about 1 MiB',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      for (let i = 0; i < 5; i++) await put(store, [[`k${i}`, 'x'.repeat(600_000)]])
      const iterator = store.iterate({})
      let count = 0
      for (;;) {
        const page = await iterator.next(100)
        if (page.length === 0) break
        assert.ok(page.length <= 3, `${page.length} rows of 600 kB`)
        count += page.length
      }
      assert.equal(count, 5)
      await iterator.close()
      await store.close()
    },
  },

  {
    title: 'a store that is open cannot be opened once more',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      const other = await stores.open(`${folder}/b`, options)
      await assert.rejects(stores.open(`${folder}/a`, options), { code: 'FOLDER_IN_USE' })
      await store.close()
      await other.close()
    },
  },

  {
    title: 'values come in the order of the keys that were asked for, each as often as it was',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      await put(store, [
        ['a', '1'],
        ['b', '2'],
      ])
      const found = await store.getMany(['b', 'a', 'x', 'b'].map(bytes))
      assert.deepEqual(
        found.map(value => value?.toString()),
        ['2', '1', undefined, '2'],
      )
      await store.close()
    },
  },
  {
    title: 'an iterator that has ended, or has nothing, answers so as often as it is asked',
    async check({ stores, folder }) {
      const store = await stores.open(`${folder}/a`, options)
      await put(store, [['a', '1']])
      for (const range of [{}, { gt: bytes('a') }, { gte: bytes('b'), lt: bytes('a') }, { lt: bytes('a') }]) {
        const iterator = store.iterate(range)
        while ((await iterator.next(10)).length > 0);
        assert.deepEqual(await iterator.next(10), [])
        assert.deepEqual(await iterator.next(1), [])
        await iterator.close()
      }
      await store.close()
    },
  },
  {
    title: 'a snapshot is as it was taken, backwards, in a range and after compaction too',
    async check({ stores, folder, random }) {
      const store = await stores.open(`${folder}/a`, options)
      const rows: Rows = Array.from({ length: 40 }, (_, i) => [`k${10 + i}`, '1'])
      await put(store, rows)
      const snapshot = store.snapshot()
      for (let n = 0; n < 60; n++) {
        const batch = store.batch()
        const key = bytes(`k${10 + random.below(60)}`)
        if (random.chance(0.5)) batch.delete(key)
        else batch.put(key, bytes('2'))
        await batch.write()
      }
      await store.compact()
      assert.deepEqual(await all(store, { snapshot, reverse: true }), rows.toReversed())
      const range = { gte: bytes('k20'), lt: bytes('k30'), snapshot }
      assert.deepEqual(await all(store, range), rows.slice(10, 20))
      await snapshot.close()
      await store.close()
    },
  },
  {
    title: 'stores of two folders know nothing of each other',
    async check({ stores, folder }) {
      const one = await stores.open(`${folder}/a`, options)
      const two = await stores.open(`${folder}/b`, options)
      await put(one, [['a', '1']])
      assert.deepEqual(await all(two), [])
      await one.close()
      await put(two, [['b', '2']])
      await two.close()
      const again = await stores.open(`${folder}/a`, options)
      assert.deepEqual(await all(again), [['a', '1']])
      await again.close()
    },
  },
  {
    title: 'random batches leave what a plain map would hold',
    async check({ stores, folder, random }) {
      const store = await stores.open(`${folder}/a`, options)
      const model = new Map<string, string>()
      for (let round = 0; round < 60; round++) {
        const batch = store.batch()
        for (let i = 0; i < 20; i++) {
          const key = `k${random.below(400)}`
          if (random.chance(0.3)) {
            batch.delete(bytes(key))
            model.delete(key)
          } else {
            const value = `${round}.${i}`
            batch.put(bytes(key), bytes(value))
            model.set(key, value)
          }
        }
        await batch.write()
      }
      const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
      assert.deepEqual(await all(store, {}, 50), wanted)
      assert.deepEqual(await all(store, { reverse: true }, 50), wanted.toReversed())
      await store.close()
    },
  },
]
