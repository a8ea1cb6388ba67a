/**
 * Claims: a row per unique value in use, which names the document that holds it.
 *
 *   key     c | u32be constraint | the normalised values as a tuple
 *   value   u16 n | key of the holder, encoded | u16 n | rule | raw values as a tuple; the normalised ones
 *           if the raw ones would be longer than 1 KiB: entries of builds must be bounded
 *
 * A document that lacks a field of the constraint, or has null there, claims nothing, unless the constraint
 * says that nulls are equal; nor does one that does not meet the constraint's conditions. With `each` there
 * is one claim per distinct element of that field's array (what is no array counts as its only element, an
 * empty array has none). Fields are top-level names, not paths. Only booleans, numbers, strings, dates and
 * bytes can be unique values: anything else but null is INVALID.
 */
import { SillokError } from '../base/errors.js'
import type { ConstraintId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { decodeTuple, encodeTuple, type TupleValue } from '../base/tuple.js'
import { keyBytes, type RowKey } from '../codec/row.js'
import type { ConstraintSchema } from './constraint-schema.js'
import { claimPrefix } from './keys.js'
import { type Normalizer, type NormalizeStep, normalizer } from './normalize.js'
import type { CollectionSchema } from './schema.js'
import { isWhere } from './where.js'

/** A unique value that a document wants to hold. */
export interface Claim {
  readonly constraint: ConstraintSchema
  readonly value: Buffer
  /** The values as given; as `value` has them, if these would be long. */
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
export function claimsOf(
  schema: CollectionSchema,
  document: Readonly<Record<string, unknown>>,
): readonly Claim[] {
  const [only] = schema.unique
  if (only === undefined) return none
  if (schema.unique.length === 1) return claimsUnder(only, document)
  return schema.unique.flatMap(constraint => claimsUnder(constraint, document))
}

const none: readonly Claim[] = []

/** What the document claims under one constraint. Throws INVALID or TOO_LARGE, naming the field. */
export function claimsUnder(
  constraint: ConstraintSchema,
  document: Readonly<Record<string, unknown>>,
): readonly Claim[] {
  if (constraint.where !== undefined && !isWhere(constraint.where, document)) return none
  const values = constraint.fields.map(({ field }) =>
    Object.hasOwn(document, field) ? document[field] : null,
  )
  if (constraint.each !== undefined) return claimsOfEach(constraint, constraint.each, values)
  const claim = claimOf(constraint, values)
  return claim === null ? none : [claim]
}

/** One claim for each distinct element of the field `each`. */
function claimsOfEach(constraint: ConstraintSchema, each: string, values: readonly unknown[]): Claim[] {
  const place = constraint.fields.findIndex(({ field }) => field === each)
  const value = values[place]
  const claims = new Map<RowKey, Claim>()
  let bytes = 0
  for (const element of Array.isArray(value) ? (value as unknown[]) : [value]) {
    const claim = claimOf(constraint, values.with(place, element))
    if (claim === null || claims.has(claim.key)) continue
    claims.set(claim.key, claim)
    bytes += claim.value.length
    const { claimsPerConstraintMax: countMax, claimBytesPerConstraintMax: bytesMax } = limits
    if (claims.size <= countMax && bytes <= bytesMax) continue
    const allowed = `${countMax} distinct ones of ${bytesMax} bytes in all are allowed`
    const message = `constraint ${constraint.name}: field ${each} has too many values; ${allowed}`
    throw new SillokError('TOO_LARGE', message)
  }
  return [...claims.values()]
}

/**
 * The claim for these values, one per field of the constraint; null if one of them is missing, and nulls are
 * distinct.
 */
export function claimOf(constraint: ConstraintSchema, values: readonly unknown[]): Claim | null {
  // Copies have the right length from the start: arrays that grow would be the most of what is made here.
  const raw = values.slice() as TupleValue[]
  let normal = raw
  for (let i = 0; i < constraint.fields.length; i++) {
    const { field, steps } = constraint.fields[i] as ConstraintSchema['fields'][number]
    const value = values[i]
    if (value === undefined || value === null) {
      if (constraint.nulls !== 'equal') return null
      raw[i] = null
      normal[i] = null
      continue
    }
    const checked = checkValue(constraint, field, value)
    if (steps.length > 0) checkMarks(constraint, checked)
    const normalised = steps.length === 0 ? checked : (normalizerOf(steps)(checked) as TupleValue)
    if (normalised === checked) continue
    if (normal === raw) normal = raw.slice()
    normal[i] = normalised
  }
  const value = encodeTuple(normal)
  if (value.length > limits.uniqueValueBytesMax) {
    const size = `${value.length} bytes, ${limits.uniqueValueBytesMax} allowed`
    throw new SillokError('TOO_LARGE', `value of constraint ${constraint.name}: ${size}`)
  }
  const written = normal === raw ? value : encodeTuple(raw)
  const kept = written.length > rawBytesMax ? value : written
  return { constraint, value, raw: kept, key: claimKeyOf(constraint.id, value) }
}

/** Values are kept as they were given up to so many bytes. */
const rawBytesMax = 1024

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

const marks = /\p{M}+/gu

/**
 * Throws TOO_LARGE for a text that is longer than allowed whatever becomes of it: normalising takes time with
 * the square of the marks that stand together, and each of them leaves a byte at least.
 */
function checkMarks({ name }: ConstraintSchema, value: TupleValue): void {
  const allowed = limits.uniqueValueBytesMax
  if (typeof value !== 'string' || value.length <= allowed) return
  let units = 0
  for (const [run] of value.matchAll(marks)) {
    units += run.length
    if (units <= allowed) continue
    const message = `value of constraint ${name}: over ${allowed} combining marks, ${allowed} bytes allowed`
    throw new SillokError('TOO_LARGE', message)
  }
}

/** The claim's row: one per constraint and normalised value. */
export function claimKeyOf(constraint: ConstraintId, value: Buffer): RowKey {
  return claimPrefix(constraint) + value.toString('latin1')
}

/** Constraint and value of a claim's row. */
export function claimParts(key: RowKey): { readonly constraint: ConstraintId; readonly value: Buffer } {
  const bytes = keyBytes(key)
  return { constraint: bytes.readUInt32BE(1), value: bytes.subarray(5) }
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
