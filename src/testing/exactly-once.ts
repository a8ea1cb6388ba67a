/**
 * Appends and increments whose requests were sent again and again: each acknowledged one has exactly one
 * effect, an unknown one at most one, a failed one none. What counts is the value that a key has in the end,
 * when nothing is under way any more.
 *
 * Of a list, elements are counted; each list that was seen on the way must be a beginning of the last one;
 * and acknowledged appends of one client stand in the order of its calls, where their elements tell them
 * apart. Of a counter only the sum is known: amounts that are powers of two tell more than ones.
 */
import { SillokError } from '../base/errors.js'
import {
  checkHistory,
  checkOps,
  type History,
  type Operation,
  type OperationOf,
  type Value,
} from './history.js'
import { byKey } from './keys.js'
import { isBeginning, listSeen } from './models.js'
import { shown, textOf } from './value-text.js'
import { type Failure, type Undecided, type Verdict, verdictOf } from './verdict.js'

/**
 * Checks each key of the history against its last value, a list or a sum; null: nothing is there. Throws
 * INVALID for what is no such history, or if a last value is missing.
 */
export function checkExactlyOnce(history: History, finals: ReadonlyMap<string, Value>): Verdict {
  checkHistory(history)
  checkOps(history, ['append', 'incr', 'get'], 'a checker of effects')
  const failures: Failure[] = []
  const undecided: Undecided[] = []
  for (const [key, operations] of byKey(history)) {
    const final = finals.get(key)
    const isList = operations.some(({ op }) => op === 'append')
    const isCounter = operations.some(({ op }) => op === 'incr')
    const invalid = (what: string): SillokError => new SillokError('INVALID', `key ${shown(key)}: ${what}`)
    if (isList && isCounter) throw invalid('is a list and a counter')
    if (final === undefined) throw invalid('its last value is not given')
    if (isList) failures.push(...new FinalList(key, operations, final).failures())
    if (!isCounter) continue
    const found = checkSum(key, operations, final)
    if (found.failure !== undefined) failures.push(found.failure)
    if (found.undecided !== undefined) undecided.push(found.undecided)
  }
  return verdictOf(failures, undecided)
}

/** The appends of one element. */
interface Appends {
  readonly ok: Operation[]
  readonly info: Operation[]
  readonly fail: Operation[]
}

/** The last value of a list, and what led to it. */
class FinalList {
  readonly #key: string
  readonly #operations: readonly Operation[]
  readonly #final: readonly string[]
  readonly #appends = new Map<string, Appends>()

  constructor(key: string, operations: readonly Operation[], final: Value) {
    this.#key = key
    this.#operations = operations
    this.#final = Array.isArray(final) ? (final as Value[]).map(textOf) : []
    if (final !== null && !Array.isArray(final)) this.#final = [`not a list: ${textOf(final)}`]
    for (const operation of operations) {
      if (operation.op !== 'append') continue
      const element = textOf(operation.in)
      const appends = this.#appends.get(element) ?? { ok: [], info: [], fail: [] }
      this.#appends.set(element, appends)
      appends[operation.status].push(operation)
    }
  }

  failures(): Failure[] {
    return [...this.#miscounted(), ...this.#seenOtherwise(), ...this.#outOfOrder()]
  }

  #failure(what: string, operations: readonly Operation[]): Failure {
    return { key: this.#key, what, evidence: [{ label: 'what is known of it', operations }] }
  }

  *#miscounted(): Generator<Failure> {
    const counts = new Map<string, number>()
    for (const element of this.#final) counts.set(element, (counts.get(element) ?? 0) + 1)
    for (const [element, { ok, info: unknown, fail }] of this.#appends) {
      const count = counts.get(element) ?? 0
      const all = [...ok, ...unknown, ...fail]
      const appends = `${ok.length} acknowledged and ${unknown.length} unknown`
      const times = `${count} times in the last list, of ${appends}`
      if (count < ok.length) yield this.#failure(`an append is lost: ${element} stands ${times}`, all)
      if (count > ok.length + unknown.length)
        yield this.#failure(`an append took effect too often: ${element} stands ${times}`, all)
      counts.delete(element)
    }
    for (const element of counts.keys())
      yield this.#failure(`${element} is in the last list, and nobody appended it`, [])
  }

  *#seenOtherwise(): Generator<Failure> {
    for (const operation of this.#operations) {
      const seen = listSeen(operation)
      if (seen === undefined) continue
      if (!isBeginning(seen, this.#final))
        yield this.#failure('a list was seen that is no beginning of the last one', [operation])
      if (operation.op === 'append' && seen.at(-1) !== textOf(operation.in))
        yield this.#failure('an append does not stand at the end of the list that it answered', [operation])
    }
  }

  *#outOfOrder(): Generator<Failure> {
    const places = new Map(this.#final.map((element, i) => [element, i]))
    const lasts = new Map<string, { readonly operation: Operation; readonly place: number }>()
    for (const operation of this.#operations) {
      if (operation.op !== 'append' || operation.status !== 'ok') continue
      const element = textOf(operation.in)
      const place = places.get(element)
      const { ok = [], info: unknown = [] } = this.#appends.get(element) ?? {}
      if (place === undefined || ok.length + unknown.length > 1) continue
      const last = lasts.get(operation.client)
      if (last !== undefined && place < last.place)
        yield this.#failure(`appends of ${operation.client} stand in another order than it called them`, [
          last.operation,
          operation,
        ])
      lasts.set(operation.client, { operation, place })
    }
  }
}

/** How many sums are tried before a counter is left undecided. */
const triesMax = 1_000_000

/** Is the last sum that of all acknowledged increments and of some of the unknown ones? */
function checkSum(
  key: string,
  operations: readonly Operation[],
  final: Value,
): { readonly failure?: Failure; readonly undecided?: Undecided } {
  const increments = operations.filter(({ op }) => op === 'incr') as OperationOf<'incr'>[]
  const acknowledged = increments.filter(({ status }) => status === 'ok')
  const unknown = increments.filter(({ status }) => status === 'info')
  const sum = acknowledged.reduce((total, { in: amount }) => total + amount, 0)
  const sums = sumsOf(unknown.map(({ in: amount }) => amount))
  const what = `the last sum is ${shown(final)}: all acknowledged increments make ${sum}`
  if (sums === undefined)
    return { undecided: { key, what: `${what}, and the unknown ones too many sums to try them all` } }
  if (typeof (final ?? 0) === 'number' && sums.has(Number(final) - sum)) return {}
  const evidence = [
    { label: 'of these each counts once', operations: acknowledged as readonly Operation[] },
    { label: 'of these some may count', operations: unknown as readonly Operation[] },
  ]
  return { failure: { key, what: `${what}, and no choice of the unknown ones makes the rest`, evidence } }
}

/** The sums of every choice of the amounts; undefined if there are too many. */
function sumsOf(amounts: readonly number[]): ReadonlySet<number> | undefined {
  const counts = new Map<number, number>()
  for (const amount of amounts) counts.set(amount, (counts.get(amount) ?? 0) + 1)
  let sums = new Set([0])
  let tries = 0
  for (const [amount, count] of counts) {
    tries += sums.size * (count + 1)
    if (tries > triesMax) return undefined
    const more = new Set<number>()
    for (const sum of sums) for (let i = 0; i <= count; i++) more.add(sum + i * amount)
    sums = more
  }
  return sums
}
