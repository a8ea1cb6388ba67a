/** Named subscriptions: one holder, a position that never goes back, a limit. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { makeRow, type Row, type RowKey } from '../../../src/codec/row.js'
import type { Command, Decision } from '../../../src/machine/command.js'
import { decide } from '../../../src/machine/decide.js'
import type { View } from '../../../src/machine/view.js'

/** Rows in memory; commands are decided and applied at once. */
class Rows {
  readonly #rows = new Map<RowKey, Row>()
  #index = 0

  ask(command: Command): unknown {
    this.#index += 1
    const view = { get: (key: RowKey) => this.#rows.get(key) ?? null } as unknown as View
    const decision: Decision = decide(command, view, {
      version: this.#index,
      time: 0,
      index: this.#index,
      wallMs: 0,
      limits,
    })
    if (decision.type === 'entry') {
      for (const fact of decision.facts) {
        if (fact.op === 'put') this.#rows.set(fact.key, makeRow(fact.key, this.#index, fact.value))
        else if (fact.op === 'delete') this.#rows.delete(fact.key)
      }
    }
    if (decision.type !== 'entry' && decision.type !== 'answer') return decision.type
    const { reply } = decision
    return reply.ok ? [decision.type, reply.value] : reply.code
  }

  get size(): number {
    return this.#rows.size
  }
}

const at = (index: number, count = 0) => ({ index, count })
const subscribe = (name: string, index = 1) => ({ type: 'subscribe', name, start: at(index) }) as const
const acknowledge = (epoch: number, index: number, count = 0) =>
  ({ type: 'acknowledge', name: 'a', epoch, position: at(index, count) }) as const

t.test('taking hold raises the epoch and keeps the position', async t => {
  const rows = new Rows()
  t.equal(rows.ask(acknowledge(1, 5)), 'NOT_FOUND')
  t.strictSame(rows.ask(subscribe('a', 7)), ['entry', { epoch: 2, index: 7, count: 0 }])
  t.strictSame(rows.ask(acknowledge(2, 9, 2)), ['entry', null])
  t.strictSame(rows.ask(subscribe('a', 1)), ['entry', { epoch: 4, index: 9, count: 2 }])
  t.equal(rows.ask(acknowledge(2, 10)), 'FENCED')
})

t.test('who held a name before it was forgotten is not its holder again', async t => {
  const rows = new Rows()
  t.strictSame(rows.ask(subscribe('a')), ['entry', { epoch: 1, index: 1, count: 0 }])
  rows.ask({ type: 'unsubscribe', name: 'a' })
  t.strictSame(rows.ask(subscribe('a')), ['entry', { epoch: 3, index: 1, count: 0 }])
  t.equal(rows.ask(acknowledge(1, 10)), 'FENCED')
})

t.test('a position never goes back', async t => {
  const rows = new Rows()
  rows.ask(subscribe('a', 7))
  t.strictSame(rows.ask(acknowledge(1, 9, 2)), ['entry', null])
  for (const [index, count] of [
    [8, 9],
    [9, 1],
    [9, 2],
  ] as const) {
    t.strictSame(rows.ask(acknowledge(1, index, count)), ['answer', null], 'nothing to log')
  }
  t.strictSame(rows.ask(subscribe('a')), ['entry', { epoch: 6, index: 9, count: 2 }])
})

t.test('at the limit no new name is taken, and a forgotten one makes room', async t => {
  const rows = new Rows()
  for (let n = 0; n < limits.subscriptionsMax; n++) rows.ask(subscribe(`n${n}`))
  t.equal(rows.ask(subscribe('a')), 'TOO_MANY_SUBSCRIPTIONS')
  const known = { epoch: limits.subscriptionsMax + 2, index: 1, count: 0 }
  t.strictSame(rows.ask(subscribe('n0')), ['entry', known], 'a known one is')
  t.strictSame(rows.ask({ type: 'unsubscribe', name: 'x' }), ['answer', { existed: false }])
  t.strictSame(rows.ask({ type: 'unsubscribe', name: 'n5' }), ['entry', { existed: true }])
  t.match(rows.ask(subscribe('a')), ['entry', { index: 1, count: 0 }])
  t.equal(rows.size, limits.subscriptionsMax + 1, 'and one row that counts them')
})
