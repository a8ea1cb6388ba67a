/**
 * Is there one order of all operations of a key, in which each takes effect at some moment between its call
 * and its answer, that explains every answer? Keys are looked at one by one: a history is linearizable
 * exactly if that of each key is (Herlihy and Wing).
 *
 * An operation with an unknown outcome may take effect at any time after its call, or never. Reads of the
 * levels `session` and `stale` promise less and are left out; `session-order.ts` is for them. Operations of
 * which one ends at the very time that another begins count as overlapping.
 */
import { checkHistory, checkOps, type History, type Operation, type Status } from './history.js'
import { byKey } from './keys.js'
import type { Model } from './models.js'
import { type SearchResult, type Step, searchOrder } from './search.js'
import { type Failure, type Undecided, type Verdict, verdictOf } from './verdict.js'

/** A bound that takes a few seconds and about 100 MB at most for one key. */
const defaultEffort = 30_000_000

/** How long to search. */
export interface LinearizabilityOptions {
  /** For each key: 1 for an operation that is tried, about 30 for a point of the search to be remembered. */
  readonly effort?: number
}

/** Checks every key of the history as an object of that model. Throws INVALID for what is no such history. */
export function checkLinearizability(
  history: History,
  model: Model,
  { effort = defaultEffort }: LinearizabilityOptions = {},
): Verdict {
  checkHistory(history)
  checkOps(history, model.ops, model.name)
  const failures: Failure[] = []
  const undecided: Undecided[] = []
  for (const [key, all] of byKey(history)) {
    const operations = all.filter(
      ({ status, level = 'linearizable' }) => status !== 'fail' && level === 'linearizable',
    )
    const { end, order } = search(operations, model, effort)
    if (end === 'none') failures.push(failure(key, operations, model, effort))
    if (end !== 'undecided') continue
    const [most, count] = [order, operations].map(list => list.filter(({ status }) => status === 'ok').length)
    const what = `no order was found within the bound; the longest has ${most} of ${count} answers`
    undecided.push({ key, what })
  }
  return verdictOf(failures, undecided)
}

/** How a search over operations ended, and the order that it found, or the longest. */
interface Found {
  readonly end: SearchResult['end']
  readonly order: readonly Operation[]
  readonly state: string
}

function search(operations: readonly Operation[], model: Model, effort: number): Found {
  const { moves, describe, initial, states } = model.compile(operations)
  const ofStep = new Map<Step, Operation>()
  for (const [i, operation] of operations.entries()) {
    const move = moves[i]
    const { call, return: end } = operation
    if (move !== undefined) ofStep.set({ move, call, return: end ?? Number.POSITIVE_INFINITY }, operation)
  }
  const steps = (status: Status): Step[] =>
    [...ofStep].filter(([, operation]) => operation.status === status).map(([step]) => step)
  const { end, order, state } = searchOrder(steps('ok'), steps('info'), { initial, states, effort })
  const ordered = order.flatMap(step => ofStep.get(step) ?? [])
  return { end, order: ordered, state: describe(state, ordered) }
}

/**
 * The first answer that nothing explains. What a history tells up to some time is linearizable if all of it
 * is: so that time is found by halving, and there is an order of everything that was answered before.
 */
function failure(key: string, operations: readonly Operation[], model: Model, effort: number): Failure {
  const answered = operations.filter(({ status }) => status === 'ok')
  const times = [...new Set(answered.map(one => one.return ?? 0))].sort((a, b) => a - b)
  const searchUntil = (time: number): Found => search(knownAt(time, operations), model, effort / 10)
  let [good, bad] = [-1, times.length - 1]
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (searchUntil(times[middle] ?? 0).end === 'none') bad = middle
    else good = middle
  }
  const { end, order, state } = searchUntil(times[good] ?? -1)
  const first = end === 'found' ? 'an order that explains those up to there' : 'the longest order found'
  return {
    key,
    what: 'no order of its operations explains all answers',
    evidence: [
      { label: first, operations: order },
      {
        label: `then there is ${state}; with the next answer no order is left`,
        operations: answered.filter(one => one.return === times[bad]),
      },
    ],
  }
}

/** The operations as they were known at a time: some not called, and some not answered. */
function knownAt(time: number, operations: readonly Operation[]): Operation[] {
  return operations
    .filter(({ call }) => call <= time)
    .map(one => {
      const isAnswered = one.return === null || one.return <= time
      return isAnswered ? one : ({ ...one, out: null, return: null, status: 'info' } as Operation)
    })
}
