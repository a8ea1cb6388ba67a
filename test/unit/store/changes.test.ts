/** The feed of changes: order, positions, names with one holder, and definite ends. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import { type Change, type Changes, type ChangesOptions, open } from '../../../src/index.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)

interface Item {
  readonly id: number
  readonly n?: number
}

async function world(t: Test): Promise<Store> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('a', { key: 'id' })
  await store.define('b', { key: 'id' })
  return store
}

/** The next changes, so many of them; leaves the loop then. */
async function take(feed: Changes<Item>, count: number): Promise<Change<Item>[]> {
  const taken: Change<Item>[] = []
  if (count === 0) return taken
  for await (const change of feed) {
    taken.push(change)
    if (taken.length === count) break
  }
  return taken
}

const short = (changes: readonly Change<Item>[]): string =>
  changes
    .map(({ collection, key, op, existed }) => `${collection}${key}${op[0]}${existed ? '+' : ''}`)
    .join(' ')

t.test('changes come in the order of the log, and then as they are made', async t => {
  const store = await world(t)
  const [a, b] = [store.collection<Item>('a'), store.collection<Item>('b')]
  await a.put({ id: 1 })
  await store.batch([
    { put: { id: 1, n: 2 }, in: 'a' },
    { insert: { id: 2 }, in: 'b' },
    { delete: 1, in: 'a' },
  ])
  await a.delete(7)
  const feed = store.changes<Item>({ from: 'start' })
  const taking = take(feed, 5)
  await b.delete(2)
  const { version } = await a.insert({ id: 3, n: 5 })
  const changes = await taking
  t.equal(short(changes), 'a1p a1d+ b2p b2d+ a3p', 'one change per document and write')
  t.match(changes.at(-1), { collection: 'a', key: 3, version, document: { id: 3, n: 5 } })
  t.equal(changes[1]?.document, undefined)
  t.equal(await codeOf(take(feed, 1)), 'INVALID', 'a feed is read once')
  const now = store.changes<Item>({ collection: 'b' })
  await a.put({ id: 4 })
  await b.put({ id: 4 })
  t.equal(short(await take(now, 1)), 'b4p', 'from the call on, and of that collection')
})

t.test('whatever the position, what follows is what came after it', async t => {
  const store = await world(t)
  const random = new Random(`${seed} positions`)
  for (let n = 0; n < 120; n++) {
    const steps = Array.from({ length: 1 + random.below(4) }, () => {
      const [id, name] = [random.below(12), random.pick(['a', 'b'])]
      return random.chance(0.3) ? { delete: id, in: name } : { put: { id, n }, in: name }
    })
    await store.batch(steps)
  }
  await store.collection<Item>('a').put({ id: 99 })
  const all: Change<Item>[] = []
  for await (const change of store.changes<Item>({ from: 'start' })) {
    all.push(change)
    if (change.key === 99) break
  }
  t.ok(all.length > 120)
  for (let tries = 0; tries < 60; tries++) {
    const at = random.below(all.length - 1)
    const feed = store.changes<Item>({ from: all[at]?.position })
    t.strictSame(await take(feed, all.length - at - 1), all.slice(at + 1), `behind ${at}`)
  }
  const replayed = new Map<unknown, Item>()
  for (const { collection, key, document } of all) {
    if (collection !== 'a') continue
    if (document === undefined) replayed.delete(key)
    else replayed.set(key, document)
  }
  const scanned: Item[] = []
  for await (const item of store.collection<Item>('a').scan()) scanned.push(item)
  t.strictSame(
    [...replayed.values()].sort((one, other) => one.id - other.id),
    scanned,
  )
})

t.test('a slow reader misses nothing while the log moves into segments', async t => {
  const small = { segmentSyncBytes: 2000, segmentCutBytes: 20_000 } as unknown as Partial<Limits>
  const store = await Store.open(memoryEnvironment(), 'slow', {}, small)
  t.teardown(() => store.close())
  await store.define('a', { key: 'id' })
  const a = store.collection<Item & { readonly text: string }>('a')
  const count = 3000
  let next = 0
  const write = async (): Promise<void> => {
    while (next < count) await a.put({ id: next++, text: 'x'.repeat(600) })
  }
  const writing = Promise.all(Array.from({ length: 64 }, write))
  let seen = 0
  for await (const batch of store.changes<Item>({ from: 'start' }).batches()) {
    for (const { key } of batch) if (key !== seen++) t.fail(`change ${seen - 1} is of ${key}`)
    if (seen === count) break
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await writing
  t.equal(seen, count)
})

t.test('a named feed goes on behind what was acknowledged, also after a restart', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-changes-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  let store = await open({ dir })
  await store.define('a', { key: 'id' })
  for (let id = 1; id <= 6; id++) await store.collection<Item>('a').put({ id })
  const first = store.changes<Item>({ name: 'mail', from: 'start' })
  const taken = await take(first, 4)
  await first.acknowledge(taken[1]?.position ?? '')
  await first.acknowledge(taken[0]?.position ?? '')
  await store.close()
  store = await open({ dir })
  t.teardown(() => store.close())
  const second = store.changes<Item>({ name: 'mail', from: 'start' })
  const again = await take(second, 3)
  t.equal(short(again), 'a3p a4p a5p')
  await second.acknowledge(again[2]?.position ?? '')
  t.equal(short(await take(store.changes<Item>({ name: 'mail' }), 1)), 'a6p')
  t.equal(await codeOf(second.acknowledge(again[0]?.position ?? '')), 'FENCED')
  t.equal(short(await take(store.changes<Item>({ name: 'other', from: 'start' }), 1)), 'a1p')
})

t.test('of two holders of a name the older one is fenced, reading or not', async t => {
  const store = await world(t)
  const a = store.collection<Item>('a')
  await a.put({ id: 1 })
  const older = store.changes<Item>({ name: 'mail', from: 'start' })
  const reading = older[Symbol.asyncIterator]()
  const one = (await reading.next()).value as Change<Item>
  const waiting = codeOf(reading.next())
  const newer = store.changes<Item>({ name: 'mail' })
  t.equal(short(await take(newer, 1)), 'a1p', 'nothing was acknowledged')
  t.equal(await waiting, 'FENCED')
  t.equal(await codeOf(older.acknowledge(one.position)), 'FENCED')
  await newer.acknowledge(one.position)
  t.equal(await store.forgetChanges('mail'), true)
  t.equal(await store.forgetChanges('mail'), false)
  t.equal(await codeOf(newer.acknowledge(one.position)), 'NOT_FOUND')
})

t.test('who held a name before it was forgotten moves nothing of its next holder', async t => {
  const store = await world(t)
  for (let id = 1; id <= 3; id++) await store.collection<Item>('a').put({ id })
  const older = store.changes<Item>({ name: 'mail', from: 'start' })
  const reading = older[Symbol.asyncIterator]()
  const one = (await reading.next()).value as Change<Item>
  t.equal(await store.forgetChanges('mail'), true)
  const newer = store.changes<Item>({ name: 'mail', from: 'start' })
  t.equal(short(await take(newer, 1)), 'a1p')
  t.equal(await codeOf(older.acknowledge(one.position)), 'FENCED')
  t.equal(short(await take(store.changes<Item>({ name: 'mail' }), 3)), 'a1p a2p a3p', 'nothing is dealt with')
  await reading.return?.()
})

t.test('a position that no change has had yet is refused: it would pass over what comes', async t => {
  const store = await world(t)
  const a = store.collection<Item>('a')
  await a.put({ id: 1 })
  const feed = store.changes<Item>({ name: 'mail', from: 'start' })
  const [one] = await take(feed, 1)
  const [store12 = '', index = ''] = String(one?.position).split('.')
  const { applied } = store.status().partitions[1] ?? { applied: 0 }
  t.ok(Number(index) <= applied)
  const next = `${store12}.${applied + 1}.1`
  t.throws(() => store.changes({ from: next }), { code: 'EPOCH_CHANGED' })
  t.equal(await codeOf(feed.acknowledge(next)), 'EPOCH_CHANGED')
  for (const wrong of [undefined, null, 5, Symbol('x'), [one?.position]]) {
    await t.rejects(feed.acknowledge(wrong as unknown as string), {
      code: 'INVALID',
      message: /not a position/,
    })
  }
})

t.test('many feeds may have one signal', async t => {
  const store = await world(t)
  const warnings: Error[] = []
  const warn = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warn)
  t.teardown(() => process.off('warning', warn))
  const stop = new AbortController()
  const { signal } = stop
  const feeds = Array.from({ length: 20 }, () => codeOf(take(store.changes({ signal }), 1e6)))
  for (let id = 0; id < 3; id++) await store.collection<Item>('a').put({ id })
  await new Promise(resolve => setImmediate(resolve))
  stop.abort()
  t.strictSame(new Set(await Promise.all(feeds)), new Set(['ABORTED']))
  t.strictSame(warnings, [])
})

t.test('a position of another store, or of a log that was longer, is refused', async t => {
  const [store, other] = [await world(t), await world(t)]
  for (let id = 0; id < 5; id++) await store.collection<Item>('a').put({ id })
  const [first, last] =
    [await take(store.changes<Item>({ from: 'start' }), 5)].map(all => all.slice(3))[0] ?? []
  const refused = async (from: Store, options: unknown, code: string, message: RegExp): Promise<void> => {
    t.throws(() => from.changes(options as ChangesOptions), { code, message, outcome: 'not-applied' })
  }
  await refused(other, { from: last?.position }, 'EPOCH_CHANGED', /of another store/)
  const beyond = String(last?.position).replace(/\.\d+\.1$/, '.999.1')
  await refused(store, { from: beyond }, 'EPOCH_CHANGED', /the log ends at entry/)
  await refused(store, { from: 'yesterday' }, 'INVALID', /not a position of a feed: "yesterday"/)
  await refused(store, { from: 5 }, 'INVALID', /from must be/)
  await refused(store, { collection: 'c' }, 'NOT_FOUND', /"c" is not defined/)
  await refused(store, { name: '' }, 'INVALID', /non-empty/)
  await refused(store, { name: 'x'.repeat(257) }, 'INVALID', /257 bytes, 256 allowed/)
  await refused(store, { nam: 'x' }, 'INVALID', /unknown option "nam"; allowed are collection/)
  await refused(store, null, 'INVALID', /options must be an object/)
  await refused(store, { follow: 1 }, 'INVALID', /follow must be true or false/)
  await refused(store, { signal: 1 }, 'INVALID', /signal/)
  t.equal(await codeOf(store.changes({ from: 'start' }).acknowledge(first?.position ?? '')), 'INVALID')
  t.equal(await codeOf(store.changes({ name: 'x' }).acknowledge(first?.position ?? '')), 'INVALID')
})

t.test('a feed that does not follow ends with what there is', async t => {
  const store = await world(t)
  const all = async (options: ChangesOptions): Promise<string> => {
    const changes: Change<Item>[] = []
    for await (const change of store.changes<Item>({ ...options, follow: false })) changes.push(change)
    return short(changes)
  }
  t.equal(await all({ from: 'start' }), '')
  for (let id = 1; id <= 3; id++) await store.collection<Item>('a').put({ id })
  t.equal(await all({ from: 'start' }), 'a1p a2p a3p')
  t.equal(await all({ from: 'start', collection: 'b' }), '')
  t.equal(await all({}), '')
})

t.test('a feed ends with its signal and with its store', async t => {
  const store = await world(t)
  const stop = new AbortController()
  const stopped = codeOf(take(store.changes({ signal: stop.signal }), 1))
  const open = codeOf(take(store.changes(), 1))
  await new Promise(resolve => setImmediate(resolve))
  stop.abort()
  t.equal(await stopped, 'ABORTED')
  t.equal(await codeOf(take(store.changes({ signal: stop.signal }), 1)), 'ABORTED')
  await store.close()
  t.equal(await open, 'CLOSED')
  t.throws(() => store.changes(), { code: 'CLOSED' })
})
