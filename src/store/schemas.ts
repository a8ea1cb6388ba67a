/**
 * The definitions of the collections, as the data partition's own log has them.
 *
 * They are read from the state again when a schema changed there; of a closed store they are as they were at
 * last.
 */
import { SillokError } from '../base/errors.js'
import { schemaPrefix } from '../machine/keys.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Host } from '../replica/host.js'

/** Schemas by the names of collections. */
export class Schemas {
  readonly #host: () => Host | undefined
  readonly #byName = new Map<string, CollectionSchema>()
  /** Changes of the partition's schemas that these show. */
  #seen = -1

  /** `host` gives undefined before the store is open. */
  constructor(host: () => Host | undefined) {
    this.#host = host
  }

  /** All of them, as of now. */
  all(): ReadonlyMap<string, CollectionSchema> {
    const host = this.#host()
    const changes = host?.data.changes(schemaPrefix) ?? -1
    if (host === undefined || changes === this.#seen) return this.#byName
    this.#seen = changes
    for (const schema of host.schemas()) this.#byName.set(schema.name, schema)
    return this.#byName
  }

  /** The schema of that name. Throws NOT_FOUND. */
  get(name: string): CollectionSchema {
    const schema = this.all().get(name)
    if (schema !== undefined) return schema
    throw new SillokError('NOT_FOUND', `collection ${JSON.stringify(name)} is not defined: call define first`)
  }
}
