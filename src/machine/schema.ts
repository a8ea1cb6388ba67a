/**
 * Definitions of collections: as the user writes them, and as the log keeps them.
 *
 * A definition is declarative: the same one again changes nothing. Ids are counters of meta, never reused.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { CollectionId, ConstraintId, IndexId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { isWellFormed } from '../base/text.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'
import type { Row } from '../codec/row.js'
import { checkIndexes, compileIndexes, type IndexDefinition, type IndexSchema } from './index-schema.js'
import { type NormalizeStep, parseSteps, ruleName } from './normalize.js'

/** One top-level field of a unique constraint (no path); its own steps replace those of the constraint. */
export type UniqueField = string | { readonly field: string; readonly normalize?: readonly NormalizeStep[] }

/**
 * A unique constraint as written: no two documents may have equal values in these fields, after the steps.
 */
export interface UniqueDefinition {
  /** 1 to `limits.fieldsPerConstraintMax`; a document that lacks one (or holds null there) claims nothing. */
  readonly fields: readonly UniqueField[]
  /** What is done to text before it is compared, in this order. Without: nothing. */
  readonly normalize?: readonly NormalizeStep[]
}

/** A collection as written. */
export interface Definition {
  /** The field that holds the document's key. */
  readonly key: string
  /** Unique constraints by name. */
  readonly unique?: Readonly<Record<string, UniqueDefinition>>
  /** Derived indexes by name. */
  readonly indexes?: Readonly<Record<string, IndexDefinition>>
}

/** A unique constraint as the log keeps it. */
export interface ConstraintSchema {
  readonly id: ConstraintId
  readonly name: string
  readonly fields: readonly { readonly field: string; readonly steps: readonly NormalizeStep[] }[]
  /** Names the steps and their version; stored with each claim. */
  readonly rule: string
}

/** A collection as the log keeps it. */
export interface CollectionSchema {
  readonly id: CollectionId
  readonly name: string
  readonly key: string
  readonly unique: readonly ConstraintSchema[]
  readonly indexes: readonly IndexSchema[]
}

/** Checks a definition from a caller. Throws INVALID that names the part, or the definition itself. */
export function checkDefinition(name: unknown, definition: unknown): Definition {
  checkName('a collection', name)
  const where = `definition of ${JSON.stringify(name)}`
  const { key, unique, indexes } = checkFields(where, definition, ['key', 'unique', 'indexes'])
  checkName(`${where}: key`, key)
  const constraints = Object.entries((unique ?? {}) as object)
  if (unique !== undefined && !isPlain(unique)) throw invalid(`${where}: unique must be an object by name`)
  if (constraints.length > limits.constraintsPerCollectionMax) {
    throw invalid(`${where}: at most ${limits.constraintsPerCollectionMax} unique constraints`)
  }
  for (const [constraint, rule] of constraints) checkUnique(where, constraint, rule)
  checkIndexes(where, indexes, checkName)
  return definition as Definition
}

function checkUnique(where: string, constraint: string, rule: unknown): void {
  checkName(`${where}: a constraint`, constraint)
  const place = `${where}: unique.${constraint}`
  const { fields, normalize } = checkFields(place, rule, ['fields', 'normalize'])
  if (!Array.isArray(fields) || fields.length === 0)
    throw invalid(`${place}: fields must name at least one field`)
  if (fields.length > limits.fieldsPerConstraintMax) {
    throw invalid(`${place}: at most ${limits.fieldsPerConstraintMax} fields`)
  }
  checkSteps(place, normalize)
  for (const field of fields as unknown[]) {
    if (typeof field === 'string') checkName(`${place}: a field`, field)
    else {
      const own = checkFields(`${place}: a field`, field, ['field', 'normalize'])
      checkName(`${place}: a field`, own['field'])
      checkSteps(place, own['normalize'])
    }
  }
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

function checkName(what: string, name: unknown): void {
  const ok = typeof name === 'string' && name !== '' && isWellFormed(name) && !name.includes('\0')
  if (!ok) throw invalid(`${what} must have a name: a non-empty, well-formed string, not ${show(name)}`)
  if (Buffer.byteLength(name as string) > limits.nameBytesMax) {
    throw invalid(`${what}: its name is longer than ${limits.nameBytesMax} bytes`)
  }
}

function checkFields(where: string, value: unknown, allowed: readonly string[]): Record<string, unknown> {
  if (!isPlain(value)) throw invalid(`${where} must be an object, not ${show(value)}`)
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name))
      throw invalid(`${where}: unknown ${show(name)}; allowed: ${allowed.join(', ')}`)
  }
  return value
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  return value === undefined ? 'undefined' : (JSON.stringify(value) ?? typeof value)
}

function invalid(message: string): SillokError {
  return new SillokError('INVALID', message)
}

/** The collection as the log keeps it; its constraints and indexes are numbered from there on. */
export function compileDefinition(
  id: CollectionId,
  name: string,
  definition: Definition,
  nextConstraint: ConstraintId,
  nextIndex: IndexId,
): CollectionSchema {
  const unique = Object.entries(definition.unique ?? {}).map(([constraint, rule], i) => {
    const fields = rule.fields.map(field =>
      typeof field === 'string'
        ? { field, steps: rule.normalize ?? [] }
        : { field: field.field, steps: field.normalize ?? rule.normalize ?? [] },
    )
    const rules = fields.map(field => ruleName(field.steps)).join(';')
    return { id: nextConstraint + i, name: constraint, fields, rule: rules }
  })
  const indexes = compileIndexes(definition.indexes, nextIndex)
  return { id, name, key: definition.key, unique, indexes }
}

/** True if both have the same key and constraints, ids and the order of constraints apart. */
export function sameConstraints(a: CollectionSchema, b: CollectionSchema): boolean {
  const text = (schema: CollectionSchema): string =>
    JSON.stringify([
      schema.key,
      schema.unique
        .map(({ name, fields, rule }) => [name, fields.map(({ field, steps }) => [field, steps]), rule])
        .sort((x, y) => (String(x[0]) < String(y[0]) ? -1 : 1)),
    ])
  return text(a) === text(b)
}

/** The value of a schema row. */
export function encodeSchema(schema: CollectionSchema): Buffer {
  return packStrict(schema)
}

/** Reads the value of a schema row. */
export function decodeSchema(value: Buffer): CollectionSchema {
  const { indexes = [], ...schema } = unpackTrusted(value) as Partial<CollectionSchema> &
    Omit<CollectionSchema, 'indexes'>
  return { ...schema, indexes }
}

const schemas = new WeakMap<Row, CollectionSchema>()

/** The schema in a row: decoded once for each row object. */
export function schemaOfRow(row: Row): CollectionSchema {
  let schema = schemas.get(row)
  if (schema === undefined) {
    schema = decodeSchema(row.value)
    schemas.set(row, schema)
  }
  return schema
}
