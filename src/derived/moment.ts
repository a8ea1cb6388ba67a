/**
 * One moment of an index: its rows and the documents, both as of the same position. Shared by all queries
 * that waited for it; released with the last.
 */
import type { LogIndex } from '../base/ids.js'
import type { IndexRows } from './contract.js'
import type { IndexSnapshot } from './index-snapshot.js'
import type { DocumentView } from './source.js'

/** Rows and documents as of `position`. */
export class Moment {
  readonly position: LogIndex
  readonly #rows: IndexSnapshot
  readonly documents: DocumentView
  #holders = 0

  constructor(position: LogIndex, rows: IndexSnapshot, documents: DocumentView) {
    this.position = position
    this.#rows = rows
    this.documents = documents
  }

  get rows(): IndexRows {
    return this.#rows
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
    await this.#rows.close()
  }
}
