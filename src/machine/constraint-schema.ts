/**
 * Unique constraints in a definition, and as the log keeps them.
 *
 * A constraint never changes: another rule under the same name is a new constraint with a number of its own,
 * which is built beside the old one; the old one goes when the new one is enforced. So of one name there are
 * one or two, in the order of their numbers. Numbers are counters of meta, never reused.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { ConstraintId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { isPlainObject } from '../codec/value.js'
import { type NormalizeStep, parseSteps, ruleName } from './normalize.js'
import { checkWhere, compileWhere, type Where, type WhereDefinition, whereVersion } from './where.js'

/** One top-level field of a unique constraint (no path); its own steps replace those of the constraint. */
export type UniqueField = string | { readonly field: string; readonly normalize?: readonly NormalizeStep[] }

/**
 * A unique constraint as written: no two documents may have equal values in these fields, after the steps. A
 * document in which one of them holds an object or an array (but that of `each`) is refused: INVALID.
 *
 * In a collection that has documents it is built in the background, across restarts. From `define` on, a
 * write is refused if it claims a value that is known to be held. Documents that share a value are no error:
 * the constraint is *violated*, one of them holds the value, and `db.violations` lists the others, which may
 * keep it while their other fields are written. It lists those, too, whose fields cannot be a value: they are
 * refused (INVALID) until these are mended. With the end of the list the constraint is enforced, by itself.
 */
export interface UniqueDefinition {
  /** 1 to `limits.fieldsPerConstraintMax`. */
  readonly fields: readonly UniqueField[]
  /**
   * What is done to text before it is compared, in this order. Without: nothing. `trim` takes white space
   * from both ends; `nfc` and `nfkc` compose; `fold` is full case folding of Unicode 15.0, in no language:
   * `ß` equals `ss`.
   */
  readonly normalize?: readonly NormalizeStep[]
  /** One of the fields: if it holds an array, each distinct element of it is a value by itself. */
  readonly each?: string
  /** Only documents that meet all these conditions claim anything. */
  readonly where?: WhereDefinition
  /**
   * `distinct` (default): a document that lacks a field, or holds null there, claims nothing (`''` is a
   * value). `equal`: null is a value like others.
   */
  readonly nulls?: 'distinct' | 'equal'
}

/** A unique constraint as the log keeps it. */
export interface ConstraintSchema {
  readonly id: ConstraintId
  readonly name: string
  readonly fields: readonly { readonly field: string; readonly steps: readonly NormalizeStep[] }[]
  /** Names the steps and their version; stored with each claim. */
  readonly rule: string
  readonly each?: string
  readonly where?: Where
  readonly nulls?: 'equal'
  /** It came to a collection that was there: its state stands in a row of the partition's own. */
  readonly online?: true
}

/** The constraints of a collection after a definition, or why it is refused. */
export type MergedConstraints =
  | { readonly unique: readonly ConstraintSchema[] }
  | { readonly refused: string }

type CheckName = (what: string, name: unknown) => void

const allowedNames = ['fields', 'normalize', 'each', 'where', 'nulls']

/** Checks the constraints of a definition. Throws INVALID naming the place. */
export function checkConstraints(where: string, unique: unknown, checkName: CheckName): void {
  if (unique === undefined) return
  if (!isPlain(unique)) throw invalid(`${where}: unique must be an object by name`)
  const constraints = Object.entries(unique)
  if (constraints.length > limits.constraintsPerCollectionMax) {
    throw invalid(`${where}: at most ${limits.constraintsPerCollectionMax} unique constraints`)
  }
  for (const [constraint, rule] of constraints) {
    checkName(`${where}: a constraint`, constraint)
    checkConstraint(`${where}: unique.${constraint}`, rule, checkName)
  }
}

function checkConstraint(place: string, rule: unknown, checkName: CheckName): void {
  const { fields, normalize, each, where, nulls } = checkFields(place, rule, allowedNames)
  if (!Array.isArray(fields) || fields.length === 0)
    throw invalid(`${place}: fields must name at least one field`)
  if (fields.length > limits.fieldsPerConstraintMax) {
    throw invalid(`${place}: at most ${limits.fieldsPerConstraintMax} fields`)
  }
  checkSteps(place, normalize)
  const names = (fields as unknown[]).map(field => checkField(`${place}: a field`, field, checkName))
  if (each !== undefined && names.filter(name => name === each).length !== 1) {
    throw invalid(`${place}: each must be one of the fields, named once: ${names.join(', ')}`)
  }
  checkWhere(place, where, checkName)
  if (nulls !== undefined && nulls !== 'distinct' && nulls !== 'equal') {
    throw invalid(`${place}: nulls must be 'distinct' or 'equal'`)
  }
}

/** The field's name. */
function checkField(place: string, field: unknown, checkName: CheckName): string {
  if (typeof field === 'string') {
    checkName(place, field)
    return field
  }
  const own = checkFields(place, field, ['field', 'normalize'])
  checkName(place, own['field'])
  checkSteps(place, own['normalize'])
  return own['field'] as string
}

function checkSteps(place: string, steps: unknown): void {
  if (steps === undefined) return
  try {
    parseSteps(steps)
  } catch (error) {
    if (isSillokError(error)) throw invalid(`${place}: ${error.message}`)
    throw error
  }
}

/** An object with no other fields than these. Throws INVALID naming the place. */
export function checkFields(
  where: string,
  value: unknown,
  allowed: readonly string[],
): Record<string, unknown> {
  if (!isPlain(value)) throw invalid(`${where} must be an object, not ${show(value)}`)
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name))
      throw invalid(`${where}: unknown ${show(name)}; allowed: ${allowed.join(', ')}`)
  }
  return value
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && isPlainObject(value)
}

function show(value: unknown): string {
  return value === undefined ? 'undefined' : (JSON.stringify(value) ?? typeof value)
}

function invalid(message: string): SillokError {
  return new SillokError('INVALID', message)
}

/** The constraints of a definition, numbered from `next`. */
export function compileConstraints(
  definitions: Readonly<Record<string, UniqueDefinition>> | undefined,
  next: ConstraintId,
): ConstraintSchema[] {
  return Object.entries(definitions ?? {}).map(([name, written], i) => {
    const fields = written.fields.map(field =>
      typeof field === 'string'
        ? { field, steps: written.normalize ?? [] }
        : { field: field.field, steps: field.normalize ?? written.normalize ?? [] },
    )
    const rule = fields.map(field => ruleName(field.steps)).join(';')
    return {
      id: next + i,
      name,
      fields,
      rule,
      ...(written.each !== undefined && { each: written.each }),
      ...(written.where !== undefined && { where: compileWhere(written.where) }),
      ...(written.nulls === 'equal' && { nulls: written.nulls }),
    }
  })
}

/** True if both mean the same. */
function isSameRule(one: ConstraintSchema, two: ConstraintSchema): boolean {
  const text = ({ fields, rule, each, where, nulls }: ConstraintSchema): string =>
    JSON.stringify([
      fields.map(({ field, steps }) => [field, steps]),
      rule,
      each ?? null,
      where === undefined
        ? null
        : [where.version, where.all.map(term => [term.field, 'is' in term ? [term.is] : term.exists])],
      nulls ?? null,
    ])
  return text(one) === text(two)
}

/**
 * What becomes of the old constraints under a new definition. Those that say the same stay. A new one, or
 * one with another rule, gets a number from `next` on and is built online; of those with its name the oldest
 * stays, which is in force. What is no longer named goes, if `drop` says so.
 */
export function mergeConstraints(
  old: readonly ConstraintSchema[],
  definitions: Readonly<Record<string, UniqueDefinition>> | undefined,
  next: ConstraintId,
  drop: boolean,
): MergedConstraints {
  const kept = new Set<ConstraintId>()
  const added: ConstraintSchema[] = []
  const wanted = compileConstraints(definitions, 0)
  for (const one of wanted) {
    const versions = old.filter(({ name }) => name === one.name)
    const [oldest] = versions
    const newest = versions.at(-1)
    if (oldest !== undefined) kept.add(oldest.id)
    if (newest !== undefined && isSameRule(newest, one)) kept.add(newest.id)
    else if (oldest === undefined || !isSameRule(oldest, one))
      added.push({ ...one, id: next + added.length, online: true })
  }
  const gone = old.filter(({ name }) => wanted.every(one => one.name !== name))
  if (gone.length > 0 && !drop) {
    const names = [...new Set(gone.map(({ name }) => name))].join(', ')
    return { refused: `the definition lacks the constraint ${names}: removing one needs { drop: true }` }
  }
  return { unique: [...old.filter(({ id }) => kept.has(id)), ...added] }
}

/** The constraints without those that a newer one of the same name, `by`, has taken the place of. */
export function retireOlder(unique: readonly ConstraintSchema[], by: ConstraintId): ConstraintSchema[] {
  const newer = unique.find(({ id }) => id === by)
  return unique.filter(({ id, name }) => name !== newer?.name || id >= by)
}

/** The newest constraint of that name: what was defined last. */
export function newestConstraint(
  unique: readonly ConstraintSchema[],
  name: string,
): ConstraintSchema | undefined {
  return unique.findLast(one => one.name === name)
}

/** Throws UPGRADE_REQUIRED for conditions that a newer release wrote. */
export function checkKnown(unique: readonly ConstraintSchema[]): void {
  for (const { name, where } of unique) {
    if (where === undefined || where.version === whereVersion) continue
    const message = `the constraint ${name} has conditions of version ${where.version}`
    throw new SillokError('UPGRADE_REQUIRED', `${message}, unknown to this release`)
  }
}
