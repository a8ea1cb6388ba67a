/**
 * What a write does to unique values: the document's new form takes its claims, and what the old form held
 * is let go.
 *
 * A write that claims what another document holds is refused, with one exception: under a constraint that is
 * built online, a document that had the value before may keep it. That makes nothing worse; it is a violation
 * as long as both have the value. A document holds a claim if and only if the claim's row names it; the list
 * in the document's row may lack claims under such a constraint, so what its old form claims is computed.
 */
import { assert } from '../base/assert.js'
import { isSillokError } from '../base/errors.js'
import type { ConstraintId } from '../base/ids.js'
import { decodeKey } from '../base/tuple.js'
import { decodeDocument } from '../codec/document.js'
import type { RowKey } from '../codec/row.js'
import { type Claim, claimParts, claimsUnder, decodeClaim, encodeClaim } from './claims.js'
import type { ConstraintSchema } from './constraint-schema.js'
import { constraintState } from './constraint-state.js'
import { documentBytes, heldClaims } from './documents.js'
import type { Current, Draft } from './draft.js'
import { documentPrefixBytes, documentRow } from './keys.js'
import { type Refused, refuse } from './reply.js'
import type { CollectionSchema } from './schema.js'
import { addViolation, noValue, passClaimOn, removeViolation } from './violations.js'

/** The document that a write changes. */
export interface Changed {
  readonly schema: CollectionSchema
  /** Its row. */
  readonly key: RowKey
  /** What it is so far; null if it is new. */
  readonly current: Current | null
}

/**
 * Takes and releases claims, and resolves to those that the new form holds, to be listed in its row; or to
 * the refusal of the write. Undefined: rows must be loaded first.
 */
export function changeClaims(
  draft: Draft,
  { schema, key, current }: Changed,
  claims: readonly Claim[],
): readonly Claim[] | Refused | undefined {
  if (schema.unique.length === 0 && (current === null || current.value[0] === 0)) return claims
  const own = key.slice(documentPrefixBytes)
  const before = current === null ? nothing : claimsBefore(draft, schema, current)
  /** Made when one is not held: nearly always all are. */
  let held: Claim[] | undefined
  for (let i = 0; i < claims.length; i++) {
    const claim = claims[i] as Claim
    const row = draft.get(claim.key)
    if (row === undefined) {
      held ??= claims.slice(0, i)
      continue
    }
    const holder = row && decodeClaim(row.value).holder
    if (holder === null || isKey(holder, own)) {
      const value = encodeClaim(claim, own)
      if (!row?.value.equals(value)) draft.put(claim.key, value)
      held?.push(claim)
    } else if (claim.constraint.online === true && before.keys.has(claim.key)) {
      held ??= claims.slice(0, i)
      addViolation(draft, claim.constraint.id, claim, own)
    } else return taken(draft, schema, claim, holder)
  }
  if (before.keys.size > 0) {
    const kept = new Set(claims.map(claim => claim.key))
    for (const claimKey of before.keys) if (!kept.has(claimKey)) release(draft, schema, claimKey, own)
  }
  for (const constraint of before.unclaimable) removeViolation(draft, constraint, noValue, own)
  return held ?? claims
}

/** What the form of a document so far claims, whether it holds it or not. */
interface ClaimsBefore {
  readonly keys: ReadonlySet<RowKey>
  /** Constraints of which its fields cannot be a value. */
  readonly unclaimable: readonly ConstraintId[]
}

const nothing: ClaimsBefore = { keys: new Set(), unclaimable: [] }

function claimsBefore(draft: Draft, schema: CollectionSchema, current: Current): ClaimsBefore {
  const keys = new Set(heldClaims(current.value))
  const unclaimable: ConstraintId[] = []
  let document: Record<string, unknown> | undefined
  for (const constraint of schema.unique) {
    if (constraint.online !== true || isListed(draft, constraint, current)) continue
    document ??= decodeDocument(documentBytes(current.value))
    const claims = tryClaims(constraint, document)
    if (claims === undefined) unclaimable.push(constraint.id)
    else for (const claim of claims) keys.add(claim.key)
  }
  return { keys, unclaimable }
}

/** Since the constraint is enforced, claims move with writes of their documents only. */
function isListed(draft: Draft, { id }: ConstraintSchema, current: Current): boolean {
  const known = constraintState(draft, id)
  return known?.state === 'enforced' && current.version > known.version
}

/** What the document claims; undefined if its fields cannot be values of the constraint. */
export function tryClaims(
  constraint: ConstraintSchema,
  document: Readonly<Record<string, unknown>>,
): readonly Claim[] | undefined {
  try {
    return claimsUnder(constraint, document)
  } catch (error) {
    if (isSillokError(error)) return undefined
    throw error
  }
}

/** The document no longer claims this. */
function release(draft: Draft, schema: CollectionSchema, claimKey: RowKey, own: string): void {
  const { constraint: id, value } = claimParts(claimKey)
  const constraint = schema.unique.find(one => one.id === id)
  // Defined with the collection, so listed and held; or dropped, and perhaps no longer there.
  if (constraint?.online !== true) {
    if (draft.get(claimKey) !== undefined) draft.delete(claimKey)
    return
  }
  const row = draft.get(claimKey)
  if (row === undefined) return
  if (row !== null && isKey(decodeClaim(row.value).holder, own)) passClaimOn(draft, constraint, value)
  else removeViolation(draft, id, value, own)
}

function isKey(key: Buffer, text: string): boolean {
  return key.length === text.length && key.equals(Buffer.from(text, 'latin1'))
}

/** A refusal names the constraint, the holder and the holder's version. */
function taken(draft: Draft, schema: CollectionSchema, claim: Claim, holder: Buffer): Refused | undefined {
  const row = draft.get(documentRow(schema.id, holder))
  if (row === undefined || draft.needs.length > 0) return undefined
  assert(row !== null, `claim of ${claim.constraint.name} without its document`)
  const key = decodeKey(holder)
  const message = `${schema.name}.${claim.constraint.name}: held by ${JSON.stringify(key)}`
  return refuse('UNIQUE_TAKEN', message, {
    constraint: claim.constraint.name,
    holder: key,
    version: row.version,
  })
}
