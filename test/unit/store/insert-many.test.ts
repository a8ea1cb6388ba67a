/** Many inserts under one request id: whatever is lost on the way, sent again each row takes effect once. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { memoryEnvironment } from '../../../src/env/memory-environment.js'
import { type InsertResult, limits, open, rowRequestId, SillokError } from '../../../src/index.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)

const rowsOf = (count: number): { id: number; n: number }[] =>
  Array.from({ length: count }, (_, id) => ({ id, n: id }))

function wordOf(result: InsertResult | undefined): string {
  if (result === undefined) return 'none'
  return result.ok ? `ok ${result.version}` : `${result.error.code} ${result.error.outcome}`
}

/** The documents; tells when that one is taken: all before it were sent, and some of them answered. */
function* killing<T>(documents: readonly T[], at: number, kill: () => void): Iterable<T> {
  for (const [place, document] of documents.entries()) {
    if (place === at) kill()
    yield document
  }
}

t.test('the whole call again gets for each row its first answer, also a refusal', async t => {
  const store = await open({ memory: true })
  await store.define('rows', { key: 'id', unique: { n: { fields: ['n'] } } })
  const rows = store.collection('rows')
  await rows.insert({ id: 2, n: 'x' })
  const documents = [...rowsOf(5), { id: 9, n: 0 }]
  for (const requestId of [store.requestId(), 'a bare text']) {
    const first = await rows.insertMany(documents, { requestId })
    await rows.delete(3)
    await rows.delete(2)
    const again = await rows.insertMany(documents, { requestId })
    t.strictSame(again.map(wordOf), first.map(wordOf))
    t.notOk(await rows.has(3), 'what was deleted since does not come back')
    const outcome = await store.outcome(rowRequestId(requestId, 5), { collection: 'rows', key: 9 })
    t.match(outcome, { state: 'refused', error: { code: 'UNIQUE_TAKEN' } })
    for (const id of [0, 1, 2, 3, 4]) await rows.delete(id)
    await rows.insert({ id: 2, n: 'x' })
    await rows.insert({ id: 0, n: 0 })
    await rows.delete(0)
    await rows.insert({ id: 2000, n: 0 })
    await rows.delete(2000)
  }
  const plain = await rows.insertMany([{ id: 77 }, { id: 77 }])
  t.strictSame(
    plain.map(one => one.ok),
    [true, false],
    'without an id the second of two is refused',
  )
  const other = await rows.insertMany([{ id: 77, n: 'z' }], { requestId: 'a bare text' })
  t.match(other, [{ ok: false }])
  await store.close()
})

t.test('what a crash leaves unanswered is inserted by the same call again, and nothing twice', async t => {
  let kills = 0
  for (let round = 0; round < 3; round++) {
    const clock = new SimClock()
    const random = new Random(`${seed} ${round}`)
    const machine = new SimMachine({ clock, random: random.split('machine'), latency: 'random' })
    const count = 1500
    const documents = rowsOf(count)
    await clock.run(async () => {
      let env = machine.environment
      let requestId: string | undefined
      const answered = new Map<number, number>()
      for (let attempt = 0; ; attempt++) {
        const store = await Store.open(env, 'data')
        await store.define('rows', { key: 'id' })
        requestId ??= store.requestId()
        const rows = store.collection('rows')
        let kill = (): void => {}
        const killed = new Promise<undefined>(resolve => {
          kill = () => resolve(undefined)
        })
        const at = attempt < 4 ? random.below(count) : count
        const inserting = rows.insertMany(killing(documents, at, kill), { requestId })
        inserting.catch(() => {})
        const results = await Promise.race([inserting, killed])
        if (results === undefined) {
          kills += 1
          machine.crash((['all', 'none', 'any'] as const)[random.below(3)] ?? 'all')
          env = machine.restart()
          continue
        }
        for (const [row, result] of results.entries()) {
          if (!result.ok) continue
          const first = answered.get(row) ?? result.version
          if (first !== result.version) t.fail(`row ${row} has the answers ${first} and ${result.version}`)
          answered.set(row, result.version)
        }
        if (results.every(one => one.ok)) {
          const seen = new Map<unknown, number>()
          for await (const { key } of store.changes({ from: 'start', follow: false })) {
            seen.set(key, (seen.get(key) ?? 0) + 1)
          }
          t.strictSame([seen.size, new Set(seen.values())], [count, new Set([1])], `round ${round}`)
          await store.close()
          return
        }
      }
    })
  }
  t.ok(kills > 2, `${kills} kills`)
})

t.test(
  'the signal ends all rows: none is left out of the results, and what was not sent is not applied',
  async t => {
    const store = await open({ memory: true })
    await store.define('rows', { key: 'id' })
    const rows = store.collection('rows')
    const stop = new AbortController()
    const count = 3000
    const taken = function* (): Iterable<{ id: number; n: number }> {
      for (const row of rowsOf(count)) {
        if (row.id === 1500) stop.abort()
        yield row
      }
    }
    const ends = (await rows.insertMany(taken(), { signal: stop.signal })).map(one =>
      one.ok ? 'ok' : `${one.error.code} ${one.error.outcome}`,
    )
    t.equal(ends.length, count)
    t.strictSame(new Set(ends), new Set(['ok', 'ABORTED unknown', 'ABORTED not-applied']))
    for (const [id, end] of ends.entries()) {
      const isThere = await rows.has(id)
      if (end !== 'ABORTED unknown' && isThere !== (end === 'ok')) t.fail(`row ${id}: ${end}`)
    }
    const early = { signal: AbortSignal.abort() }
    await t.rejects(rows.insertMany([{ id: 1 }], early), { code: 'ABORTED', outcome: 'not-applied' })
    await t.rejects(rows.insertMany([{ id: 1 }], { ...early, requestId: 'a' }), {
      code: 'ABORTED',
      outcome: 'unknown',
    })
    await store.close()
  },
)

t.test('when the documents fail, nothing is in flight any more', async t => {
  const store = await Store.open(memoryEnvironment(), 'memory')
  await store.define('rows', { key: 'id' })
  const rows = store.collection('rows')
  const bad = function* (): Iterable<{ id: number }> {
    for (let id = 0; id < 50; id++) yield { id }
    throw new Error('of the iterator')
  }
  await t.rejects(rows.insertMany(bad()), { message: 'of the iterator' })
  t.equal(await rows.count({ level: 'stale' }), 50)
  let wasEnded = false
  const thrower = {
    get id(): number {
      throw new Error('of the document')
    },
  }
  const held = function* (): Iterable<object> {
    try {
      for (;;) yield thrower
    } finally {
      wasEnded = true
    }
  }
  await t.rejects(rows.insertMany(held() as Iterable<{ id: number }>), { message: 'of the document' })
  t.ok(wasEnded, 'the iterator is told')
  let returns = 0
  const own = (next: () => IteratorResult<{ id: number }>): Iterable<{ id: number }> => ({
    [Symbol.iterator]: () => ({
      next,
      return() {
        returns += 1
        throw new Error('of the end')
      },
    }),
  })
  const failing = own(() => {
    throw new Error('of the next one')
  })
  await t.rejects(rows.insertMany(failing), { message: 'of the next one' })
  t.equal(returns, 0, 'who failed is not told that it is over')
  const endless = own(() => ({ done: false, value: thrower }))
  await t.rejects(rows.insertMany(endless), { message: 'of the document' })
  t.equal(returns, 1)
  const none = { [Symbol.iterator]: () => undefined } as unknown as Iterable<{ id: number }>
  await t.rejects(rows.insertMany(none), { code: 'INVALID', message: /must be an iterator, not/ })
  await store.close()
})

t.test('rows that are refused at once leave turns to the rest of the process', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', { key: 'id' })
  const rows = store.collection('rows')
  let turns = 0
  let isOver = false
  const count = (): void => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const results = await rows.insertMany(Array.from({ length: 20_480 }, () => ({ name: 'x' }) as never))
  isOver = true
  t.ok(results.length === 20_480 && results.every(one => !one.ok))
  t.ok(turns >= 10, `${turns} turns`)
})

t.test('options count as they were at the call, also for rows that are taken later', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', { key: 'id' })
  const options: { requestId?: string } = {}
  const inserting = store.collection('rows').insertMany(rowsOf(3000), options)
  options.requestId = 'of another call'
  t.ok((await inserting).every(({ ok }) => ok))
})

t.test('the id of a row is as old as the id of the call, and as long as an id may be', t => {
  const made = `rq_${'0'.repeat(11)}5${'ab'.repeat(10)}`
  t.match(rowRequestId(made, 3), /^rq_0{11}5[0-9a-f]{20}$/)
  t.not(rowRequestId(made, 3), rowRequestId(made, 4))
  t.equal(rowRequestId('order-7', 12), 'order-7#12')
  const long = 'x'.repeat(limits.requestIdBytesMax - 17)
  t.ok(Buffer.byteLength(rowRequestId(long, Number.MAX_SAFE_INTEGER)) <= limits.requestIdBytesMax)
  for (const [id, row, code] of [
    [`${long}x`, 0, 'TOO_LARGE'],
    ['', 0, 'INVALID'],
    ['a', -1, 'INVALID'],
    ['a', 1.5, 'INVALID'],
  ] as const) {
    t.throws(() => rowRequestId(id, row), new SillokError(code, ''), { code })
  }
  t.end()
})

t.test('an id that no row can have is refused before anything is sent', async t => {
  const store = await open({ memory: true })
  await store.define('rows', { key: 'id' })
  const rows = store.collection('rows')
  t.equal(await codeOf(rows.insertMany([{ id: 1 }], { requestId: 'x'.repeat(250) })), 'TOO_LARGE')
  t.equal(await codeOf(rows.insertMany([{ id: 1 }], { requestId: 5 as never })), 'INVALID')
  t.notOk(await rows.has(1))
  await store.close()
})
