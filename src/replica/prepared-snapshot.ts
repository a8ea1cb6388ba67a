/** A snapshot of another replica that stands ready to take the place of this one's state and log. */
import type { PartitionId, ReplicaId, Term } from '../base/ids.js'
import type { HardState } from '../raft/messages.js'
import type { SyncedMark } from '../segments/marks.js'
import type { SnapshotHead } from '../state/snapshot-format.js'
import type { SnapshotRecord } from '../state/snapshot-record.js'

/** A snapshot that came whole, in a folder that does not count yet. */
export interface PreparedSnapshot {
  readonly partition: PartitionId
  readonly replicaId: ReplicaId
  readonly generation: number
  readonly head: SnapshotHead
  readonly record: SnapshotRecord
  /** Term of the entry at `head.lastCut`; 0 if that is 0. */
  readonly cutTerm: Term
  /** Of the segment that begins behind the cut; undefined if the snapshot is as of the cut itself. */
  readonly mark: SyncedMark | undefined
}

/** What is to take the place of a replica. */
export interface Install {
  readonly prepared: PreparedSnapshot
  /** Of the replica, with the snapshot's index committed. */
  readonly hardState: HardState
}
