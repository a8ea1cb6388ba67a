/**
 * Derived indexes in a definition, and as the log keeps them: a name, a kind and its configuration.
 *
 * What a configuration means is the kind's own matter; here it is a plain value that is compared as bytes. An
 * index never changes: another kind or configuration under the same name is refused, the old one is dropped
 * first or the new one takes another name. Numbers are counters of meta, never reused.
 */
import { SillokError } from '../base/errors.js'
import type { IndexId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { packStrict } from '../codec/msgpack.js'

/** An index as written: its kind, and what the kind asks for. */
export interface IndexDefinition {
  readonly type: string
  readonly [option: string]: unknown
}

/** An index as the log keeps it. */
export interface IndexSchema {
  readonly id: IndexId
  readonly name: string
  readonly type: string
  readonly config: Readonly<Record<string, unknown>>
}

/** The indexes of a collection after a definition, or why it is refused. */
export type Merged = { readonly indexes: readonly IndexSchema[] } | { readonly refused: string }

/** True if both are of one kind and have the same configuration. */
function sameIndex(one: IndexSchema, two: IndexSchema): boolean {
  return one.type === two.type && packStrict(one.config).equals(packStrict(two.config))
}

/** The indexes of a definition, numbered from `next`. */
export function compileIndexes(
  definitions: Readonly<Record<string, IndexDefinition>> | undefined,
  next: IndexId,
): IndexSchema[] {
  return Object.entries(definitions ?? {}).map(([name, { type, ...config }], i) => {
    return { id: next + i, name, type, config }
  })
}

/**
 * What becomes of the old indexes under a new definition: those that are named again stay, new ones get the
 * numbers from `next` on, and those that are no longer named go, if `drop` says so.
 */
export function mergeIndexes(
  old: readonly IndexSchema[],
  definitions: Readonly<Record<string, IndexDefinition>> | undefined,
  next: IndexId,
  drop: boolean,
): Merged {
  const indexes: IndexSchema[] = []
  const wanted = compileIndexes(definitions, 0)
  for (const one of wanted) {
    const known = old.find(({ name }) => name === one.name)
    if (known !== undefined && !sameIndex(known, one)) {
      return { refused: `the index ${one.name} has another definition: drop it first, or take another name` }
    }
    const added = indexes.filter(({ id }) => id >= next).length
    indexes.push(known ?? { ...one, id: next + added })
  }
  const gone = old.filter(({ name }) => wanted.every(one => one.name !== name))
  if (gone.length > 0 && !drop) {
    const names = gone.map(({ name }) => name).join(', ')
    return { refused: `the definition lacks the index ${names}: removing one needs { drop: true }` }
  }
  return { indexes }
}

/** Checks the options of an index that every kind has. Throws INVALID naming the place. */
export function checkIndexes(
  where: string,
  value: unknown,
  checkName: (what: string, name: unknown) => void,
): void {
  if (value === undefined) return
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SillokError('INVALID', `${where}: indexes must be an object by name`)
  }
  const entries = Object.entries(value)
  if (entries.length > limits.indexesPerCollectionMax) {
    throw new SillokError('INVALID', `${where}: at most ${limits.indexesPerCollectionMax} indexes`)
  }
  for (const [name, index] of entries) {
    checkName(`${where}: an index`, name)
    if (typeof index !== 'object' || index === null || Array.isArray(index)) {
      throw new SillokError('INVALID', `${where}: indexes.${name} must be an object with a type`)
    }
    checkName(`${where}: indexes.${name}: its type`, (index as { type?: unknown }).type)
  }
}
