/** Many inserts as one numbered request of a session: each row by itself, and all of it once. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { type InsertResult, limits, open } from '../../../src/index.js'
import { codeOf } from './code-of.js'

function wordOf(result: InsertResult): string {
  return result.ok ? `ok ${result.version}` : `${result.error.code} ${result.error.outcome}`
}

const definition = { key: 'id', unique: { n: { fields: ['n'] } } }

t.test(
  'each row is inserted or refused by itself; sent again, also by the next holder, it is the same',
  async t => {
    const dir = mkdtempSync(path.join(tmpdir(), 'sillok-rows-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    let store = await open({ dir })
    await store.define('rows', definition)
    await store.collection('rows').insert({ id: 9, n: 'held' })
    const rows = [
      { id: 1, n: 'a' },
      { id: 2, n: 'held' },
      { id: 9, n: 'b' },
      { id: 3, n: 'a' },
      { id: 4, n: Number.NaN },
      { id: 5, n: 'c' },
    ]
    const session = await store.session({ name: 'import', numbering: 'caller' })
    const first = await session.collection('rows').insertMany(rows, { sequence: 1 })
    const version = first[0]?.ok === true ? first[0].version : 0
    t.strictSame(first.map(wordOf), [
      `ok ${version}`,
      'UNIQUE_TAKEN not-applied',
      'EXISTS not-applied',
      'UNIQUE_TAKEN not-applied',
      'INVALID not-applied',
      `ok ${version}`,
    ])
    t.match(first[1], { error: { details: { constraint: 'n', holder: 9 } } })
    t.match(first[3], { error: { details: { constraint: 'n', holder: 1, version } } })
    await store.collection('rows').delete(1)
    await store.collection('rows').delete(9)
    const again = await session.collection('rows').insertMany(rows, { sequence: 1 })
    t.strictSame(again, first, 'its answer is kept whole')
    await store.close()
    store = await open({ dir })
    const next = await store.session({ name: 'import', numbering: 'caller' })
    t.strictSame(await next.collection('rows').insertMany(rows, { sequence: 1 }), first)
    t.notOk(await store.collection('rows').has(1), 'what was deleted since does not come back')
    await store.close()
  },
)

t.test('a number stands for one request: other rows, or the same as a batch, are refused', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', definition)
  const session = await store.session({ name: 'import', numbering: 'caller' })
  const rows = session.collection('rows')
  await rows.insertMany([{ id: 1, n: 1 }], { sequence: 5 })
  t.equal(await codeOf(rows.insertMany([{ id: 1, n: 2 }], { sequence: 5 })), 'SEQUENCE_REUSED')
  t.equal(
    await codeOf(session.batch([{ insert: { id: 1, n: 1 }, in: 'rows' }], { sequence: 5 })),
    'SEQUENCE_REUSED',
  )
  const next = await store.session({ name: 'import', numbering: 'caller' })
  t.equal(await codeOf(next.collection('rows').insert({ id: 1, n: 1 }, { sequence: 5 })), 'SEQUENCE_REUSED')
  t.equal(await codeOf(rows.insertMany([{ id: 2, n: 2 }], { sequence: 6 })), 'FENCED')
})

t.test('what cannot be one request is refused as a whole, and nothing takes effect', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', { key: 'id' })
  const session = await store.session({ numbering: 'caller' })
  const rows = session.collection('rows')
  const many = Array.from({ length: limits.batchCommandsMax + 1 }, (_, id) => ({ id }))
  const large = Array.from({ length: 4 }, (_, id) => ({ id, text: 'x'.repeat(900_000) }))
  // What is no request was never one; what is too large, or was asked for in a wrong way, may have been sent
  // before under its number.
  for (const [documents, options, code, outcome] of [
    [[{ id: 1 }], undefined, 'INVALID', 'not-applied'],
    [[{ id: 1 }], { sequence: 0 }, 'INVALID', 'not-applied'],
    [[{ id: 1 }], { sequence: 1, requestId: 'x' }, 'INVALID', 'not-applied'],
    [[{ id: 1 }], { sequence: 1, ifVersion: 3 }, 'INVALID', 'unknown'],
    [[{ id: 1 }], { sequence: 1, deadlineMs: 0 }, 'INVALID', 'unknown'],
    [7, { sequence: 1 }, 'INVALID', 'not-applied'],
    [many, { sequence: 1 }, 'TOO_LARGE', 'unknown'],
    [large, { sequence: 1 }, 'TOO_LARGE', 'unknown'],
  ] as const) {
    await t.rejects(rows.insertMany(documents as never, options as never), { code, outcome })
  }
  t.equal(await store.collection('rows').count(), 0)
  t.strictSame(await rows.insertMany([], { sequence: 1 }), [])
  t.equal(
    (await rows.insertMany(many.slice(1), { sequence: 1 })).filter(({ ok }) => ok).length,
    many.length - 1,
  )
  t.equal(await store.collection('rows').count(), many.length - 1)
  t.equal(
    await codeOf(store.collection('rows').insertMany([{ id: 1 }], { sequence: 1 })),
    'INVALID',
    'only where the caller numbers',
  )
})

t.test('a schema sees each row', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', { key: 'id' })
  const session = await store.session({ numbering: 'caller' })
  for (const [sequence, isAsync] of [
    [1, false],
    [2, true],
  ] as const) {
    const validate = (value: unknown) => {
      const { id } = value as { id: number }
      const result = id % 2 === 0 ? { issues: [{ message: 'even' }] } : { value: { id: id + 100 * sequence } }
      return isAsync ? Promise.resolve(result) : result
    }
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
    const rows = session.collection('rows', { validate: schema as never })
    const results = await rows.insertMany([{ id: 1 }, { id: 2 }, { id: 3 }] as never, { sequence })
    t.strictSame(
      results.map(result => (result.ok ? 'ok' : `${result.error.code} ${result.error.outcome}`)),
      ['ok', 'VALIDATION_FAILED unknown', 'ok'],
    )
    t.ok(await store.collection('rows').has(100 * sequence + 3))
  }
})

t.test(
  'what an index refuses belongs to the request, whichever indexes there are when it is sent',
  async t => {
    const store = await open({ memory: true })
    await store.define('rows', { key: 'id' })
    // In the index each of them has a row with the document's key.
    const tags = Array.from({ length: 20_000 }, (_, n) => `t${n}`)
    const long = (id: string) => ({ id: id.padEnd(100), tags })
    const [big, b, c] = [long('a'), { id: 'b' }, { id: 'c' }]
    const indexed = {
      key: 'id',
      indexes: { tags: { type: 'secondary', fields: ['tags'], each: 'tags' } },
    } as const
    const options = { name: 'import', numbering: 'caller' } as const
    const send = async (rows: readonly object[], sequence: number): Promise<InsertResult[]> => {
      const session = await store.session(options)
      return await session.collection('rows').insertMany(rows as never, { sequence })
    }
    const first = await send([big, b, c], 1)
    const second = await send([{ id: 'd' }, long('e')], 2)
    t.ok([...first, ...second].every(({ ok }) => ok))
    await store.define('rows', indexed)
    await store.collection('rows').delete('b')
    t.strictSame(await send([big, b, c], 1), first)
    t.strictSame(await send([{ id: 'd' }, long('e')], 2), second)
    t.notOk(await store.collection('rows').has('b'), 'nothing is inserted again')
    const third = await send([long('f'), { id: 'g' }], 3)
    t.match(third, [
      { ok: false, error: { code: 'TOO_LARGE', outcome: 'not-applied', details: { index: 'tags' } } },
      { ok: true },
    ])
    await store.define('rows', { key: 'id' }, { drop: true })
    t.strictSame(await send([long('f'), { id: 'g' }], 3), third, 'also when no index refuses it')
    await store.close()
  },
)

t.test(
  'a schema that never answers is waited for until deadline, signal or the end of the store',
  async t => {
    const store = await open({ memory: true })
    await store.define('rows', { key: 'id' })
    const session = await store.session({ numbering: 'caller' })
    const validate = {
      '~standard': { version: 1, vendor: 'own', validate: () => new Promise(() => {}) },
    } as const
    const rows = session.collection('rows', { validate: validate as never })
    const send = (sequence: number, own: object = {}) => rows.insertMany([{ id: 1 }], { sequence, ...own })
    await t.rejects(send(1, { deadlineMs: 20 }), { code: 'TIMED_OUT', outcome: 'unknown' })
    const stop = new AbortController()
    const stopped = t.rejects(send(2, { signal: stop.signal }), { code: 'ABORTED', outcome: 'unknown' })
    stop.abort()
    await stopped
    const waiting = codeOf(send(3))
    await store.close()
    t.match(await waiting, /^CLOSED/)
  },
)

t.test('what is too much for one request is not gone through to its end', async t => {
  const store = await open({ memory: true })
  await store.define('rows', { key: 'id' })
  const session = await store.session({ numbering: 'caller' })
  let takenCount = 0
  const many = function* () {
    for (let id = 0; ; id++) {
      takenCount += 1
      yield { id, text: 'x'.repeat(500_000) }
    }
  }
  const sent = session.collection('rows').insertMany(many(), { sequence: 1 })
  await t.rejects(sent, { code: 'TOO_LARGE', outcome: 'unknown' })
  t.ok(takenCount < 10, `${takenCount} were taken`)
  await store.close()
})
