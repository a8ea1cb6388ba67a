/**
 * The Raft protocol of one replica as a pure state machine: no clock, no I/O, no promise; chance comes in.
 *
 * This release runs groups with one voter: a replica that elects itself through the same durable vote,
 * appends through the same storage messages and commits by the same rule as a group of many, with a quorum of
 * one. A configuration with other voters is refused.
 *
 * Invariants (asserted): applied <= applying <= commit <= stable <= last with one voter; term, commit and
 * applied never fall; a leader appends only; entries of older terms are committed only through one of its own
 * (paper 5.4.2). Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm";
 * Ongaro's thesis 3.4 to 3.8, 6.4.
 */
import { assert } from '../base/assert.js'
import { type Entry, entryKinds, sealEntry } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, PartitionId, ReplicaId, Term } from '../base/ids.js'
import type { Random } from '../base/random.js'
import type {
  HardState,
  Inbound,
  Outbound,
  ReadState,
  Ready,
  SoftState,
  StorageResponse,
} from './messages.js'

/** What a replica starts with. */
export interface RaftOptions {
  readonly partition: PartitionId
  readonly replica: ReplicaId
  readonly voters: readonly ReplicaId[]
  readonly random: Random
  /**
   * Ticks without a leader before a follower campaigns: a random number from this to twice this, less one.
   */
  readonly electionTicks: number
  /** Bytes of entries that may be proposed and not yet committed. */
  readonly uncommittedBytesMax: number
  /** What stands in the log and the state when this replica starts. */
  readonly start: {
    readonly hardState: HardState
    readonly lastIndex: LogIndex
    readonly lastTerm: Term
    readonly applied: LogIndex
  }
  /** Makes the body of the first entry of a term, with room for the entry's head before it. */
  readonly emptyEntry: () => Buffer
}

/** Where a proposal stands; or why it was dropped, without any effect. */
export type Proposed =
  | { readonly index: LogIndex; readonly term: Term; readonly entry: Entry }
  | { readonly dropped: 'notLeader' | 'uncommittedFull' }

/** Where the replica stands. */
export interface RaftStatus {
  readonly role: SoftState['role']
  readonly term: Term
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly lastIndex: LogIndex
}

/** One replica of a group: step it, tick it, propose to it, and carry out each Ready. */
export class Raft {
  readonly #options: RaftOptions
  #role: SoftState['role'] = 'follower'
  #term: Term
  #vote: ReplicaId
  #lastIndex: LogIndex
  #lastTerm: Term
  /** Durable here: entries up to this one. */
  #stable: LogIndex
  #commit: LogIndex
  /** Handed out for application. */
  #applying: LogIndex
  #applied: LogIndex
  /** First index of this leader's own term: nothing before it is committed by counting, no read answered. */
  #termStart: LogIndex = 0
  #elapsedTicks = 0
  #electionTicks: number
  #uncommittedBytes = 0
  #tokens = 0
  readonly #sizes: { index: LogIndex; bytes: number }[] = []
  #unhanded: Entry[] = []
  #responses: StorageResponse[] = []
  #hardStateHanded: HardState
  #softHanded: SoftState
  readonly #waitingReads: number[] = []
  #readStates: ReadState[] = []

  constructor(options: RaftOptions) {
    const { start, voters, replica } = options
    if (voters.length !== 1 || voters[0] !== replica) {
      throw new SillokError('INVALID', `this release runs groups of one voter, not of [${voters.join(', ')}]`)
    }
    assert(start.hardState.commit <= start.lastIndex, () => `commit beyond the log: ${JSON.stringify(start)}`)
    assert(start.applied <= start.lastIndex, () => `applied beyond the log: ${JSON.stringify(start)}`)
    assert(start.lastTerm <= start.hardState.term, () => `log ahead of the term: ${JSON.stringify(start)}`)
    this.#options = options
    this.#term = start.hardState.term
    this.#vote = start.hardState.vote
    this.#lastIndex = start.lastIndex
    this.#lastTerm = start.lastTerm
    this.#stable = start.lastIndex
    this.#commit = Math.max(start.hardState.commit, start.applied)
    this.#applying = start.applied
    this.#applied = start.applied
    this.#hardStateHanded = start.hardState
    this.#softHanded = { role: 'follower', term: this.#term }
    this.#electionTicks = this.#drawElectionTicks()
  }

  get role(): SoftState['role'] {
    return this.#role
  }

  get term(): Term {
    return this.#term
  }

  /** The index that the next proposal gets, if this replica leads. */
  get nextIndex(): LogIndex {
    return this.#lastIndex + 1
  }

  /** True once everything up to this leader's first entry of its term is applied: only then may it decide. */
  get canDecide(): boolean {
    return this.#role === 'leader' && this.#applied >= this.#termStart
  }

  status(): RaftStatus {
    return {
      role: this.#role,
      term: this.#term,
      commit: this.#commit,
      applied: this.#applied,
      lastIndex: this.#lastIndex,
    }
  }

  /** Hard state as it should stand in the log when the replica closes. */
  hardState(): HardState {
    return { term: this.#term, vote: this.#vote, commit: this.#commit }
  }

  /** One unit of time. */
  tick(): void {
    if (this.#role === 'leader') return
    this.#elapsedTicks += 1
    if (this.#elapsedTicks >= this.#electionTicks) this.campaign()
  }

  /** Starts an election, unless this replica leads. The vote counts when it is durable. */
  campaign(): void {
    if (this.#role === 'leader') return
    this.#role = 'candidate'
    this.#term += 1
    this.#vote = this.#options.replica
    this.#elapsedTicks = 0
    this.#electionTicks = this.#drawElectionTicks()
    this.#responses.push({ type: 'voteStored', term: this.#term })
  }

  /**
   * Appends an entry whose bytes are room for the head and then the body. It is in the log of this leader
   * when the call returns, not durable, not committed: wait for (index, term) to be applied.
   */
  propose(bytes: Buffer, kind: number): Proposed {
    if (this.#role !== 'leader') return { dropped: 'notLeader' }
    const full = this.#uncommittedBytes + bytes.length > this.#options.uncommittedBytesMax
    if (full && this.#uncommittedBytes > 0) return { dropped: 'uncommittedFull' }
    const entry = this.#append(bytes, kind)
    return { index: entry.index, term: entry.term, entry }
  }

  /** Asks for a read index. The token comes back in a Ready, once this leader has committed in its term. */
  readIndex(): number | undefined {
    if (this.#role !== 'leader') return undefined
    const token = ++this.#tokens
    this.#waitingReads.push(token)
    this.#answerReads()
    return token
  }

  step(message: Inbound): void {
    if (message.type === 'storageApplied') this.#stepApplied(message.index)
    else if (message.term !== this.#term) return
    else if (message.type === 'voteStored') this.#becomeLeader()
    else this.#stepAppended(message.index)
  }

  hasReady(): boolean {
    return (
      this.#unhanded.length > 0 ||
      this.#mustStoreHardState() ||
      this.#applicable() > this.#applying ||
      this.#readStates.length > 0 ||
      this.#softChanged()
    )
  }

  /** Takes what there is to do. Each thing is handed out once. */
  ready(): Ready {
    const messages: Outbound[] = []
    if (this.#unhanded.length > 0 || this.#mustStoreHardState()) messages.push(this.#storageAppend())
    const through = this.#applicable()
    if (through > this.#applying) {
      messages.push({ type: 'storageApply', from: this.#applying + 1, through })
      this.#applying = through
    }
    const soft = this.#softChanged() ? { role: this.#role, term: this.#term } : undefined
    if (soft !== undefined) this.#softHanded = soft
    const readStates = this.#readStates
    if (readStates.length > 0) this.#readStates = []
    return { messages, readStates, soft }
  }

  #storageAppend(): Outbound {
    const handed = this.#hardStateHanded
    const changed = handed.term !== this.#term || handed.vote !== this.#vote || handed.commit !== this.#commit
    const hardState = changed ? this.hardState() : undefined
    if (hardState !== undefined) this.#hardStateHanded = hardState
    const entries = this.#unhanded
    this.#unhanded = []
    const responses = this.#responses
    this.#responses = []
    const last = entries.at(-1)
    if (last !== undefined) responses.push({ type: 'storageAppended', term: this.#term, index: last.index })
    return { type: 'storageAppend', hardState, entries, responses }
  }

  /**
   * A changed term or vote must be stored before anything depends on it; a commit index alone waits for
   * company.
   */
  #mustStoreHardState(): boolean {
    return this.#hardStateHanded.term !== this.#term || this.#hardStateHanded.vote !== this.#vote
  }

  #softChanged(): boolean {
    return this.#softHanded.role !== this.#role || this.#softHanded.term !== this.#term
  }

  /** Committed and durable here: only such entries are applied. */
  #applicable(): LogIndex {
    return Math.min(this.#commit, this.#stable)
  }

  #becomeLeader(): void {
    if (this.#role !== 'candidate') return
    this.#role = 'leader'
    const entry = this.#append(this.#options.emptyEntry(), entryKinds.empty)
    this.#termStart = entry.index
  }

  #append(bytes: Buffer, kind: number): Entry {
    assert(this.#lastTerm <= this.#term, () => `append in term ${this.#term} after ${this.#lastTerm}`)
    const index = this.#lastIndex + 1
    const entry = sealEntry(bytes, { partition: this.#options.partition, index, term: this.#term, kind })
    this.#lastIndex = index
    this.#lastTerm = this.#term
    this.#unhanded.push(entry)
    this.#uncommittedBytes += bytes.length
    this.#sizes.push({ index, bytes: bytes.length })
    return entry
  }

  #stepAppended(index: LogIndex): void {
    assert(index <= this.#lastIndex, () => `durable ${index} beyond the last entry ${this.#lastIndex}`)
    if (index <= this.#stable) return
    this.#stable = index
    // Only an entry of the own term is committed by counting; what precedes it comes with it (paper 5.4.2).
    if (this.#role === 'leader' && index >= this.#termStart) this.#commitTo(index)
  }

  #commitTo(index: LogIndex): void {
    assert(index >= this.#commit, () => `commit falls from ${this.#commit} to ${index}`)
    this.#commit = index
    let done = 0
    for (const size of this.#sizes) {
      if (size.index > index) break
      this.#uncommittedBytes -= size.bytes
      done += 1
    }
    this.#sizes.splice(0, done)
    this.#answerReads()
  }

  #stepApplied(index: LogIndex): void {
    assert(index <= this.#applying, () => `applied ${index} beyond what was handed out, ${this.#applying}`)
    assert(index >= this.#applied, () => `applied falls from ${this.#applied} to ${index}`)
    this.#applied = index
  }

  /**
   * A quorum of one confirms itself; before the first commit of its term a leader may not know the commit
   * index.
   */
  #answerReads(): void {
    if (this.#role !== 'leader' || this.#commit < this.#termStart) return
    for (const token of this.#waitingReads) this.#readStates.push({ token, index: this.#commit })
    this.#waitingReads.length = 0
  }

  #drawElectionTicks(): number {
    return this.#options.electionTicks + this.#options.random.below(this.#options.electionTicks)
  }
}
