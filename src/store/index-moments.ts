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
import type { Moment } from '../derived/moment.js'
import type { MomentWait } from '../derived/runner.js'
import type { ViewedDocument } from '../derived/source.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Indexes, OpenedIndex } from '../replica/indexes.js'
import type { Asking, Waiting } from './asking.js'
import { checkSignal } from './check-options.js'
import type { FindOptions } from './options.js'
import type { Reader } from './reader.js'
import { WaitingRoom } from './waiting-room.js'

/** What questions go through. */
export interface IndexMomentsParts {
  readonly indexes: () => Indexes
  readonly types: ReadonlyMap<string, IndexType>
  readonly reader: Reader
  readonly asking: Asking
  /** Questions that may wait at a time, else OVERLOADED. */
  readonly waitingMax: number
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

  /** How many questions wait. */
  get waiting(): number {
    return this.#room.count
  }

  /** Waits for the log, then for the index; one deadline and one signal hold for both together. */
  async moment(opened: OpenedIndex, options: FindOptions): Promise<Moment> {
    checkSignal(options, 'the search')
    const { reader, asking } = this.#parts
    const begun: MomentWait[] = []
    const work = async (waiting: Waiting): Promise<Moment> => {
      await reader.read(options, () => {})
      if (waiting.settled) throw new SillokError('ABORTED', 'nobody waits any more')
      const wait = opened.runner.moment(options.onBehind !== 'error')
      begun.push(wait)
      return await wait.moment
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

  /** The index of that name. Throws NOT_FOUND, or INVALID if the store does not know its type. */
  opened(schema: CollectionSchema, name: string): OpenedIndex {
    const index = schema.indexes.find(one => one.name === name)
    const opened = index && this.#parts.indexes().get(schema.id, name)
    if (opened !== undefined) return opened
    if (index === undefined) {
      const names = schema.indexes.map(one => one.name).join(', ') || 'none'
      throw new SillokError('NOT_FOUND', `collection ${schema.name} has no index ${name}; it has ${names}`)
    }
    if (this.#parts.types.has(index.type))
      throw new SillokError('NOT_FOUND', `the index ${name} is being dropped`)
    throw new SillokError('INVALID', `the store was opened without the type of index ${index.type}`)
  }
}

/** The tries of one question: each at a moment of its own. */
export class Tries {
  readonly #opened: OpenedIndex
  #damages = 0

  constructor(opened: OpenedIndex) {
    this.#opened = opened
  }

  /**
   * Returns if the question may be asked again at another moment; throws what ends it. An index that is
   * damaged is built anew.
   */
  goOnAfter(error: unknown): void {
    if (error instanceof DocumentsFailed) throw error.cause
    // The rows were closed to begin anew: the next moment comes, or says that the store is closed.
    if (isSillokError(error, 'CLOSED')) return
    this.#damages += 1
    if (!isSillokError(error, 'DAMAGED') || this.#damages > damagesMax) throw error
    this.#opened.runner.distrust(error.message)
  }
}

/** The documents of the hits as of the moment, in their order. DAMAGED if the index names one that is not. */
export async function documentsOf(
  schema: CollectionSchema,
  moment: Moment,
  hits: readonly { readonly key: DocumentKey }[],
): Promise<ViewedDocument[]> {
  const keys = hits.map(({ key }) => encodeKey(key))
  const found = await moment.documents.getMany(schema.id, keys).catch((error: unknown) => {
    throw new DocumentsFailed(error)
  })
  return found.map((one, i) => {
    if (one !== undefined) return one
    throw new SillokError('DAMAGED', `the index names ${JSON.stringify(hits[i]?.key)}, which is not there`)
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
