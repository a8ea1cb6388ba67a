/**
 * Derived indexes in a definition, and as the log keeps them: a name, a kind and its configuration.
 *
 * What a configuration means is the kind's own matter; here it is a plain value that is compared as bytes.
 * The rows of a number never change their meaning: another configuration under the same name, or the wish to
 * have the index made again, gives the name another number, and keeps with it the one that answers until
 * then. Another kind is refused: that index is dropped first. Numbers are counters of meta, never reused.
 */
import { type ErrorPolicy, errorPolicies } from '../base/error-policy.js'
import { SillokError } from '../base/errors.js'
import type { IndexId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { packStrict } from '../codec/msgpack.js'
import { isPlainObject } from '../codec/value.js'

/**
 * An index as written: its kind (`secondary`: SecondaryDefinition; `search`: SearchDefinition; or one that
 * the store was opened with), what is done about documents it cannot take, and what the kind asks for.
 *
 * It is a function of the log up to a position (`status().indexes`), and questions wait until that covers the
 * call. While the store is closed its folder may be deleted: it is built again.
 */
export interface IndexDefinition {
  readonly type: string
  /** Default `stop`. May be changed without a new build. */
  readonly onError?: ErrorPolicy
  readonly [option: string]: unknown
}

/** One making of an index: its rows have a folder of their own. */
export interface IndexGeneration {
  readonly id: IndexId
  readonly type: string
  readonly config: Readonly<Record<string, unknown>>
}

/** An index as the log keeps it. */
export interface IndexSchema extends IndexGeneration {
  readonly name: string
  /** Missing: `stop`. */
  readonly onError?: ErrorPolicy
  /** Answers until this one is built. */
  readonly before?: IndexGeneration
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
  return Object.entries(definitions ?? {}).map(([name, { type, onError, ...config }], i) => {
    const policy = onError === undefined || onError === errorPolicies[0] ? {} : { onError }
    return { id: next + i, name, type, config, ...policy }
  })
}

/** A new making of an index. Of the older ones the one that answers is kept: the newest, if none is named. */
function remade(
  old: IndexSchema,
  wanted: IndexSchema,
  id: IndexId,
  answering: readonly IndexId[],
): IndexSchema {
  const { before } = old
  const answers = before !== undefined && answering.includes(before.id) ? before : old
  const { type, config } = answers
  return { ...wanted, id, before: { id: answers.id, type, config } }
}

/** The same indexes, but that one is to be made again, under that number; undefined if there is none. */
export function remakeIndex(
  old: readonly IndexSchema[],
  name: string,
  id: IndexId,
  answering: readonly IndexId[],
): readonly IndexSchema[] | undefined {
  if (!old.some(one => one.name === name)) return undefined
  return old.map(one => (one.name === name ? remade(one, one, id, answering) : one))
}

/**
 * What becomes of the old indexes under a new definition: those that are named again stay, new ones and those
 * of another configuration get the numbers from `next` on, and those that are no longer named go, if `drop`
 * says so. `answering`: the numbers that answer where the definition was asked for.
 */
export function mergeIndexes(
  old: readonly IndexSchema[],
  definitions: Readonly<Record<string, IndexDefinition>> | undefined,
  next: IndexId,
  drop: boolean,
  answering: readonly IndexId[] = [],
): Merged {
  const indexes: IndexSchema[] = []
  const wanted = compileIndexes(definitions, 0)
  for (const one of wanted) {
    const known = old.find(({ name }) => name === one.name)
    if (known !== undefined && known.type !== one.type) {
      return {
        refused: `the index ${one.name} is of type ${known.type}: drop it first, or take another name`,
      }
    }
    const id = next + indexes.filter(added => added.id >= next).length
    if (known === undefined) indexes.push({ ...one, id })
    else if (!sameIndex(known, one)) indexes.push(remade(known, one, id, answering))
    else {
      const { onError: _, ...same } = known
      indexes.push({ ...same, ...(one.onError === undefined ? {} : { onError: one.onError }) })
    }
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
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !isPlainObject(value)) {
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
    const { type, onError } = index as { type?: unknown; onError?: unknown }
    checkName(`${where}: indexes.${name}: its type`, type)
    if (onError !== undefined && !(errorPolicies as readonly unknown[]).includes(onError)) {
      const given = JSON.stringify(onError) ?? typeof onError
      const allowed = errorPolicies.join(', ')
      throw new SillokError(
        'INVALID',
        `${where}: indexes.${name}: onError is one of ${allowed}, not ${given}`,
      )
    }
  }
}
