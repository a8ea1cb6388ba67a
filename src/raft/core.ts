/**
 * The state of one replica and the changes of role, term and configuration: what all parts of the protocol
 * share. Each of them (election, following, replication, reading, membership) is a file of functions over it.
 *
 * Nothing leaves from here directly: messages gather in the `Outbox` until a Ready takes them.
 */
import { assert } from '../base/assert.js'
import { type Entry, sealEntry } from '../base/entry.js'
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'
import { type Configuration, isSoleVoter, isVoter, membersOf } from './configuration.js'
import { Log } from './log.js'
import type { Alarm, HardState, NeedEntries, PeerMessage, ReadState, StorageResponse } from './messages.js'
import type { CompleteOptions } from './options.js'
import { Progress } from './progress.js'
import { OpenReads } from './reads.js'
import { Leader, type Role } from './role.js'

/** A message without the fields that every message has. */
type Body<M> = M extends PeerMessage ? Omit<M, 'from' | 'to' | 'term'> : never

type Address = { -readonly [K in 'from' | 'to' | 'term']?: PeerMessage[K] }

/** What the next Ready hands out. */
export class Outbox {
  /** May leave at once. */
  peers: PeerMessage[] = []
  /** Wait for the next append to be durable. */
  responses: StorageResponse[] = []
  needs: NeedEntries[] = []
  readStates: ReadState[] = []
  alarms: Alarm[] = []

  get isEmpty(): boolean {
    const { peers, responses, needs, readStates, alarms } = this
    return peers.length + responses.length + needs.length + readStates.length + alarms.length === 0
  }
}

/** A replica that may have lost what it acknowledged. */
export interface Recovery {
  /** Term at the fault: whoever leads a later one was elected without this replica. */
  readonly since: Term
  /** The log equals that of the leader of the present term up to here. */
  verified: LogIndex
}

/** One replica's state. */
export class Core {
  readonly options: CompleteOptions
  readonly id: ReplicaId
  readonly log: Log
  readonly outbox = new Outbox()
  readonly openReads = new OpenReads()
  /** Names this run: what was asked before a restart is not answered after it. */
  readonly run: number
  role: Role = { name: 'follower' }
  term: Term
  vote: ReplicaId
  /** Who leads the term, as far as known; 0 for nobody. */
  leader: ReplicaId = 0
  configuration: Configuration
  configurationIndex: LogIndex
  /** Everyone in the configuration, in order of id. */
  members: readonly ReplicaId[]
  /**
   * Ticks since a leader was heard of, a vote given or an election begun; at a leader, since it last looked
   * whether it hears a quorum.
   */
  elapsedTicks = 0
  /** Ticks since the start. */
  ticks = 0
  /** This time it campaigns after so many. */
  patienceTicks: number
  /** Entries that were acknowledged may be lost, or be back in an older form. */
  recovering: Recovery | undefined

  constructor(options: CompleteOptions) {
    const { start, replica, random } = options
    const { hardState, configuration } = start
    this.options = options
    this.id = replica
    this.run = random.below(2 ** 31)
    this.term = hardState.term
    this.vote = hardState.vote
    this.configuration = configuration
    this.configurationIndex = start.configurationIndex ?? 0
    this.members = membersOf(configuration)
    this.log = new Log({
      storage: start.log,
      commit: hardState.commit,
      applied: start.applied,
      configurations: start.unappliedConfigurations ?? [],
    })
    const { lastTerm } = this.log
    assert(lastTerm <= this.term, () => `the log ends in term ${lastTerm}, ahead of the term ${this.term}`)
    if (start.recovering === true) this.recover()
    this.patienceTicks = this.#drawPatience()
  }

  get hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.commit }
  }

  get isSoleVoter(): boolean {
    return isSoleVoter(this.configuration, this.id)
  }

  /** True if this replica may try to lead. */
  get mayCampaign(): boolean {
    return isVoter(this.configuration, this.id) && !this.log.isInstalling && this.recovering === undefined
  }

  /** True while a leader was heard of recently enough that no other should be elected (thesis 4.2.3). */
  get keepsLease(): boolean {
    const { checkQuorum, electionTicks, leaseReads } = this.options
    if (!checkQuorum) return false
    // Who has just started does not know whom it heard before; somebody may be reading on that word.
    if (leaseReads && this.ticks < electionTicks && !this.isSoleVoter) return true
    return this.leader !== 0 && this.elapsedTicks < electionTicks
  }

  /**
   * Puts a message into the outbox: acknowledgements and votes wait for the disk. `body` becomes the message,
   * since to copy it took a third of an idle group's time.
   */
  send(to: ReplicaId, body: Body<PeerMessage>, term: Term = this.term): void {
    const address = body as Address
    address.from = this.id
    address.to = to
    address.term = term
    const message = body as PeerMessage
    switch (message.type) {
      case 'appended':
      case 'appendRejected':
      case 'voteAnswer':
        this.outbox.responses.push(message)
        break
      default:
        this.outbox.peers.push(message)
    }
  }

  becomeFollower(term: Term, leader: ReplicaId): void {
    if (this.role.name === 'leader' || this.leader !== leader || this.term !== term) this.#dropReads()
    this.#enterTerm(term)
    this.role = { name: 'follower' }
    this.leader = leader
  }

  /** Changes neither term nor vote. */
  becomePreCandidate(): void {
    assert(this.role.name !== 'leader', 'a leader does not become a candidate')
    this.#dropReads()
    this.#restartPatience()
    this.role = { name: 'preCandidate', votes: new Map() }
    this.leader = 0
  }

  becomeCandidate(): void {
    assert(this.role.name !== 'leader', 'a leader does not become a candidate')
    this.#dropReads()
    this.#enterTerm(this.term + 1)
    this.vote = this.id
    this.role = { name: 'candidate', votes: new Map() }
    this.leader = 0
  }

  /** Begins with an empty entry of its term: only that makes what came before committed (paper 5.4.2). */
  becomeLeader(): Leader {
    assert(this.role.name === 'candidate', () => `a ${this.role.name} does not become leader`)
    assert(this.vote === this.id, () => `leader of term ${this.term}, voted for ${this.vote}`)
    this.#restartPatience()
    const leader = new Leader(this.log.lastIndex)
    this.role = leader
    this.leader = this.id
    for (const member of this.members) this.#follow(leader, member, this.log.lastIndex + 1, false)
    this.appendOwn(leader, this.options.emptyEntry(), 0)
    return leader
  }

  /** Appends a leader's own entry; it counts for the quorum when it is durable here. */
  appendOwn(leader: Leader, bytes: Buffer, kind: number): Entry {
    const { partition } = this.options
    const index = this.log.lastIndex + 1
    const entry = sealEntry(bytes, { partition, index, term: this.term, kind })
    this.log.append(entry)
    leader.appendsDue = true
    return entry
  }

  /** Who belongs to the group changes, by a change that is applied or by a snapshot. */
  setConfiguration(configuration: Configuration, index: LogIndex): void {
    this.configuration = configuration
    this.configurationIndex = index
    this.members = membersOf(configuration)
    const { role } = this
    if (role.name !== 'leader') return
    for (const member of role.progress.keys()) {
      if (!this.members.includes(member)) role.progress.delete(member)
    }
    // A new member counts as heard of, so that adding it does not cost the leadership.
    for (const member of this.members) {
      if (!role.progress.has(member)) this.#follow(role, member, Math.max(this.log.lastIndex, 1), true)
    }
  }

  /** Gives a read its answer; none (leadership changed, nobody answered) says to ask again. */
  answerRead(token: number, index: LogIndex | undefined): void {
    if (this.openReads.close(token)) this.outbox.readStates.push({ token, index })
  }

  /** A follower believes that its leader is gone. */
  forgetLeader(): void {
    this.#dropReads()
    this.leader = 0
  }

  /** What was acknowledged may be lost: from now on only what a leader compares anew counts. */
  recover(): void {
    this.recovering = { since: this.term, verified: this.log.commit }
  }

  /** An append of the leader of this term met the log, which equals the leader's up to the index. */
  verified(index: LogIndex): void {
    const { recovering } = this
    if (recovering === undefined) return
    recovering.verified = Math.max(recovering.verified, index)
    this.lookWhetherRecovered()
  }

  /** An entry of a later term than the one of the fault is committed and durable here. */
  lookWhetherRecovered(): void {
    const { log, recovering } = this
    if (recovering === undefined || log.isInstalling || log.commit > log.stable) return
    if ((log.term(log.commit) ?? 0) > recovering.since) this.recovering = undefined
  }

  #follow(leader: Leader, member: ReplicaId, next: LogIndex, isActive: boolean): void {
    const { flightAppendsMax: appendsMax, flightBytesMax: bytesMax } = this.options
    const isSelf = member === this.id
    // Its own entries count when they are durable: what is so now lies below its first index.
    const match = isSelf ? Math.min(this.log.stable, next - 1) : 0
    const progress = new Progress(member, match, next, { appendsMax, bytesMax })
    if (isSelf) progress.becomeReplicate()
    progress.recentlyActive = isSelf || isActive
    leader.progress.set(member, progress)
  }

  #enterTerm(term: Term): void {
    assert(term >= this.term, () => `the term falls from ${this.term} to ${term}`)
    if (term > this.term) {
      this.term = term
      this.vote = 0
      if (this.recovering !== undefined) this.recovering.verified = this.log.commit
    }
    this.#restartPatience()
  }

  #restartPatience(): void {
    this.elapsedTicks = 0
    this.patienceTicks = this.#drawPatience()
  }

  #drawPatience(): number {
    return this.options.electionTicks + this.options.random.below(this.options.electionTicks)
  }

  #dropReads(): void {
    for (const token of this.openReads.closeBefore()) {
      this.outbox.readStates.push({ token, index: undefined })
    }
  }
}
