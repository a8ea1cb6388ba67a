/** How an index is doing: what its runner says of it. */
import type { LogIndex } from '../base/ids.js'
import type { DocumentKey } from '../base/tuple.js'

/**
 * What an index is doing:
 *
 * - `opening`: its rows are being opened and checked.
 * - `building`: the documents that are there are read for it, while it takes changes; questions wait.
 * - `catching-up`: all documents are read, and it takes the changes that came meanwhile; questions wait.
 * - `live`: it has all documents but those that are parked or skipped, and takes changes as they come.
 * - `failing`: it has stopped, for the reason that is told, and tries again twice a second.
 * - `closed`: the store is closed, or the index was dropped.
 */
export type IndexState = 'opening' | 'building' | 'catching-up' | 'live' | 'failing' | 'closed'

/** How an index is doing. */
export interface IndexStatus {
  readonly state: IndexState
  /**
   * Everything up to this entry is in its rows; while it is built, only for keys through `builtThrough`.
   */
  readonly position: LogIndex
  /** Entries that are applied and not in its rows. */
  readonly lag: number
  /** For how long, in ms, it has not been level with what was applied; 0 without lag. */
  readonly lagMs: number
  /**
   * While it is built: the last key that was read for it; undefined before the first, and when it is done.
   */
  readonly builtThrough: DocumentKey | undefined
  /** Documents that were read to build it, since the store was opened. */
  readonly documentsRead: number
  /** When its build was done, ISO 8601; undefined before. */
  readonly builtAt: string | undefined
  /** Documents whose newest change it could not take and put aside. */
  readonly parked: number
  /** Documents that it could not take and left out. */
  readonly skipped: number
  /** Why it was last begun anew, or fails. */
  readonly reason: string | undefined
  /** The document for which it fails; undefined if it does not fail, or for another reason. */
  readonly failingDocument: DocumentKey | undefined
  /** How often it was begun anew since the store was opened, for what was found wrong with its rows. */
  readonly rebuilds: number
}

/** What became of the parked documents of an index that were tried again. */
export interface ParkedRetry {
  /** So many were parked, and tried. */
  readonly tried: number
  /** So many still are. */
  readonly parked: number
}
