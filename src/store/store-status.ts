/** What a store tells: while it is opened, when something happens to it, and when it is asked. */
import type { SillokError } from '../base/errors.js'
import type { Host } from '../replica/host.js'
import type { MemberOptions } from '../replica/host-options.js'
import type { NamedIndexStatus } from '../replica/indexes.js'
import type { PartitionStatus } from '../replica/partition-status.js'
import type { WalStatus } from '../wal/wal.js'
import type { ConstraintStatus } from './constraints.js'
import type { Logger } from './notices.js'

/** Who is told while the store is opened. */
export interface StoreListeners {
  /** As the event `rebuilt`, without a wait for the end of the opening. */
  readonly rebuilt?: ((reason: string) => void) | undefined
  /** As the event `failed`, also if the store fails while it is opened. */
  readonly failed?: ((error: SillokError) => void) | undefined
  /** Takes what the store has to say; nothing is said without one. What it throws is dropped. */
  readonly logger?: Logger | undefined
}

/** A store whose node is one of several. */
export interface StoreMember extends MemberOptions {
  /**
   * Called when its node takes part, which others may need before this store may be used; that waits for what
   * it resolves with.
   */
  readonly joined?: (host: Host) => Promise<void> | void
}

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
  readonly wal: WalStatus | undefined
  /** The partition of definitions and sessions (0), and that of the documents (1). */
  readonly partitions: readonly PartitionStatus[]
  /** Every derived index, and how far it is. */
  readonly indexes: readonly NamedIndexStatus[]
  /** Every unique constraint, and how far it is. */
  readonly constraints: readonly ConstraintStatus[]
}
