/**
 * Which documents a partial constraint holds for: conditions on top-level fields, all of which must be met.
 *
 * Written as `{ status: 'active', email: { exists: true } }`; in the log a list in the order of the fields'
 * names with a version, so that one meaning has one form. Pure: the same document gives the same answer on
 * every replica and in every release that knows the version. Values are compared as they are, text is not
 * normalised. A field that holds null does not exist.
 */
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { isWellFormed } from '../base/text.js'

/** What one field must be: this value, or there at all (or not). */
export type WhereCondition = string | number | boolean | { readonly exists: boolean }

/** Conditions by field, all of which must be met. */
export type WhereDefinition = Readonly<Record<string, WhereCondition>>

/** One condition as the log keeps it. */
export type WhereTerm =
  | { readonly field: string; readonly is: string | number | boolean }
  | { readonly field: string; readonly exists: boolean }

/** The conditions as the log keeps them. */
export interface Where {
  readonly version: number
  readonly all: readonly WhereTerm[]
}

/** The version of the conditions' meaning that this release knows. */
export const whereVersion = 1

/** Checks conditions from a caller. Throws INVALID naming the place. */
export function checkWhere(
  place: string,
  where: unknown,
  checkName: (what: string, name: unknown) => void,
): void {
  if (where === undefined) return
  if (typeof where !== 'object' || where === null || Array.isArray(where)) {
    throw new SillokError('INVALID', `${place}: where must be an object by field`)
  }
  const entries = Object.entries(where)
  if (entries.length === 0 || entries.length > limits.fieldsPerConstraintMax) {
    const allowed = `1 to ${limits.fieldsPerConstraintMax} fields`
    throw new SillokError('INVALID', `${place}: where names ${allowed}, not ${entries.length}`)
  }
  for (const [field, condition] of entries) {
    checkName(`${place}: where: a field`, field)
    if (isCondition(condition)) continue
    const allowed = `text of at most ${limits.keyBytesMax} bytes, a finite number, true, false, or { exists }`
    throw new SillokError('INVALID', `${place}: where.${field} must be ${allowed}`)
  }
}

function isCondition(value: unknown): boolean {
  if (typeof value === 'string') return isWellFormed(value) && Buffer.byteLength(value) <= limits.keyBytesMax
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value === 'boolean') return true
  if (typeof value !== 'object' || value === null) return false
  const names = Object.keys(value)
  return names.length === 1 && typeof (value as { exists?: unknown }).exists === 'boolean'
}

/** Checked conditions in their one form. */
export function compileWhere(where: WhereDefinition): Where {
  const all = Object.entries(where).map(([field, condition]): WhereTerm => {
    if (typeof condition === 'object') return { field, exists: condition.exists }
    return { field, is: condition === 0 ? 0 : condition }
  })
  return { version: whereVersion, all: all.sort((one, two) => (one.field < two.field ? -1 : 1)) }
}

/** The conditions as they are written. */
export function whereDefinition({ all }: Where): WhereDefinition {
  return Object.fromEntries(
    all.map(term => [term.field, 'is' in term ? term.is : { exists: term.exists }] as const),
  )
}

/** True if the document meets all conditions. */
export function isWhere({ all }: Where, document: Readonly<Record<string, unknown>>): boolean {
  return all.every(term => {
    const value = Object.hasOwn(document, term.field) ? (document[term.field] ?? null) : null
    return 'is' in term ? value === term.is : (value !== null) === term.exists
  })
}
