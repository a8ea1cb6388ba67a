/**
 * What a leader knows of one member, and how it sends to it (thesis 10.2.1, and flow control).
 *
 *   probe      where the logs meet is not known: one append at a time, the next after its answer
 *   replicate  they met: appends are sent ahead of their answers, as far as the window of flight allows
 *   snapshot   the member's next entry is no longer in the log: nothing until it has the snapshot
 *
 * Always: 0 <= match < next; what the member was told is committed lies below next; in `snapshot` next is the
 * one after the snapshot. `match` falls only by `lost`, when the member says that its disk lost entries.
 */
import { assert } from '../base/assert.js'
import type { LogIndex, ReplicaId } from '../base/ids.js'

/** How many appends, and how many bytes of entries, may be on their way to one member. */
export interface FlightLimits {
  readonly appendsMax: number
  readonly bytesMax: number
}

/** Appends with entries on their way: their last index and size, in the order sent. */
class Flight {
  readonly #limits: FlightLimits
  readonly #sent: { readonly last: LogIndex; readonly bytes: number }[] = []
  #bytes = 0

  constructor(limits: FlightLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#sent.length
  }

  /** True if one more must wait. A first one may be of any size. */
  get isFull(): boolean {
    return this.#sent.length >= this.#limits.appendsMax || this.#bytes >= this.#limits.bytesMax
  }

  add(last: LogIndex, bytes: number): void {
    const before = this.#sent.at(-1)?.last ?? 0
    if (this.isFull || last <= before)
      assert(false, `append through ${last} after ${before}, ${this.count} sent`)
    this.#sent.push({ last, bytes })
    this.#bytes += bytes
  }

  /** Everything up to the index has arrived. */
  answered(index: LogIndex): void {
    for (let [first] = this.#sent; first !== undefined && first.last <= index; [first] = this.#sent) {
      this.#bytes -= first.bytes
      this.#sent.shift()
    }
  }

  clear(): void {
    this.#sent.length = 0
    this.#bytes = 0
  }
}

/** How the leader sends to a member. */
export type ProgressState = 'probe' | 'replicate' | 'snapshot'

/** One member as its leader sees it. */
export class Progress {
  readonly replica: ReplicaId
  readonly #flight: Flight
  #state: ProgressState = 'probe'
  #match: LogIndex
  #next: LogIndex
  /** Highest commit index that the member was told, or will take from what is on its way. */
  #toldCommit: LogIndex = 0
  #pendingSnapshot: LogIndex = 0
  #arrivedSnapshot: LogIndex = 0
  /** Nothing with entries leaves before the next answer. */
  #paused = false
  /** First of the entries that are being read for this member; 0 for none. */
  loading: LogIndex = 0
  /** Something was heard from it since CheckQuorum last looked. */
  recentlyActive = false

  constructor(replica: ReplicaId, match: LogIndex, next: LogIndex, limits: FlightLimits) {
    assert(match < next, () => `progress of ${replica} begins with match ${match}, next ${next}`)
    this.replica = replica
    this.#match = match
    this.#next = next
    this.#flight = new Flight(limits)
  }

  get state(): ProgressState {
    return this.#state
  }

  /** The log of the member equals the leader's up to here, durably. */
  get match(): LogIndex {
    return this.#match
  }

  /** First entry that was not sent yet. */
  get next(): LogIndex {
    return this.#next
  }

  get toldCommit(): LogIndex {
    return this.#toldCommit
  }

  /** Index of the snapshot on its way; 0 unless the state is `snapshot`. */
  get pendingSnapshot(): LogIndex {
    return this.#pendingSnapshot
  }

  /** Index of the snapshot that it has and has not acknowledged: it is opening it. 0 if there is none. */
  get arrivedSnapshot(): LogIndex {
    return this.#arrivedSnapshot
  }

  get inFlight(): number {
    return this.#flight.count
  }

  get flightIsFull(): boolean {
    return this.#flight.isFull
  }

  /** True while no append may leave, not even an empty one. */
  get isPaused(): boolean {
    return this.#state === 'snapshot' || this.#paused || this.loading > 0
  }

  /** An append with that many entries has left. */
  sent(count: number, bytes: number): void {
    if (this.#state === 'probe') {
      this.#paused ||= count > 0
      return
    }
    if (count > 0) {
      this.#next += count
      this.#flight.add(this.#next - 1, bytes)
    }
    // A full window lets nothing leave but one empty append for each heartbeat's answer.
    this.#paused = this.#flight.isFull
  }

  /** The member was told this commit index, with the entries up to there. */
  told(commit: LogIndex): void {
    this.#toldCommit = Math.max(this.#toldCommit, commit)
  }

  /** True if an empty append would tell the member of a commit index that nothing on its way will. */
  wouldLearn(commit: LogIndex): boolean {
    return commit > this.#toldCommit && this.#toldCommit < this.#next - 1
  }

  /** The member holds the log up to the index. Answers whether that is news. */
  acknowledged(index: LogIndex): boolean {
    if (index <= this.#match) return false
    this.#match = index
    if (index >= this.#arrivedSnapshot) this.#arrivedSnapshot = 0
    this.#next = Math.max(this.#next, index + 1)
    this.#paused = false
    return true
  }

  /** Frees the window of what has arrived. */
  arrived(index: LogIndex): void {
    this.#flight.answered(index)
  }

  /**
   * The member refused an append after `rejected`, and hints where the logs may meet. False for an answer
   * that is overtaken by later ones, and for one of a member that lost what it had acknowledged: to ask that
   * again at once would have no end, an answer to a heartbeat says how far its log goes.
   */
  refused(rejected: LogIndex, hint: LogIndex): boolean {
    if (rejected <= this.#match) return false
    if (this.#state === 'replicate') {
      this.#back(this.#match + 1)
      return true
    }
    // A probe asks about next - 1 and nothing else; while a snapshot is on its way no append is.
    if (this.#state === 'snapshot' || this.#next - 1 !== rejected) return false
    this.#back(Math.max(Math.min(rejected, hint + 1), this.#match + 1))
    this.#paused = false
    return true
  }

  /** A heartbeat was answered: what was lost on the way may be sent again. */
  resume(): void {
    this.#paused = false
  }

  /** Waits for the next heartbeat's answer before anything is sent. */
  pause(): void {
    this.#paused = true
  }

  /** The snapshot has arrived; that it is installed it will acknowledge. */
  snapshotArrived(): void {
    const index = this.#pendingSnapshot
    this.becomeProbe()
    if (index > this.#match) this.#arrivedSnapshot = index
  }

  becomeProbe(): void {
    const next = Math.max(this.#match, this.#pendingSnapshot) + 1
    this.#become('probe')
    this.#back(next)
  }

  becomeReplicate(): void {
    this.#become('replicate')
    this.#back(this.#match + 1)
  }

  becomeSnapshot(index: LogIndex): void {
    this.#become('snapshot')
    this.#arrivedSnapshot = 0
    this.#pendingSnapshot = index
    this.#back(index + 1)
    this.told(index)
  }

  /** The snapshot did not arrive. */
  snapshotFailed(): void {
    this.#pendingSnapshot = 0
    this.becomeProbe()
  }

  /** The member holds no more than this, whatever it had acknowledged. Answers what it had. */
  lost(last: LogIndex): LogIndex {
    const before = this.#match
    this.#match = Math.min(this.#match, last)
    this.#arrivedSnapshot = 0
    this.becomeProbe()
    return before
  }

  #become(state: ProgressState): void {
    this.#state = state
    this.#paused = false
    this.#pendingSnapshot = 0
    this.loading = 0
    this.#flight.clear()
  }

  #back(next: LogIndex): void {
    this.#next = next
    this.#toldCommit = Math.min(this.#toldCommit, next - 1)
  }
}
