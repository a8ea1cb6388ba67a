/** Request ids: every verb takes effect once under its id, whoever sends it again, also after a restart. */
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import { type Collection, isSillokError, limits, open, type Store } from '../../../src/index.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Store as StoreClass } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)
t.setTimeout(120_000)

interface Row {
  readonly id: number | string
  readonly tag?: string
  readonly n?: number
}

const definition = { key: 'id', unique: { tag: { fields: ['tag'] } } } as const

async function world(t: Test): Promise<{ store: Store; rows: Collection<Row> }> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', definition)
  return { store, rows: store.collection<Row>('rows') }
}

/** A machine whose processes end when the next begins; what happens takes simulated time. */
function machineOf(name: string, own: Partial<typeof limits> = {}, wallSkewMs = 0) {
  const clock = new SimClock()
  const random = new Random(`${seed} ${name}`)
  const machine = new SimMachine({ clock, random, latency: 'none', wallSkewMs })
  const pass = (ms: number): Promise<void> => new Promise(resolve => clock.after(ms, resolve))
  const live = <R>(work: (store: StoreClass, rows: Collection<Row>) => Promise<R>): Promise<R> => {
    const env = machine.restart()
    return clock.run(async () => {
      const store = await StoreClass.open(env, 'data', {}, own)
      await store.define('rows', definition)
      return await work(store, store.collection<Row>('rows'))
    })
  }
  return { clock, machine, pass, live }
}

async function documentsOf(rows: Collection<Row>): Promise<Row[]> {
  const all: Row[] = []
  for await (const row of rows.scan()) all.push(row)
  return all
}

/** Limits as a test wants them. */
function own(some: { readonly [Name in keyof typeof limits]?: number }): Partial<typeof limits> {
  return some as unknown as Partial<typeof limits>
}

async function told(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work
  } catch (error) {
    if (!isSillokError(error)) throw error
    return [error.code, error.outcome, error.message, error.details]
  }
}

t.test('every verb gets its first answer again, in this process and after a crash', async t => {
  const { live } = machineOf(t.name)
  const ids = Array.from({ length: 7 }, (_, n) => `id ${n}`)
  const send = async (store: StoreClass, rows: Collection<Row>): Promise<unknown[]> => {
    const [insert, taken, put, remove, absent, batch, refused] = ids.map(requestId => ({ requestId }))
    return [
      await told(rows.insert({ id: 'a', tag: 'x' }, insert)),
      await told(rows.insert({ id: 'b', tag: 'x' }, taken)),
      await told(rows.put({ id: 'c', n: 1 }, { ...put, ifVersion: null })),
      await told(rows.delete('c', remove)),
      await told(rows.delete('none', absent)),
      await told(
        store.batch(
          [
            { insert: { id: 'e' }, in: 'rows' },
            { delete: 'a', in: 'rows' },
          ],
          batch,
        ),
      ),
      await told(
        store.batch(
          [
            { insert: { id: 'e' }, in: 'rows' },
            { insert: { id: 'f' }, in: 'rows' },
          ],
          refused,
        ),
      ),
    ]
  }
  const first = await live(send)
  t.match(first, [
    { version: Number },
    ['UNIQUE_TAKEN', 'not-applied', String, { holder: 'a' }],
    { existed: false },
    { existed: true },
    { existed: false },
    { version: Number },
    ['EXISTS', 'not-applied', String, { key: 'e' }],
  ])
  const versions = first.map(answer => (answer as { version?: number }).version)
  t.equal(new Set(versions).size, 6, 'also a delete of nothing has a version of its own')
  for (let life = 0; life < 3; life++) {
    const again = await live(async (store, rows) => {
      const answers = await send(store, rows)
      t.strictSame(await send(store, rows), answers)
      t.strictSame(await documentsOf(rows), [{ id: 'e' }], 'nothing happened again')
      t.strictSame(await store.scrub(), [])
      if (life === 1) await store.close()
      return answers
    })
    t.strictSame(again, first, `life ${life}`)
  }
})

t.test('an id means one request: any other is refused', async t => {
  const { store, rows } = await world(t)
  const requestId = store.requestId()
  await rows.put({ id: 1, n: 1 }, { requestId, ifVersion: null })
  for (const other of [
    rows.put({ id: 1, n: 2 }, { requestId, ifVersion: null }),
    rows.put({ id: 1, n: 1 }, { requestId }),
    rows.insert({ id: 1, n: 1 }, { requestId }),
    rows.delete(1, { requestId }),
    rows.update(1, () => ({ id: 1, n: 1 }), { requestId }),
    store.batch(
      [
        { put: { id: 1, n: 1 }, in: 'rows', ifVersion: null },
        { delete: 2, in: 'rows' },
      ],
      { requestId },
    ),
  ]) {
    await t.rejects(other, { code: 'REQUEST_ID_REUSED', outcome: 'not-applied', details: { id: requestId } })
  }
  t.strictSame(await rows.get(1), { id: 1, n: 1 })
  const pending = rows.put({ id: 2, n: 1 }, { requestId: 'p' })
  t.equal(await codeOf(rows.put({ id: 2, n: 2 }, { requestId: 'p' })), 'REQUEST_ID_REUSED')
  await pending
})

t.test('copies in flight at once get one answer, from any sender', async t => {
  const { store, rows } = await world(t)
  const session = await store.session()
  const own = session.collection<Row>('rows')
  const copies = Array.from({ length: 50 }, (_, n) =>
    (n % 2 === 0 ? rows : own).put({ id: 1, n: 1 }, { requestId: 'one' }),
  )
  const versions = new Set((await Promise.all(copies)).map(({ version, existed }) => `${version} ${existed}`))
  t.equal(versions.size, 1)
  t.match(await rows.getVersioned(1), { version: Number([...versions][0]?.split(' ')[0]) })
})

t.test('an update runs its function once under an id, and answers what was written then', async t => {
  const { live } = machineOf(t.name)
  let calls = 0
  const add = (row: Row | undefined): Row => {
    calls += 1
    return { id: 'k', n: (row?.n ?? 0) + 1 }
  }
  const options = { requestId: 'add' }
  const first = await live((_store, rows) => rows.update('k', add, options))
  t.match(first, { document: { id: 'k', n: 1 } })
  await live(async (store, rows) => {
    t.strictSame(await rows.update('k', add, options), first)
    await rows.update('k', add)
    t.match(await rows.get('k'), { n: 2 })
    t.strictSame(await rows.update('k', add, options), first, 'though the document changed since')
    await rows.delete('k')
    t.strictSame(await rows.update('k', add, options), first, 'and is gone')
    t.equal(calls, 2)
    t.equal(await rows.update('k', () => undefined, { requestId: 'nothing' }), undefined)
    t.equal(await rows.update('k', add, { requestId: 'nothing' }), undefined, 'that was its answer')
    await store.close()
  })
  await live(async (store, rows) => {
    t.strictSame(await rows.update('k', add, options), first)
    t.equal(await rows.update('k', add, { requestId: 'nothing' }), undefined)
    t.equal(calls, 2)
    const key = { collection: 'rows', key: 'k' }
    t.match(await store.outcome('add', key), {
      state: 'committed',
      version: first?.version,
      existed: [false],
    })
    t.strictSame(((await store.outcome('nothing', key)) as { existed: unknown }).existed, [])
    const other = rows.update('other', () => ({ id: 'other' }), { requestId: 'add' })
    t.equal(await codeOf(other), 'done', 'another slot')
  })
})

t.test('an update under an id goes on after a CONFLICT, and keeps any other refusal', async t => {
  const { store, rows } = await world(t)
  await rows.put({ id: 1, n: 0 })
  const session = await store.session()
  let tries = 0
  const slow = async (row: Row | undefined): Promise<Row> => {
    if (tries++ < 3) await rows.put({ id: 1, n: (row?.n ?? 0) + 100 })
    return { id: 1, n: (row?.n ?? 0) + 1 }
  }
  const answer = await session.collection<Row>('rows').update(1, slow, { requestId: 'u' })
  t.match(answer, { document: { n: 301 } })
  t.equal(tries, 4)
  t.strictSame(await rows.update(1, slow, { requestId: 'u' }), answer)
  t.equal(tries, 4)
  const never = async (): Promise<Row> => {
    await rows.put({ id: 1, n: 5 })
    tries += 1
    return { id: 1, n: 6 }
  }
  for (let again = 0; again < 2; again++) {
    t.equal(await codeOf(rows.update(1, never, { requestId: 'v' })), 'CONFLICT')
    t.equal(tries, 4 + limits.updateTriesMax, 'after the last try it is the answer')
  }
  await rows.put({ id: 2, tag: 'x' })
  const take = (): Row => ({ id: 1, tag: 'x' })
  t.equal(await codeOf(rows.update(1, take, { requestId: 'w' })), 'UNIQUE_TAKEN')
  await rows.delete(2)
  t.equal(await codeOf(rows.update(1, take, { requestId: 'w' })), 'UNIQUE_TAKEN')
  const bad = (): Row => ({ id: 3 })
  t.equal(await codeOf(rows.update(1, bad, { requestId: 'x' })), 'INVALID')
  t.match(
    await rows.update(1, take, { requestId: 'x' }),
    { document: { tag: 'x' } },
    'what was never sent is not kept',
  )
})

t.test('two updates under one id, through two senders, are one', async t => {
  const { store, rows } = await world(t)
  const own = (await store.session()).collection<Row>('rows')
  for (let n = 0; n < 30; n++) {
    const add = (row: Row | undefined): Row => ({ id: n, n: (row?.n ?? 0) + 1, tag: `t${n}` })
    const options = { requestId: `u${n}` }
    const answers = await Promise.all([rows.update(n, add, options), own.update(n, add, options)])
    t.strictSame(answers[0], answers[1])
    t.match(await rows.get(n), { n: 1 })
  }
})

t.test('in a session the request id decides, and the numbers go on', async t => {
  const { store, rows } = await world(t)
  const session = await store.session()
  const own = session.collection<Row>('rows')
  const first = await own.insert({ id: 1 }, { requestId: 'a' })
  t.strictSame(await own.insert({ id: 1 }, { requestId: 'a' }), first)
  t.strictSame(await rows.insert({ id: 1 }, { requestId: 'a' }), first, 'without the session')
  t.strictSame(
    await session.batch([{ insert: { id: 1 }, in: 'rows' }], { requestId: 'a' }),
    first,
    'as a batch of one',
  )
  t.equal(session.lowWater, 4)
  const many = Array.from({ length: 3000 }, (_, n) =>
    own.put({ id: n % 10, n: 1 }, { requestId: `m${n % 10}` }),
  )
  t.equal(new Set((await Promise.all(many)).map(({ version }) => version)).size, 10)
  t.equal(session.lowWater, 3004, 'no number is left open')

  const numbered = await store.session({ numbering: 'caller', name: 'import' })
  const lines = numbered.collection<Row>('rows')
  const one = await lines.insert({ id: 'x' }, { sequence: 1, requestId: 'line 1' })
  t.strictSame(await lines.insert({ id: 'x' }, { sequence: 1, requestId: 'line 1' }), one)
  t.strictSame(await lines.insert({ id: 'x' }, { sequence: 2, requestId: 'line 1' }), one)
  await t.rejects(lines.insert({ id: 'x' }, { sequence: 1 }), { code: 'SEQUENCE_REUSED' }, 'another request')
  await t.rejects(lines.insert({ id: 'x' }, { sequence: 1, requestId: 'line 2' }), {
    code: 'SEQUENCE_REUSED',
    outcome: 'unknown',
  })
  const newer = await store.session({ numbering: 'caller', name: 'import' })
  t.strictSame(
    await lines.insert({ id: 'x' }, { sequence: 1, requestId: 'line 1' }),
    one,
    'from a fenced holder',
  )
  t.equal(await codeOf(lines.insert({ id: 'y' }, { sequence: 3, requestId: 'line 3' })), 'FENCED')
  const resumed = newer.collection<Row>('rows')
  t.equal(await codeOf(resumed.insert({ id: 'y' }, { sequence: 3, requestId: 'line 3' })), 'done')
})

t.test('an outcome is told in every state, and stays', async t => {
  const { live } = machineOf(t.name)
  const key = { collection: 'rows', key: 'k' }
  const states = await live(async (store, rows) => {
    const { version } = await rows.put({ id: 'k' }, { requestId: 'done' })
    await told(rows.insert({ id: 'k' }, { requestId: 'refused' }))
    t.strictSame(await store.outcome('done', key), { state: 'committed', version, existed: [false] })
    const refused = await store.outcome('refused', key)
    t.match(refused, {
      state: 'refused',
      error: { code: 'EXISTS', outcome: 'not-applied', details: { version } },
    })
    t.strictSame(await store.outcome('never', key), { state: 'fenced' })
    const fenced = { code: 'REQUEST_FENCED', outcome: 'not-applied', retry: 'never' }
    await t.rejects(rows.put({ id: 'k', n: 1 }, { requestId: 'never' }), fenced)
    await t.rejects(
      rows.update('k', () => ({ id: 'k' }), { requestId: 'never' }),
      fenced,
    )
    return await Promise.all(['done', 'refused', 'never'].map(id => store.outcome(id, key)))
  })
  await live(async (store, rows) => {
    const again = await Promise.all(['done', 'refused', 'never'].map(id => store.outcome(id, key)))
    t.same(again, states)
    t.equal(await codeOf(rows.put({ id: 'k', n: 1 }, { requestId: 'never' })), 'REQUEST_FENCED')
    t.match(await rows.get('k'), { id: 'k', n: undefined })
    t.strictSame(await store.outcome('never', { ...key, key: 'other' }), { state: 'fenced' })
  })
})

t.test('an outcome and its request race: both tell the same', async t => {
  const { store, rows } = await world(t)
  const sessions = await Promise.all([store.session(), store.session()])
  const senders = [rows, ...sessions.map(session => session.collection<Row>('rows'))]
  const random = new Random(seed)
  const seen: Record<string, number> = {}
  for (let n = 0; n < 300; n++) {
    const id = `id ${n}`
    const calls: (() => Promise<unknown>)[] = [
      () => told(random.pick(senders).put({ id: n, n }, { requestId: id })),
      () => store.outcome(id, { collection: 'rows', key: n }),
    ]
    if (random.chance(0.5)) calls.reverse()
    const answers = calls.map(call => call())
    if (random.chance(0.3)) answers.push(told(random.pick(senders).put({ id: n, n }, { requestId: id })))
    const all = await Promise.all(answers)
    const outcome = all.find(one => !Array.isArray(one) && (one as { state?: string }).state !== undefined)
    const { state, version } = outcome as { state: string; version?: number }
    seen[state] = (seen[state] ?? 0) + 1
    for (const answer of all.filter(one => one !== outcome)) {
      if (state === 'fenced') t.equal((answer as string[])[0], 'REQUEST_FENCED')
      else t.equal((answer as { version: number }).version, version)
    }
    t.equal((await rows.getVersioned(n))?.version, version)
  }
  t.ok((seen['fenced'] ?? 0) > 20 && (seen['committed'] ?? 0) > 20, JSON.stringify(seen))
})

t.test('at the limit a new id is refused, later, and a kept one is answered', async t => {
  const { store, rows } = await world(t)
  const max = limits.requestIdsPerSlotMax
  await Promise.all(Array.from({ length: max }, (_, n) => rows.put({ id: 'k', n }, { requestId: `id ${n}` })))
  const full = { code: 'REQUEST_IDS_FULL', outcome: 'not-applied', retry: 'later', details: { ids: max } }
  await t.rejects(rows.put({ id: 'k' }, { requestId: 'more' }), full)
  await t.rejects(store.outcome('more', { collection: 'rows', key: 'k' }), full)
  t.equal(await codeOf(rows.put({ id: 'k', n: 0 }, { requestId: 'id 0' })), 'done')
  t.match(await store.outcome('id 1', { collection: 'rows', key: 'k' }), { state: 'committed' })
  t.equal(await codeOf(rows.put({ id: 'k' })), 'done', 'without an id')
  t.equal(await codeOf(rows.put({ id: 'l' }, { requestId: 'more' })), 'done', 'in another slot')
  t.strictSame(await store.scrub(), [])
})

t.test(
  'an id that is too old by the wall clock is refused, never executed, and not called not-applied',
  async t => {
    const { live, pass } = machineOf(t.name, own({ requestIdAgeMsMax: 60_000 }))
    await live(async (store, rows) => {
      const [old, kept] = [store.requestId(), store.requestId()]
      const first = await rows.put({ id: 1 }, { requestId: kept })
      await pass(60_001)
      const expired = { code: 'REQUEST_ID_EXPIRED', outcome: 'unknown', retry: 'never' }
      await t.rejects(rows.put({ id: 1, n: 1 }, { requestId: old }), expired)
      await t.rejects(
        rows.update(1, () => ({ id: 1, n: 2 }), { requestId: old }),
        expired,
      )
      await t.rejects(store.outcome(old, { collection: 'rows', key: 1 }), expired)
      t.strictSame(await rows.put({ id: 1 }, { requestId: kept }), first, 'what is kept is answered')
      const id = `rq_${(2 ** 45).toString(16).padStart(12, '0')}${'0'.repeat(20)}`
      t.equal(await codeOf(rows.put({ id: 1, n: 3 }, { requestId: id })), 'INVALID', 'made in the future')
      t.strictSame(await rows.get(1), { id: 1 })
    })
  },
)

t.test('ids are forgotten when their life in log time is over, also over many restarts', async t => {
  const life = 6 * 60_000
  const small = own({ requestIdLifeMs: life, unloggedTimeMsMax: 60_000 })
  const { live, pass } = machineOf(t.name, small)
  const ids = Array.from({ length: 600 }, (_, n) => `id ${n}`)
  const send = (rows: Collection<Row>): Promise<boolean[]> =>
    Promise.all(ids.map(async requestId => (await rows.put({ id: requestId }, { requestId })).existed))
  await live(async (_store, rows) => {
    await send(rows)
    await pass(life - 60_000)
    t.notOk((await send(rows)).includes(true), 'not before its time')
  })
  await live(async (store, rows) => {
    await pass(12 * 60_000)
    t.notOk((await send(rows)).includes(false), 'and then all: each is a new request')
    t.strictSame(await store.scrub(), [])
  })
  for (let restart = 0; restart < 18; restart++) await live(() => pass(2 * 60_000 + 30_000))
  await live(async (store, rows) => {
    await pass(60_000)
    const other = rows.put({ id: 'id 5', n: 1 }, { requestId: 'id 5' })
    t.equal(await codeOf(other), 'done', 'forgotten: another request may have the id')
    t.strictSame(await store.scrub(), [])
    await store.close()
  })
})

t.test('what is no id, or no request, is refused before anything is sent', async t => {
  const { store, rows } = await world(t)
  for (const bad of ['', 'rq_', 'rq_123', '\ud800', 5, null, {}]) {
    const requestId = bad as string
    t.equal(await codeOf(rows.put({ id: 1 }, { requestId })), 'INVALID', JSON.stringify(bad))
    t.equal(await codeOf(rows.update(1, () => ({ id: 1 }), { requestId })), 'INVALID')
    t.equal(await codeOf(store.batch([{ delete: 1, in: 'rows' }], { requestId })), 'INVALID')
    t.equal(await codeOf(store.outcome(requestId, { collection: 'rows', key: 1 })), 'INVALID')
  }
  t.equal(await codeOf(rows.put({ id: 1 }, { requestId: 'x'.repeat(257) })), 'TOO_LARGE')
  t.equal(await codeOf(rows.put({ id: 1 }, { requestId: undefined })), 'done')
  t.equal(await codeOf(rows.update(1, row => row, { requestId: undefined })), 'done')
  t.equal(await codeOf(rows.insertMany([{ id: 3 }], { requestId: 'rq_123' })), 'INVALID')
  t.equal(await codeOf(store.outcome('a', { collection: 'none', key: 1 })), 'NOT_FOUND')
  t.equal(await codeOf(store.outcome('a', { collection: 'rows', key: '' })), 'INVALID')
  t.equal(await codeOf(store.outcome('a', 'rows' as never)), 'INVALID')
  const made = store.requestId()
  t.match(made, /^rq_[0-9a-f]{32}$/)
  t.not(made, store.requestId())
})

t.test('a full disk says nothing about an earlier attempt', async t => {
  const { live, machine, pass } = machineOf(t.name)
  await live(async (_store, rows) => {
    machine.disk.setFull(true)
    rows.put({ id: 'notices it' }).catch(() => {})
    await pass(2000)
    await t.rejects(rows.put({ id: 1 }, { requestId: 'a' }), { code: 'DISK_FULL', outcome: 'unknown' })
    await t.rejects(
      rows.update(1, () => ({ id: 1 }), { requestId: 'a' }),
      { code: 'DISK_FULL', outcome: 'unknown' },
    )
    await t.rejects(rows.put({ id: 1 }), { code: 'DISK_FULL', outcome: 'not-applied' })
    machine.disk.setFull(false)
    await pass(10_000)
    t.equal(await codeOf(rows.put({ id: 1 }, { requestId: 'a' })), 'done')
  })
})

t.test('who was refused on the way does not know what became of an earlier attempt', async t => {
  const { store, rows } = await world(t)
  const signal = AbortSignal.abort()
  await t.rejects(rows.put({ id: 1 }, { requestId: 'a', signal }), { code: 'ABORTED', outcome: 'unknown' })
  await t.rejects(rows.put({ id: 1 }, { signal }), { code: 'ABORTED', outcome: 'not-applied' })
  await t.rejects(
    rows.update(1, () => ({ id: 1 }), { requestId: 'a', signal }),
    {
      code: 'ABORTED',
      outcome: 'unknown',
    },
  )
  const session = await store.session()
  const own = session.collection<Row>('rows')
  await session.close()
  await t.rejects(own.put({ id: 1 }, { requestId: 'a' }), { code: 'CLOSED', outcome: 'unknown' })
  await store.close()
  await t.rejects(rows.put({ id: 1 }, { requestId: 'a' }), { code: 'CLOSED', outcome: 'unknown' })
  await t.rejects(
    rows.update(1, () => ({ id: 1 }), { requestId: 'a' }),
    { code: 'CLOSED', outcome: 'unknown' },
  )
  const steps = [{ put: { id: 1 }, in: 'rows' }]
  await t.rejects(store.batch(steps, { requestId: 'a' }), { code: 'CLOSED', outcome: 'unknown' })
  await t.rejects(store.batch(steps), { code: 'CLOSED', outcome: 'not-applied' })
})
