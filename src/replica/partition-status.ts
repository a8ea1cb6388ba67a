/** How one partition is doing: its replica, its files, what of its log is kept. */
import type { LogIndex, PartitionId } from '../base/ids.js'
import type { OpenedReplica } from './open-replica.js'
import type { Replica } from './replica.js'
import type { RetentionStatus } from './retention.js'

/** One partition in the status of a host. */
export interface PartitionStatus extends ReturnType<Replica['status']> {
  readonly partition: PartitionId
  readonly checkpoint: LogIndex
  readonly flushed: LogIndex
  readonly segments: number
  readonly segmentBytes: number
  readonly segmentsSynced: LogIndex
  /** What of the log is kept, and for whom; undefined while the store is being opened. */
  readonly retention: RetentionStatus | undefined
}

/** As it is named in notices. */
export function stateOfPartition(partition: PartitionId): string {
  return `state of partition ${partition}`
}

/** The status of an open partition. */
export function partitionStatus(
  { replica, segments, state }: OpenedReplica,
  retention: RetentionStatus | undefined,
): PartitionStatus {
  const files = segments.status()
  return {
    partition: replica.partition,
    ...replica.status(),
    checkpoint: state.checkpointIndex,
    flushed: state.flushed,
    segments: files.segments,
    segmentBytes: files.bytes,
    segmentsSynced: segments.syncedIndex,
    retention,
  }
}
