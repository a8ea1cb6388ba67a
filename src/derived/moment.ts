/**
 * One moment of an index: its rows and the documents, both as of the same position. Shared by all queries
 * that waited for it; released with the last.
 */
import type { LogIndex } from '../base/ids.js'
import type { IndexRows } from './contract.js'
import type { IndexSnapshot } from './index-snapshot.js'
import type { ParkedKeys } from './parked.js'
import type { DocumentView } from './source.js'

/** Rows and documents as of `position`. */
export class Moment {
  readonly position: LogIndex
  readonly #rows: IndexSnapshot
  readonly documents: DocumentView
  readonly #released: () => void
  #holders = 0

  /** `released` is called once nobody holds it any more. */
  constructor(position: LogIndex, rows: IndexSnapshot, documents: DocumentView, released: () => void) {
    this.#released = released
    this.position = position
    this.#rows = rows
    this.documents = documents
  }

  get rows(): IndexRows {
    return this.#rows
  }

  /** Documents whose newest change the rows lack. */
  get parked(): ParkedKeys {
    return this.#rows.parked
  }

  /** Adds a holder: each releases it once. */
  hold(): this {
    this.#holders += 1
    return this
  }

  async release(): Promise<void> {
    this.#holders -= 1
    if (this.#holders > 0) return
    this.documents.release()
    try {
      await this.#rows.close()
    } finally {
      this.#released()
    }
  }
}
