/** What a store tells: while it is opened, when something happens to it, and when it is asked. */
import type { SillokError } from '../base/errors.js'
import type { Host, PartitionStatus } from '../replica/host.js'
import type { NamedIndexStatus } from '../replica/indexes.js'
import type { ConstraintStatus } from './constraints.js'

/**
 * Events: `failed` (error) once when the store stops by itself; `rebuilt` (reason) when state was made anew,
 * during `open` only: pass that listener to `open`.
 */
export interface StoreEvents {
  /** The store stopped by itself, for this reason: nothing is taken any more. Close it. */
  failed: [error: SillokError]
  /** Derived state was found unusable, for this reason, and is made anew from the log. Nothing is lost. */
  rebuilt: [reason: string]
}

/** Listeners that must be there while the store is opened. */
export interface StoreListeners {
  /** As the event `rebuilt`. */
  readonly rebuilt?: ((reason: string) => void) | undefined
  /** As the event `failed`. */
  readonly failed?: ((error: SillokError) => void) | undefined
}

/** How the write-ahead log is doing. */
export type LogStatus = ReturnType<Host['status']>['wal']

/** What a store says of itself. */
export interface StoreStatus {
  /** The data folder, as it was given; `memory` for a store without files. */
  readonly folder: string
  /** `failed`: it stopped by itself, whether or not it was closed since; `closed`: from the call on. */
  readonly state: 'open' | 'closed' | 'failed'
  /** Why it stopped by itself. */
  readonly failure: SillokError | undefined
  /** Names of the collections, in the order of their text. */
  readonly collections: readonly string[]
  /** Sessions that this object opened and did not close: the register holds those of others too. */
  readonly sessions: number
  /** Undefined before the log is open. */
  readonly wal: LogStatus | undefined
  /** The partition of definitions and sessions (0), and that of the documents (1). */
  readonly partitions: readonly PartitionStatus[]
  /** Every derived index, and how far it is. */
  readonly indexes: readonly NamedIndexStatus[]
  /** Every unique constraint, and how far it is. */
  readonly constraints: readonly ConstraintStatus[]
}
