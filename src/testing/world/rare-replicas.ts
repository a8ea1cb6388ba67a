/** Recognises rare states by the status of replicas: at each look, and when a process dies. */
import type { Entry } from '../../base/entry.js'
import { type LogIndex, metaPartition, type PartitionId, type ReplicaId, type Term } from '../../base/ids.js'
import { decodeChange } from '../../raft/configuration-entry.js'
import type { RaftStatus } from '../../raft/raft.js'
import type { OpenedReplica } from '../../replica/open-replica.js'
import { dataPartition } from '../../replica/partition-folders.js'
import type { Mark } from './rare-states.js'

/** A replica of a living process, as it is now. */
export interface Sighted {
  readonly node: number
  readonly partition: PartitionId
  readonly opened: OpenedReplica
  /** Its process stands still. */
  readonly isHeld: boolean
}

/** What was seen of one partition's group. */
class Group {
  commit = 0
  /** Who was seen to lead, by term. */
  readonly leaders = new Map<Term, ReplicaId>()
  /** The newest term with a leader, and what was committed when that was seen. */
  newest: { readonly term: Term; readonly commit: number } = { term: 0, commit: 0 }
  /** Changes of the group that are not committed, by their index. */
  readonly pending = new Map<LogIndex, Pending>()
  /** As the newest leader has it. */
  learners: readonly ReplicaId[] = []
}

/** A change of a group that is not committed. */
interface Pending {
  readonly term: Term
  readonly promotes: boolean
  /** Replicas that were seen to hold it. */
  readonly heldBy: Set<OpenedReplica>
}

const longTail = 20

/** What replicas are looked at with. */
export interface RareReplicasOptions {
  readonly mark: Mark
  /** The cluster began with replicas of these ids, from 1. */
  readonly founders: number
  /** True if no majority of so many voters confirmed the newest round of reads of that leader. */
  readonly hasOpenReads: (partition: PartitionId, leader: ReplicaId, term: Term, voters: number) => boolean
}

/** The replicas of one world. */
export class RareReplicas {
  readonly #options: RareReplicasOptions
  readonly #mark: Mark
  readonly #founders: number
  readonly #groups = new Map([metaPartition, dataPartition].map(id => [id, new Group()]))
  /** As each was at the last look of its life. */
  readonly #before = new WeakMap<OpenedReplica, RaftStatus>()
  /** The end of its log then. */
  readonly #lastOf = new WeakMap<OpenedReplica, { readonly index: LogIndex; readonly term: Term }>()
  /** The one that was there before a snapshot took its place, by node and partition. */
  readonly #last = new Map<string, Sighted>()
  readonly #committed = new Set<string>()
  /** How often a snapshot took the place of a replica. */
  installed = 0

  constructor(options: RareReplicasOptions) {
    this.#options = options
    this.#mark = options.mark
    this.#founders = options.founders
  }

  /** Committed changes of groups that were seen. */
  get changed(): number {
    return this.#committed.size
  }

  /** The last entry that anybody was seen to know committed. */
  commitOf(partition: PartitionId): number {
    return this.#groups.get(partition)?.commit ?? 0
  }

  /** True if that node's replica leads, while another one was seen to lead in a later term. */
  isDeposed(node: number, partition: PartitionId): boolean {
    const replica = this.#last.get(`${node} ${partition}`)?.opened.replica
    const newest = this.#groups.get(partition)?.newest.term ?? 0
    return replica !== undefined && !replica.isReplaced && replica.leads && replica.term < newest
  }

  /** Terms in which somebody was seen to lead. */
  hadLeader(partition: PartitionId, term: Term): boolean {
    return this.#groups.get(partition)?.leaders.has(term) === true
  }

  /** True if that replica listens, as the newest leader has it. */
  isLearner(partition: PartitionId, replica: ReplicaId): boolean {
    return this.#groups.get(partition)?.learners.includes(replica) === true
  }

  /** A leader sends the entry of a change. */
  changes(entry: Entry, leader: ReplicaId): void {
    const { partition, index, term } = entry
    const group = this.#groups.get(partition)
    if (group === undefined || this.#committed.has(`${partition} ${index}`)) return
    if (group.pending.get(index)?.term === term || index <= group.commit) return
    const change = decodeChange(entry)
    const steps = change.type === 'leave' ? [] : change.steps
    const promotes = steps.some(({ type }) => type === 'addVoter')
    group.pending.set(index, { term, promotes, heldBy: new Set() })
    if (steps.some(({ type, replica }) => type !== 'addVoter' && replica === leader))
      this.#mark('leader-removes-itself')
  }

  /** All that are there. */
  look(sighted: readonly Sighted[]): void {
    for (const [partition, group] of this.#groups) {
      const here = sighted.filter(one => one.partition === partition && !one.opened.replica.isReplaced)
      const all = here.map(one => ({ ...one, status: one.opened.replica.group() }))
      for (const one of all) this.#leads(group, one, all)
      for (const { status } of all) group.commit = Math.max(group.commit, status.commit)
      for (const one of all) this.#one(group, one)
      this.#pending(partition, group, all)
      const leading = all.filter(({ status }) => status.role === 'leader')
      if (leading.length > 1) this.#mark('two-leaders')
      const newest = Math.max(...leading.map(({ status }) => status.term))
      const isLate = leading.some(({ isHeld, status }) => isHeld && status.term < newest)
      if (isLate) this.#mark('held-leader-is-followed')
    }
  }

  /** The process of that replica dies in this step. */
  dies(opened: OpenedReplica, isReplacing: boolean): void {
    const { replica } = opened
    if (replica.isReplaced) {
      this.#mark('crash-during-installation')
      return
    }
    const { role, lastIndex, commit, transferee, members, configuration } = replica.group()
    const leads = role === 'leader'
    if (role === 'candidate' || role === 'preCandidate') this.#mark('candidate-dies')
    const pending = [...(this.#groups.get(replica.partition)?.pending ?? [])]
    if (pending.some(([index, { term }]) => index > commit && opened.log.term(index) === term))
      this.#mark(leads ? 'leader-dies-with-pending-change' : 'follower-dies-with-pending-change')
    if (!leads) return
    this.#readsEnd(opened, replica.group())
    if (lastIndex > commit) this.#mark('leader-dies-with-uncommitted')
    if (configuration.outgoing.length > 0) this.#mark('leader-dies-while-joint')
    if (transferee !== 0) this.#mark('transferring-leader-dies')
    if (isReplacing) this.#mark('leader-dies-during-replacement')
    if (members.some(({ pendingSnapshot }) => pendingSnapshot > 0)) this.#mark('snapshot-sender-dies')
  }

  /** Somebody leads whom nobody saw before. */
  #leads(group: Group, { opened, status }: Seen, all: readonly Seen[]): void {
    const { role, term, commit } = status
    if (role !== 'leader' || group.leaders.has(term)) return
    group.leaders.set(term, opened.replicaId)
    if (opened.replicaId > this.#founders) this.#mark('newcomer-leads')
    if (all.some(other => other.status.applied > status.applied)) this.#mark('leader-behind-in-application')
    const { newest } = group
    if (term <= newest.term) return
    const reached = Math.max(group.commit, commit)
    if (newest.term > 0 && newest.commit === reached) this.#mark('two-terms-without-commit')
    group.newest = { term, commit: reached }
  }

  #one(group: Group, seen: Seen): void {
    const { opened, status } = seen
    const before = this.#before.get(opened)
    this.#before.set(opened, status)
    this.#snapshot(seen, before)
    if (status.lastIndex - status.commit >= longTail) this.#mark('long-uncommitted-log')
    if (opened.segments.firstIndex > 1) this.#mark('log-is-trimmed')
    const { configuration, role } = status
    if (role === 'leader' && configuration.voters.length % 2 === 0) this.#mark('even-group')
    if (role === 'leader') group.learners = configuration.learners
    if (configuration.outgoing.length > 0) this.#mark('joint-group')
    const { lastIndex } = opened.log
    const last = this.#lastOf.get(opened)
    this.#lastOf.set(opened, { index: lastIndex, term: opened.log.term(lastIndex) ?? 0 })
    if (last !== undefined && (opened.log.term(last.index) ?? last.term) !== last.term) {
      this.#mark('log-is-cut-back')
      if ([...group.leaders.values()].includes(opened.replicaId)) this.#mark('deposed-leader-is-cut-back')
    }
    if (before !== undefined) this.#went(opened, before, status)
  }

  /** From one look to the next one of the same life. */
  #went(opened: OpenedReplica, before: RaftStatus, now: RaftStatus): void {
    if (before.role !== 'leader') return
    const sends = before.members.some(({ pendingSnapshot }) => pendingSnapshot > 0)
    if (now.role !== 'leader') {
      this.#readsEnd(opened, before)
      if (now.term === before.term) this.#mark('leader-steps-down-in-its-term')
      if (sends) this.#mark('leader-changes-during-snapshot')
    } else if (now.term === before.term && before.transferee !== 0 && now.transferee === 0)
      this.#mark('transfer-given-up')
  }

  /** That leader leads no more: were there reads that nobody may answer now? */
  #readsEnd({ replica, replicaId }: OpenedReplica, { term, configuration }: RaftStatus): void {
    const { length } = configuration.voters
    if (this.#options.hasOpenReads(replica.partition, replicaId, term, length))
      this.#mark('deposed-leader-with-reads')
  }

  /** A snapshot took the place of the replica that was here. */
  #snapshot(seen: Seen, before: RaftStatus | undefined): void {
    const place = `${seen.node} ${seen.partition}`
    const last = this.#last.get(place)
    this.#last.set(place, seen)
    if (before !== undefined || last === undefined || last.opened.replicaId !== seen.opened.replicaId) return
    const was = this.#before.get(last.opened)
    if (was === undefined || last.opened.generation >= seen.opened.generation) return
    this.installed += 1
    if (was.lastIndex > seen.status.lastIndex) this.#mark('snapshot-over-longer-log')
    if (was.lastIndex > was.commit) this.#mark('snapshot-over-conflicting-log')
  }

  /** Changes that are committed now, and such that somebody held and does not hold any more. */
  #pending(partition: PartitionId, group: Group, all: readonly Seen[]): void {
    for (const [index, change] of group.pending) {
      for (const { opened } of all) {
        const holds = opened.log.term(index) === change.term
        if (holds) change.heldBy.add(opened)
        else if (change.heldBy.delete(opened) && opened.log.lastIndex >= opened.log.firstIndex)
          this.#mark('pending-change-is-cut-back')
      }
      if (group.commit < index) continue
      group.pending.delete(index)
      if (!all.some(({ opened, status }) => status.commit >= index && change.heldBy.has(opened))) continue
      this.#committed.add(`${partition} ${index}`)
      if (group.newest.term === change.term) continue
      this.#mark('pending-change-under-new-leader')
      if (change.promotes) this.#mark('learner-promoted-as-leader-changes')
    }
  }
}

type Seen = Sighted & { readonly status: RaftStatus }
