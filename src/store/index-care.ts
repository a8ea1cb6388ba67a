/** What an owner does about one index: looks at its parked documents, and has them tried again. */
import { SillokError } from '../base/errors.js'
import type { ParkedRetry } from '../derived/index-status.js'
import type { ParkedDocument } from '../derived/parked.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Host } from '../replica/host.js'
import type { OpenedIndex } from '../replica/indexes.js'
import { withAnswering } from './answering-index.js'
import type { Asking } from './asking.js'
import { checkCall, checkCollectionName, checkIndexName, optionNames } from './check-options.js'
import type { CallOptions } from './options.js'

/** The care of the indexes of one store. */
export class IndexCare {
  readonly #host: Host
  readonly #asking: Asking
  readonly #schemaOf: (collection: string) => CollectionSchema

  constructor(host: Host, asking: Asking, schemaOf: (collection: string) => CollectionSchema) {
    this.#host = host
    this.#asking = asking
    this.#schemaOf = schemaOf
  }

  /** The documents that the index put aside, in the order of their keys. */
  async parked(collection: string, name: string, options: CallOptions): Promise<ParkedDocument[]> {
    const list = ({ runner }: OpenedIndex): Promise<ParkedDocument[]> =>
      runner.work(store => store.parkedDocuments())
    return await this.#with(collection, name, options, list, true)
  }

  /** Tells the index again of the documents that it put aside. */
  async retryParked(collection: string, name: string, options: CallOptions): Promise<ParkedRetry> {
    return await this.#with(collection, name, options, ({ runner }) => runner.retryParked(), false)
  }

  async #with<T>(
    collection: string,
    name: string,
    options: CallOptions,
    work: (opened: OpenedIndex) => Promise<T>,
    isRead: boolean,
  ): Promise<T> {
    checkCall(options, optionNames.call)
    checkCollectionName(collection)
    checkIndexName(name)
    const schema = this.#schemaOf(collection)
    const { data: documents } = this.#host
    const find = (): Promise<OpenedIndex | undefined> => this.#host.indexes.answering(schema.id, name, true)
    const all = (): Promise<T> => withAnswering(documents, find, work, () => missing(schema, name))
    return await this.#asking.until(all, options, !isRead)
  }
}

function missing(schema: CollectionSchema, name: string): SillokError {
  const names = schema.indexes.map(one => one.name).join(', ') || 'none'
  const message = `collection ${schema.name} has no index ${name} at work here; it has ${names}`
  return new SillokError('NOT_FOUND', message)
}
