/**
 * The Raft protocol of one replica as a pure state machine: no clock, no I/O, no promise; chance comes in.
 *
 * Step messages into it, tick it, propose to it, then take a Ready and carry it out. The same start, the same
 * inputs and the same chance give the same output, byte for byte. What arrives from other replicas never
 * makes it throw, unless an invariant is broken: then it must not go on.
 *
 * The semantics: pre-vote, check quorum, storage writes as messages, changes of the configuration when they
 * are applied, joint consensus, learners, reads by index. Three things are its own. Proposals are not
 * forwarded to the leader and not replaced by empty entries when refused: the caller learns why. Appends and
 * rounds of reads that one turn caused leave together, with the next Ready. A sole voter holds no pre-vote.
 *
 * Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm"; Ongaro's thesis 3, 4,
 * 6.4, 9.6, 10.2.
 */
import { unreachable } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'
import type { Configuration, ConfigurationChange } from './configuration.js'
import { Core } from './core.js'
import { answerVoteRequest, beginElection, beginTransferredElection, countVote } from './election.js'
import { takeAppend, takeHeartbeat, takeSnapshot } from './following.js'
import { beginReadRound, hearsQuorum, sendHeartbeats, takeHeartbeatAnswer } from './heartbeat.js'
import { checkInvariants, invariants } from './invariants.js'
import {
  appendChange,
  applyChange,
  type ChangeRefusal,
  changeBytes,
  leaveJointIfDue,
  whyNot,
} from './membership.js'
import type {
  HardState,
  Inbound,
  Outbound,
  PeerMessage,
  Ready,
  RoleName,
  SoftState,
  StorageAppend,
  StorageAppended,
  StorageResponse,
} from './messages.js'
import { completeOptions, type RaftOptions } from './options.js'
import { askToRead, askToReadByLease, dropOldReads, takeReadAnswer, takeReadRequest } from './reading.js'
import { beginTransfer, replicateToAll, takeAppended, takeLoaded, takeRejection } from './replication.js'
import type { Leader } from './role.js'
import { type RaftStatus, statusOf } from './status.js'

export type { RaftOptions, RaftStart } from './options.js'
export type { RaftStatus } from './status.js'

/** Why a proposal was not taken; nothing was done. */
export type ProposalRefusal =
  | 'notLeader'
  /** What was proposed and is not committed fills its limit. */
  | 'uncommittedFull'
  /** The leadership is being handed over. */
  | 'transferring'

/** Where a proposal stands; or why it was dropped, without any effect. */
export type Proposed =
  | { readonly index: LogIndex; readonly term: Term; readonly entry: Entry }
  | { readonly dropped: ProposalRefusal }

/** Where a change of the configuration stands; or why it was dropped, in words too. */
export type ProposedChange =
  | { readonly index: LogIndex; readonly term: Term; readonly entry: Entry }
  | { readonly dropped: ProposalRefusal | ChangeRefusal; readonly reason: string }

/** What only those say who were asked by a leader or a candidate. */
const answers: ReadonlySet<PeerMessage['type']> = new Set([
  'appended',
  'appendRejected',
  'heartbeatAnswer',
  'voteAnswer',
])

/** One replica of a group: step it, tick it, propose to it, and carry out each Ready. */
export class Raft {
  readonly #core: Core
  #hardStateHanded: HardState
  #softHanded: SoftState

  constructor(options: RaftOptions) {
    this.#core = new Core(completeOptions(options))
    this.#hardStateHanded = options.start.hardState
    this.#softHanded = this.#soft()
  }

  get role(): RoleName {
    return this.#core.role.name
  }

  get term(): Term {
    return this.#core.term
  }

  /** Who leads the term, as far as known; 0 for nobody. */
  get leader(): ReplicaId {
    return this.#core.leader
  }

  /** What was acknowledged may be lost: the replica neither votes nor campaigns. */
  get recovering(): boolean {
    return this.#core.recovering !== undefined
  }

  /** The index that the next proposal gets, if this replica leads. */
  get nextIndex(): LogIndex {
    return this.#core.log.lastIndex + 1
  }

  /** True once everything up to this leader's first entry of its term is applied: only then may it decide. */
  get canDecide(): boolean {
    const { role, log } = this.#core
    return role.name === 'leader' && log.applied >= role.termStart
  }

  /** Where the replica stands, with every member's progress if it leads. */
  status(): RaftStatus {
    return statusOf(this.#core)
  }

  /** Throws unless every invariant holds: takes time with the length of the log, for tests. */
  check(): void {
    checkInvariants(this.#core, invariants)
  }

  /** Hard state as it should stand in the log when the replica closes. */
  hardState(): HardState {
    return this.#core.hardState
  }

  /** One unit of time. */
  tick(): void {
    const core = this.#core
    core.ticks += 1
    core.elapsedTicks += 1
    if (core.role.name === 'leader') this.#tickLeader(core.role)
    else {
      dropOldReads(core)
      if (core.elapsedTicks >= core.patienceTicks && core.mayCampaign) {
        if (!this.campaign()) core.elapsedTicks = 0
      }
    }
    checkInvariants(core)
  }

  /**
   * Starts an election, unless this replica leads, has no vote, recovers, still has to apply a committed
   * change of the configuration, or (with `leaseReads`) has promised its leader not to. Its own vote counts
   * when it is durable. Answers whether it began one.
   */
  campaign(): boolean {
    return beginElection(this.#core)
  }

  /**
   * Appends an entry whose bytes are room for the head and then the body. It is in the log of this leader
   * when the call returns, not durable, not committed: wait for (index, term) to be applied.
   */
  propose(bytes: Buffer, kind: number): Proposed {
    const leader = this.#leaderFor(bytes.length)
    if (typeof leader === 'string') return { dropped: leader }
    const entry = this.#core.appendOwn(leader, bytes, kind)
    leader.proposed(entry.index, bytes.length)
    return { index: entry.index, term: entry.term, entry }
  }

  /**
   * Appends a change of the configuration, if it may follow the present one and no other is on its way;
   * with `ifIndex` only while the configuration is the one that this entry made.
   */
  proposeConfiguration(change: ConfigurationChange, ifIndex?: LogIndex): ProposedChange {
    const leader = this.#leaderFor(changeBytes(change))
    if (typeof leader === 'string') return { dropped: leader, reason: leader }
    const refusal = whyNot(this.#core, leader, change, ifIndex)
    if (refusal !== undefined) return refusal
    const entry = appendChange(this.#core, leader, change)
    leader.proposed(entry.index, entry.bytes.length)
    return { index: entry.index, term: entry.term, entry }
  }

  /**
   * Makes the change of a committed entry count, in the turn in which the entry is applied and before
   * `storageApplied` names it. Answers the configuration.
   */
  applyConfiguration(entry: Entry): Configuration {
    const configuration = applyChange(this.#core, entry)
    checkInvariants(this.#core)
    return configuration
  }

  /**
   * Asks for a read index. The token comes back in a Ready, with the index once a quorum has confirmed the
   * leader and it has committed in its term, or without one if the read was dropped. Undefined, and nothing
   * asked, if no leader is known or too many reads wait. `lease` answers by the leader's lease
   * (`leaseReads`): undefined where there is none.
   */
  readIndex(by: 'round' | 'lease' = 'round'): number | undefined {
    return by === 'lease' ? askToReadByLease(this.#core) : askToRead(this.#core)
  }

  /**
   * Hands leadership to another voter: this leader takes no proposals meanwhile and gives up after an
   * election timeout, or when it is to hand over to itself. A follower asks its leader to. Nothing happens if
   * it cannot be.
   */
  transferLeader(to: ReplicaId): void {
    const { role, leader } = this.#core
    if (role.name === 'leader') this.#transfer(role, to)
    else if (leader !== 0) this.#core.send(leader, { type: 'transferRequest', transferee: to })
  }

  /** A follower believes that its leader is gone: it may vote for another at once. */
  forgetLeader(): void {
    const { role, leader, options } = this.#core
    // Under a lease somebody may be reading on the word that this replica elects nobody else.
    if (role.name === 'follower' && leader !== 0 && !options.leaseReads) this.#core.forgetLeader()
  }

  /** The last messages to the member were probably lost: what comes next asks first. */
  reportUnreachable(member: ReplicaId): void {
    const { role, id } = this.#core
    const progress = role.name === 'leader' && member !== id ? role.progress.get(member) : undefined
    if (progress?.state === 'replicate') progress.becomeProbe()
  }

  /** The snapshot to the member has arrived there, or has not. */
  reportSnapshot(member: ReplicaId, arrived: boolean): void {
    const { role } = this.#core
    const progress = role.name === 'leader' ? role.progress.get(member) : undefined
    if (progress?.state !== 'snapshot') return
    if (arrived) progress.snapshotArrived()
    else progress.snapshotFailed()
    // It acknowledges when it is installed; if that gets lost, a heartbeat's answer lets the next probe go.
    progress.pause()
  }

  /** Takes a message of another replica, or a response of the own storage. */
  step(message: Inbound): void {
    switch (message.type) {
      case 'storageAppended':
        this.#stepAppended(message)
        break
      case 'storageApplied':
        this.#stepApplied(message.index)
        break
      case 'entriesLoaded': {
        const { role, term } = this.#core
        if (role.name === 'leader' && message.request.term === term) takeLoaded(this.#core, role, message)
        break
      }
      default:
        if (this.#admits(message)) this.#stepPeer(message)
    }
    checkInvariants(this.#core)
  }

  hasReady(): boolean {
    const { outbox, log, role, options } = this.#core
    return (
      !outbox.isEmpty ||
      log.hasUnhanded ||
      this.#mustStoreHardState() ||
      Math.min(log.applicable, log.applied + options.applyingCountMax) > log.applying ||
      (role.name === 'leader' && (role.appendsDue || role.reads.isDue)) ||
      this.#softChanged()
    )
  }

  /** Takes what there is to do. Each thing is handed out once. */
  ready(): Ready {
    const core = this.#core
    const { role, outbox } = core
    if (role.name === 'leader') {
      if (role.reads.isDue) beginReadRound(core, role)
      if (role.appendsDue) replicateToAll(core, role)
    }
    const soft = this.#softChanged() ? this.#soft() : undefined
    if (soft !== undefined) this.#softHanded = soft
    const messages: Outbound[] = outbox.peers
    outbox.peers = []
    if (core.log.hasUnhanded || outbox.responses.length > 0 || this.#mustStoreHardState()) {
      messages.push(this.#storageAppend())
    }
    const range = core.log.apply(core.options.applyingCountMax)
    if (range !== undefined) messages.push({ type: 'storageApply', ...range })
    messages.push(...outbox.needs)
    outbox.needs = []
    const { readStates, alarms } = outbox
    outbox.readStates = []
    outbox.alarms = []
    return { messages, readStates, soft, alarms }
  }

  #tickLeader(leader: Leader): void {
    const core = this.#core
    const { checkQuorum, electionTicks, heartbeatTicks, leaseReads } = core.options
    leader.ticks += 1
    leader.heartbeatElapsed += 1
    if (core.elapsedTicks >= electionTicks) {
      core.elapsedTicks = 0
      // Whom leadership was to go to has not taken it in time.
      leader.transferee = 0
      if (checkQuorum && !hearsQuorum(core, leader)) {
        core.becomeFollower(core.term, 0)
        return
      }
      leaveJointIfDue(core)
    }
    if (leader.heartbeatElapsed < heartbeatTicks) return
    leader.heartbeatElapsed = 0
    if (leaseReads) beginReadRound(core, leader, true)
    else sendHeartbeats(core, leader)
  }

  #leaderFor(bytes: number): Leader | ProposalRefusal {
    const { role, options } = this.#core
    if (role.name !== 'leader') return 'notLeader'
    if (role.transferee !== 0) return 'transferring'
    const full = role.uncommittedBytes + bytes > options.uncommittedBytesMax
    return full && role.uncommittedBytes > 0 ? 'uncommittedFull' : role
  }

  /** Compares the terms; answers whether the message counts for this replica's term. */
  #admits(message: PeerMessage): boolean {
    const core = this.#core
    const { type, from, term } = message
    if (term > core.term) {
      if (type === 'voteRequest' && !message.transfer && core.keepsLease) return false
      // A pre-vote raises nobody's term: neither the request nor its granted answer.
      if (type === 'voteRequest' && message.pre) return true
      if (type === 'voteAnswer' && message.pre && message.granted) return true
      // Who was removed answers what was long on its way; its term is nobody's business any more.
      if (answers.has(type) && !core.members.includes(from)) return false
      const isLeader = type === 'append' || type === 'heartbeat' || type === 'installSnapshot'
      core.becomeFollower(term, isLeader ? from : 0)
      return true
    }
    if (term === core.term) return true
    const { checkQuorum, preVote } = core.options
    const mustTell = checkQuorum || preVote || !core.mayCampaign
    if (mustTell && (type === 'append' || type === 'heartbeat')) {
      // An old leader that hears nobody's newer term would go on for ever: this one tells it. Without
      // pre-vote and check quorum a campaign would do so, but not every replica may campaign.
      core.send(from, { type: 'appended', index: 0 })
    } else if (type === 'voteRequest' && message.pre) {
      // Not dropped: the asker is behind and would block others that way.
      const { committed } = core.log
      core.send(from, { type: 'voteAnswer', pre: true, granted: false, committed })
    }
    return false
  }

  #stepPeer(message: PeerMessage): void {
    const core = this.#core
    switch (message.type) {
      case 'voteRequest':
        answerVoteRequest(core, message)
        break
      case 'voteAnswer':
        countVote(core, message)
        break
      case 'append':
      case 'heartbeat':
      case 'installSnapshot':
        this.#hearLeader(message)
        break
      case 'readAnswer':
        takeReadAnswer(core, message)
        break
      case 'campaignNow':
        if (core.role.name === 'follower') beginTransferredElection(core)
        break
      case 'appended':
      case 'appendRejected':
      case 'heartbeatAnswer':
      case 'readRequest':
      case 'transferRequest':
        if (core.role.name === 'leader') this.#stepLeader(core.role, message)
        break
      default:
        unreachable(message)
    }
  }

  #hearLeader(message: Extract<PeerMessage, { type: 'append' | 'heartbeat' | 'installSnapshot' }>): void {
    const core = this.#core
    // Two leaders of a term cannot be: a leader hears nobody else's append in its own.
    if (core.role.name === 'leader') return
    if (core.role.name !== 'follower' || core.leader !== message.from)
      core.becomeFollower(core.term, message.from)
    core.elapsedTicks = 0
    if (message.type === 'append') takeAppend(core, message)
    else if (message.type === 'heartbeat') takeHeartbeat(core, message)
    else takeSnapshot(core, message)
  }

  #stepLeader(
    leader: Leader,
    message: Extract<
      PeerMessage,
      { type: 'appended' | 'appendRejected' | 'heartbeatAnswer' | 'readRequest' | 'transferRequest' }
    >,
  ): void {
    const core = this.#core
    if (message.type === 'appended') takeAppended(core, leader, message)
    else if (message.type === 'appendRejected') takeRejection(core, leader, message)
    else if (message.type === 'heartbeatAnswer') takeHeartbeatAnswer(core, leader, message)
    else if (message.type === 'readRequest') takeReadRequest(core, leader, message)
    else this.#transfer(leader, message.transferee)
  }

  #transfer(leader: Leader, to: ReplicaId): void {
    beginTransfer(this.#core, leader, to)
    // It may have waited for a transfer that is given up by this.
    leaveJointIfDue(this.#core)
  }

  #stepAppended({ term, index, entryTerm, snapshotIndex }: StorageAppended): void {
    const { log } = this.#core
    if (snapshotIndex !== undefined) log.installed(snapshotIndex)
    // Attested in an older term: the entry may have been replaced and written again since (ABA).
    if (term === this.#core.term) log.stored(index, entryTerm)
    this.#core.lookWhetherRecovered()
  }

  #stepApplied(index: LogIndex): void {
    const { log } = this.#core
    if (log.isReplaced(index) && index <= log.applied) return
    log.appliedTo(index)
    leaveJointIfDue(this.#core)
  }

  #storageAppend(): StorageAppend {
    const core = this.#core
    const { log, outbox, term } = core
    const handed = this.#hardStateHanded
    const now = core.hardState
    const isChanged = handed.term !== now.term || handed.vote !== now.vote || handed.commit !== now.commit
    if (isChanged) this.#hardStateHanded = now
    const { entries, snapshot } = log.hand()
    const responses: StorageResponse[] = []
    if (log.isUnstable) {
      const { lastIndex: index, lastTerm: entryTerm } = log
      responses.push({ type: 'storageAppended', term, index, entryTerm, snapshotIndex: snapshot?.index })
    }
    responses.push(...outbox.responses)
    outbox.responses = []
    const last = entries.at(-1)
    if (core.role.name === 'leader' && last !== undefined) {
      responses.push({ type: 'appended', from: core.id, to: core.id, term, index: last.index })
    }
    return { type: 'storageAppend', hardState: isChanged ? now : undefined, snapshot, entries, responses }
  }

  /**
   * A changed term or vote must be stored before anything depends on it; a commit index alone waits for
   * company.
   */
  #mustStoreHardState(): boolean {
    return this.#hardStateHanded.term !== this.#core.term || this.#hardStateHanded.vote !== this.#core.vote
  }

  #soft(): SoftState {
    const { role, term, leader } = this.#core
    return { role: role.name, term, leader }
  }

  #softChanged(): boolean {
    const { role, term, leader } = this.#core
    const handed = this.#softHanded
    return handed.role !== role.name || handed.term !== term || handed.leader !== leader
  }
}
