/** Atomic batches in a session: one request each, with everything that holds for a request. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BatchStep, limits, open, type Store } from '../../../src/index.js'
import { codeOf } from './code-of.js'

async function world(t: Test): Promise<Store> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('rows', { key: 'id', unique: { tag: { fields: ['tag'] } } })
  return store
}

const transfer = (n: number): BatchStep[] => [
  { insert: { id: `out ${n}`, n: -n }, in: 'rows' },
  { insert: { id: `in ${n}`, n }, in: 'rows' },
]

t.test('a batch takes effect whole or not at all, and its refusal is kept', async t => {
  const store = await world(t)
  const rows = store.collection('rows')
  const session = await store.session({ numbering: 'caller' })
  const { version } = await session.batch(transfer(1), { sequence: 1 })
  t.equal((await rows.getVersioned('out 1'))?.version, version)
  t.equal((await rows.getVersioned('in 1'))?.version, version)
  const taken: BatchStep[] = [
    { put: { id: 'a', tag: 'x' }, in: 'rows' },
    { put: { id: 'b', tag: 'x' }, in: 'rows' },
  ]
  await t.rejects(session.batch(taken, { sequence: 2 }), { code: 'UNIQUE_TAKEN', outcome: 'not-applied' })
  t.equal(await rows.count(), 2)
  const stale: BatchStep[] = [
    { delete: 'out 1', in: 'rows' },
    { check: 'in 1', ifVersion: null, in: 'rows' },
  ]
  await t.rejects(session.batch(stale, { sequence: 3 }), { code: 'CONFLICT' })
  await rows.delete('in 1')
  await t.rejects(
    session.batch(stale, { sequence: 3 }),
    { code: 'CONFLICT' },
    'also when it would be granted',
  )
  t.ok(await rows.has('out 1'))
})

t.test('a batch that is sent again after a restart gets its first answer, and executes nothing', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const options = { name: 'import', numbering: 'caller', input: 'digest' } as const
  const first: number[] = []
  {
    await using store = await open({ dir })
    await store.define('rows', { key: 'id' })
    const session = await store.session(options)
    for (const n of [1, 2, 3]) first.push((await session.batch(transfer(n), { sequence: n })).version)
    await store.collection('rows').delete('out 2')
  }
  await using store = await open({ dir })
  const session = await store.session(options)
  t.equal(session.lowWater, 1)
  const again = await Promise.all([3, 1, 2].map(n => session.batch(transfer(n), { sequence: n })))
  t.strictSame(
    again.map(({ version }) => version),
    [first[2], first[0], first[1]],
  )
  const rows = store.collection('rows')
  t.notOk(await rows.has('out 2'))
  t.equal(await rows.count(), 5)
  const resumed = await store.session(options)
  const [head, ...rest] = transfer(1) as [BatchStep, BatchStep]
  for (const other of [[head], [head, ...rest, ...rest], [head, { delete: 'in 3', in: 'rows' }]]) {
    const call = resumed.batch(other as BatchStep[], { sequence: 1 })
    await t.rejects(call, { code: 'SEQUENCE_REUSED', outcome: 'not-applied' })
  }
  t.equal(await rows.count(), 5)
})

t.test('the batches of an older holder are fenced, but for those that it sent before', async t => {
  const store = await world(t)
  const older = await store.session({ name: 'n', numbering: 'caller' })
  const before = await older.batch(transfer(1), { sequence: 1 })
  const newer = await store.session({ name: 'n', numbering: 'caller' })
  t.equal(await codeOf(older.batch(transfer(2), { sequence: 2 })), 'FENCED')
  t.strictSame(await older.batch(transfer(1), { sequence: 1 }), before)
  t.equal(await store.collection('rows').count(), 2)
  t.equal(await codeOf(newer.batch(transfer(2), { sequence: 2 })), 'done')
  t.equal(await store.collection('rows').count(), 4)
})

t.test('a library-numbered session takes its batches and its single writes in call order', async t => {
  const store = await world(t)
  const session = await store.session()
  const rows = session.collection('rows')
  const calls: Promise<unknown>[] = []
  for (let n = 0; n < 3000; n++) {
    calls.push(n % 2 === 0 ? rows.put({ id: 'k', n }) : session.batch([{ put: { id: 'k', n }, in: 'rows' }]))
  }
  await Promise.all(calls)
  t.equal((await rows.get('k'))?.['n'], 2999)
  t.equal(session.lowWater, 3001, 'each is one request')
})

t.test('a batch is checked alike in a session and without one', async t => {
  const store = await world(t)
  const session = await store.session()
  const heavy = Array.from({ length: 4 }, (_, id) => ({ put: { id, v: 'x'.repeat(900_000) }, in: 'rows' }))
  const many = Array.from({ length: limits.batchCommandsMax + 1 }, (_, id) => ({ delete: id, in: 'rows' }))
  const one = [{ put: { id: 1 }, in: 'rows' }]
  const tries: [unknown, unknown, string][] = [
    [[], undefined, 'INVALID'],
    ['steps', undefined, 'INVALID'],
    [new Array(2), undefined, 'INVALID'],
    [[{ put: { id: 1 }, in: 'nope' }], undefined, 'NOT_FOUND'],
    [many, undefined, 'TOO_LARGE'],
    [heavy, undefined, 'TOO_LARGE'],
    [one, { ifVersion: 1 }, 'INVALID'],
    [one, null, 'INVALID'],
    [one, { sequence: 1 }, 'INVALID'],
  ]
  for (const [steps, options, code] of tries) {
    for (const target of [store, session]) {
      const call = target.batch(steps as never, options as never)
      await t.rejects(call, { code, outcome: 'not-applied' })
    }
  }
  const numbered = await store.session({ numbering: 'caller' })
  t.equal(await codeOf(numbered.batch(one)), 'INVALID', 'a number is needed')
  await session.close()
  await t.rejects(session.batch(one), { code: 'CLOSED', outcome: 'not-applied' })
  await numbered.close()
  await t.rejects(numbered.batch(one, { sequence: 1 }), { code: 'CLOSED', outcome: 'unknown' })
  t.equal(await store.collection('rows').count(), 0)
})
