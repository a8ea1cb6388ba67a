/** Everything that waits is bounded: what is too much is refused by OVERLOADED, and the rest goes on. */
import t, { type Test } from 'tap'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import { type Collection, type IndexType, isSillokError, limits, open } from '../../../src/index.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'

t.setTimeout(120_000)

const max = 100

/** A store with small limits, a collection, and an index in it that is never built, if wanted. */
async function world(t: Test, slow?: IndexType): Promise<{ store: Store; rows: Collection }> {
  const types = new IndexTypes(slow === undefined ? [] : [slow])
  const own = { waitingReadsMax: max, waitingUpdatesMax: max }
  const store = await Store.open(memoryEnvironment(), 'memory', {}, own, types)
  t.teardown(() => store.close())
  await store.define('a', { key: 'id' })
  const rows = store.collection('a')
  await rows.put({ id: 1 })
  return { store, rows }
}

/** How many ended how. */
async function tally(calls: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const end of await Promise.allSettled(calls)) {
    const error = end.status === 'rejected' ? (end.reason as unknown) : undefined
    const name =
      error === undefined ? 'done' : isSillokError(error) ? `${error.code} ${error.outcome}` : 'other'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

t.test('reads that wait are as many as the limit, at any level, and the next ones are served', async t => {
  const { rows } = await world(t)
  const ways: (() => Promise<unknown>)[] = (['linearizable', 'stale'] as const).flatMap(level => [
    () => rows.get(1, { level }),
    () => rows.getVersioned(1, { level }),
    () => rows.has(1, { level }),
    () => rows.getMany([1, 2], { level }),
    () => rows.count({ level, limit: 0 }),
  ])
  for (const way of ways) {
    t.strictSame(await tally(Array.from({ length: max + 30 }, way)), {
      done: max,
      'OVERLOADED not-applied': 30,
    })
    t.strictSame(await rows.get(1), { id: 1 })
  }
  const stop = new AbortController()
  const ended = Array.from({ length: max }, () => rows.get(1, { signal: stop.signal }))
  stop.abort()
  t.strictSame(await tally(ended), { 'ABORTED not-applied': max })
  t.strictSame(
    await tally([rows.get(1)]),
    { 'OVERLOADED not-applied': 1 },
    'what they asked for is still there',
  )
  await new Promise(setImmediate)
  t.strictSame(await tally(Array.from({ length: max }, () => rows.get(1))), { done: max })
})

t.test('a hundred thousand reads at once are more than the usual limit', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('a', { key: 'id' })
  const calls = Array.from({ length: 100_000 }, () => store.collection('a').get(1))
  const refused = 100_000 - limits.waitingReadsMax
  t.strictSame(await tally(calls), { done: limits.waitingReadsMax, 'OVERLOADED not-applied': refused })
})

t.test('questions that wait for an index are as many as the limit, and hold up no other read', async t => {
  const slow: IndexType = {
    type: 'slow',
    version: 1,
    configure: () => ({}),
    open: () => ({ apply: () => new Promise(() => {}), async *query() {} }),
  }
  const { store, rows } = await world(t, slow)
  await store.define('a', { key: 'id', indexes: { s: { type: 'slow' } } })
  const ask = () => rows.query('s', {}).next()
  const waiting = tally(Array.from({ length: max }, ask))
  t.strictSame(await tally([ask(), ask()]), { 'OVERLOADED not-applied': 2 })
  await new Promise(setImmediate)
  t.strictSame(await tally(Array.from({ length: max }, () => rows.get(1))), { done: max })
  await store.close()
  t.strictSame(await waiting, { 'CLOSED not-applied': max })
})

t.test('updates in line are as many as the limit, and leave when their turn has passed', async t => {
  const { rows } = await world(t)
  const stop = new AbortController()
  let goOn = (): void => {}
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  let calls = 0
  const first = rows.update(1, () => held.then(() => ({ id: 1 })))
  const change = () => {
    calls += 1
    return undefined
  }
  const options = { signal: stop.signal }
  const count = max - 1
  const waiting = tally(Array.from({ length: count }, () => rows.update(1, change, options)))
  t.strictSame(await tally([rows.update(1, change), rows.update(2, change)]), { 'OVERLOADED not-applied': 2 })
  stop.abort()
  t.strictSame(await waiting, { 'ABORTED unknown': count })
  t.strictSame(
    await tally([rows.update(2, change)]),
    { 'OVERLOADED not-applied': 1 },
    'they stand in line still',
  )
  goOn()
  await first
  t.equal(calls, 0)
  await rows.update(1, change)
  t.equal(calls, 1)
})
