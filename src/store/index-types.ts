/** The kinds of indexes that a store was opened with: those of this package, and the user's own. */
import { SillokError } from '../base/errors.js'
import type { DerivedIndex, IndexType, KeyedDocument } from '../derived/contract.js'
import { search } from '../derived/search/search.js'
import { secondary } from '../derived/secondary/secondary.js'
import type { IndexDefinition, IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema, Definition } from '../machine/schema.js'
import { invalid, show } from './check-options.js'

/** Kinds by name. */
export class IndexTypes {
  readonly byName: ReadonlyMap<string, IndexType>
  /** The indexes of a schema that look at documents, by name. */
  readonly #checking = new WeakMap<CollectionSchema, Map<string, DerivedIndex>>()

  /** Throws INVALID for what is no kind, and for two of one name. */
  constructor(own: readonly IndexType[] = []) {
    const byName = new Map<string, IndexType>()
    for (const type of [secondary as IndexType, search as IndexType, ...own]) {
      if (typeof type !== 'object' || type === null) throw invalid(`indexTypes: ${show(type)} is no type`)
      const { type: name, version } = type
      if (typeof name !== 'string' || name === '' || !Number.isSafeInteger(version)) {
        throw invalid('indexTypes: a type needs a name and a whole number as version')
      }
      if (typeof type.configure !== 'function' || typeof type.open !== 'function') {
        throw invalid(`indexTypes: ${name} needs the functions configure and open`)
      }
      if (byName.has(name)) throw invalid(`indexTypes: ${name} is there twice`)
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

  /** Throws what an index of the collection says against the document; `details.index` names it. */
  check(schema: CollectionSchema, document: KeyedDocument): void {
    let checking = this.#checking.get(schema)
    if (checking === undefined) {
      checking = new Map()
      for (const one of schema.indexes) {
        const index = this.#opened(one)
        if (index?.check !== undefined) checking.set(one.name, index)
      }
      this.#checking.set(schema, checking)
    }
    for (const [name, index] of checking) {
      try {
        index.check?.(document)
      } catch (error) {
        if (!(error instanceof SillokError)) throw error
        const { code, message, outcome, details, cause } = error
        throw new SillokError(code, message, { outcome, details: { ...details, index: name }, cause })
      }
    }
  }

  /** Undefined if it cannot be opened: that is told to who asks it. */
  #opened({ type, config }: IndexSchema): DerivedIndex | undefined {
    try {
      return this.byName.get(type)?.open(config)
    } catch {
      return undefined
    }
  }

  #configured(place: string, { type: name, onError, ...rest }: IndexDefinition): IndexDefinition {
    const type = this.byName.get(name)
    if (type === undefined) {
      const known = [...this.byName.keys()].join(', ')
      throw invalid(`${place}: no type of index is named ${name}; there are ${known}`)
    }
    try {
      const policy = onError === undefined ? {} : { onError }
      return { ...(type.configure(rest) as object), ...policy, type: name }
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
      throw new SillokError(error.code, `${place}: ${error.message}`, {
        details: error.details,
        cause: error,
      })
    }
  }
}
