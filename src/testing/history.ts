/**
 * A history: what concurrent clients asked of a store and what they were told, one operation each. As text it
 * is one JSON object a line.
 *
 * A history says what was seen, not what should have been: a wrong answer is a good operation, and it is for
 * a checker to find it. What is refused here is what no client can have seen: an answer before its call, an
 * answer of the wrong form, a field too many. `null` stands for nothing: no document, an empty counter or
 * list, and for an answer that does not say.
 */
import { messageOf, SillokError } from '../base/errors.js'

/** What JSON can hold. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [field: string]: Value }

/** What each operation is called with, and what it answers. */
interface Forms {
  /** Writes the value, whatever was there. */
  readonly put: { readonly in: Value; readonly out: null }
  /** The value of a register, counter or list; null: nothing is there. */
  readonly get: { readonly in: null; readonly out: Value }
  /** Writes `to` if `from` is there (null: if nothing is); whether it did. */
  readonly cas: { readonly in: { readonly from: Value; readonly to: Value }; readonly out: boolean }
  /** Makes the key with a unique value; false: key or value were taken. */
  readonly insert: { readonly in: Value; readonly out: boolean }
  /** Removes the key; whether it was there, or null if that is not told. */
  readonly delete: { readonly in: null; readonly out: boolean | null }
  /** Adds to a counter that begins at 0; the sum, or null if that is not told. */
  readonly incr: { readonly in: number; readonly out: number | null }
  /** Adds to the end of a list; the list, or null if that is not told. */
  readonly append: { readonly in: Value; readonly out: readonly Value[] | null }
}

/** The name of an operation. */
export type OpName = keyof Forms

/** `ok`: it was answered. `fail`: it certainly had no effect. `info`: nobody knows, also not when. */
export type Status = 'ok' | 'fail' | 'info'

/** How fresh a read is promised to be. A `get` without a level is `linearizable`. */
export type ReadLevel = 'linearizable' | 'session' | 'stale'

/** One operation of that name. */
export interface OperationOf<Op extends OpName> {
  /** Who asked: one session. Its operations may overlap. */
  readonly client: string
  readonly op: Op
  readonly key: string
  readonly in: Forms[Op]['in']
  /** Null unless `status` is ok. */
  readonly out: Forms[Op]['out'] | null
  /** Nanoseconds of a clock that all clients of the history share. */
  readonly call: number
  /** Null if, and only if, `status` is info: such an operation may take effect at any later time. */
  readonly return: number | null
  readonly status: Status
  readonly level?: Op extends 'get' ? ReadLevel : never
}

/** One operation. */
export type Operation = { readonly [Op in OpName]: OperationOf<Op> }[OpName]

/** Operations in the order of their calls, or in any other: their times count. */
export type History = readonly Operation[]

/** Why a value is not acceptable; undefined: it is. */
type Check = (value: unknown) => string | undefined

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isValue(value: unknown): value is Value {
  if (typeof value === 'number') return Number.isFinite(value)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true
  if (Array.isArray(value)) return value.every(isValue)
  return isObject(value) && Object.values(value).every(isValue)
}

const check =
  (what: string, isGood: (value: unknown) => boolean): Check =>
  value =>
    isGood(value) ? undefined : `is not ${what}`
const nothing = check('null', value => value === null)
const something = check('a value of JSON other than null', value => value !== null && isValue(value))
const anything = check('a value of JSON', isValue)
const integer = check('a safe integer', Number.isSafeInteger)
const time = check(
  'a time in whole nanoseconds from 0 to 2^53',
  value => Number.isSafeInteger(value) && Number(value) >= 0,
)
const yesOrNo = check('true or false', value => typeof value === 'boolean')
const list = check('a list', value => Array.isArray(value) && value.every(isValue))
const name = check('a text that is not empty', value => typeof value === 'string' && value !== '')
const orNothing =
  (inner: Check): Check =>
  value =>
    value === null ? undefined : inner(value)
const swap: Check = value => {
  if (!isObject(value) || Object.keys(value).sort().join() !== 'from,to') return 'is not {from, to}'
  const fault = something(value['to'])
  return anything(value['from']) ?? (fault === undefined ? undefined : `has a "to" that ${fault}`)
}

const forms: { readonly [Op in OpName]: { readonly in: Check; readonly out: Check } } = {
  put: { in: something, out: nothing },
  get: { in: nothing, out: anything },
  cas: { in: swap, out: yesOrNo },
  insert: { in: something, out: yesOrNo },
  delete: { in: nothing, out: orNothing(yesOrNo) },
  incr: { in: integer, out: orNothing(integer) },
  append: { in: something, out: orNothing(list) },
}

const unanswered = check('null, as nothing was answered', value => value === null)
const openEnd = check('null, as the outcome is unknown', value => value === null)
const status = check('ok, fail or info', value => statuses.includes(value))
const level = check('linearizable, session or stale', value => levels.includes(value))
const statuses: readonly unknown[] = ['ok', 'fail', 'info'] satisfies Status[]
const levels: readonly unknown[] = ['linearizable', 'session', 'stale'] satisfies ReadLevel[]

const fields = ['client', 'op', 'key', 'in', 'out', 'call', 'return', 'status'] as const
const knownFields: readonly string[] = [...fields, 'level']

interface Fault {
  readonly field: string
  readonly what: string
}

/** The first thing that is wrong with an operation, by field. */
function faultIn(given: unknown): Fault | undefined {
  if (!isObject(given)) return { field: '', what: 'is not an object' }
  for (const field of fields) if (given[field] === undefined) return { field, what: 'is missing' }
  const { op } = given
  if (typeof op !== 'string' || !Object.hasOwn(forms, op)) return { field: 'op', what: 'is not known' }
  for (const field in given)
    if (!knownFields.includes(field) || (field === 'level' && op !== 'get'))
      return { field, what: `is not known of ${op}` }
  const form = forms[op as OpName]
  const fault = (field: string, isGood: Check): Fault | undefined => {
    const what = isGood(given[field])
    return what === undefined ? undefined : { field, what }
  }
  return (
    fault('client', name) ??
    fault('key', name) ??
    fault('status', status) ??
    fault('in', form.in) ??
    fault('out', given['status'] === 'ok' ? form.out : unanswered) ??
    fault('call', time) ??
    fault('return', given['status'] === 'info' ? openEnd : time) ??
    (given['level'] === undefined ? undefined : fault('level', level)) ??
    (given['return'] !== null && Number(given['return']) < Number(given['call'])
      ? { field: 'return', what: 'is before the call' }
      : undefined)
  )
}

function malformed(place: string, { field, what }: Fault, details: Record<string, unknown>): SillokError {
  const where = field === '' ? place : `${place}, field ${JSON.stringify(field)}`
  return new SillokError('INVALID', `history, ${where}: ${what}`, { details: { ...details, field } })
}

/** Throws INVALID for the first operation that no client can have seen; its place counts from 1. */
export function checkHistory(history: readonly unknown[]): asserts history is History {
  for (const [i, operation] of history.entries()) {
    const fault = faultIn(operation)
    if (fault !== undefined) throw malformed(`operation ${i + 1}`, fault, { operation: i + 1 })
  }
}

/**
 * Throws INVALID for the first operation that a checker has no rule for: it would be wrong to pass over a
 * write in silence.
 */
export function checkOps(history: History, known: readonly OpName[], checker: string): void {
  for (const [i, { op }] of history.entries()) {
    const what = `is ${op}; ${checker} knows ${known.join(', ')}`
    if (!known.includes(op))
      throw malformed(`operation ${i + 1}`, { field: 'op', what }, { operation: i + 1 })
  }
}

/** Reads lines of JSON; INVALID names the line, from 1, and the field. */
export function parseHistory(text: string): Operation[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line, i) => {
    const at = { line: i + 1 }
    let given: unknown
    try {
      given = JSON.parse(line)
    } catch (error) {
      throw malformed(`line ${at.line}`, { field: '', what: `is not JSON: ${messageOf(error)}` }, at)
    }
    const fault = faultIn(given)
    if (fault !== undefined) throw malformed(`line ${at.line}`, fault, at)
    return given as Operation
  })
}

/** Writes one line of JSON for each operation, fields in one order. */
export function formatHistory(history: History): string {
  const line = (operation: Operation): string => {
    const pairs = fields.map(field => [field, operation[field]])
    if (operation.level !== undefined) pairs.push(['level', operation.level])
    return `${JSON.stringify(Object.fromEntries(pairs))}\n`
  }
  return history.map(line).join('')
}
