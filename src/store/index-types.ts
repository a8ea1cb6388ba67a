/** The kinds of indexes that a store was opened with: those of this package, and the user's own. */
import { SillokError } from '../base/errors.js'
import type { IndexType } from '../derived/contract.js'
import { secondary } from '../derived/secondary/secondary.js'
import type { IndexDefinition } from '../machine/index-schema.js'
import type { Definition } from '../machine/schema.js'

/** Kinds by name. */
export class IndexTypes {
  readonly byName: ReadonlyMap<string, IndexType>

  /** Throws INVALID for a kind without a name, or two of one name. */
  constructor(own: readonly IndexType[] = []) {
    const byName = new Map<string, IndexType>()
    for (const type of [secondary as IndexType, ...own]) {
      const { type: name, version } = type
      if (typeof name !== 'string' || name === '' || !Number.isSafeInteger(version)) {
        throw new SillokError('INVALID', 'indexTypes: a type needs a name and a whole number as version')
      }
      if (byName.has(name)) throw new SillokError('INVALID', `indexTypes: ${name} is there twice`)
      byName.set(name, type)
    }
    this.byName = byName
  }

  /** The definition with the configuration of each index in its one normal form. INVALID names the index. */
  configure(collection: string, definition: Definition): Definition {
    if (definition.indexes === undefined) return definition
    const indexes: Record<string, IndexDefinition> = {}
    for (const [name, index] of Object.entries(definition.indexes)) {
      indexes[name] = this.#configured(`definition of ${JSON.stringify(collection)}: indexes.${name}`, index)
    }
    return { ...definition, indexes }
  }

  #configured(place: string, { type: name, ...rest }: IndexDefinition): IndexDefinition {
    const type = this.byName.get(name)
    if (type === undefined) {
      const known = [...this.byName.keys()].join(', ')
      throw new SillokError('INVALID', `${place}: no type of index is named ${name}; there are ${known}`)
    }
    try {
      return { type: name, ...(type.configure(rest) as object) }
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
      throw new SillokError(error.code, `${place}: ${error.message}`, {
        details: error.details,
        cause: error,
      })
    }
  }
}
