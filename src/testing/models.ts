/**
 * What one key does if nobody else is there: register, counter, list. A model turns the operations of a key
 * into moves from state to state, where a state is a number: so it costs little to remember and to compare.
 *
 * What nobody looked at need not be told apart. All values of a register that no operation saw are one state,
 * and a list is as many elements of the longest list seen, or more than those. That makes the outcome of most
 * unknown operations irrelevant, and searching among them short.
 */
import type { Operation, OperationOf, OpName, Value } from './history.js'
import { ending, shown, textOf } from './value-text.js'

/** An operation as a step between states. */
export interface Move {
  /** The state behind it; undefined: in that state it cannot have had its outcome. */
  readonly after: (state: number) => number | undefined
  /** True if it never changes a state. */
  readonly isRead: boolean
  /** Moves of one kind do the same in every state, while their outcomes are unknown. */
  readonly kind: string
  /** The only state that it fits, if there is only one. */
  readonly needs?: number
  /** The only state other than the one before it that can come of it, if there is only one. */
  readonly makes?: number
}

/** The operations of one key, as moves. */
export interface Compiled {
  readonly initial: number
  /** One for each operation; undefined for those that say nothing. */
  readonly moves: readonly (Move | undefined)[]
  /** `grow`: no move leads to a lower number. `made`: each move that changes a state says what it makes. */
  readonly states: 'grow' | 'made' | 'any'
  /** A state for people, and the order of operations that led to it. */
  readonly describe: (state: number, order: readonly Operation[]) => string
}

/** A deterministic object. */
export interface Model {
  readonly name: string
  readonly ops: readonly OpName[]
  /** Moves for operations of these names, none of which has failed. */
  compile(operations: readonly Operation[]): Compiled
}

const exactly = (needs: number): Move => ({
  after: state => (state === needs ? state : undefined),
  isRead: true,
  kind: 'read',
  needs,
})
const anyBut = (refused: number): Move => ({
  after: state => (state === refused ? undefined : state),
  isRead: true,
  kind: 'read',
})

/** A state that there is not: what needs it cannot have been. */
const never = Number.NEGATIVE_INFINITY

const absent = 0
const unseen = 1

/** A value that is written, read, compared and removed; at first nothing. */
export const register: Model = {
  name: 'a register',
  ops: ['put', 'get', 'cas', 'delete'],
  compile: operations => {
    const texts = ['nothing', '']
    const states = new Map<string, number>([[textOf(null), absent]])
    for (const value of operations.flatMap(seenValue)) {
      const text = textOf(value)
      if (!states.has(text)) states.set(text, texts.push(shown(value)) - 1)
    }
    const stateOf = (value: Value): number => states.get(textOf(value)) ?? unseen
    return {
      initial: absent,
      moves: operations.map(operation => registerMove(operation, stateOf)),
      states: 'made',
      describe: (state, order) => (state === unseen ? lastWritten(order) : (texts[state] ?? '')),
    }
  },
}

function lastWritten(order: readonly Operation[]): string {
  const last = order.findLast(({ op, out }) => op === 'put' || (op === 'cas' && out !== false))
  if (last?.op === 'put') return shown(last.in)
  return last?.op === 'cas' ? shown(last.in.to) : ''
}

/** The value that a read saw, or that a comparison looked for, whatever came of it. */
function seenValue(operation: Operation): Value[] {
  if (operation.op === 'cas') return [operation.in.from]
  return operation.op === 'get' && operation.status === 'ok' ? [operation.out] : []
}

function registerMove(operation: Operation, stateOf: (value: Value) => number): Move | undefined {
  const { status, out } = operation
  switch (operation.op) {
    case 'get':
      return status === 'ok' ? exactly(stateOf(operation.out)) : undefined
    case 'put':
      return write(stateOf(operation.in))
    case 'delete':
      if (out === false) return exactly(absent)
      return out === null ? write(absent) : { ...write(absent), after: leaving(absent, absent) }
    case 'cas': {
      const [from, to] = [stateOf(operation.in.from), stateOf(operation.in.to)]
      if (out === false) return anyBut(from)
      const move = { isRead: false, kind: `swap ${from} ${to}`, makes: to }
      if (status === 'info') return { ...move, after: state => (state === from ? to : state) }
      return { ...move, after: state => (state === from ? to : undefined), needs: from }
    }
    default:
      return undefined
  }
}

const write = (makes: number): Move => ({ after: () => makes, isRead: false, kind: `write ${makes}`, makes })

const leaving =
  (refused: number, to: number): Move['after'] =>
  state =>
    state === refused ? undefined : to

/** A sum that begins at 0; the state is the sum. */
export const counter: Model = {
  name: 'a counter',
  ops: ['incr', 'get'],
  compile: operations => ({
    initial: 0,
    moves: operations.map(counterMove),
    states: operations.every(({ op, in: added }) => op !== 'incr' || Number(added) >= 0) ? 'grow' : 'any',
    describe: String,
  }),
}

function counterMove(operation: Operation): Move | undefined {
  const { status, out } = operation
  if (operation.op === 'get') return status === 'ok' ? exactly(sumSeen(operation.out)) : undefined
  if (operation.op !== 'incr') return undefined
  const { in: added } = operation
  const move = { isRead: false, kind: `add ${added}` }
  if (out === null) return { ...move, after: sum => sum + added }
  const needs = Number(out) - added
  return { ...move, after: sum => (sum === needs ? sum + added : undefined), needs }
}

function sumSeen(out: Value): number {
  return out === null ? 0 : typeof out === 'number' ? out : never
}

/** A list that only grows; the state is its length, up to one more than that of the longest list seen. */
export const list: Model = {
  name: 'a list',
  ops: ['append', 'get'],
  compile: operations => {
    const longest = longestList(operations)
    const moves = operations.map((operation): Move | undefined => {
      if (operation.op === 'get') return operation.status === 'ok' ? listRead(operation, longest) : undefined
      return operation.op === 'append' ? listAppend(operation, longest) : undefined
    })
    const describe = (length: number): string => {
      const [whole, now] = [longest, longest.slice(0, length)].map(one => ending(`[${one.join()}]`))
      if (length > longest.length) return `a list longer than any seen, ${whole}`
      return length === longest.length ? `${now}` : `${now} of ${whole}`
    }
    return { initial: 0, moves, states: 'grow', describe }
  },
}

/** The elements of the list that an operation saw; undefined: it saw none. */
export function listSeen({ op, out, status }: Operation): readonly string[] | undefined {
  if (status !== 'ok' || (op !== 'get' && op !== 'append')) return undefined
  if (Array.isArray(out)) return (out as Value[]).map(textOf)
  return op === 'get' ? (out === null ? [] : [`not a list: ${textOf(out)}`]) : undefined
}

/** The elements, as texts, of the longest list that an operation saw. */
export function longestList(operations: readonly Operation[]): readonly string[] {
  let longest: readonly string[] = []
  for (const operation of operations) {
    const seen = listSeen(operation)
    if (seen !== undefined && seen.length > longest.length) longest = seen
  }
  return longest
}

/** True if the one list begins the other. */
export function isBeginning(list: readonly string[], of: readonly string[]): boolean {
  return list.length <= of.length && list.every((element, i) => element === of[i])
}

function listRead(operation: OperationOf<'get'>, longest: readonly string[]): Move {
  const seen = listSeen(operation as Operation) ?? []
  return exactly(isBeginning(seen, longest) ? seen.length : never)
}

function listAppend(operation: OperationOf<'append'>, longest: readonly string[]): Move {
  const element = textOf(operation.in)
  const seen = listSeen(operation as Operation)
  const needs = seen === undefined ? {} : { needs: isBeginning(seen, longest) ? seen.length - 1 : never }
  const after = (length: number): number | undefined => {
    // Whoever saw the longest list is still to come: until then the list is a beginning of that one.
    if (length < longest.length && longest[length] !== element) return undefined
    if (needs.needs !== undefined && needs.needs !== length) return undefined
    return Math.min(length, longest.length) + 1
  }
  return { after, isRead: false, kind: `append ${element}`, ...needs }
}
