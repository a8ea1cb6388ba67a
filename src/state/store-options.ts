/**
 * What the key-value store of a state is opened with, and what comes of it: shared by the ways to open one
 * that is there and to make one anew.
 */
import type { LogIndex } from '../base/ids.js'
import type { Disk } from '../env/disk.js'
import type { KeyValueStore, KeyValueStores } from '../env/key-value.js'
import type { Checkpoint } from './checkpoint.js'
import type { PartitionRows } from './partition-rows.js'
import type { SnapshotRecord } from './snapshot-record.js'
import type { SessionWindows } from './windows.js'

/** Where the store is, and what the log knows of it. */
export interface StoreOptions {
  readonly disk: Disk
  readonly keyValue: KeyValueStores
  readonly folder: string
  /** What the log recorded last; undefined if nothing. */
  readonly checkpoint?: Buffer
  readonly writeBufferBytes: number
  /** Memory for what was read from its tables; a default of the key-value store's if not given. */
  readonly cacheBytes?: number
  /** The last entry that this replica's own log holds durably. */
  readonly logLastIndex: LogIndex
  /** The first entry that the log still has; 1 if not given. */
  readonly logFirstIndex?: LogIndex
  /** Snapshot files that count, the newest first; none if not given. */
  readonly snapshots?: readonly SnapshotFile[]
  /**
   * Puts the folder into quarantine unread, for this reason. Used by tests: no opening of a store sets it.
   */
  readonly damaged?: string
}

/** A snapshot file by its path, and what the log recorded of it. */
export interface SnapshotFile extends SnapshotRecord {
  readonly path: string
}

/** A store that is trusted as far as the checkpoint says; what came after it must be replayed. */
export interface OpenedStore {
  readonly store: KeyValueStore
  /** Where replay starts from. */
  readonly checkpoint: Checkpoint
  readonly windows: SessionWindows
  readonly partitionRows: PartitionRows
  /** No row in the store is newer. Reads wait until replay has passed it. */
  readonly newest: LogIndex
  /** Why the state is built again, and from what. */
  readonly rebuilt?: string
  /** Snapshot files that proved bad on the way, by their paths. */
  readonly badSnapshots?: readonly string[]
}
