/** Sessions: by hand, in worlds with replicas that lag, with reads that go back and writes out of order. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Operation, OpName, ReadLevel, Value } from '../../../src/testing/history.js'
import { checkSessionOrder } from '../../../src/testing/session-order.js'
import { seed } from '../../seed.js'
import { byEffect, type Plan, perform, plan, type State } from './atomic-world.js'
import { fail, info, ok, readAt } from './operations.js'

t.comment(`SEED=${seed}`)

const put = (call: number, client: string, value: Value): Operation =>
  ok(call, call + 1, [client, 'put', 'k', value])
const read = (call: number, client: string, out: Value): Operation =>
  readAt('session', [call, call + 1], client, out)
const stale = (call: number, client: string, out: Value): Operation =>
  readAt('stale', [call, call + 1], client, out)
const cas = (call: number, client: string, from: Value, to: Value): Operation =>
  ok(call, call + 1, [client, 'cas', 'k', { from, to }], true)

t.test('sessions may lag, and see what they know', async t => {
  const good: [string, Operation[]][] = [
    ['others are not seen yet', [put(0, 'a', 1), read(9, 'b', null)]],
    ['nor the newest', [put(0, 'a', 1), put(2, 'a', 2), read(9, 'b', 1), read(11, 'b', 1), read(13, 'b', 2)]],
    ['the own write, or a later one', [put(0, 'a', 1), put(2, 'b', 2), read(9, 'a', 2), read(9, 'b', 2)]],
    [
      'overlapping reads are free',
      [put(0, 'a', 1), readAt('session', [3, 9], 'b', 1), readAt('session', [4, 8], 'b', null)],
    ],
    [
      'a stale read goes back',
      [put(0, 'a', 1), put(2, 'a', 2), read(9, 'a', 2), stale(11, 'a', 1), stale(13, 'a', null)],
    ],
    [
      'an unknown write is seen, then replaced',
      [info(0, ['a', 'put', 'k', 1]), put(2, 'b', 2), read(4, 'b', 1)],
    ],
    ['a removed value', [put(0, 'a', 1), ok(2, 3, ['a', 'delete', 'k'], true), read(4, 'a', null)]],
    [
      'one value twice tells nothing',
      [put(0, 'a', 1), put(2, 'a', 2), put(4, 'b', 1), read(9, 'a', 2), read(11, 'a', 1)],
    ],
    ['a read alone', [readAt('session', [0, 1], 'a', []), readAt('session', [2, 3], 'b', 0)]],
    [
      'lists grow',
      [ok(0, 1, ['a', 'append', 'k', 1]), read(2, 'b', null), read(4, 'a', [1]), read(6, 'b', [1])],
    ],
    ['sums grow', [ok(0, 1, ['a', 'incr', 'k', 2], 2), read(2, 'b', 0), read(4, 'a', 2), read(6, 'b', 2)]],
    [
      'a sum that an unknown increment made',
      [info(0, ['a', 'incr', 'k', 2]), read(2, 'b', 2), read(4, 'b', 2)],
    ],
    [
      'sums that fall tell nothing',
      [ok(0, 1, ['a', 'incr', 'k', -2], -2), read(2, 'b', -2), read(4, 'b', 0)],
    ],
  ]
  for (const [title, history] of good) t.same(checkSessionOrder(history), { verdict: 'ok' }, title)
})

t.test('what goes back, and what was never there, is found', async t => {
  const bad: [string, Operation[]][] = [
    ['the own write is not seen', [put(0, 'a', 1), read(2, 'a', null)]],
    ['an older one is seen instead', [put(0, 'b', 1), put(2, 'a', 2), read(9, 'a', 1)]],
    ['reads go back', [put(0, 'a', 1), put(2, 'a', 2), read(9, 'b', 2), read(11, 'b', 1)]],
    ['reads go back to nothing', [put(0, 'a', 1), read(9, 'b', 1), read(11, 'b', null)]],
    [
      'a linearizable read, then an older one',
      [put(0, 'a', 1), ok(2, 3, ['b', 'get', 'k'], 1), read(4, 'b', null)],
    ],
    [
      'two sessions see two orders',
      [
        ok(0, 9, ['a', 'put', 'k', 1]),
        ok(0, 9, ['b', 'put', 'k', 2]),
        ...[read(10, 'c', 1), read(12, 'c', 2), read(10, 'd', 2), read(12, 'd', 1)],
      ],
    ],
    [
      'overlapping writes of one session in another order',
      [
        ok(0, 9, ['a', 'put', 'k', 1]),
        ok(1, 9, ['a', 'put', 'k', 2]),
        ...[read(10, 'c', 2), read(12, 'c', 1)],
      ],
    ],
    [
      'a comparison tells the order',
      [
        put(0, 'a', 1),
        ok(0, 9, ['b', 'cas', 'k', { from: 1, to: 2 }], true),
        read(10, 'c', 2),
        read(12, 'c', 1),
      ],
    ],
    [
      'comparisons in a circle',
      [
        put(0, 'a', 1),
        cas(2, 'a', 1, 2),
        ok(0, 9, ['b', 'put', 'k', 3]),
        cas(10, 'c', 2, 4),
        read(12, 'c', 1),
      ],
    ],
    ['a stale read of what nobody wrote', [put(0, 'a', 1), stale(2, 'b', 7)]],
    ['a stale read of a failed write', [fail(0, 1, ['a', 'put', 'k', 1]), stale(2, 'b', 1)]],
    ['a stale read of what comes later', [stale(0, 'b', 1), put(2, 'a', 1)]],
    [
      'an unknown write that was seen goes back',
      [info(0, ['a', 'put', 'k', 1]), read(2, 'b', 1), put(4, 'c', 2), read(6, 'c', 1)],
    ],
    ['a list shrinks', [ok(0, 1, ['a', 'append', 'k', 1]), read(2, 'b', [1]), read(4, 'b', [])]],
    [
      'the own element is not seen',
      [ok(0, 1, ['a', 'append', 'k', 1]), ok(2, 3, ['b', 'append', 'k', 2]), read(4, 'b', [1])],
    ],
    [
      'lists that grew apart',
      [
        ok(0, 9, ['a', 'append', 'k', 1]),
        ok(0, 9, ['b', 'append', 'k', 2]),
        stale(10, 'c', [1]),
        stale(10, 'd', [2]),
      ],
    ],
    [
      'appends in another order',
      [ok(0, 8, ['a', 'append', 'k', 1]), ok(1, 8, ['a', 'append', 'k', 2]), stale(10, 'c', [2, 1])],
    ],
    ['an element from nowhere', [ok(0, 1, ['a', 'append', 'k', 1]), stale(2, 'b', [1, 2])]],
    ['a sum that is none', [ok(0, 1, ['a', 'incr', 'k', 2], 2), stale(2, 'b', []), stale(2, 'b', 'x')]],
    ['a sum falls', [ok(0, 1, ['a', 'incr', 'k', 2], 2), read(2, 'b', 2), read(4, 'b', 0)]],
    ['a sum of what comes later', [stale(0, 'b', 2), ok(2, 3, ['a', 'incr', 'k', 2], 2)]],
    ['a sum that is too large', [info(0, ['a', 'incr', 'k', 2]), stale(2, 'b', 4)]],
  ]
  for (const [title, history] of bad) t.equal(checkSessionOrder(history).verdict, 'failed', title)
})

t.test('a failure tells the circle', async t => {
  const verdict = checkSessionOrder([put(0, 'a', 1), put(2, 'a', 2), read(9, 'b', 2), read(11, 'b', 1)])
  t.equal(
    verdict.verdict === 'failed' && verdict.explanation.replaceAll(/\d\.0*(\d+)/g, '$1'),
    [
      'key "k": no order of its states is what the clients saw: 1, before 2, before 1',
      '  1 was before 2: it was there before the other was called for:',
      '    0 … 1 ms  a  put 1',
      '    2 … 3 ms  a  put 2',
      '  2 was before 1: b knew the one when it asked for the other:',
      '    9 … 10 ms  b  get -> 2 (session)',
      '    11 … 12 ms  b  get -> 1 (session)',
    ].join('\n'),
  )
})

/** A world in which session and stale reads are answered by replicas that lag; a choice for each of them. */
function world(name: string, ops: readonly OpName[]) {
  const random = new Random(`${seed}/${name}`)
  const plans = plan({ random, operations: 300, keys: 2, clients: 6, ops, unknown: 0.05 })
  const levels = new Map<Plan, ReadLevel>()
  for (const one of plans)
    if (one.op === 'get') levels.set(one, random.pick(['linearizable', 'session', 'session', 'stale']))
  return { random, plans, levels }
}

/** What each operation answered, and which state of its key that was, from 0. */
function carryOutLagging({ random, plans, levels }: ReturnType<typeof world>) {
  const state: State = new Map()
  const states = new Map<string, Value[]>()
  /** The newest state that a client knows of a key. */
  const floors = new Map<string, number>()
  const answers = new Map<Plan, { readonly out: Value; readonly place: number; readonly floor: number }>()
  for (const one of byEffect(plans)) {
    const history = states.get(one.key) ?? [null]
    states.set(one.key, history)
    const session = `${one.client} ${one.key}`
    const floor = floors.get(session) ?? 0
    const level = levels.get(one)
    let [out, place]: [Value, number] = [perform(state, one), history.length]
    if (one.op !== 'get') history.push(state.get(one.key) ?? null)
    else {
      const from = { linearizable: history.length - 1, session: floor, stale: 0 }[level ?? 'linearizable']
      place = from + random.below(history.length - from)
      out = history[place] ?? null
    }
    answers.set(one, { out, place, floor })
    // A comparison that was refused does not say what it saw.
    const isTold = level !== 'stale' && one.return !== null && out !== false
    if (isTold) floors.set(session, Math.max(floor, place))
  }
  const history = plans.map(one => {
    const { client, op, key, in: input, call, return: end } = one
    const level = levels.get(one)
    const out = end === null ? null : (answers.get(one)?.out ?? null)
    const fields = {
      client,
      op,
      key,
      in: input,
      out,
      call,
      return: end,
      status: end === null ? 'info' : 'ok',
    }
    return (level === undefined ? fields : { ...fields, level }) as unknown as Operation
  })
  return { history, states, answers }
}

const kinds: OpName[][] = [
  ['put', 'cas', 'get', 'get'],
  ['append', 'get', 'get'],
  ['incr', 'get', 'get'],
]

t.test('what lagging replicas answer to sessions passes', async t => {
  for (const ops of kinds) {
    for (let i = 0; i < 30; i++) {
      const verdict = checkSessionOrder(carryOutLagging(world(`${ops[0]} ${i}`, ops)).history)
      if (verdict.verdict !== 'ok') t.fail(`SEED=${seed} ${ops[0]} ${i}`, { ...verdict })
    }
  }
})

t.test('one read that goes back is found', async t => {
  let planted = 0
  for (const ops of kinds) {
    for (let i = 0; i < 30; i++) {
      const lagging = world(`back ${ops[0]} ${i}`, ops)
      const { history, states, answers } = carryOutLagging(lagging)
      const targets = lagging.plans.filter(one => {
        const { floor = 0 } = answers.get(one) ?? {}
        const known = states.get(one.key)?.[floor] ?? null
        return lagging.levels.get(one) === 'session' && known !== null
      })
      const target = targets[lagging.random.below(targets.length)]
      if (target === undefined) continue
      planted++
      // The beginning is before everything that this session knows.
      const out = states.get(target.key)?.[0] ?? null
      const changed = history.map((one, at) =>
        lagging.plans[at] === target ? ({ ...one, out } as Operation) : one,
      )
      if (checkSessionOrder(changed).verdict !== 'failed') t.fail(`SEED=${seed} ${ops[0]} ${i}`)
    }
  }
  t.ok(planted > 50, `${planted} planted`)
})

t.test('two writes of one session in another order are found', async t => {
  let planted = 0
  for (let i = 0; i < 30; i++) {
    const { plans, random } = world(`order ${i}`, ['append', 'append', 'get'])
    const appends = plans.filter(({ op, return: end }) => op === 'append' && end !== null)
    const first = random.pick(appends)
    const second = appends.find(
      ({ client, key, call }) => client === first.client && key === first.key && call > first.call,
    )
    if (second === undefined) continue
    planted++
    const [early, late] = [first.effect, second.effect]
    const swapped = plans.map(one =>
      one === first ? { ...one, effect: late } : one === second ? { ...one, effect: early } : one,
    )
    const last: Plan = {
      client: 'z',
      op: 'get',
      key: first.key,
      in: null,
      call: 1e6,
      effect: 1e6 + 1,
      return: 1e6 + 2,
    }
    const { history } = carryOutLagging({ random, plans: [...swapped, last], levels: new Map() })
    if (checkSessionOrder(history).verdict !== 'failed') t.fail(`SEED=${seed} ${i}`)
  }
  t.ok(planted > 10, `${planted} planted`)
})

t.test('a hundred thousand operations on a hundred keys take a few seconds at most', async t => {
  const random = new Random(`${seed}/large`)
  const plans = plan({
    random,
    operations: 100_000,
    keys: 100,
    clients: 20,
    ops: ['put', 'get'],
    unknown: 0.01,
  })
  const levels = new Map(plans.filter(({ op }) => op === 'get').map(one => [one, 'session' as ReadLevel]))
  const { history } = carryOutLagging({ random, plans, levels })
  const started = process.hrtime.bigint()
  t.same(checkSessionOrder(history), { verdict: 'ok' })
  const ms = Number(process.hrtime.bigint() - started) / 1e6
  t.comment(`${Math.round(history.length / (ms / 1000))} operations/s`)
  t.ok(ms < 10_000, `${Math.round(ms)} ms`)
})
