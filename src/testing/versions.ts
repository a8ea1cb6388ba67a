/**
 * The versions of one key: which state each operation made or saw, as far as the history tells it.
 *
 * A state of a register is known by its value, if only one operation wrote that value; of a list by its
 * length; of a counter by its sum, if all increments are above zero. Workloads that write each value once
 * tell the most; what is ambiguous is left out.
 */
import { groupBy } from '../base/group-by.js'
import { lowerBound } from '../base/lower-bound.js'
import type { Operation, Value } from './history.js'
import { isBeginning, listSeen, longestList } from './models.js'
import { ending, shown, textOf } from './value-text.js'

/** A state that the key had, or should have had. */
export interface Version {
  readonly label: string
  /** The operation that made it, if it is known. */
  readonly write: Operation | undefined
  /** It was not there before this time, and it was there, or had been, by that one. */
  readonly call: number
  known: number
}

/** That one version came before another, and what shows it. */
export interface Precedence {
  readonly from: Version
  readonly to: Version
  readonly why: string
  readonly operations: readonly Operation[]
}

/** What is known of one key. */
export interface Versions {
  readonly versions: readonly Version[]
  /** The version that an acknowledged operation made or saw. */
  readonly of: ReadonlyMap<Operation, Version>
  /** What the states themselves tell of their order. */
  readonly order: readonly Precedence[]
  /** Reads of what was never there. */
  readonly strange: readonly Operation[]
}

/** Collects versions; the first is that of the beginning. */
class Collected implements Versions {
  readonly beginning: Version = { label: 'the beginning', write: undefined, call: -1, known: -1 }
  readonly versions: Version[] = [this.beginning]
  readonly of = new Map<Operation, Version>()
  readonly order: Precedence[] = []
  readonly strange: Operation[] = []

  add(label: string, write: Operation | undefined): Version {
    const known = write?.return ?? Number.POSITIVE_INFINITY
    const version: Version = { label, write, call: write?.call ?? 0, known }
    this.versions.push(version)
    if (write?.status === 'ok') this.of.set(write, version)
    return version
  }

  /** A read answered with it: so it was there by then. */
  saw(operation: Operation, version: Version): void {
    const end = operation.return ?? Number.POSITIVE_INFINITY
    if (end < version.call) {
      this.strange.push(operation)
      return
    }
    if (version !== this.beginning) version.known = Math.min(version.known, end)
    this.of.set(operation, version)
  }

  precede(from: Version, to: Version, why: string, operations: readonly Operation[] = []): void {
    this.order.push({ from, to, why, operations })
  }
}

/** The versions of a key; of its operations none has failed. */
export function versionsOf(operations: readonly Operation[]): Versions {
  if (operations.some(({ op }) => op === 'append')) return listVersions(operations)
  if (operations.some(({ op }) => op === 'incr')) return sumVersions(operations)
  return valueVersions(operations)
}

const isEmpty = (out: Value): boolean => out === null || out === 0 || (Array.isArray(out) && out.length === 0)

function valueVersions(operations: readonly Operation[]): Versions {
  const found = new Collected()
  const writes = operations.filter(operation => writtenBy(operation) !== undefined)
  const writers = groupBy(writes, operation => textOf(writtenBy(operation) ?? null))
  const versions = new Map<Operation, Version>()
  for (const write of writes) {
    const written = writtenBy(write) ?? null
    versions.set(write, found.add(written === null ? 'nothing' : shown(written), write))
  }
  const see = (operation: Operation, value: Value): Version | undefined => {
    if (value === null || (writes.length === 0 && isEmpty(value)))
      return writers.has(textOf(null)) ? undefined : found.beginning
    const [writer, ...others] = writers.get(textOf(value)) ?? []
    if (writer === undefined) found.strange.push(operation)
    return writer === undefined || others.length > 0 ? undefined : versions.get(writer)
  }
  for (const operation of operations) {
    if (operation.status !== 'ok') continue
    const version = operation.op === 'get' ? see(operation, operation.out) : undefined
    if (version !== undefined) found.saw(operation, version)
    if (operation.op !== 'cas' || operation.out !== true) continue
    const [from, to] = [see(operation, operation.in.from), versions.get(operation)]
    if (from !== undefined && to !== undefined && from !== to)
      found.precede(from, to, 'the one was replaced by the other', [operation])
  }
  return found
}

/** What the operation wrote, or may have written; null: it removed. Undefined: nothing. */
function writtenBy(operation: Operation): Value | undefined {
  if (operation.out === false) return undefined
  switch (operation.op) {
    case 'put':
    case 'insert':
      return operation.in
    case 'cas':
      return operation.in.to
    case 'delete':
      return null
    default:
      return undefined
  }
}

function listVersions(operations: readonly Operation[]): Versions {
  const found = new Collected()
  const longest = longestList(operations)
  const elements = new Set(longest)
  const appends = groupBy(
    operations.filter(({ op }) => op === 'append'),
    operation => textOf(operation.in),
  )
  /** By length. */
  const versions = [found.beginning]
  for (const [i, element] of longest.entries()) {
    const [write, ...others] = appends.get(element) ?? []
    const label = `the list of ${i + 1} to ${ending(element)}`
    const version = found.add(label, others.length === 0 ? write : undefined)
    found.precede(versions[i] ?? found.beginning, version, 'the one list begins the other')
    versions.push(version)
  }
  const last = versions.at(-1) ?? found.beginning
  for (const operation of operations) {
    const seen = listSeen(operation)
    if (seen !== undefined) {
      const version = isBeginning(seen, longest) ? versions[seen.length] : undefined
      const isKnown = seen.length === 0 || appends.has(seen.at(-1) ?? '')
      if (version === undefined || !isKnown) found.strange.push(operation)
      else found.saw(operation, version)
    } else if (operation.op === 'append' && operation.status === 'ok' && !found.of.has(operation)) {
      const element = textOf(operation.in)
      if (elements.has(element)) continue
      const version = found.add(`a list to ${ending(element)}`, operation)
      found.precede(last, version, 'the longest list seen is without it', [operation])
    }
  }
  return found
}

function sumVersions(operations: readonly Operation[]): Versions {
  const found = new Collected()
  const increments = operations.filter(({ op }) => op === 'incr')
  if (increments.some(({ in: added }) => Number(added) <= 0)) return found
  const calls = increments.map(({ call }) => call)
  /** The largest sums that there can be after so many calls. */
  const most = [0]
  for (const { in: added } of increments) most.push(Number(most.at(-1)) + Number(added))
  const told = operations.filter(({ op, status, out }) => status === 'ok' && (op === 'get' || out !== null))
  const sums = new Set(told.map(({ out }) => Number(out)).filter(Number.isSafeInteger))
  const makers = new Map(told.filter(({ op }) => op === 'incr').map(one => [Number(one.out), one]))
  const versions = new Map<number, Version>([[0, found.beginning]])
  for (const sum of [...sums].sort((a, b) => a - b)) {
    if (versions.has(sum)) continue
    const last = found.versions.at(-1) ?? found.beginning
    const version = found.add(String(sum), makers.get(sum))
    versions.set(sum, version)
    found.precede(last, version, 'the sum only grows')
  }
  for (const operation of told) {
    const sum = Number(operation.out)
    const version = versions.get(sum)
    const begun = lowerBound(calls, Number(operation.return) + 1)
    const isPossible = Number.isSafeInteger(operation.out ?? 0) && sum >= 0 && sum <= Number(most[begun])
    if (version === undefined || !isPossible) found.strange.push(operation)
    else found.saw(operation, version)
  }
  return found
}
