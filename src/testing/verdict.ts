/** What a checker found in a history, for programs and, as text, for people. */
import type { Operation } from './history.js'
import { shown } from './value-text.js'

/** Operations, and what they have to do with a failure. */
export interface Evidence {
  readonly label: string
  readonly operations: readonly Operation[]
}

/** One way in which a history breaks a promise. */
export interface Failure {
  readonly key: string
  /** One sentence. */
  readonly what: string
  readonly evidence: readonly Evidence[]
}

/** A key for which the search was given up. */
export interface Undecided {
  readonly key: string
  readonly what: string
}

/** The answer of a checker. A failure is one for certain, also where other keys are undecided. */
export type Verdict =
  | { readonly verdict: 'ok' }
  | { readonly verdict: 'failed'; readonly failures: readonly Failure[]; readonly explanation: string }
  | { readonly verdict: 'undecided'; readonly keys: readonly Undecided[]; readonly explanation: string }

/** The verdict over everything that was found. */
export function verdictOf(failures: readonly Failure[], undecided: readonly Undecided[] = []): Verdict {
  if (failures.length > 0) return { verdict: 'failed', failures, explanation: explain(failures) }
  if (undecided.length === 0) return { verdict: 'ok' }
  const explanation = undecided.map(({ key, what }) => `key ${shown(key)}: ${what}`).join('\n')
  return { verdict: 'undecided', keys: undecided, explanation }
}

const failuresShown = 5
const operationsShown = 8

function explain(failures: readonly Failure[]): string {
  const lines: string[] = []
  for (const { key, what, evidence } of failures.slice(0, failuresShown)) {
    lines.push(`key ${shown(key)}: ${what}`)
    for (const { label, operations } of evidence) {
      const more = operations.length - operationsShown
      lines.push(`  ${label}${more > 0 ? ` (${operations.length}, the last ${operationsShown})` : ''}:`)
      lines.push(...operations.slice(-operationsShown).map(operation => `    ${describe(operation)}`))
    }
  }
  const more = failures.length - failuresShown
  if (more > 0) lines.push(`and ${more} more`)
  return lines.join('\n')
}

const milliseconds = (ns: number | null): string => (ns === null ? '?' : (ns / 1e6).toFixed(6))

/** `12.000000 … 13.500000 ms  c1  put 5  ok`: times are those since the clock's zero. */
export function describe({
  client,
  op,
  in: input,
  out,
  call,
  return: end,
  status,
  level,
}: Operation): string {
  const words: string[] = [op]
  if (input !== null) words.push(shown(input))
  if (status === 'ok' && out !== null) words.push(`-> ${shown(out)}`)
  else if (status === 'ok' && op === 'get') words.push('-> nothing')
  const told = { ok: '', fail: '  failed', info: '  outcome unknown' }[status]
  const span = `${milliseconds(call)} … ${milliseconds(end)} ms`
  return `${span}  ${client}  ${words.join(' ')}${level === undefined ? '' : ` (${level})`}${told}`
}
