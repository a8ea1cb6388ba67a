/** Definitions as the store has them: read back from its schemas, in their one normal form. */

import type { ConstraintSchema, UniqueDefinition } from '../machine/constraint-schema.js'
import type { IndexDefinition, IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema, Definition } from '../machine/schema.js'
import { whereDefinition } from '../machine/where.js'

/**
 * A definition that leaves nothing to defaults. Defining it again changes nothing.
 *
 * Fields of a constraint are names if all have the same steps, which then stand in `normalize`; else each
 * comes with its own, and `normalize` is empty. `each`, `where` and `nulls` stand where they say more than
 * nothing; of a rule that is being replaced the new one stands. Indexes have the configuration that their
 * type made of what was written, and `onError` unless it is `stop`.
 */
export interface NormalDefinition extends Definition {
  readonly unique: Readonly<Record<string, NormalUnique>>
  readonly indexes: Readonly<Record<string, IndexDefinition>>
}

/** A constraint in its normal form. */
export type NormalUnique = UniqueDefinition & Required<Pick<UniqueDefinition, 'fields' | 'normalize'>>

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

function uniqueOf({ fields, each, where, nulls }: ConstraintSchema): NormalUnique {
  const [first] = fields
  const normalize = first?.steps ?? []
  const isShared = fields.every(({ steps }) => steps.join() === normalize.join())
  const more = {
    ...(each !== undefined && { each }),
    ...(where !== undefined && { where: whereDefinition(where) }),
    ...(nulls !== undefined && { nulls }),
  }
  return isShared
    ? { fields: fields.map(({ field }) => field), normalize, ...more }
    : { fields: fields.map(({ field, steps }) => ({ field, normalize: steps })), normalize: [], ...more }
}
