/** Sign-ups: by hand, in worlds that are right, and with two holders or a false refusal planted. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Operation } from '../../../src/testing/history.js'
import { checkUniqueClaims } from '../../../src/testing/unique-claims.js'
import { seed } from '../../seed.js'
import { carryOut, plan } from './atomic-world.js'
import { fail, info, ok } from './operations.js'

t.comment(`SEED=${seed}`)

const insert = (call: number, end: number, key: string, out: boolean, value = 'kim'): Operation =>
  ok(call, end, [`c-${key}`, 'insert', key, value], out)
const remove = (call: number, end: number, key: string): Operation =>
  ok(call, end, ['d', 'delete', key], true)
const maybeInsert = (call: number, key: string): Operation => info(call, ['x', 'insert', key, 'kim'])

t.test('a value with one holder at a time passes', async t => {
  const good: [string, Operation[]][] = [
    ['one wins', [insert(0, 10, 'u1', true), insert(0, 10, 'u2', false)]],
    ['two values', [insert(0, 10, 'u1', true), insert(0, 10, 'u2', true, 'lee')]],
    ['one after the other', [insert(0, 1, 'u1', true), remove(2, 3, 'u1'), insert(4, 5, 'u2', true)]],
    ['during the removal', [insert(0, 1, 'u1', true), remove(2, 9, 'u1'), insert(3, 5, 'u2', true)]],
    ['at the end of the removal', [insert(0, 1, 'u1', true), remove(2, 9, 'u1'), insert(9, 9, 'u2', true)]],
    [
      'after a removal that may be',
      [insert(0, 1, 'u1', true), info(2, ['d', 'delete', 'u1']), insert(8, 9, 'u2', true)],
    ],
    ['the same key again', [insert(0, 1, 'u1', true), remove(2, 3, 'u1'), insert(4, 5, 'u1', true)]],
    ['refused during the removal', [insert(0, 1, 'u1', true), remove(2, 9, 'u1'), insert(8, 9, 'u2', false)]],
    ['refused by who is on the way', [insert(0, 9, 'u1', true), insert(1, 2, 'u2', false)]],
    ['refused by one that may be', [maybeInsert(0, 'u1'), insert(5, 6, 'u2', false)]],
    ['beside one that may be', [maybeInsert(0, 'u1'), insert(5, 6, 'u2', true)]],
    ['refused since the key is there', [insert(0, 1, 'u1', true), insert(2, 3, 'u1', false, 'lee')]],
    ['a failed one claims nothing', [fail(0, 1, ['c', 'insert', 'u1', 'kim']), insert(2, 3, 'u2', true)]],
    [
      'a removal that found nothing ends nothing',
      [ok(0, 9, ['d', 'delete', 'u1'], false), insert(1, 2, 'u1', true), insert(10, 11, 'u2', false)],
    ],
  ]
  for (const [title, history] of good) t.same(checkUniqueClaims(history), { verdict: 'ok' }, title)
})

t.test('two holders at once and refusals without a reason are found', async t => {
  const bad: [string, Operation[]][] = [
    ['both won', [insert(0, 10, 'u1', true), insert(0, 10, 'u2', true)]],
    ['the second won later', [insert(0, 1, 'u1', true), insert(5, 6, 'u2', true)]],
    ['and lets go at once', [insert(0, 1, 'u1', true), insert(5, 6, 'u2', true), remove(6, 7, 'u2')]],
    ['before the first is removed', [insert(0, 1, 'u1', true), insert(2, 4, 'u2', true), remove(5, 6, 'u1')]],
    [
      'a removal that failed',
      [insert(0, 1, 'u1', true), fail(2, 3, ['d', 'delete', 'u1']), insert(4, 5, 'u2', true)],
    ],
    [
      'a removal that found nothing',
      [insert(0, 1, 'u1', true), ok(2, 3, ['d', 'delete', 'u1'], false), insert(4, 5, 'u2', true)],
    ],
    ['a removal before', [remove(0, 1, 'u1'), insert(2, 3, 'u1', true), insert(4, 5, 'u2', true)]],
    ['one key made twice', [insert(0, 1, 'u1', true), insert(2, 3, 'u1', true, 'lee')]],
    ['refused, and nobody was there', [insert(0, 1, 'u1', false)]],
    ['refused before the first came', [insert(0, 1, 'u2', false), insert(2, 3, 'u1', true)]],
    [
      'refused after the last went',
      [insert(0, 1, 'u1', true), remove(2, 3, 'u1'), insert(4, 5, 'u2', false)],
    ],
    ['refused by a failed one', [fail(0, 9, ['c', 'insert', 'u1', 'kim']), insert(2, 3, 'u2', false)]],
    ['refused by a refused one', [insert(0, 9, 'u1', false), insert(2, 3, 'u2', false)]],
  ]
  for (const [title, history] of bad) t.equal(checkUniqueClaims(history).verdict, 'failed', title)
})

t.test('a failure names both holders', async t => {
  const [first, second] = [insert(0, 1, 'u1', true), insert(2_000_000, 3_000_000, 'u2', true)]
  t.match(checkUniqueClaims([first, second]), {
    verdict: 'failed',
    failures: [{ key: 'u2', evidence: [{ operations: [first, second] }] }],
    explanation: 'key "u2": the value "kim" was held by two keys at once\n',
  })
})

t.test('what writes claims in other ways is malformed', async t => {
  t.throws(() => checkUniqueClaims([ok(0, 1, ['a', 'put', 'u1', 'kim'])]), { code: 'INVALID' })
})

function world(name: string): Operation[] {
  const random = new Random(`${seed}/${name}`)
  const size = { operations: 400, keys: 30, clients: 8, values: 30, unknown: 0.05 }
  return carryOut(plan({ random, ops: ['insert', 'insert', 'delete'], ...size })).history
}

t.test('what an atomic store answers passes', async t => {
  for (let i = 0; i < 50; i++) {
    const verdict = checkUniqueClaims(world(`atomic ${i}`))
    if (verdict.verdict !== 'ok') t.fail(`SEED=${seed} ${i}`, { ...verdict })
  }
})

t.test('one insert that was let in beside a holder is found', async t => {
  let planted = 0
  for (let i = 0; i < 40; i++) {
    const history = world(`holders ${i}`)
    const target = history.find(
      one => one.op === 'insert' && one.out === false && history.some(other => isHeldBy(other, one, history)),
    )
    if (target === undefined) continue
    planted++
    const changed = history.map(one => (one === target ? ({ ...one, out: true } as Operation) : one))
    if (checkUniqueClaims(changed).verdict !== 'failed') t.fail(`SEED=${seed} ${i}`, { target })
  }
  t.ok(planted > 10, `${planted} planted`)
})

/** True if the other insert was acknowledged before this one began, and not removed before it ended. */
function isHeldBy(other: Operation, one: Operation, history: readonly Operation[]): boolean {
  const isHolder = other.op === 'insert' && other.out === true && other.in === one.in && other.key !== one.key
  if (!isHolder || Number(other.return) >= one.call) return false
  return !history.some(
    ({ op, key, call, return: end }) =>
      op === 'delete' && key === other.key && call <= Number(one.return) && (end ?? Infinity) > other.call,
  )
}

t.test('one refusal without a reason is found', async t => {
  for (let i = 0; i < 40; i++) {
    const history = world(`refusal ${i}`)
    const before = new Random(`${seed}/moment ${i}`).below(5000)
    history.push(ok(before, before + 100, ['z', 'insert', 'nobody', 'nothing'], false))
    if (checkUniqueClaims(history).verdict !== 'failed') t.fail(`SEED=${seed} ${i}`)
  }
})

t.test('a hundred thousand sign-ups for one value are checked at once', async t => {
  const history = Array.from({ length: 50_000 }, (_, i) => [
    insert(4 * i, 4 * i + 1, `u${i % 7}`, true),
    remove(4 * i + 2, 4 * i + 3, `u${i % 7}`),
  ]).flat()
  const started = process.hrtime.bigint()
  t.same(checkUniqueClaims(history), { verdict: 'ok' })
  const ms = Number(process.hrtime.bigint() - started) / 1e6
  t.comment(`${Math.round(history.length / (ms / 1000))} operations/s`)
  t.ok(ms < 5000, `${Math.round(ms)} ms`)
})
