/** Where a replica stands, for those who look at it. */
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'
import type { Configuration } from './configuration.js'
import type { Core } from './core.js'
import type { RoleName } from './messages.js'
import type { ProgressState } from './progress.js'

/** One member as the leader sees it. */
export interface MemberStatus {
  readonly replica: ReplicaId
  readonly isLearner: boolean
  readonly state: ProgressState
  readonly match: LogIndex
  readonly next: LogIndex
  readonly isPaused: boolean
  readonly recentlyActive: boolean
  /** Appends on their way. */
  readonly inFlight: number
  /** Index of the snapshot on its way; 0 for none. */
  readonly pendingSnapshot: LogIndex
  /** Index of the snapshot that it has and has not acknowledged; 0 for none. */
  readonly arrivedSnapshot: LogIndex
}

/** Where the replica stands. */
export interface RaftStatus {
  readonly role: RoleName
  readonly term: Term
  readonly vote: ReplicaId
  readonly leader: ReplicaId
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly lastIndex: LogIndex
  readonly configuration: Configuration
  /** Index of the entry that made the configuration; 0 if it was there from the start. */
  readonly configurationIndex: LogIndex
  /** What was acknowledged may be lost: the replica neither votes nor campaigns. */
  readonly recovering: boolean
  /** Who is to get the leadership; 0 for nobody. */
  readonly transferee: ReplicaId
  /** Bytes that this leader proposed and that are not committed. */
  readonly uncommittedBytes: number
  /** Every member, in order of id; empty unless the replica leads. */
  readonly members: readonly MemberStatus[]
}

/** The status of the replica. */
export function statusOf(core: Core): RaftStatus {
  const { role, term, vote, leader, log, configuration, configurationIndex } = core
  const isLeader = role.name === 'leader'
  return {
    role: role.name,
    term,
    vote,
    leader,
    commit: log.commit,
    applied: log.applied,
    lastIndex: log.lastIndex,
    configuration,
    configurationIndex,
    recovering: core.recovering !== undefined,
    transferee: isLeader ? role.transferee : 0,
    uncommittedBytes: isLeader ? role.uncommittedBytes : 0,
    members: isLeader ? membersOf(core, [...role.progress.values()]) : [],
  }
}

function membersOf(core: Core, all: readonly MemberSource[]): readonly MemberStatus[] {
  const { learners } = core.configuration
  return all
    .map(one => ({
      replica: one.replica,
      isLearner: learners.includes(one.replica),
      state: one.state,
      match: one.match,
      next: one.next,
      isPaused: one.isPaused,
      recentlyActive: one.recentlyActive,
      inFlight: one.inFlight,
      pendingSnapshot: one.pendingSnapshot,
      arrivedSnapshot: one.arrivedSnapshot,
    }))
    .sort((a, b) => a.replica - b.replica)
}

type MemberSource = Omit<MemberStatus, 'isLearner'>
