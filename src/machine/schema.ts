/**
 * Definitions of collections: as the user writes them, and as the log keeps them.
 *
 * A definition is declarative: the same one again changes nothing. Ids are counters of meta, never reused.
 */
import { SillokError } from '../base/errors.js'
import type { CollectionId, ConstraintId, IndexId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { isWellFormed } from '../base/text.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'
import type { Row } from '../codec/row.js'
import { refusedFieldName } from '../codec/value.js'
import {
  type ConstraintSchema,
  checkConstraints,
  checkFields,
  checkKnown,
  compileConstraints,
  type UniqueDefinition,
} from './constraint-schema.js'
import { checkIndexes, compileIndexes, type IndexDefinition, type IndexSchema } from './index-schema.js'

/** A collection as written. The same definition again changes nothing. */
export interface Definition {
  /**
   * The field that holds the document's key, a non-empty string or a safe integer. It cannot be changed.
   * Numbers sort before strings, strings by their bytes in UTF-8.
   */
  readonly key: string
  /** Unique constraints by name. */
  readonly unique?: Readonly<Record<string, UniqueDefinition>>
  /** Derived indexes by name. */
  readonly indexes?: Readonly<Record<string, IndexDefinition>>
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
  checkConstraints(where, unique, checkName)
  checkIndexes(where, indexes, checkName)
  return definition as Definition
}

function checkName(what: string, name: unknown): void {
  const ok = typeof name === 'string' && name !== '' && isWellFormed(name) && !name.includes('\0')
  if (!ok) throw invalid(`${what} must have a name: a non-empty, well-formed string, not ${show(name)}`)
  if (Buffer.byteLength(name as string) > limits.nameBytesMax) {
    throw invalid(`${what}: its name is longer than ${limits.nameBytesMax} bytes`)
  }
  // No field of a document has it, and objects by name lose it.
  if (name === refusedFieldName) throw invalid(`${what} must have a name other than ${refusedFieldName}`)
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
  const unique = compileConstraints(definition.unique, nextConstraint)
  const indexes = compileIndexes(definition.indexes, nextIndex)
  return { id, name, key: definition.key, unique, indexes }
}

/** The value of a schema row. */
export function encodeSchema(schema: CollectionSchema): Buffer {
  return packStrict(schema)
}

/** Reads the value of a schema row. Throws UPGRADE_REQUIRED for what a newer release defined. */
export function decodeSchema(value: Buffer): CollectionSchema {
  const { indexes = [], ...schema } = unpackTrusted(value) as Partial<CollectionSchema> &
    Omit<CollectionSchema, 'indexes'>
  checkKnown(schema.unique)
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
