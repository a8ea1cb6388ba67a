/**
 * Sign-ups under a unique constraint: `insert` makes a key with a value, `delete` removes the key and with it
 * the claim on its value. At any moment a value is held by at most one key, and a key is made once.
 *
 * An acknowledged insert holds *surely* from its answer until the first call of a delete that may have ended
 * it, and *possibly* from its call until the answer of a delete that must have ended it; an unknown one never
 * surely, and possibly from its call for ever. Two claims that exclude each other must not both be held
 * surely, nor may one be made while the other is held surely all the time. A refusal must meet, at some
 * moment of its call, a claim that is possibly held. These rules need no search; what they leave open is how
 * several overlapping operations could have followed each other.
 */
import { groupBy } from '../base/group-by.js'
import { lowerBound } from '../base/lower-bound.js'
import { checkHistory, checkOps, type History, type Operation, type OperationOf } from './history.js'
import { byKey } from './keys.js'
import { shown, textOf } from './value-text.js'
import { type Failure, type Verdict, verdictOf } from './verdict.js'

type Insert = OperationOf<'insert'>

/** An insert that took effect, or may have. */
interface Claim {
  readonly insert: Insert
  /** Held surely from `surely` to before `until`, possibly from its call through `end`. */
  readonly surely: number
  readonly until: number
  readonly end: number
}

const always = Number.POSITIVE_INFINITY

/** Checks inserts and deletes; reads are not looked at. Throws INVALID for what is no such history. */
export function checkUniqueClaims(history: History): Verdict {
  checkHistory(history)
  checkOps(history, ['insert', 'delete', 'get'], 'a checker of claims')
  const claims: Claim[] = []
  const refused: Insert[] = []
  for (const operations of byKey(history).values()) {
    const ends = new Deletes(operations)
    for (const operation of operations) {
      if (operation.op !== 'insert' || operation.status === 'fail') continue
      if (operation.out === false) refused.push(operation)
      else claims.push(ends.claimOf(operation))
    }
  }
  const values = groupBy(claims, claim => textOf(claim.insert.in))
  const keys = groupBy(claims, claim => claim.insert.key)
  const isOtherKey = (a: Insert, b: Insert): boolean => a.key !== b.key
  const failures = [
    ...[...values.values()].flatMap(group => heldTwice(group, 'was held by two keys at once', isOtherKey)),
    ...[...keys.values()].flatMap(group => heldTwice(group, 'came to a key that was there', () => true)),
  ]
  const heldValues = new Map([...values].map(([value, group]) => [value, new Held(group)]))
  const heldKeys = new Map([...keys].map(([key, group]) => [key, new Held(group)]))
  for (const insert of refused) {
    const isTaken =
      heldValues.get(textOf(insert.in))?.meets(insert) || heldKeys.get(insert.key)?.meets(insert)
    if (isTaken) continue
    const what = `the value ${shown(insert.in)} was refused, and neither it nor the key was taken`
    const group = values.get(textOf(insert.in)) ?? []
    failures.push({
      key: insert.key,
      what,
      evidence: [
        { label: 'the refusal', operations: [insert as Operation] },
        { label: 'claims on this value', operations: group.map(claim => claim.insert as Operation) },
      ],
    })
  }
  return verdictOf(failures)
}

/** The deletes of one key, and what they make of its claims. */
class Deletes {
  /** Those that may have removed something, by return: from each one on, the first call. */
  readonly #returns: readonly number[]
  readonly #firstCall: readonly number[]
  /** Those behind which the key was gone, by call: from each one on, the first return. */
  readonly #calls: readonly number[]
  readonly #firstReturn: readonly number[]

  constructor(operations: readonly Operation[]) {
    const spans = operations
      .filter(({ op, status, out }) => op === 'delete' && status !== 'fail' && out !== false)
      .map(one => ({ call: one.call, end: one.return ?? always }))
    const byEnd = spans.toSorted((a, b) => a.end - b.end)
    this.#returns = byEnd.map(span => span.end)
    this.#firstCall = leastFromHere(byEnd.map(span => span.call))
    const byCall = spans.filter(span => span.end < always).sort((a, b) => a.call - b.call)
    this.#calls = byCall.map(span => span.call)
    this.#firstReturn = leastFromHere(byCall.map(span => span.end))
  }

  claimOf(insert: Insert): Claim {
    const surely = insert.return ?? always
    // What happens at one and the same time may have happened in either order.
    const until = this.#firstCall[lowerBound(this.#returns, insert.call)] ?? always
    const end = this.#firstReturn[lowerBound(this.#calls, surely + 1)] ?? always
    return { insert, surely, until, end }
  }
}

/** Claims that exclude each other, as possible reasons of a refusal. */
class Held {
  readonly #calls: readonly number[]
  /** The latest end of the claims up to each one. */
  readonly #ends: number[] = []

  constructor(claims: readonly Claim[]) {
    const byCall = claims.toSorted((a, b) => a.insert.call - b.insert.call)
    this.#calls = byCall.map(claim => claim.insert.call)
    for (const { end } of byCall) this.#ends.push(Math.max(this.#ends.at(-1) ?? 0, end))
  }

  /** True if one of them may have been held at some moment of the call. */
  meets(refused: Insert): boolean {
    const before = lowerBound(this.#calls, (refused.return ?? always) + 1)
    return (this.#ends[before - 1] ?? -1) >= refused.call
  }
}

/** Claims that were acknowledged though another one, which excludes them, was surely held. */
function heldTwice(
  claims: readonly Claim[],
  what: string,
  isPair: (a: Insert, b: Insert) => boolean,
): Failure[] {
  const failures: Failure[] = []
  const clash = (first: Claim | undefined, second: Claim): void => {
    if (first === undefined || !isPair(first.insert, second.insert)) return
    const operations = [first.insert, second.insert] as Operation[]
    failures.push({
      key: second.insert.key,
      what: `the value ${shown(second.insert.in)} ${what}`,
      evidence: [{ label: 'both were acknowledged, and nothing was removed between', operations }],
    })
  }
  const answered: number[] = []
  /** For each claim, in the order of the answers: the one surely held for longest up to it. */
  const longest: Claim[] = []
  for (const claim of claims.filter(one => one.surely < always).sort((a, b) => a.surely - b.surely)) {
    const other = longest.at(-1)
    const before = longest[lowerBound(answered, claim.insert.call) - 1]
    if (claim.surely < Math.min(other?.until ?? 0, claim.until)) clash(other, claim)
    else if (claim.surely < (before?.until ?? 0)) clash(before, claim)
    answered.push(claim.surely)
    longest.push(other !== undefined && other.until >= claim.until ? other : claim)
  }
  return failures
}

/** For each place the least of what stands there and behind it. */
function leastFromHere(values: readonly number[]): number[] {
  const least = [...values]
  for (let i = least.length - 2; i >= 0; i--) least[i] = Math.min(least[i] ?? always, least[i + 1] ?? always)
  return least
}
