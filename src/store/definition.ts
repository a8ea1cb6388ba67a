/** Definitions as the store has them: read back from its schemas, in their one normal form. */
import type { IndexDefinition, IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema, ConstraintSchema, Definition, UniqueDefinition } from '../machine/schema.js'

/**
 * A definition that leaves nothing to defaults. Defining it again changes nothing.
 *
 * Fields of a constraint are names if all have the same steps, which then stand in `normalize`; else each
 * comes with its own, and `normalize` is empty. Indexes have the configuration that their type made of what
 * was written, and `onError` unless it is `stop`.
 */
export interface NormalDefinition extends Definition {
  readonly unique: Readonly<Record<string, Required<UniqueDefinition>>>
  readonly indexes: Readonly<Record<string, IndexDefinition>>
}

/** The definition of a collection: a copy. */
export function definitionOf({ key, unique, indexes }: CollectionSchema): NormalDefinition {
  return structuredClone({
    key,
    unique: Object.fromEntries(unique.map(one => [one.name, uniqueOf(one)])),
    indexes: Object.fromEntries(indexes.map(one => [one.name, indexOf(one)])),
  })
}

function indexOf({ type, config, onError }: IndexSchema): IndexDefinition {
  return { type, ...config, ...(onError === undefined ? {} : { onError }) }
}

function uniqueOf({ fields }: ConstraintSchema): Required<UniqueDefinition> {
  const [first] = fields
  const normalize = first?.steps ?? []
  const isShared = fields.every(({ steps }) => steps.join() === normalize.join())
  return isShared
    ? { fields: fields.map(({ field }) => field), normalize }
    : { fields: fields.map(({ field, steps }) => ({ field, normalize: steps })), normalize: [] }
}
