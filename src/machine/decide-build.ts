/**
 * Decides how a constraint is built on documents that are there, and how its rows go when it is dropped.
 *
 * The build reads documents as they are at this point of the log, and each row that changes is named by the
 * entry; so there is no moment between what it saw and what it wrote. The command says which documents there
 * were to look at: it may name some that are gone since, or were written since; those of the second kind ran
 * the rule when they were written. Where the build is, and how many violations there are, stands in one row,
 * so a build that is killed goes on where it was, and a command that comes twice finds that it is stale.
 */
import { assert, must } from '../base/assert.js'
import type { ConstraintId, Version } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { encodeTuple } from '../base/tuple.js'
import { decodeDocument } from '../codec/document.js'
import { keyBytes, type RowKey } from '../codec/row.js'
import { tryClaims } from './change-claims.js'
import { type Claim, decodeClaim, encodeClaim } from './claims.js'
import type { Backfill, Decision, DropClaims, Judge, MetaFeed } from './command.js'
import type { ConstraintSchema } from './constraint-schema.js'
import {
  type ConstraintPhase,
  changeConstraintState,
  constraintState,
  encodeConstraintState,
} from './constraint-state.js'
import { documentBytes } from './documents.js'
import type { Current } from './draft.js'
import { Draft } from './draft.js'
import { claimPrefix, constraintKey, documentPrefixBytes, schemaKey, violationPrefix } from './keys.js'
import type { Reply } from './reply.js'
import { type CollectionSchema, decodeSchema, schemaOfRow } from './schema.js'
import type { DecideContext, View } from './view.js'
import { addViolation, noValue } from './violations.js'

/** What the answer to a part of a build or drop says: the log has come further than the one who sent it. */
export interface BuildValue {
  readonly isStale: boolean
}

function answer(context: DecideContext, isStale: boolean): Extract<Reply, { ok: true }> {
  return { ok: true, version: context.version, value: { isStale } satisfies BuildValue }
}

/** The next documents claim their values; those whose value is held become violations. */
export function decideBackfill(backfill: Backfill, view: View, context: DecideContext): Decision {
  const { constraint: id, after, keys } = backfill
  const draft = new Draft(view, context.version)
  const known = constraintState(draft, id)
  const isBuilt = known?.state === 'guard' || known?.state === 'backfill'
  if (known === undefined || !isBuilt || !sameBytes(known.after, after)) {
    return { type: 'answer', reply: answer(context, true) }
  }
  const constraint = constraintOf(view, known.collection, id)
  let bytes = 0
  let seen = 0
  for (const key of keys) {
    const row = draft.get(key)
    // One that is of a newer version than the constraint ran its rule when it was written.
    if (row && row.version <= known.since) bytes += claimFor(draft, backfill, constraint, key, row)
    seen += 1
    if (bytes >= context.limits.buildEntryBytes) break
  }
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  // Other documents' rows change too, and may be longer than was foreseen.
  if (seen > 1 && draft.factBytes() > limits.factsPerEntryBytesMax) {
    const first = keys.slice(0, seen >> 1)
    const through = keyBytes(must(first.at(-1), 'a key').slice(documentPrefixBytes))
    return decideBackfill({ ...backfill, keys: first, through, isLast: false }, view, context)
  }
  const isWhole = seen === keys.length
  const last = keys[seen - 1]
  const through = isWhole || last === undefined ? backfill.through : keyBytes(last.slice(documentPrefixBytes))
  const state: ConstraintPhase = isWhole && backfill.isLast ? 'validate' : 'backfill'
  changeConstraintState(draft, id, { state, after: through, documents: known.documents + seen })
  return { type: 'entry', facts: draft.facts(), reply: answer(context, false) }
}

/** One document claims what it has. Resolves to at least the bytes that this takes in the entry. */
function claimFor(
  draft: Draft,
  { made }: Backfill,
  constraint: ConstraintSchema,
  key: RowKey,
  { value }: Current,
): number {
  let known = made.get(key)
  if (known?.value !== value) {
    known = { value, claims: tryClaims(constraint, decodeDocument(documentBytes(value))) }
    made.set(key, known)
  }
  const own = key.slice(documentPrefixBytes)
  if (known.claims === undefined) {
    addViolation(draft, constraint.id, { value: noValue, raw: encodeTuple([]) }, own)
    return 4 * own.length + factsRoom
  }
  let bytes = 0
  for (const claim of known.claims) {
    takeOrNote(draft, claim, own)
    bytes += 4 * (claim.key.length + own.length) + 2 * claim.raw.length + factsRoom
  }
  return bytes
}

/** What four facts take besides keys and values. */
const factsRoom = 128

function takeOrNote(draft: Draft, claim: Claim, own: string): void {
  const row = draft.get(claim.key)
  if (row === undefined) return
  if (row === null) draft.put(claim.key, encodeClaim(claim, own))
  else if (decodeClaim(row.value).holder.toString('latin1') !== own)
    addViolation(draft, claim.constraint.id, claim, own)
}

function sameBytes(one: Uint8Array | null, two: Uint8Array | null): boolean {
  if (one === null || two === null) return one === two
  return Buffer.compare(one, two) === 0
}

function constraintOf(view: View, collection: number, id: ConstraintId): ConstraintSchema {
  const row = view.get(schemaKey(collection))
  assert(row !== null && row !== undefined, () => `constraint ${id} is built without a schema`)
  const constraint = schemaOfRow(row).unique.find(one => one.id === id)
  assert(constraint !== undefined, () => `constraint ${id} is built, and its schema lacks it`)
  return constraint
}

/** All documents have claimed what they have: the constraint is enforced, or it is violated. */
export function decideJudge({ constraint }: Judge, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const known = constraintState(draft, constraint)
  const reply = answer(context, known?.state !== 'validate')
  if (known?.state !== 'validate') return { type: 'answer', reply }
  changeConstraintState(draft, constraint, { state: known.violations === 0 ? 'enforced' : 'violated' })
  return { type: 'entry', facts: draft.facts(), reply }
}

/** Removes rows of a constraint that is dropped, and in the end what says that it is. */
export function decideDropClaims(drop: DropClaims, view: View, context: DecideContext): Decision {
  const { constraint, keys, isLast } = drop
  const draft = new Draft(view, context.version)
  if (constraintState(draft, constraint)?.state !== 'dropping') {
    return { type: 'answer', reply: answer(context, true) }
  }
  for (const key of keys) {
    const isOwn = key.startsWith(claimPrefix(constraint)) || key.startsWith(violationPrefix(constraint))
    assert(isOwn, () => `${JSON.stringify(key)} is no row of constraint ${constraint}`)
    if (draft.get(key) !== undefined) draft.delete(key)
  }
  if (isLast) draft.delete(constraintKey(constraint))
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  const facts = draft.facts()
  const reply = answer(context, false)
  return facts.length === 0 ? { type: 'answer', reply } : { type: 'entry', facts, reply }
}

/** Puts the schemas of meta's entries: constraints that come to a collection begin to be built, others go. */
export function takeSchemas(draft: Draft, schemas: MetaFeed['schemas'], version: Version): void {
  // Only what a collection was and what it is now: the same entries may have been taken before.
  for (const [key, value] of new Map(schemas)) {
    const current = draft.get(key)
    if (current === undefined || current?.value.equals(value) === true) continue
    draft.put(key, value)
    const schema = decodeSchema(value)
    followConstraints(draft, current && decodeSchema(current.value), schema, version)
  }
}

function followConstraints(
  draft: Draft,
  old: CollectionSchema | null,
  schema: CollectionSchema,
  since: Version,
): void {
  const put = ({ id, name }: ConstraintSchema, state: ConstraintPhase): void => {
    const none = { after: null, documents: 0, violations: 0, values: 0 }
    const begun = { collection: schema.id, of: schema.name, name, state, since, ...none }
    if (draft.get(constraintKey(id)) === null) draft.put(constraintKey(id), encodeConstraintState(begun))
    else changeConstraintState(draft, id, { state })
  }
  const isIn = (unique: readonly ConstraintSchema[], id: ConstraintId): boolean => {
    return unique.some(one => one.id === id)
  }
  for (const constraint of schema.unique) {
    // A collection that is new here has no documents.
    if (old === null && constraint.online === true) put(constraint, 'enforced')
    else if (old !== null && !isIn(old.unique, constraint.id)) put(constraint, 'guard')
  }
  for (const constraint of old?.unique ?? []) {
    if (!isIn(schema.unique, constraint.id)) put(constraint, 'dropping')
  }
}
