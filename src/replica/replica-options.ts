/** What one partition's replica is made from, and whom it tells of what. */
import type { SillokError } from '../base/errors.js'
import type { LogTime, PartitionId, ReplicaId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Clock } from '../env/clock.js'
import type { Alarm, InstallSnapshot, PeerMessage } from '../raft/messages.js'
import type { RaftOptions, RaftStatus } from '../raft/raft.js'
import type { SegmentLog } from '../segments/segment-log.js'
import type { State } from '../state/state.js'
import type { Wal } from '../wal/wal.js'
import type { Memberships } from './memberships.js'
import type { Install } from './prepared-snapshot.js'
import type { StoredLog } from './stored-log.js'

/** What a replica works with. */
export interface ReplicaOptions {
  readonly partition: PartitionId
  readonly replica: ReplicaId
  readonly clock: Clock
  readonly wal: Wal
  readonly segments: SegmentLog
  readonly state: State
  /** Segments and tail, as Raft asks for them. */
  readonly log: StoredLog
  /** Who belongs to the group; kept up here. */
  readonly memberships: Memberships
  /** Writes a state checkpoint into the log. */
  readonly record: (bytes: Buffer) => Promise<void>
  readonly slotEpoch: number
  readonly limits: Limits
  readonly raft: Pick<RaftOptions, 'random' | 'electionTicks' | 'uncommittedBytesMax'> & {
    readonly start: Omit<RaftOptions['start'], 'log' | 'configuration' | 'configurationIndex'>
  }
  /** Hands a message to whoever carries it to the replica that it is for: it may be lost, late, repeated. */
  readonly send: (message: PeerMessage) => void
  /** The same for a snapshot, with the state; `snapshotSent` is told how it ended. */
  readonly sendSnapshot: (message: InstallSnapshot) => void
  /**
   * This replica is to go on as what it was sent: it takes nothing more. See `install-snapshot.ts`. A host
   * that is about to close may leave it at that.
   */
  readonly install: (install: Install) => void
  /** Opens a session that this partition does not know; resolves when the command may be tried again. */
  readonly openSession: (session: number) => Promise<void>
  /** Called after entries were applied. */
  readonly applied: () => void
  /** Told when a replica of the group no longer holds what it had acknowledged. */
  readonly alarmed: (alarm: Alarm) => void
  /** Called once when the replica cannot go on. */
  readonly failed: (error: SillokError) => void
}

/** Where a replica stands. */
export interface ReplicaStatus
  extends Pick<RaftStatus, 'role' | 'term' | 'commit' | 'applied' | 'lastIndex'> {
  /** Commands that wait for their turn. */
  readonly waiting: number
  readonly logTime: LogTime
}
