/** Decides what changes definitions, in meta. */
import { isDeepStrictEqual } from 'node:util'
import { limits } from '../base/limits.js'
import type { Decision, Define, RebuildIndex, RetireConstraint } from './command.js'
import { mergeConstraints, retireOlder } from './constraint-schema.js'
import { finish, readCounters } from './decide-meta.js'
import { Draft } from './draft.js'
import { type IndexSchema, mergeIndexes, remakeIndex } from './index-schema.js'
import { collectionNameKey, counterKey, schemaKey } from './keys.js'
import { type Counters, encodeCounters } from './registry.js'
import { refuse } from './reply.js'
import { type CollectionSchema, compileDefinition, decodeSchema, encodeSchema } from './schema.js'
import type { DecideContext, View } from './view.js'

/** Creates the collection, or gives it what the definition says. Another key is refused. */
export function decideDefine(define: Define, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const counters = readCounters(draft)
  const nameKey = collectionNameKey(define.name)
  const named = draft.get(nameKey)
  if (counters === undefined || named === undefined) return { type: 'need', keys: draft.needs }
  if (named !== null) return redefine(define, draft, context, counters, named.value.readUInt32LE(0))
  if (counters.collections >= limits.collectionsMax) {
    return { type: 'answer', reply: refuse('TOO_LARGE', `at most ${limits.collectionsMax} collections`) }
  }
  const id = counters.collections + 1
  const schema = compileDefinition(
    id,
    define.name,
    define.definition,
    counters.constraints + 1,
    counters.indexes + 1,
  )
  const number = Buffer.alloc(4)
  number.writeUInt32LE(id, 0)
  draft.put(nameKey, number)
  draft.get(schemaKey(id))
  draft.put(schemaKey(id), encodeSchema(schema))
  const constraints = counters.constraints + schema.unique.length
  const indexes = counters.indexes + schema.indexes.length
  draft.put(counterKey, encodeCounters({ ...counters, collections: id, constraints, indexes }))
  return finish(draft, { ok: true, version: context.version, value: { collection: id } })
}

/** The same definition again makes no entry. */
function redefine(
  define: Define,
  draft: Draft,
  context: DecideContext,
  counters: Counters,
  id: number,
): Decision {
  const row = draft.get(schemaKey(id))
  if (row === undefined) return { type: 'need', keys: draft.needs }
  if (row === null) throw new Error(`collection ${id} has a name but no schema`)
  const old = decodeSchema(row.value)
  const { key, unique: constraints, indexes: definitions } = define.definition
  const invalid = (why: string): Decision => {
    return { type: 'answer', reply: refuse('INVALID', `collection ${define.name}: ${why}`) }
  }
  if (old.key !== key) return invalid(`its key is ${old.key}; it cannot change`)
  const { drop, answering } = define
  const mergedUnique = mergeConstraints(old.unique, constraints, counters.constraints + 1, drop)
  if ('refused' in mergedUnique) return invalid(mergedUnique.refused)
  const mergedIndexes = mergeIndexes(old.indexes, definitions, counters.indexes + 1, drop, answering)
  if ('refused' in mergedIndexes) return invalid(mergedIndexes.refused)
  const { unique } = mergedUnique
  return putSchema(draft, context, counters, old, { ...old, unique, indexes: mergedIndexes.indexes })
}

/** What is as before makes no entry. */
function putSchema(
  draft: Draft,
  context: DecideContext,
  counters: Counters,
  old: CollectionSchema,
  schema: CollectionSchema,
): Decision {
  const { id, unique, indexes } = schema
  const reply = { ok: true, version: context.version, value: { collection: id } } as const
  const addedConstraints = unique.filter(one => one.id > counters.constraints).length
  const addedIndexes = indexes.filter(one => one.id > counters.indexes).length
  const added = addedConstraints + addedIndexes
  const isSame = unique.length === old.unique.length && isDeepStrictEqual(byId(indexes), byId(old.indexes))
  if (added === 0 && isSame) return { type: 'answer', reply }
  draft.put(schemaKey(id), encodeSchema(schema))
  if (added > 0) {
    const constraints = counters.constraints + addedConstraints
    draft.put(
      counterKey,
      encodeCounters({ ...counters, constraints, indexes: counters.indexes + addedIndexes }),
    )
  }
  return finish(draft, reply)
}

function byId(indexes: readonly IndexSchema[]): IndexSchema[] {
  return [...indexes].sort((one, other) => one.id - other.id)
}

/** Gives the index a new number: it is made again, while the old one answers. */
export function decideRebuildIndex(rebuild: RebuildIndex, view: View, context: DecideContext): Decision {
  const { name, index, answering } = rebuild
  const draft = new Draft(view, context.version)
  const counters = readCounters(draft)
  const named = draft.get(collectionNameKey(name))
  if (counters === undefined || named === undefined) return { type: 'need', keys: draft.needs }
  const row = named === null ? null : draft.get(schemaKey(named.value.readUInt32LE(0)))
  if (row === undefined) return { type: 'need', keys: draft.needs }
  if (row === null) return { type: 'answer', reply: refuse('NOT_FOUND', `no collection is named ${name}`) }
  const old = decodeSchema(row.value)
  const indexes = remakeIndex(old.indexes, index, counters.indexes + 1, answering)
  if (indexes !== undefined) return putSchema(draft, context, counters, old, { ...old, indexes })
  const names = old.indexes.map(one => one.name).join(', ') || 'none'
  const message = `collection ${name} has no index ${index}; it has ${names}`
  return { type: 'answer', reply: refuse('NOT_FOUND', message) }
}

/**
 * The newer rule of a name is enforced, for ever: the older one goes. Nothing happens if the newer one has
 * gone meanwhile.
 */
export function decideRetire(retire: RetireConstraint, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const key = schemaKey(retire.collection)
  const row = draft.get(key)
  if (row === undefined) return { type: 'need', keys: draft.needs }
  const reply = { ok: true, version: context.version, value: null } as const
  if (row === null) return { type: 'answer', reply }
  const old = decodeSchema(row.value)
  const unique = retireOlder(old.unique, retire.by)
  if (unique.length === old.unique.length) return { type: 'answer', reply }
  draft.put(key, encodeSchema({ ...old, unique }))
  return finish(draft, reply)
}
