/**
 * Reads the documents that an index is built from, a chunk at a time, and one chunk ahead: it is read and
 * decoded while the batch before is being written.
 */
import type { CollectionId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { BackgroundPace } from './background-pace.js'
import type { IndexSource, SourceChunk } from './source.js'

/** What is read, and how fast. */
export interface BuildReaderOptions {
  readonly source: IndexSource
  readonly collection: CollectionId
  readonly limits: Limits
  readonly pace: BackgroundPace
}

/** Changes or documents that take no time worth a turn of their own. */
export const lightChanges = 50
/** Documents that are decoded between two looks at the clock. */
export const decodedPerLook = 32

/** The documents of one build. */
export class BuildReader {
  readonly #options: BuildReaderOptions
  #ahead: Promise<SourceChunk> | undefined

  constructor(options: BuildReaderOptions) {
    this.#options = options
  }

  /** The chunk behind that key: what was read ahead, if anything was. */
  async next(after: Buffer | undefined): Promise<SourceChunk> {
    const ahead = this.#ahead
    this.#ahead = undefined
    return await (ahead ?? this.#read(after, 0))
  }

  /**
   * Begins to read the chunk behind that key, for the next call of `next`. The chunk before it is written
   * together with so many changes of others.
   */
  readAhead(after: Buffer | undefined, changes: number): void {
    this.#ahead = this.#read(after, changes)
    // Whoever asked may be gone by then.
    this.#ahead.catch(() => {})
  }

  /** What was read ahead, or is being read, is not wanted any more. */
  forget(): void {
    this.#ahead = undefined
  }

  async #read(after: Buffer | undefined, changes: number): Promise<SourceChunk> {
    const { source, collection, limits, pace } = this.#options
    const { indexChunkDocuments, indexBatchBytes } = limits
    const count = pace.atATime(indexChunkDocuments, changes)
    const chunk = await source.documents(collection, after, count, indexBatchBytes)
    if (chunk.documents.length > lightChanges) await pace.turn()
    for (const [n, { document }] of chunk.documents.entries()) {
      // Decoded here, and kept: the batch asks again.
      document?.()
      const late = n % decodedPerLook === 0 ? pace.pause() : undefined
      if (late !== undefined) await late
    }
    return chunk
  }
}
