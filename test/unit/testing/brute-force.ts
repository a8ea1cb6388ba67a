/** Linearizability by trying every order, over the plain meaning of operations: slow, and plainly right. */
import type { Operation, Value } from '../../../src/testing/history.js'
import { perform, type State } from './atomic-world.js'

const always = Number.POSITIVE_INFINITY

/** True if some order of the operations of one key, with unknown ones or without, explains every answer. */
export function hasOrder(operations: readonly Operation[], state: State = new Map()): boolean {
  const left = operations.filter(({ status }) => status === 'ok')
  if (left.length === 0) return true
  const firstReturn = Math.min(...left.map(one => one.return ?? always))
  return operations.some(one => {
    if (one.status === 'fail' || one.call > firstReturn) return false
    const next = step(state, one)
    return (
      next !== undefined &&
      hasOrder(
        operations.filter(other => other !== one),
        next,
      )
    )
  })
}

/** The state behind it; undefined if it would have answered otherwise. */
function step(state: State, one: Operation): State | undefined {
  const next: State = new Map(state)
  const answer = perform(next, one)
  const isTold = one.status === 'ok' && (one.out !== null || one.op === 'get')
  return isTold && textOf(answer) !== textOf(one.out) ? undefined : next
}

/** An empty list is no list, and a sum of 0 no counter; registers hold neither here. */
const textOf = (value: Value): string =>
  JSON.stringify(value === 0 || (Array.isArray(value) && value.length === 0) ? null : value)

/** True if the operations, done one after the other, answer what the history says. */
export function explains(order: readonly Operation[]): boolean {
  let state: State | undefined = new Map<string, Value>()
  for (const one of order) state = state === undefined ? undefined : step(state, one)
  return state !== undefined
}
