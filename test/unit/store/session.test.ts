/** Sessions: numbers, window, kept answers, takeover of a name, and the end of a session. */
import t, { type Test } from 'tap'
import { type Collection, limits, open, type Session, type Store } from '../../../src/index.js'
import { codeOf } from './code-of.js'

t.setTimeout(120_000)

interface Row {
  readonly id: number | string
  readonly tag?: string
  readonly n?: number
}

async function world(t: Test): Promise<{ store: Store; rows: Collection<Row> }> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', { key: 'id', unique: { tag: { fields: ['tag'] } } })
  return { store, rows: store.collection<Row>('rows') }
}

/** What each code came to, counted. */
function tally(codes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1
  return counts
}

t.test('a caller-numbered request executes once and keeps its first answer, success or refusal', async t => {
  const { store, rows } = await world(t)
  const session = await store.session({ numbering: 'caller', name: 'import', input: 'digest' })
  const own = session.collection<Row>('rows')
  const first = await own.insert({ id: 1, tag: 'x' }, { sequence: 1 })
  t.strictSame(await own.insert({ id: 1, tag: 'x' }, { sequence: 1 }), first, 'the first answer again')
  const refusal = {
    code: 'UNIQUE_TAKEN',
    outcome: 'not-applied',
    details: { holder: 1, version: first.version },
  }
  await t.rejects(own.insert({ id: 2, tag: 'x' }, { sequence: 2 }), refusal)
  await rows.delete(1)
  await t.rejects(
    own.insert({ id: 2, tag: 'x' }, { sequence: 2 }),
    refusal,
    'also when it would be granted now',
  )
  t.strictSame(await own.insert({ id: 1, tag: 'x' }, { sequence: 1 }), first)
  t.equal(await rows.count(), 0, 'a replay executes nothing')
  const put = await own.put({ id: 3, n: 1 }, { sequence: 3 })
  t.strictSame(await Promise.all([1, 2, 3].map(() => own.put({ id: 3, n: 1 }, { sequence: 3 }))), [
    put,
    put,
    put,
  ])
  const copies = Array.from({ length: 20 }, () => own.put({ id: 4, n: 1 }, { sequence: 4 }))
  const versions = new Set((await Promise.all(copies)).map(({ version }) => version))
  t.equal(versions.size, 1, 'copies in flight at once get one answer')
  t.equal((await rows.getVersioned(4))?.version, [...versions][0])
})

t.test('a sequence number means one request: any other is refused', async t => {
  const { store, rows } = await world(t)
  const session = await store.session({ numbering: 'caller' })
  const own = session.collection<Row>('rows')
  await own.put({ id: 1, n: 1 }, { sequence: 1, ifVersion: null })
  const others = [
    own.put({ id: 1, n: 2 }, { sequence: 1, ifVersion: null }),
    own.put({ id: 1, n: 1 }, { sequence: 1 }),
    own.put({ id: 1, n: 1 }, { sequence: 1, ifVersion: 5 }),
    own.insert({ id: 1, n: 1 }, { sequence: 1 }),
    own.delete(1, { sequence: 1 }),
  ]
  t.strictSame(tally(await Promise.all(others.map(codeOf))), { SEQUENCE_REUSED: 5 })
  const pending = own.put({ id: 2, n: 1 }, { sequence: 2 })
  t.equal(await codeOf(own.put({ id: 2, n: 2 }, { sequence: 2 })), 'SEQUENCE_REUSED', 'also of one in flight')
  await pending
  t.strictSame(await rows.get(1), { id: 1, n: 1 })
})

t.test('one number is one request, wherever its document lies', async t => {
  const { store, rows } = await world(t)
  const options = { name: 'n', numbering: 'caller' } as const
  const session = await store.session(options)
  const own = session.collection<Row>('rows')
  const puts = (sequence: number) => Array.from({ length: 300 }, (_, id) => own.put({ id }, { sequence }))
  t.strictSame(tally(await Promise.all(puts(1).map(codeOf))), { done: 1, SEQUENCE_REUSED: 299 })
  t.equal(await rows.count(), 1)
  const batch = (id: number) => session.batch([{ delete: id, in: 'rows' }], { sequence: 2 })
  t.strictSame(tally(await Promise.all([batch(1), batch(2), batch(1)].map(codeOf))), {
    done: 2,
    SEQUENCE_REUSED: 1,
  })
  await t.rejects(own.insert({ id: 'x' }, { sequence: 1 }), {
    code: 'SEQUENCE_REUSED',
    outcome: 'not-applied',
  })
  session.release(1)
  t.equal(await codeOf(own.put({ id: 'x' }, { sequence: 1 })), 'ALREADY_ACKNOWLEDGED')
  const beyond = limits.sessionWindow + 2
  t.equal(await codeOf(own.put({ id: 'y' }, { sequence: beyond })), 'WINDOW_FULL')
  const resumed = (await store.session(options)).collection<Row>('rows')
  t.equal(await codeOf(resumed.delete(1, { sequence: 2 })), 'done', 'the same request, however it was sent')
  t.equal(await codeOf(resumed.put({ id: 1 }, { sequence: 2 })), 'SEQUENCE_REUSED', 'by the partition')
})

t.test('what was released is gone, and a late copy is refused with an unknown outcome', async t => {
  const { store } = await world(t)
  const session = await store.session({ numbering: 'caller' })
  const own = session.collection<Row>('rows')
  // One key, so one slot: there lowWater is known.
  for (let sequence = 1; sequence <= 5; sequence++) await own.put({ id: 'k', n: sequence }, { sequence })
  session.release(3)
  t.equal(session.lowWater, 4)
  const four = await own.put({ id: 'k', n: 4 }, { sequence: 4 })
  t.ok(four.existed)
  await own.put({ id: 'k', n: 6 }, { sequence: 6 })
  await t.rejects(own.put({ id: 'k', n: 2 }, { sequence: 2 }), {
    code: 'ALREADY_ACKNOWLEDGED',
    outcome: 'unknown',
  })
  t.equal(await codeOf(own.put({ id: 'k', n: 5 }, { sequence: 5 })), 'done', 'not released: kept')
  t.match(await store.collection<Row>('rows').get('k'), { n: 6 })
  session.release(2)
  t.equal(session.lowWater, 4, 'a release never goes back')
})

t.test('numbers end where the kept replies have no room for larger ones', async t => {
  const { store } = await world(t)
  const session = await store.session({ numbering: 'caller' })
  const own = session.collection<Row>('rows')
  const max = 2 ** 48 - 1
  await own.put({ id: 1 }, { sequence: 1 })
  t.equal(await codeOf(own.put({ id: 1 }, { sequence: max + 2 })), 'INVALID', 'not taken for number 1')
  t.throws(() => session.release(max), { code: 'INVALID' })
  session.release(max - 1)
  const last = await own.put({ id: 2 }, { sequence: max })
  t.strictSame(await own.put({ id: 2 }, { sequence: max }), last)
  t.equal(session.lowWater, max)
})

t.test('the window of a caller-numbered session has 1024 numbers', async t => {
  const { store } = await world(t)
  const session = await store.session({ numbering: 'caller' })
  const own = session.collection<Row>('rows')
  t.equal(await codeOf(own.put({ id: 1 }, { sequence: limits.sessionWindow })), 'done')
  await t.rejects(own.put({ id: 2 }, { sequence: limits.sessionWindow + 1 }), {
    code: 'WINDOW_FULL',
    outcome: 'not-applied',
    retry: 'later',
  })
  session.release(1)
  t.equal(await codeOf(own.put({ id: 2 }, { sequence: limits.sessionWindow + 1 })), 'done')
})

t.test('a library-numbered session queues what its window has no room for', async t => {
  const { store, rows } = await world(t)
  const session = await store.session()
  const own = session.collection<Row>('rows')
  const writes = Array.from({ length: 5000 }, (_, n) => own.put({ id: n % 700, n }))
  t.equal(session.lowWater, 1)
  await Promise.all(writes)
  t.equal(session.lowWater, 5001, 'every number is answered')
  const wrong: number[] = []
  for await (const { id, n } of rows.scan())
    if ((n ?? 0) % 700 !== id || (n ?? 0) < 4300) wrong.push(Number(id))
  t.strictSame(wrong, [], 'decided in call order')
})

t.test('what ends before it is sent leaves no hole in the window', async t => {
  const { store, rows } = await world(t)
  const session = await store.session()
  const own = session.collection<Row>('rows')
  const ended = [
    ...Array.from({ length: 1100 }, () => own.put({ id: 1 }, { signal: AbortSignal.abort() })),
    ...Array.from({ length: 1100 }, () => own.put({ id: 1 }, { deadlineMs: -1 })),
  ]
  t.strictSame(tally(await Promise.all(ended.map(codeOf))), { ABORTED: 1100, INVALID: 1100 })
  t.equal(session.lowWater, 1)
  const controller = new AbortController()
  const sent = Array.from({ length: limits.sessionWindow }, (_, id) => own.put({ id }))
  const queued = Array.from({ length: 50 }, async (_, id) => {
    await t.rejects(own.put({ id: `q${id}` }, { signal: controller.signal }), {
      code: 'ABORTED',
      outcome: 'not-applied',
    })
  })
  const brief = codeOf(own.put({ id: 'brief' }, { deadlineMs: 1e-6 }))
  controller.abort()
  await Promise.all(queued)
  await Promise.all(sent)
  await brief
  await Promise.all(Array.from({ length: 3000 }, (_, id) => own.put({ id })))
  t.equal(await rows.count({ prefix: 'q' }), 0, 'not applied is not applied')
  t.equal(await rows.count({ lt: 3000 }), 3000)
})

t.test('a store that closes answers everything that a session has queued', async t => {
  const { store } = await world(t)
  const session = await store.session()
  const own = session.collection<Row>('rows')
  const writes = Array.from({ length: 30_000 }, (_, id) => codeOf(own.put({ id })))
  await new Promise(resolve => setTimeout(resolve, 5))
  await store.close()
  const counts = tally(await Promise.all(writes))
  t.strictSame(
    Object.keys(counts).filter(code => !['done', 'CLOSED', 'CLOSED_WHILE_WAITING'].includes(code)),
    [],
  )
  t.ok((counts['CLOSED'] ?? 0) > 1000)
})

t.test(
  'the older holder of a name is fenced everywhere, and nothing is doubled',
  { timeout: 60_000 },
  async t => {
    const { store } = await world(t)
    const rows = store.collection<Row>('rows')
    const total: Record<string, number> = {}
    let counted = 0
    for (let round = 0; round < 100; round++) {
      const options = { name: `worker ${round}` }
      let number = 0
      /** Keeps 256 writes in flight: until the holder is fenced, or that many are answered. */
      const work = async (session: Session, answers: number): Promise<string[]> => {
        const own = session.collection<Row>('rows')
        const codes: string[] = []
        const one = async (): Promise<void> => {
          do codes.push(await codeOf(own.insert({ id: `${round} ${number++}` })))
          while (codes.at(-1) === 'done' && codes.length < answers)
        }
        await Promise.all(Array.from({ length: 256 }, one))
        return codes
      }
      const older = await store.session(options)
      const working = work(older, 100_000)
      const newer = await store.session(options)
      t.equal(newer.epoch, older.epoch + 1)
      const [lost, won, late] = await Promise.all([working, work(newer, 256), work(older, 1)])
      if (won.some(code => code !== 'done')) t.fail('the newer holder', tally(won))
      if (late.some(code => code !== 'FENCED')) t.fail('the older one, once it is fenced', tally(late))
      for (const code of [...lost, ...won, ...late]) total[code] = (total[code] ?? 0) + 1
      counted += lost.length + won.length + late.length
      const done = [...lost, ...won].filter(code => code === 'done').length
      const there = await rows.count({ prefix: `${round} ` })
      if (there !== done) t.equal(there, done, 'what was acknowledged and what is there are the same')
      if (lost.filter(code => code === 'FENCED').length !== 256)
        t.fail('each of 256 in flight is told', tally(lost))
    }
    t.comment(JSON.stringify(total))
    t.strictSame(Object.keys(total).sort(), ['FENCED', 'done'])
    t.equal((total['done'] ?? 0) + (total['FENCED'] ?? 0), counted)
    t.equal(total['FENCED'], 100 * 2 * 256)
    t.equal(await rows.count(), total['done'])
  },
)

t.test('two importers of one input, at once: each row once, whoever sent it', async t => {
  const { store, rows } = await world(t)
  const options = { name: 'import', numbering: 'caller', input: 'digest' } as const
  const versions = new Map<number, number>()
  const importAll = async (session: Session, step: number): Promise<string[]> => {
    const own = session.collection<Row>('rows')
    return Promise.all(
      Array.from({ length: 256 }, (_, n) => (step > 0 ? n + 1 : 256 - n)).map(async sequence => {
        try {
          const { version } = await own.insert({ id: sequence, tag: `row ${sequence}` }, { sequence })
          const known = versions.get(sequence)
          if (known !== undefined && known !== version) return 'another answer'
          versions.set(sequence, version)
          return 'done'
        } catch (error) {
          return (error as { code: string }).code
        }
      }),
    )
  }
  const one = await store.session(options)
  const first = importAll(one, 1)
  const two = await store.session(options)
  const codes = tally((await Promise.all([first, importAll(two, -1), importAll(one, -1)])).flat())
  t.strictSame(
    Object.keys(codes).filter(code => code !== 'done' && code !== 'FENCED'),
    [],
  )
  t.equal(await rows.count(), 256)
  t.equal(versions.size, 256)
})

t.test('a resumed session says from where to send again', async t => {
  const { store } = await world(t)
  const options = { name: 'import', numbering: 'caller', input: 'a' } as const
  const one = await store.session(options)
  t.equal(one.lowWater, 1)
  const own = one.collection<Row>('rows')
  for (let sequence = 1; sequence <= 40; sequence++) {
    if (sequence === 30) one.release(20)
    await own.put({ id: sequence }, { sequence })
  }
  const two = await store.session(options)
  t.equal(two.lowWater, 21, 'the highest lowWater that any slot has logged')
  t.equal(two.epoch, 2)
  t.equal(await codeOf(store.session({ ...options, input: 'b' })), 'SESSION_INPUT_CHANGED')
  t.equal(await codeOf(store.session({ name: 'import' })), 'INVALID', 'its numbering stays')
  t.equal(
    await codeOf(two.collection<Row>('rows').put({ id: 41 }, { sequence: 41 })),
    'done',
    'refusals fence nobody',
  )
})

t.test('a session that is closed ends, a name stays', async t => {
  const { store } = await world(t)
  const meta = () => store.status().sessions
  {
    await using session = await store.session()
    await session.collection<Row>('rows').put({ id: 1 })
    t.equal(meta(), 1)
  }
  t.equal(meta(), 0)
  const named = await store.session({ name: 'n' })
  await named.close()
  await named.close()
  t.equal((await store.session({ name: 'n' })).epoch, 2)
  const other = await store.session()
  t.not(other.id, named.id)
})

t.test("what a call is given counts as it is at the call: its objects are the caller's", async t => {
  const { store } = await world(t)
  const options: { name?: string; numbering?: 'caller' } = { name: 'mine' }
  const opening = store.session(options)
  options.name = 'other'
  options.numbering = 'caller'
  const session = await opening
  t.match(session, { name: 'mine', numbering: 'library' })
  const definition = { key: 'id', unique: { tag: { fields: ['tag'] }, n: { fields: ['n'] } } }
  const defining = store.define('rows', definition)
  definition.unique.n.fields = ['id']
  await defining
  t.match(store.definition('rows'), { unique: { n: { fields: ['n'] } } })
})
