/** Whoever asks the indexes of one store: by order, by words, and after what they put aside. */
import type { IndexType } from '../derived/contract.js'
import type { Clock } from '../env/clock.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Host } from '../replica/host.js'
import type { Indexes } from '../replica/indexes.js'
import type { Asking } from './asking.js'
import { IndexCare } from './index-care.js'
import { cursorSecret, IndexMoments } from './index-moments.js'
import { IndexReader } from './index-reader.js'
import type { Reader } from './reader.js'
import { SearchReader } from './search-reader.js'

/** What questions go through. */
export interface IndexQuestionsParts {
  readonly clock: Clock
  readonly host: Host
  readonly types: ReadonlyMap<string, IndexType>
  readonly reader: Reader
  readonly asking: Asking
  /** Questions that may wait at a time, else OVERLOADED. */
  readonly waitingMax: number
  readonly schemaOf: (collection: string) => CollectionSchema
}

/** The ways to ask. */
export class IndexQuestions {
  readonly reader: IndexReader
  readonly search: SearchReader
  readonly care: IndexCare

  constructor({ clock, host, types, reader, asking, waitingMax, schemaOf }: IndexQuestionsParts) {
    const indexes = (): Indexes => host.indexes
    const partition = host.data
    const moments = new IndexMoments({ indexes, partition, types, reader, asking, waitingMax })
    const secret = cursorSecret(host.origin)
    this.reader = new IndexReader(moments, secret)
    this.search = new SearchReader(moments, clock, secret)
    this.care = new IndexCare(host, asking, schemaOf)
  }
}
