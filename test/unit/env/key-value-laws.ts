/** The laws of the door to key-value stores, for every implementation. */
import t, { type Test } from 'tap'
import type { Random } from '../../../src/base/random.js'
import type { KeyRange, KeyValueStore, KeyValueStores } from '../../../src/env/key-value.js'

type Rows = [string, string][]
type Body = (t: Test, stores: KeyValueStores, folder: string) => Promise<void>

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

/** Runs the laws against what `make` gives; `run` drives its time, `folder` is fresh. */
export function keyValueLaws(
  name: string,
  make: () => { stores: KeyValueStores; folder: string; run<T>(work: () => Promise<T>): Promise<T> },
  random: Random,
): void {
  const law = (title: string, body: Body): void => {
    t.test(`${name}: ${title}`, async t => {
      const { stores, folder, run } = make()
      await run(() => body(t, stores, folder))
    })
  }

  law('rows are read back, missing ones are undefined', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    await put(store, [
      ['b', '2'],
      ['a', '1'],
      ['empty', ''],
    ])
    const found = await store.getMany([bytes('a'), bytes('x'), bytes('empty')])
    t.strictSame(
      found.map(value => value?.toString()),
      ['1', undefined, ''],
    )
    t.equal(store.getSync(bytes('b'))?.toString(), '2')
    t.equal(store.getSync(bytes('x')), undefined)
    t.strictSame(await store.getMany([]), [])
    await store.close()
  })

  law('what was written is there after closing and opening again', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    await put(store, [['a', '1']], true)
    await put(store, [['b', '2']])
    await store.close()
    const again = await stores.open(`${folder}/a`, options)
    t.strictSame(await all(again), [
      ['a', '1'],
      ['b', '2'],
    ])
    await again.close()
  })

  law('rows are ordered as bytes, in all kinds of ranges and both directions', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    const keys = ['\x00', '\x00\x00', '\x00\xff', 'A', 'a', 'aa', 'b', '\x7f', '\x80', '\xff', '\xff\xff']
    await put(
      store,
      keys.toReversed().map(key => [key, key]),
    )
    const sorted = (await all(store)).map(([key]) => key)
    t.strictSame(
      sorted,
      sorted.toSorted((a, b) => bytes(a).compare(bytes(b))),
    )
    t.equal(sorted.length, keys.length)
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
        t.strictSame(
          await take(range),
          reverse ? wanted.toReversed() : wanted,
          `${lowName} ${bytes(low).toString('hex')}`,
        )
      }
    }
    await store.close()
  })

  law('a snapshot and a begun iterator do not see later writes', async (t, stores, folder) => {
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
    t.strictSame(text([...first, ...(await iterator.next(100))]), frozen)
    t.strictSame(await all(store, { snapshot }), frozen)
    t.equal(store.getSync(bytes('a'), snapshot)?.toString(), '1')
    t.equal((await store.getMany([bytes('d')], snapshot))[0], undefined)
    t.strictSame(await all(store), [
      ['a', '2'],
      ['c', '1'],
      ['d', '2'],
    ])
    await iterator.close()
    await snapshot.close()
    await store.close()
  })

  law('an iterator sees what was there when it began', async (t, stores, folder) => {
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
    t.strictSame(text([...first, ...(await forward.next(1000))]), rows)
    t.strictSame(text(await backward.next(1000)), rows.toReversed())
    await forward.close()
    await backward.close()
    await store.close()
  })

  law('changes of a batch count in their order, all at once', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    const batch = store.batch()
    batch.put(bytes('a'), bytes('1'))
    batch.delete(bytes('a'))
    batch.delete(bytes('b'))
    batch.put(bytes('b'), bytes('2'))
    t.strictSame(await all(store), [], 'nothing before it is written')
    await batch.write({ sync: true })
    t.strictSame(await all(store), [['b', '2']])
    await store.batch().write({ sync: true })
    await store.close()
  })

  law('compaction changes no row', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    const rows: Rows = Array.from({ length: 200 }, (_, i) => [`k${1000 + i}`, `v${i}`])
    await put(store, rows)
    await store.compact()
    t.strictSame(await all(store, {}, 64), rows)
    await store.close()
  })

  law('a page of an iterator ends at about 1 MiB', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    for (let i = 0; i < 5; i++) await put(store, [[`k${i}`, 'x'.repeat(600_000)]])
    const iterator = store.iterate({})
    let count = 0
    for (;;) {
      const page = await iterator.next(100)
      if (page.length === 0) break
      t.ok(page.length <= 3, `${page.length} rows of 600 kB`)
      count += page.length
    }
    t.equal(count, 5)
    await iterator.close()
    await store.close()
  })

  law('a store that is open cannot be opened once more', async (t, stores, folder) => {
    const store = await stores.open(`${folder}/a`, options)
    const other = await stores.open(`${folder}/b`, options)
    await t.rejects(stores.open(`${folder}/a`, options), { code: 'FOLDER_IN_USE' })
    await store.close()
    await other.close()
  })

  law('random batches leave what a plain map would hold', async (t, stores, folder) => {
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
    t.strictSame(await all(store, {}, 50), wanted)
    t.strictSame(await all(store, { reverse: true }, 50), wanted.toReversed())
    await store.close()
  })
}
