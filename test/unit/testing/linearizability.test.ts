/** Linearizability: by hand, against every order tried, in worlds that are right, with faults planted. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Operation, OpName, Value } from '../../../src/testing/history.js'
import { checkLinearizability } from '../../../src/testing/linearizability.js'
import { counter, list, type Model, register } from '../../../src/testing/models.js'
import { seed } from '../../seed.js'
import { byEffect, carryOut, type Plan, perform, plan } from './atomic-world.js'
import { explains, hasOrder } from './brute-force.js'
import { fail, info, ok, readAt } from './operations.js'

const { COUNT = '1000' } = process.env
t.comment(`SEED=${seed}`)

const registerOps: OpName[] = ['put', 'get', 'get', 'cas', 'delete']
const kinds: [Model, OpName[]][] = [
  [register, registerOps],
  [counter, ['incr', 'get']],
  [list, ['append', 'get']],
]

const verdictOf = (model: Model, history: readonly Operation[]): string =>
  checkLinearizability(history, model).verdict

t.test('histories that one order explains pass', async t => {
  const put5 = ok(0, 10, ['a', 'put', 'k', 5])
  const good: [string, Model, Operation[]][] = [
    ['nothing', register, []],
    ['a read during a write sees it', register, [put5, ok(2, 3, ['b', 'get', 'k'], 5)]],
    ['or does not', register, [put5, ok(2, 3, ['b', 'get', 'k'])]],
    ['an end and a call at one time overlap', register, [put5, ok(10, 12, ['b', 'get', 'k'])]],
    ['other keys do not matter', register, [put5, ok(11, 12, ['b', 'get', 'other'])]],
    [
      'a failed write is never seen',
      register,
      [fail(0, 1, ['a', 'put', 'k', 5]), ok(2, 3, ['b', 'get', 'k'])],
    ],
    [
      'an unknown write is seen late',
      register,
      [info(0, ['a', 'put', 'k', 5]), ok(2, 3, ['b', 'get', 'k']), ok(4, 5, ['b', 'get', 'k'], 5)],
    ],
    [
      'an unknown write begins as a read of it ends',
      register,
      [ok(0, 10, ['b', 'get', 'k'], 5), info(10, ['a', 'put', 'k', 5])],
    ],
    [
      'an unknown comparison is made good use of',
      register,
      [put5, info(11, ['b', 'cas', 'k', { from: 5, to: 6 }]), ok(20, 21, ['a', 'get', 'k'], 6)],
    ],
    [
      'an unknown write explains a refused comparison',
      register,
      [put5, info(0, ['b', 'put', 'k', 7]), ok(20, 21, ['a', 'cas', 'k', { from: 5, to: 6 }], false)],
    ],
    [
      'a removed value is gone',
      register,
      [put5, ok(11, 12, ['a', 'delete', 'k'], true), ok(13, 14, ['a', 'get', 'k'])],
    ],
    [
      'fields have no order',
      register,
      [ok(0, 1, ['a', 'put', 'k', { x: 1, y: 2 }]), ok(2, 3, ['a', 'get', 'k'], { y: 2, x: 1 })],
    ],
    ['a stale read is not asked', register, [put5, readAt('stale', [20, 21], 'b', null)]],
    [
      'a counter that is not there is 0',
      counter,
      [ok(0, 1, ['a', 'get', 'k'], 0), ok(2, 3, ['a', 'get', 'k'])],
    ],
    [
      'an unknown increment counts',
      counter,
      [info(0, ['a', 'incr', 'k', 2]), ok(2, 3, ['b', 'incr', 'k', 1], 3)],
    ],
    ['a sum that is not told', counter, [ok(0, 1, ['a', 'incr', 'k', 2]), ok(2, 3, ['b', 'get', 'k'], 2)]],
    [
      'what falls may come back',
      counter,
      [ok(0, 9, ['a', 'incr', 'k', 2]), ok(0, 9, ['b', 'incr', 'k', -2]), ok(5, 6, ['b', 'get', 'k'], -2)],
    ],
    [
      'elements may be equal',
      list,
      [ok(0, 1, ['a', 'append', 'k', 1], [1]), ok(2, 3, ['b', 'append', 'k', 1], [1, 1])],
    ],
    [
      'a list that is not told',
      list,
      [
        ok(0, 9, ['a', 'append', 'k', 1]),
        ok(0, 9, ['b', 'append', 'k', 2]),
        ok(10, 11, ['b', 'get', 'k'], [2, 1]),
      ],
    ],
  ]
  for (const [title, model, history] of good)
    t.same(checkLinearizability(history, model), { verdict: 'ok' }, title)
})

t.test('histories that no order explains fail', async t => {
  const put5 = ok(0, 10, ['a', 'put', 'k', 5])
  const bad: [string, Model, Operation[]][] = [
    ['a stale read', register, [put5, ok(11, 12, ['b', 'get', 'k'])]],
    ['a value that nobody wrote', register, [put5, ok(11, 12, ['b', 'get', 'k'], 6)]],
    [
      'a failed write that is seen',
      register,
      [fail(0, 1, ['a', 'put', 'k', 5]), ok(2, 3, ['b', 'get', 'k'], 5)],
    ],
    [
      'a write that is seen before it was called',
      register,
      [ok(0, 1, ['b', 'get', 'k'], 5), info(2, ['a', 'put', 'k', 5])],
    ],
    [
      'reads that go back during one write',
      register,
      [ok(0, 99, ['a', 'put', 'k', 5]), ok(2, 3, ['b', 'get', 'k'], 5), ok(4, 5, ['c', 'get', 'k'])],
    ],
    [
      'an unknown write that counts twice',
      register,
      [
        info(0, ['a', 'put', 'k', 5]),
        ok(1, 2, ['b', 'get', 'k'], 5),
        ok(3, 4, ['b', 'put', 'k', 6]),
        ok(5, 6, ['b', 'get', 'k'], 5),
      ],
    ],
    [
      'two comparisons that both won',
      register,
      ['b', 'c'].map(who => ok(0, 9, [who, 'cas', 'k', { from: null, to: 1 }], true)),
    ],
    [
      'a comparison refused for no reason',
      register,
      [put5, ok(11, 12, ['b', 'cas', 'k', { from: 5, to: 6 }], false)],
    ],
    ['a removal that found nothing', register, [put5, ok(11, 12, ['b', 'delete', 'k'], false)]],
    ['one sum twice', counter, [ok(0, 9, ['a', 'incr', 'k', 1], 1), ok(0, 9, ['b', 'incr', 'k', 1], 1)]],
    ['a sum that is none', counter, [ok(0, 1, ['a', 'incr', 'k', 1]), ok(2, 3, ['b', 'get', 'k'], [])]],
    ['a list that is none', list, [ok(0, 1, ['b', 'get', 'k'], 0)]],
    ['a lost increment', counter, [ok(0, 1, ['a', 'incr', 'k', 1]), ok(2, 3, ['b', 'get', 'k'])]],
    ['a doubled element', list, [ok(0, 1, ['a', 'append', 'k', 1]), ok(2, 3, ['b', 'get', 'k'], [1, 1])]],
    [
      'two lists that grew apart',
      list,
      [ok(0, 9, ['a', 'append', 'k', 1], [1]), ok(0, 9, ['b', 'append', 'k', 2], [2])],
    ],
    [
      'a list in another order',
      list,
      [ok(0, 1, ['a', 'append', 'k', 1]), ok(2, 3, ['b', 'append', 'k', 2], [2, 1])],
    ],
  ]
  for (const [title, model, history] of bad) t.equal(verdictOf(model, history), 'failed', title)
})

t.test('a failure says how far an order goes, and what cannot follow', async t => {
  const history = [
    ok(1_000_000, 2_000_000, ['c1', 'put', 'k', 5]),
    ok(3_000_000, 4_000_000, ['c2', 'put', 'k', 6]),
    ok(5_000_000, 6_500_000, ['c3', 'get', 'k'], 5),
    ok(7_000_000, 8_000_000, ['c3', 'get', 'k'], 6),
  ]
  const verdict = checkLinearizability(history, register)
  t.equal(
    verdict.verdict === 'failed' && verdict.explanation,
    [
      'key "k": no order of its operations explains all answers',
      '  an order that explains those up to there:',
      '    1.000000 … 2.000000 ms  c1  put 5',
      '    3.000000 … 4.000000 ms  c2  put 6',
      '  then there is 6; with the next answer no order is left:',
      '    5.000000 … 6.500000 ms  c3  get -> 5',
    ].join('\n'),
  )
  t.match(verdict, { failures: [{ key: 'k', evidence: [{ operations: history.slice(0, 2) }, {}] }] })
})

t.test('what a model does not know is malformed, not a failure', async t => {
  t.throws(() => checkLinearizability([ok(0, 1, ['a', 'incr', 'k', 1])], register), { code: 'INVALID' })
  t.throws(() => checkLinearizability([{ ...ok(0, 1, ['a', 'put', 'k', 1]), return: -1 }], register), {
    code: 'INVALID',
  })
})

t.test('the search agrees with every order tried, on small histories', async t => {
  const found = { ok: 0, failed: 0, undecided: 0 }
  for (const [model, ops] of kinds) {
    for (let i = 0; i < Number(COUNT); i++) {
      const random = new Random(`${seed}/${model.name}/${i}`)
      const size = { operations: 2 + random.below(6), keys: 1, clients: 3, values: 2 + random.below(3) }
      const { history } = carryOut(plan({ random, ops, unknown: random.fraction() * 0.8, ...size }))
      const changed = history.map(one => (random.chance(0.4) ? otherwise(one, random) : one))
      const verdict = checkLinearizability(changed, model)
      found[verdict.verdict]++
      if (verdict.verdict === 'failed') {
        const order = verdict.failures[0]?.evidence[0]?.operations ?? []
        if (!explains(order)) t.fail(`SEED=${seed} ${model.name} ${i}: what is told is no order`, { order })
      }
      if ((verdict.verdict === 'ok') === hasOrder(changed)) continue
      t.fail(`SEED=${seed} ${model.name} ${i}: ${verdict.verdict}`, { changed })
      return
    }
  }
  t.comment(JSON.stringify(found))
  t.ok(found.ok > Number(COUNT) / 2 && found.failed > Number(COUNT) / 4, 'both are common')
  t.equal(found.undecided, 0)
})

/** The operation with another answer, time or status. */
function otherwise(one: Operation, random: Random): Operation {
  const changed = (changes: object): Operation => ({ ...one, ...changes }) as Operation
  if (one.status !== 'ok') return changed({ call: Math.max(0, one.call - random.below(300)) })
  if (random.chance(0.3)) return changed({ return: Number(one.return) + random.below(500) })
  const { op, out } = one
  if (typeof out === 'boolean') return changed({ out: !out })
  if (op === 'get' && typeof out === 'number') return changed({ out: Math.max(1, out + random.below(3) - 1) })
  if (op === 'incr') return changed({ out: random.chance(0.5) ? null : Number(out) + random.below(3) - 1 })
  if (!Array.isArray(out)) return one
  const told = out as Value[]
  if (op === 'append' && random.chance(0.6)) return changed({ out: null })
  return changed({ out: random.chance(0.5) ? told.toReversed() : told.slice(random.below(2)) })
}

t.test('what an atomic store answers passes, whatever is lost on the way', async t => {
  for (const [model, ops] of kinds) {
    for (let i = 0; i < 30; i++) {
      const random = new Random(`${seed}/${model.name}/atomic ${i}`)
      const values = random.chance(0.5) ? { values: 4 } : {}
      const size = { operations: 300, keys: 1 + random.below(4), clients: 2 + random.below(8) }
      const { history } = carryOut(plan({ random, ops, unknown: 0.1, ...values, ...size }))
      const verdict = checkLinearizability(history, model)
      if (verdict.verdict !== 'ok')
        t.fail(`SEED=${seed} ${model.name} ${i}: ${verdict.verdict}`, { ...verdict })
    }
  }
})

t.test('one lost write among many is found', async t => {
  for (const [model, ops] of kinds) {
    const write = ops[0] ?? 'put'
    for (let i = 0; i < 25; i++) {
      const random = new Random(`${seed}/${model.name}/lost ${i}`)
      // An unknown write may come late, over the one that is lost.
      const unknown = model === register ? 0 : 0.03
      const plans = plan({ random, operations: 200, keys: 2, clients: 5, ops, unknown })
      const end = Math.max(...plans.map(one => Math.max(one.effect ?? 0, one.return ?? 0)))
      const key = `k${random.below(2)}`
      const last = { client: 'last', key, call: end + 1, effect: end + 2, return: end + 3 }
      const lost: Plan = { ...last, op: write, in: 1_000_000 }
      const look: Plan = { ...last, op: 'get', in: null, call: end + 4, effect: end + 5, return: end + 6 }
      const all = [...plans, lost, look]
      t.equal(verdictOf(model, carryOut(all).history), 'ok')
      const { history } = carryOut(all, (state, one) => {
        if (one !== lost) return perform(state, one)
        return perform(new Map(state), one)
      })
      if (verdictOf(model, history) !== 'failed') t.fail(`SEED=${seed} ${model.name} ${i}`)
    }
  }
})

t.test('one stale read among many is found', async t => {
  let planted = 0
  for (let i = 0; i < 40; i++) {
    const random = new Random(`${seed}/stale ${i}`)
    const plans = plan({ random, operations: 300, keys: 2, clients: 6, ops: ['put', 'get'], unknown: 0.03 })
    const { history } = carryOut(plans)
    const target = random.pick(history.filter(({ op }) => op === 'get'))
    const before = byEffect(plans).filter(
      ({ op, key, return: end }) =>
        op === 'put' && key === target.key && Number(end ?? Infinity) < target.call,
    )
    const [old, ...newer] = before
    if (old === undefined || !newer.some(one => one.call > Number(old.return))) continue
    planted++
    const changed = history.map(one => (one === target ? ({ ...one, out: old.in } as Operation) : one))
    if (verdictOf(register, changed) !== 'failed') t.fail(`SEED=${seed} ${i}`)
  }
  t.ok(planted > 10, `${planted} planted`)
})

t.test('a hundred thousand operations on a hundred keys take a few seconds at most', async t => {
  const random = new Random(`${seed}/large`)
  const plans = plan({ random, operations: 100_000, keys: 100, clients: 20, ops: registerOps, unknown: 0.01 })
  const { history } = carryOut(plans)
  const started = process.hrtime.bigint()
  t.equal(verdictOf(register, history), 'ok')
  const ms = Number(process.hrtime.bigint() - started) / 1e6
  t.comment(`${Math.round(history.length / (ms / 1000))} operations/s`)
  t.ok(ms < 10_000, `${Math.round(ms)} ms`)
})

t.test('many unknown outcomes on one key are decided', async t => {
  for (const [model, ops] of kinds) {
    const random = new Random(`${seed}/${model.name}/hard`)
    const { history } = carryOut(plan({ random, operations: 600, keys: 1, clients: 20, ops, unknown: 0.3 }))
    t.equal(verdictOf(model, history), 'ok', model.name)
  }
})

t.test('a search that is given up says so, and of which key', async t => {
  const random = new Random('given up')
  const { history } = carryOut(
    plan({ random, operations: 300, keys: 1, clients: 20, ops: registerOps, values: 3 }),
  )
  const verdict = checkLinearizability(history, register, { effort: 300 })
  t.match(verdict, {
    verdict: 'undecided',
    keys: [{ key: 'k0' }],
    explanation: /^key "k0": no order was found within the bound; the longest has \d+ of \d+ answers/,
  })
})
