/**
 * Unique constraints as callers see them: what they are asked for, how far each is, and which documents keep
 * one from being enforced.
 *
 * While another rule of one name is built, the older one answers; from its enforcement on the newer one does.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { ConstraintId } from '../base/ids.js'
import { type DocumentKey, decodeKey, decodeTuple } from '../base/tuple.js'
import { keyBytes, keyText, type Row, type RowKey } from '../codec/row.js'
import { type Claim, claimOf, decodeClaim } from '../machine/claims.js'
import { type ConstraintSchema, newestConstraint } from '../machine/constraint-schema.js'
import {
  type ConstraintPhase,
  type ConstraintState,
  decodeConstraintState,
} from '../machine/constraint-state.js'
import {
  claimPrefix,
  constraintKey,
  constraintPrefix,
  violationParts,
  violationPrefix,
} from '../machine/keys.js'
import type { CollectionSchema } from '../machine/schema.js'
import { decodeLink } from '../machine/violations.js'
import type { Host } from '../replica/host.js'
import type { State } from '../state/state.js'
import type { Asking } from './asking.js'
import { invalid } from './check-options.js'
import type { CallOptions, Violation, ViolationsOptions, ViolationsPage } from './options.js'

/** How far a unique constraint is. */
export interface ConstraintStatus {
  readonly collection: string
  readonly name: string
  /** Of two of one name the larger number is the newer rule: the other is in force until it is enforced. */
  readonly id: number
  /**
   * `guard`, `backfill`, `validate`: it is being built; `violated`: documents share values, see `violations`;
   * `enforced`; `dropping`: its rows are being removed.
   */
  readonly state: ConstraintPhase
  /** Documents that the build has looked at, of those that were there before the constraint. */
  readonly documents: number
  /** Key of the last of them. */
  readonly builtThrough: DocumentKey | undefined
  /** Documents that lack their claim. */
  readonly violations: number
  /** Unique values that these are about: so many documents hold one that others have too. */
  readonly values: number
  /** Why its build or drop cannot go on; undefined if it can. It is tried again by itself. */
  readonly reason: string | undefined
}

function stateOf(state: State, id: ConstraintId): ConstraintState | undefined {
  const row = state.lookup(constraintKey(id))
  return row ? decodeConstraintState(row.value) : undefined
}

/** All constraints, by collection and number; those that are being dropped last. */
export function constraintStatuses(
  schemas: Iterable<CollectionSchema>,
  { data: { state }, failingBuilds }: Pick<Host, 'data' | 'failingBuilds'>,
): ConstraintStatus[] {
  const all: Omit<ConstraintStatus, 'reason'>[] = []
  for (const { name: collection, unique } of schemas) {
    for (const { id, name } of unique) all.push(statusOf(id, collection, name, stateOf(state, id)))
  }
  const known = new Set(all.map(({ id }) => id))
  for (const [key, row] of state.partitionRows(constraintPrefix)) {
    const id = keyBytes(key).readUInt32BE(constraintPrefix.length)
    const built = decodeConstraintState(row.value)
    if (!known.has(id)) all.push(statusOf(id, built.of, built.name, built))
  }
  return all.map(one => ({ ...one, reason: failingBuilds.get(one.id)?.message }))
}

function statusOf(
  id: ConstraintId,
  collection: string,
  name: string,
  built: ConstraintState | undefined,
): Omit<ConstraintStatus, 'reason'> {
  const { state = 'enforced', documents = 0, after = null, violations = 0, values = 0 } = built ?? {}
  const builtThrough = after === null ? undefined : decodeKey(after)
  return { collection, name, id, state, documents, builtThrough, violations, values }
}

function isBuilding(state: ConstraintPhase | undefined): boolean {
  return state === 'guard' || state === 'backfill' || state === 'validate'
}

/** The claim on these values, by the rule that answers now. See `Collection.getBy` for what it throws. */
export function askedClaim(schema: CollectionSchema, state: State, name: string, value: unknown): Claim {
  const rule = answeringRule(schema, state, name)
  const values = Array.isArray(value) ? (value as unknown[]) : [value]
  if (values.length !== rule.fields.length) {
    const fields = rule.fields.map(({ field }) => field).join(', ')
    throw invalid(`${name} takes ${rule.fields.length} values: ${fields}`)
  }
  const claim = claimOf(rule, values)
  if (claim === null) throw invalid(`${name}: null is no unique value`)
  return claim
}

function answeringRule(schema: CollectionSchema, state: State, name: string): ConstraintSchema {
  const rules = schema.unique.filter(one => one.name === name)
  const enforced = rules.findLast(({ id }) => (stateOf(state, id)?.state ?? 'enforced') === 'enforced')
  const rule = enforced ?? rules[0]
  if (rule === undefined) throw unknownConstraint(schema, name)
  if (!isBuilding(stateOf(state, rule.id)?.state)) return rule
  const message = `the constraint ${name} of ${schema.name} is being built: db.enforced waits for it`
  throw new SillokError('INDEX_BEHIND', message)
}

function unknownConstraint(schema: CollectionSchema, name: string): SillokError {
  return new SillokError('NOT_FOUND', `collection ${schema.name} has no unique constraint ${name}`)
}

/** The constraint of that name as it was defined last. Throws NOT_FOUND. */
function newest(schema: CollectionSchema, name: string): ConstraintSchema {
  const constraint = newestConstraint(schema.unique, name)
  if (constraint === undefined) throw unknownConstraint(schema, name)
  return constraint
}

/** A collection of a store that is open. */
export interface OpenCollection {
  readonly host: Host
  readonly asking: Asking
  readonly schema: () => CollectionSchema
}

/** Resolves when it is enforced. See `Store.enforced` for what it rejects with. */
export async function whenEnforced(
  { host, asking, schema }: OpenCollection,
  name: string,
  options: CallOptions,
): Promise<void> {
  const over = new AbortController()
  try {
    await asking.until(() => enforced(host, schema, name, over.signal), options, false)
  } finally {
    over.abort()
  }
}

async function enforced(
  host: Host,
  schema: () => CollectionSchema,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  // What mended it, or defined it, may not have come here yet.
  if (host.isMember) await host.data.readable()
  for (;;) {
    const { applied, state } = host.data
    const { id } = newest(schema(), name)
    const built = stateOf(state, id)
    if (built === undefined || built.state === 'enforced') return
    if (built.state === 'violated') {
      const { violations, values } = built
      const what = `${violations} documents lack their claim, of ${values} values`
      const message = `${schema().name}.${name} is violated: ${what}; db.violations lists them`
      throw new SillokError('UNIQUE_TAKEN', message, { details: { constraint: name, violations, values } })
    }
    const failure = host.failingBuilds.get(id)
    if (isSillokError(failure, 'DAMAGED')) throw failure
    await host.beyond(applied, signal)
  }
}

/** One page of the violations, as of one moment. */
export async function violationsPage(
  state: State,
  schema: CollectionSchema,
  name: string,
  { limit = 100, after }: ViolationsOptions,
): Promise<ViolationsPage> {
  const { id } = newest(schema, name)
  const prefix = violationPrefix(id)
  const gte = after === undefined ? prefix : `${cursorRow(after, prefix)}\0`
  // Both are made in one turn, so they show one moment.
  const view = state.view()
  const scan = state.scan({ gte, lt: `${prefix}\xff`, pageRows: Math.min(limit + 1, 1000) })
  try {
    const found: [RowKey, Row][] = []
    // One more than a page tells whether there is a next one. The row of a value is no violation.
    for await (const page of scan) {
      found.push(...page.filter(([key]) => violationParts(key).key.length > 0))
      if (found.length > limit) break
    }
    const listed = found.slice(0, limit)
    const claims = await view.getMany(listed.map(([key]) => claimRow(id, key)))
    const violations = listed.map(([key, row], i): Violation => {
      const claim = claims[i]
      return {
        key: decodeKey(violationParts(key).key),
        values: decodeTuple(decodeLink(row.value).raw),
        holder: claim ? decodeKey(decodeClaim(claim.value).holder) : undefined,
      }
    })
    const last = listed.at(-1)
    const isMore = found.length > limit && last !== undefined
    return { violations, after: isMore ? keyBytes(last[0]).toString('base64url') : undefined }
  } finally {
    view.release()
    await scan.return()
  }
}

function claimRow(id: ConstraintId, violation: RowKey): RowKey {
  return claimPrefix(id) + keyText(violationParts(violation).value)
}

function cursorRow(after: string, prefix: RowKey): RowKey {
  const row = keyText(Buffer.from(after, 'base64url'))
  if (row.startsWith(prefix)) return row
  throw invalid('after is not of a page of this constraint as it is defined now')
}
