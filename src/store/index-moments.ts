/**
 * Moments for questions to indexes: which index is asked, the wait for it, and its documents.
 *
 * A moment shows at least all that was acknowledged when it was asked for. Hits and documents of one moment
 * fit: what is written later is in neither. What fails a question decides whether it goes on at another
 * moment: an index that is found damaged is built anew, once it is distrusted.
 */
import { createHash } from 'node:crypto'
import { isSillokError, SillokError } from '../base/errors.js'
import { type DocumentKey, encodeKey } from '../base/tuple.js'
import type { IndexType } from '../derived/contract.js'
import type { MomentWait } from '../derived/index-asks.js'
import type { Moment } from '../derived/moment.js'
import { nameOf } from '../derived/parked.js'
import { search } from '../derived/search/search.js'
import { secondary } from '../derived/secondary/secondary.js'
import type { ViewedDocument } from '../derived/source.js'
import type { IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Indexes, OpenedIndex } from '../replica/indexes.js'
import type { Partition } from '../replica/partition.js'
import { withAnswering } from './answering-index.js'
import type { Asking, Waiting } from './asking.js'
import { checkSignal, invalid } from './check-options.js'
import type { FindOptions } from './options.js'
import type { Reader } from './reader.js'
import { WaitingRoom } from './waiting-room.js'

/** What questions go through. */
export interface IndexMomentsParts {
  readonly indexes: () => Indexes
  readonly partition: Pick<Partition, 'replica' | 'readable'>
  readonly types: ReadonlyMap<string, IndexType>
  readonly reader: Reader
  readonly asking: Asking
  /** Questions that may wait at a time, else OVERLOADED. */
  readonly waitingMax: number
}

/** The making of an index that answers, and a moment of it. */
export interface Answering {
  readonly opened: OpenedIndex
  readonly moment: Moment
}

/** How often a question goes on after rows were found damaged. */
const damagesMax = 3

/** Gives moments of the indexes of one store. */
export class IndexMoments {
  readonly #parts: IndexMomentsParts
  readonly #room: WaitingRoom

  constructor(parts: IndexMomentsParts) {
    this.#parts = parts
    this.#room = new WaitingRoom(parts.waitingMax, 'questions to indexes')
  }

  /** Whose indexes they are. */
  get partition(): IndexMomentsParts['partition'] {
    return this.#parts.partition
  }

  /** How many questions wait. */
  get waiting(): number {
    return this.#room.count
  }

  /**
   * Waits for the log, then for the making of the index that answers; one deadline and one signal hold for
   * all of it.
   */
  async moment(schema: CollectionSchema, name: string, options: FindOptions): Promise<Answering> {
    checkSignal(options, 'the search')
    const { reader, asking, indexes, partition } = this.#parts
    const begun: MomentWait[] = []
    const isPatient = options.onBehind !== 'error'
    const work = async (waiting: Waiting): Promise<Answering> => {
      await reader.read(options, () => {})
      const ask = async (opened: OpenedIndex): Promise<Answering> => {
        if (waiting.settled) throw new SillokError('ABORTED', 'nobody waits any more')
        const wait = opened.runner.moment(isPatient)
        begun.push(wait)
        return { opened, moment: await wait.moment }
      }
      const find = (): Promise<OpenedIndex | undefined> => indexes().answering(schema.id, name, isPatient)
      return await withAnswering(partition, find, ask, () => this.#missing(schema, name))
    }
    this.#room.enter()
    asking.counts.questions += 1
    try {
      return await asking.until(work, options, false)
    } catch (error) {
      for (const wait of begun) wait.cancel()
      throw error
    } finally {
      this.#room.leave()
    }
  }

  /** The index as it is defined. Throws NOT_FOUND, and INVALID for a type that this store does not know. */
  schemaOf(schema: CollectionSchema, name: string): IndexSchema {
    const index = schema.indexes.find(one => one.name === name)
    if (index === undefined) {
      const names = schema.indexes.map(one => one.name).join(', ') || 'none'
      throw new SillokError('NOT_FOUND', `collection ${schema.name} has no index ${name}; it has ${names}`)
    }
    if (this.#parts.types.has(index.type)) return index
    throw new SillokError('INVALID', `the store was opened without the type of index ${index.type}`)
  }

  /** The index, if it is of that type; else throws INVALID: the caller asks others by `call`. */
  schemaOfType(schema: CollectionSchema, name: string, type: IndexType): IndexSchema {
    const index = this.schemaOf(schema, name)
    const own = this.#parts.types.get(index.type)
    if (own === type) return index
    const how = own === (search as IndexType) ? 'search' : own === (secondary as IndexType) ? 'find' : 'query'
    throw invalid(`${name} is an index of type ${index.type}: ask it by ${how}()`)
  }

  /** Names the index in cursors: they hold for every making of it whose rows have the same form. */
  cursorIdentity(schema: CollectionSchema, name: string): string {
    const { type, config } = this.schemaOf(schema, name)
    const version = this.#parts.types.get(type)?.version
    return ['cursor', schema.id, name, type, version, JSON.stringify(config)].join('/')
  }

  #missing(schema: CollectionSchema, name: string): SillokError {
    this.schemaOf(schema, name)
    return new SillokError('NOT_FOUND', `the index ${name} is being dropped`)
  }
}

/** The tries of one question: each at a moment of its own. */
export class Tries {
  #damages = 0

  /**
   * Returns if the question may be asked again at another moment; throws what ends it. The index that was
   * asked and is damaged is built anew.
   */
  goOnAfter(error: unknown, opened: OpenedIndex): void {
    if (error instanceof DocumentsFailed) throw error.cause
    // The rows were closed to begin anew: the next moment comes, or says that the store is closed.
    if (isSillokError(error, 'CLOSED')) return
    this.#damages += 1
    if (!isSillokError(error, 'DAMAGED') || this.#damages > damagesMax) throw error
    opened.runner.distrust(error.message)
  }
}

/** A hit with its document as of the moment. */
export interface HitDocument<Hit> extends ViewedDocument {
  readonly hit: Hit
  /** The hit is of an older form of the document: the index could not take it as it is now. */
  readonly isParked: boolean
}

/**
 * The hits with their documents as of the moment, in their order, without those whose documents are parked
 * and gone. DAMAGED if the index names another one that is not there.
 */
export async function documentsOf<Hit extends { readonly key: DocumentKey }>(
  schema: CollectionSchema,
  moment: Moment,
  hits: readonly Hit[],
): Promise<HitDocument<Hit>[]> {
  const keys = hits.map(({ key }) => encodeKey(key))
  const found = await moment.documents.getMany(schema.id, keys).catch((error: unknown) => {
    throw new DocumentsFailed(error)
  })
  const { parked } = moment
  return hits.flatMap((hit, i) => {
    const isParked = parked.size > 0 && parked.has(nameOf(keys[i] as Buffer))
    const one = found[i]
    if (one !== undefined) return { ...one, hit, isParked }
    if (isParked) return []
    throw new SillokError('DAMAGED', `the index names ${JSON.stringify(hit.key)}, which is not there`)
  })
}

/** The state failed, not the index. */
class DocumentsFailed extends Error {
  constructor(cause: unknown) {
    super('the documents of an index cannot be read', { cause })
  }
}

/** Signs the cursors of a store. */
export function cursorSecret(origin: string): Buffer {
  return createHash('sha256').update(`cursor ${origin}`).digest()
}
