/** Effects of requests that were sent again: by hand, in worlds that are right, with faults planted. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { checkExactlyOnce } from '../../../src/testing/exactly-once.js'
import type { Operation, Value } from '../../../src/testing/history.js'
import { seed } from '../../seed.js'
import { carryOut, perform, plan } from './atomic-world.js'
import { fail, info, ok } from './operations.js'

t.comment(`SEED=${seed}`)

const check = (history: readonly Operation[], final: Value) =>
  checkExactlyOnce(history, new Map([['k', final]]))

const append = (call: number, client: string, element: Value, out: Value = null): Operation =>
  ok(call, call + 1, [client, 'append', 'k', element], out)
const incr = (call: number, amount: number): Operation => ok(call, call + 1, ['a', 'incr', 'k', amount])
const maybe = (op: 'append' | 'incr', input: Value): Operation => info(0, ['x', op, 'k', input])
const no = (op: 'append' | 'incr', input: Value): Operation => fail(0, 1, ['x', op, 'k', input])

t.test('each acknowledged operation once, unknown ones at most once, failed ones never', async t => {
  const good: [string, Operation[], Value][] = [
    ['a list', [append(0, 'a', 1), append(2, 'b', 2)], [1, 2]],
    ['in another order of other clients', [append(0, 'a', 1), append(2, 'b', 2)], [2, 1]],
    ['equal elements', [append(0, 'a', 1), append(2, 'a', 1)], [1, 1]],
    ['an unknown one', [append(0, 'a', 1), maybe('append', 2)], [1, 2]],
    ['an unknown one that never came', [append(0, 'a', 1), maybe('append', 2)], [1]],
    ['an unknown one equal to another', [append(0, 'a', 1), maybe('append', 1)], [1, 1]],
    ['a failed one', [no('append', 1)], null],
    [
      'lists seen on the way',
      [append(0, 'a', 1, [1]), ok(2, 3, ['b', 'get', 'k'], [1]), append(4, 'a', 2)],
      [1, 2],
    ],
    ['a sum', [incr(0, 1), incr(2, 2), maybe('incr', 4), maybe('incr', 8), no('incr', 16)], 11],
    ['an empty sum', [maybe('incr', 4)], null],
    ['reads alone', [ok(2, 3, ['b', 'get', 'k'])], null],
  ]
  for (const [title, history, final] of good) t.same(check(history, final), { verdict: 'ok' }, title)
})

t.test('lost, doubled, failed, strange and reordered effects are found', async t => {
  const bad: [string, Operation[], Value, RegExp][] = [
    ['lost', [append(0, 'a', 1), append(2, 'b', 2)], [1], /an append is lost: 2 stands 0 times/],
    ['all lost', [append(0, 'a', 1)], null, /an append is lost/],
    ['doubled', [append(0, 'a', 1)], [1, 1], /too often: 1 stands 2 times in the last list, of 1 ack/],
    ['unknown and doubled', [maybe('append', 1)], [1, 1], /too often/],
    [
      'failed and there',
      [no('append', 1)],
      [1],
      /too often: 1 stands 1 times .* 0 acknowledged and 0 unknown/,
    ],
    ['from nowhere', [append(0, 'a', 1)], [1, 7], /7 is in the last list, and nobody appended it/],
    ['no list', [append(0, 'a', 1)], 5, /an append is lost/],
    ['reordered', [append(0, 'a', 1), append(2, 'a', 2)], [2, 1], /appends of a stand in another order/],
    [
      'seen otherwise',
      [append(0, 'a', 1), ok(2, 3, ['b', 'get', 'k'], [2]), append(4, 'b', 2)],
      [1, 2],
      /no beginning/,
    ],
    ['not at the end', [append(0, 'a', 1), append(2, 'b', 2, [1])], [1, 2], /does not stand at the end/],
    ['a sum too small', [incr(0, 1), incr(2, 2)], 2, /the last sum is 2: all acknowledged increments make 3/],
    ['a sum too large', [incr(0, 1), maybe('incr', 2)], 2, /no choice of the unknown ones makes the rest/],
    ['no sum', [incr(0, 1)], [1], /the last sum is \[1\]/],
  ]
  for (const [title, history, final, explanation] of bad)
    t.match(check(history, final), { verdict: 'failed', explanation }, title)
})

t.test('what cannot be checked is malformed, or undecided', async t => {
  t.throws(() => check([append(0, 'a', 1), incr(2, 1)], 1), {
    code: 'INVALID',
    message: /a list and a counter/,
  })
  t.throws(() => check([ok(0, 1, ['a', 'put', 'k', 1])], 1), { code: 'INVALID' })
  t.throws(() => checkExactlyOnce([incr(0, 1)], new Map()), { code: 'INVALID', message: /is not given/ })
  const powers = Array.from({ length: 40 }, (_, i) => maybe('incr', 2 ** i))
  t.match(check(powers, 1), { verdict: 'undecided', keys: [{ key: 'k' }], explanation: /too many sums/ })
})

function world(name: string, op: 'append' | 'incr') {
  const random = new Random(`${seed}/${name}`)
  const size = { operations: 300, keys: 3, clients: 6, unknown: 0.1 }
  const plans = plan({ random, ops: [op, op, 'get'], ...size })
  return { plans, random }
}

t.test('what an atomic store does passes', async t => {
  for (let i = 0; i < 30; i++) {
    for (const op of ['append', 'incr'] as const) {
      const { history, state } = carryOut(world(`atomic ${i}`, op).plans)
      const verdict = checkExactlyOnce(history, state)
      if (verdict.verdict !== 'ok') t.fail(`SEED=${seed} ${op} ${i}`, { ...verdict })
    }
  }
})

t.test('one effect that is lost, or comes twice, is found', async t => {
  for (let i = 0; i < 30; i++) {
    for (const op of ['append', 'incr'] as const) {
      const { plans, random } = world(`effects ${i}`, op)
      const chosen = random.pick(plans.filter(one => one.op === op && one.return !== null))
      // A sum with another amount tells nothing if unknown ones can make up for it: here none can.
      const planted = plans.map(one => (one === chosen && op === 'incr' ? { ...one, in: 1_000_000 } : one))
      const target = planted[plans.indexOf(chosen)]
      for (const times of [0, 2]) {
        const { history, state } = carryOut(planted, (state, one) => {
          if (one === target && times === 0) return perform(new Map(state), one)
          const answer = perform(state, one)
          return one === target ? perform(state, one) : answer
        })
        if (checkExactlyOnce(history, state).verdict !== 'failed') t.fail(`SEED=${seed} ${op} ${i} ${times}`)
      }
    }
  }
})

t.test('two appends of one client in another order are found', async t => {
  for (let i = 0; i < 30; i++) {
    const { plans, random } = world(`order ${i}`, 'append')
    const { history, state } = carryOut(plans)
    const first = random.pick(
      history.slice(0, 100).filter(({ op, status }) => op === 'append' && status === 'ok'),
    )
    const isNext = ({ op, client, key, status, call }: Operation): boolean =>
      op === 'append' && status === 'ok' && client === first.client && key === first.key && call > first.call
    const second = history.find(isNext)
    if (second === undefined) continue
    const names = new Map([
      [first.in, second.in],
      [second.in, first.in],
    ])
    const renamed = (out: Value): Value =>
      Array.isArray(out) ? (out as Value[]).map(element => names.get(element) ?? element) : out
    // Answers are left out: they would tell as much.
    const told = history.filter(({ op }) => op === 'append').map(one => ({ ...one, out: null }) as Operation)
    const finals = new Map([...state].map(([key, value]) => [key, renamed(value)]))
    const verdict = checkExactlyOnce(told, finals)
    if (verdict.verdict !== 'failed') t.fail(`SEED=${seed} ${i}`)
    else t.match(verdict.explanation, /stand in another order/)
  }
})
