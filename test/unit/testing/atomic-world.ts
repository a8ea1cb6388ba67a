/**
 * Histories of clients at a store that is right: each operation takes effect at one moment between its call
 * and its answer. Answers are lost, requests too, and what was lost may still take effect long after.
 */
import type { Random } from '../../../src/base/random.js'
import type { Operation, OpName, Value } from '../../../src/testing/history.js'

/** The whole state: what each key holds. */
export type State = Map<string, Value>

export interface WorldOptions {
  readonly random: Random
  readonly operations: number
  readonly keys: number
  readonly clients: number
  readonly ops: readonly OpName[]
  /** The share of writes whose answer, or whose request, is lost. */
  readonly unknown?: number
  /** How many different values are written; each is another one if undefined. */
  readonly values?: number
}

/** An operation before anybody knows what comes of it. */
export interface Plan {
  readonly client: string
  readonly op: OpName
  readonly key: string
  readonly in: Value
  readonly call: number
  /** When it takes effect; undefined: never. */
  readonly effect: number | undefined
  readonly return: number | null
}

/** Does the operation: its answer. */
export function perform(state: State, { op, key, in: input }: Pick<Plan, 'op' | 'key' | 'in'>): Value {
  const held = state.get(key) ?? null
  switch (op) {
    case 'get':
      return held
    case 'put':
      state.set(key, input)
      return null
    case 'delete':
      return state.delete(key)
    case 'cas': {
      const { from, to } = input as { from: Value; to: Value }
      if (held !== from) return false
      state.set(key, to)
      return true
    }
    case 'incr':
      state.set(key, Number(held ?? 0) + Number(input))
      return state.get(key) ?? null
    case 'append':
      state.set(key, [...((held as Value[] | null) ?? []), input])
      return state.get(key) ?? null
    case 'insert':
      if (held !== null || [...state.values()].includes(input)) return false
      state.set(key, input)
      return true
  }
}

/** What clients ask, each one thing after the other, without the answers. */
export function plan({ random, operations, keys, clients, ops, unknown = 0, values }: WorldOptions): Plan[] {
  const free = Array.from({ length: clients }, (_, i) => i)
  const plans: Plan[] = []
  for (let i = 0; i < operations; i++) {
    const client = random.below(clients)
    const moment = (from: number, span: number): number => from + 1 + random.below(span)
    const call = moment(free[client] ?? 0, 300)
    const effect = moment(call, 200)
    const end = moment(effect, 200)
    free[client] = end
    const op = random.pick(ops)
    const isUnknown = op !== 'get' && random.chance(unknown)
    const late = [undefined, effect, moment(effect, 4000)][random.below(3)]
    const value = values === undefined ? i + 1 : 1 + random.below(values)
    const inputs: Record<OpName, Value> = {
      get: null,
      delete: null,
      put: value,
      insert: value,
      append: value,
      incr: 1 + (value % 3),
      cas: { from: 1 + random.below(values ?? operations), to: value },
    }
    plans.push({
      client: `c${client}`,
      op,
      key: `k${random.below(keys)}`,
      in: inputs[op],
      call,
      effect: isUnknown ? late : effect,
      return: isUnknown ? null : end,
    })
  }
  return plans
}

/** The order in which the plans take effect. */
export function byEffect(plans: readonly Plan[]): Plan[] {
  return plans.filter(one => one.effect !== undefined).sort((a, b) => Number(a.effect) - Number(b.effect))
}

/**
 * The history of the plans, in the order of their calls, and the state in the end. `does` does an operation
 * otherwise, to plant a fault.
 */
export function carryOut(
  plans: readonly Plan[],
  does: (state: State, one: Plan) => Value = perform,
): { readonly history: Operation[]; readonly state: State } {
  const state: State = new Map()
  const answers = new Map<Plan, Value>()
  for (const one of byEffect(plans)) answers.set(one, does(state, one))
  const history = plans.map(one => {
    const { client, op, key, in: input, call, return: end } = one
    const out = end === null ? null : (answers.get(one) ?? null)
    return { client, op, key, in: input, out, call, return: end, status: end === null ? 'info' : 'ok' }
  })
  return { history: history.sort((a, b) => a.call - b.call) as unknown as Operation[], state }
}
