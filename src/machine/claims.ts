/**
 * Claims: a row per unique value in use, which names the document that holds it.
 *
 *   key     c | u32be constraint | the normalised values as a tuple
 *   value   u16 n | key of the holder, encoded | u16 n | rule | raw values as a tuple
 *
 * A document that lacks a field of the constraint, or has null there, claims nothing. Fields are
 * top-level names, not paths. Only booleans, numbers, strings, dates and bytes can be unique values: anything
 * else but null is INVALID.
 */
import { SillokError } from '../base/errors.js'
import type { ConstraintId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { decodeTuple, encodeTuple, type TupleValue } from '../base/tuple.js'
import type { RowKey } from '../codec/row.js'
import { claimPrefix } from './keys.js'
import { type Normalizer, type NormalizeStep, normalizer } from './normalize.js'
import type { CollectionSchema, ConstraintSchema } from './schema.js'

/** A unique value that a document wants to hold. */
export interface Claim {
  readonly constraint: ConstraintSchema
  readonly value: Buffer
  readonly raw: Buffer
  readonly key: RowKey
}

/** A stored claim. */
export interface HeldClaim {
  /** The holder's key, encoded. */
  readonly holder: Buffer
  readonly rule: string
  readonly raw: readonly TupleValue[]
}

/**
 * What the document claims under the collection's constraints. Throws INVALID or TOO_LARGE, naming the field.
 */
export function claimsOf(schema: CollectionSchema, document: Record<string, unknown>): Claim[] {
  const claims: Claim[] = []
  for (const constraint of schema.unique) {
    const values = constraint.fields.map(({ field }) =>
      Object.hasOwn(document, field) ? document[field] : null,
    )
    const claim = claimOf(constraint, values)
    if (claim !== null) claims.push(claim)
  }
  return claims
}

/** The claim for these values, one per field of the constraint; null if one of them is missing. */
export function claimOf(constraint: ConstraintSchema, values: readonly unknown[]): Claim | null {
  const raw: TupleValue[] = []
  const normal: TupleValue[] = []
  let isNormal = true
  for (const [i, { field, steps }] of constraint.fields.entries()) {
    const value = values[i]
    if (value === undefined || value === null) return null
    const checked = checkValue(constraint, field, value)
    raw.push(checked)
    const normalised = normalizerOf(steps)(checked) as TupleValue
    normal.push(normalised)
    isNormal &&= normalised === checked
  }
  const value = encodeTuple(normal)
  if (value.length > limits.uniqueValueBytesMax) {
    const size = `${value.length} bytes, ${limits.uniqueValueBytesMax} allowed`
    throw new SillokError('TOO_LARGE', `value of constraint ${constraint.name}: ${size}`)
  }
  const written = isNormal ? value : encodeTuple(raw)
  return { constraint, value, raw: written, key: claimKeyOf(constraint.id, value) }
}

const normalizers = new WeakMap<readonly NormalizeStep[], Normalizer>()

/** The steps as a function, made once for each list. */
function normalizerOf(steps: readonly NormalizeStep[]): Normalizer {
  let known = normalizers.get(steps)
  if (known === undefined) {
    known = normalizer(steps)
    normalizers.set(steps, known)
  }
  return known
}

function checkValue(constraint: ConstraintSchema, field: string, value: unknown): TupleValue {
  const type = typeof value
  const scalar = type === 'string' || type === 'number' || type === 'boolean'
  if (scalar || value instanceof Date || value instanceof Uint8Array) return value as TupleValue
  const allowed = 'a string, number, boolean, date or bytes'
  throw new SillokError(
    'INVALID',
    `constraint ${constraint.name}: field ${field} must be ${allowed}, not ${type}`,
  )
}

/** The claim's row: one per constraint and normalised value. */
export function claimKeyOf(constraint: ConstraintId, value: Buffer): RowKey {
  return claimPrefix(constraint) + value.toString('latin1')
}

/** The value of the claim's row; `holder`: the encoded key, one character per byte. */
export function encodeClaim(claim: Claim, holder: string): Buffer {
  const { rule } = claim.constraint
  const bytes = Buffer.allocUnsafe(4 + holder.length + rule.length + claim.raw.length)
  let at = bytes.writeUInt16LE(holder.length, 0)
  at += bytes.write(holder, at, 'latin1')
  at = bytes.writeUInt16LE(rule.length, at)
  at += bytes.write(rule, at, 'latin1')
  bytes.set(claim.raw, at)
  return bytes
}

/** Reads what `encodeClaim` wrote. */
export function decodeClaim(value: Buffer): HeldClaim {
  const holderEnd = 2 + value.readUInt16LE(0)
  const ruleEnd = holderEnd + 2 + value.readUInt16LE(holderEnd)
  return {
    holder: value.subarray(2, holderEnd),
    rule: value.toString('latin1', holderEnd + 2, ruleEnd),
    raw: decodeTuple(value.subarray(ruleEnd)),
  }
}
