/**
 * What one client sees and does, in its own order. Acknowledged writes of a client take effect in the order
 * of its calls. Its reads of the level `session` or `linearizable` never go back: each sees the state that
 * an earlier one of its reads saw, or that an earlier write of its own made, or a later one. A `stale` read
 * sees some state that was there by then.
 *
 * Every operation that made or saw a state whose version is known tells something of the order of versions:
 * so does time, where one write was answered before another was called, for writes are linearizable. If all
 * of it together makes a circle, no order of the versions explains what the clients saw.
 */

import { must } from '../base/assert.js'
import { groupBy } from '../base/group-by.js'
import { checkHistory, type History, type Operation } from './history.js'
import { byKey } from './keys.js'
import { type Failure, type Verdict, verdictOf } from './verdict.js'
import { type Precedence, type Version, type Versions, versionsOf } from './versions.js'

/** Checks every key, of whatever kind. Throws INVALID for what is no history. */
export function checkSessionOrder(history: History): Verdict {
  checkHistory(history)
  const failures: Failure[] = []
  for (const [key, all] of byKey(history)) {
    const operations = all.filter(({ status }) => status !== 'fail')
    const versions = versionsOf(operations)
    if (versions.strange.length > 0)
      failures.push({
        key,
        what: 'a state was seen that was not there yet, or never',
        evidence: [{ label: 'seen by', operations: versions.strange }],
      })
    const circle = findCircle([
      ...versions.order,
      ...orderInTime(versions.versions),
      ...orderInSessions(operations, versions.of),
    ])
    if (circle.length > 0) failures.push(failure(key, circle))
  }
  return verdictOf(failures)
}

function failure(key: string, circle: readonly Precedence[]): Failure {
  const names = [...circle, ...circle.slice(0, 1)].map(({ from }) => from.label)
  return {
    key,
    what: `no order of its states is what the clients saw: ${names.join(', before ')}`,
    evidence: circle.map(({ from, to, why, operations }) => ({
      label: `${from.label} was before ${to.label}: ${why}`,
      operations,
    })),
  }
}

/** Something that lasted from a time to a time. */
interface Span<T> {
  readonly of: T
  readonly call: number
  readonly end: number
}

/**
 * Pairs of which one ended before the other began. Pairs that follow from others are left out, so that there
 * are not many more than spans.
 */
function* successions<T>(spans: readonly Span<T>[]): Generator<readonly [T, T]> {
  const ended = spans.toSorted((a, b) => a.end - b.end)
  let count = 0
  for (const span of spans.toSorted((a, b) => a.call - b.call)) {
    while ((ended[count]?.end ?? Number.POSITIVE_INFINITY) < span.call) count++
    let latestCall = -1
    for (let i = count - 1; i >= 0; i--) {
      const before = ended[i]
      if (before === undefined || before.end < latestCall) break
      yield [before.of, span.of]
      latestCall = Math.max(latestCall, before.call)
    }
  }
}

function* orderInTime(versions: readonly Version[]): Generator<Precedence> {
  const spans = versions.map(version => ({ of: version, call: version.call, end: version.known }))
  for (const [from, to] of successions(spans)) {
    const operations = [from.write, to.write].filter(write => write !== undefined)
    yield { from, to, why: 'it was there before the other was called for', operations }
  }
}

function* orderInSessions(
  operations: readonly Operation[],
  versionOf: Versions['of'],
): Generator<Precedence> {
  const telling = operations.filter(one => one.level !== 'stale' && versionOf.has(one))
  const sessions = groupBy(telling, ({ client }) => client)
  const precedence = (first: Operation, second: Operation, what: string): Precedence[] => {
    const [from, to] = [versionOf.get(first), versionOf.get(second)]
    if (from === undefined || to === undefined || from === to) return []
    return [{ from, to, why: `${first.client} ${what}`, operations: [first, second] }]
  }
  for (const session of sessions.values()) {
    const spans = session.map(one => ({ of: one, call: one.call, end: one.return ?? one.call }))
    for (const [first, second] of successions(spans))
      yield* precedence(first, second, 'knew the one when it asked for the other')
    const writes = session.filter(({ op }) => op !== 'get')
    for (const [i, write] of writes.entries()) {
      const next = writes[i + 1]
      if (next !== undefined) yield* precedence(write, next, 'called for them in this order')
    }
  }
}

/** A circle, as short as can be through one of its versions; empty if there is none. */
function findCircle(order: readonly Precedence[]): readonly Precedence[] {
  const behind = groupBy(order, ({ from }) => from)
  const before = groupBy(order, ({ to }) => to)
  // What nothing is before lies on no circle; nor does what then has nothing before it.
  const left = new Map([...before].map(([version, list]) => [version, list.length]))
  const free = [...behind.keys()].filter(version => !left.has(version))
  for (let version = free.pop(); version !== undefined; version = free.pop()) {
    for (const { to } of behind.get(version) ?? []) {
      const count = (left.get(to) ?? 0) - 1
      if (count > 0) left.set(to, count)
      else if (left.delete(to)) free.push(to)
    }
  }
  // All others have one of their own before them: who walks back comes round.
  const walked = new Set<Version>()
  let [version] = left.keys()
  while (version !== undefined && !walked.has(version)) {
    walked.add(version)
    version = before.get(version)?.find(({ from }) => left.has(from))?.from
  }
  return version === undefined ? [] : shortestWay(version, behind)
}

/** The shortest way from a version to itself, of which there is one. */
function shortestWay(
  start: Version,
  behind: ReadonlyMap<Version, readonly Precedence[]>,
): readonly Precedence[] {
  /** How each version was reached first. */
  const reached = new Map<Version, Precedence>()
  const queue = [start]
  for (const version of queue) {
    for (const one of behind.get(version) ?? []) {
      if (reached.has(one.to)) continue
      reached.set(one.to, one)
      queue.push(one.to)
    }
    if (reached.has(start)) break
  }
  const way: Precedence[] = []
  let at = start
  do {
    const step = must(reached.get(at), 'a way back to where it began')
    way.push(step)
    at = step.from
  } while (at !== start)
  return way.reverse()
}
