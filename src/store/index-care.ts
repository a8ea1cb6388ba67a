/** What an owner does about one index: looks at its parked documents, and has them tried again. */
import { SillokError } from '../base/errors.js'
import type { ParkedRetry } from '../derived/index-status.js'
import type { ParkedDocument } from '../derived/parked.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Indexes, OpenedIndex } from '../replica/indexes.js'
import type { Asking } from './asking.js'
import type { CallOptions } from './options.js'

/** The care of the indexes of one store. */
export class IndexCare {
  readonly #indexes: () => Indexes
  readonly #asking: Asking

  constructor(indexes: () => Indexes, asking: Asking) {
    this.#indexes = indexes
    this.#asking = asking
  }

  /** The documents that the index put aside, in the order of their keys. */
  async parked(schema: CollectionSchema, name: string, options: CallOptions): Promise<ParkedDocument[]> {
    const list = ({ runner }: OpenedIndex): Promise<ParkedDocument[]> =>
      runner.work(store => store.parkedDocuments())
    return await this.#with(schema, name, options, list, true)
  }

  /** Tells the index again of the documents that it put aside. */
  async retryParked(schema: CollectionSchema, name: string, options: CallOptions): Promise<ParkedRetry> {
    return await this.#with(schema, name, options, ({ runner }) => runner.retryParked(), false)
  }

  async #with<T>(
    schema: CollectionSchema,
    name: string,
    options: CallOptions,
    work: (opened: OpenedIndex) => Promise<T>,
    isRead: boolean,
  ): Promise<T> {
    const find = async (): Promise<T> => {
      const opened = await this.#indexes().answering(schema.id, name, true)
      if (opened !== undefined) return await work(opened)
      const names = schema.indexes.map(one => one.name).join(', ') || 'none'
      const message = `collection ${schema.name} has no index ${name} at work here; it has ${names}`
      throw new SillokError('NOT_FOUND', message)
    }
    return await this.#asking.until(find, options, isRead)
  }
}
