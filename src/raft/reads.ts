/**
 * Linearizable reads without writing (ReadIndex, thesis 6.4).
 *
 * A leader answers with its commit index of the moment that the read was asked for, once a quorum has
 * answered a heartbeat that left after that moment: so nobody else led then. Rounds are numbered by the
 * leader and never used twice in its term; a heartbeat's answer confirms its own round and those before it,
 * never a read that was asked for later, however late or often it arrives.
 */
import type { LogIndex, ReplicaId } from '../base/ids.js'
import { type Electorate, quorumReached } from './quorum.js'

/** A read of somebody in the group. */
export interface ReadOrigin {
  readonly from: ReplicaId
  readonly run: number
  readonly token: number
}

/** A read with the index that it waits for. */
export interface ConfirmedRead extends ReadOrigin {
  readonly index: LogIndex
}

/** Reads at a leader. */
export class ReadRounds {
  /** Asked before this leader's first commit: what is committed is not known yet. */
  #deferred: ReadOrigin[] = []
  #waiting: (ConfirmedRead & { readonly round: number })[] = []
  readonly #answered = new Map<ReplicaId, number>()
  /** When the rounds that are not confirmed left. */
  #left: { readonly round: number; readonly tick: number }[] = []
  #round = 0
  #due = false
  /** Tick at which the newest confirmed round left; a lease counts from there. */
  confirmedTick: number | undefined

  /** The newest round that has left; 0 before the first. */
  get round(): number {
    return this.#round
  }

  /** True if a round has to begin, for reads that came after the last one. */
  get isDue(): boolean {
    return this.#due
  }

  get count(): number {
    return this.#deferred.length + this.#waiting.length
  }

  /** Joins the round that begins next. */
  ask(read: ReadOrigin, commit: LogIndex): void {
    this.#waiting.push({ ...read, index: commit, round: this.#round + 1 })
    this.#due = true
  }

  /** Waits for the first commit of the term. */
  defer(read: ReadOrigin): void {
    this.#deferred.push(read)
  }

  /** The leader has committed in its term. */
  admitDeferred(commit: LogIndex): void {
    const reads = this.#deferred
    this.#deferred = []
    for (const read of reads) this.ask(read, commit)
  }

  /** Begins a round; its heartbeats leave now. */
  begin(tick: number): number {
    this.#due = false
    this.#round += 1
    this.#left.push({ round: this.#round, tick })
    return this.#round
  }

  answered(replica: ReplicaId, round: number): void {
    this.#answered.set(replica, Math.max(round, this.#answered.get(replica) ?? 0))
  }

  /** Takes the reads whose rounds a quorum has answered; the leader itself has answered all that left. */
  confirmed(electorate: Electorate, leader: ReplicaId): readonly ConfirmedRead[] {
    const reached = quorumReached(electorate, voter =>
      voter === leader ? this.#round : (this.#answered.get(voter) ?? 0),
    )
    for (let [first] = this.#left; first !== undefined && first.round <= reached; [first] = this.#left) {
      this.confirmedTick = first.tick
      this.#left.shift()
    }
    const place = this.#waiting.findIndex(read => read.round > reached)
    return this.#waiting.splice(0, place === -1 ? this.#waiting.length : place)
  }
}

/** Reads that this replica asked for and that are not answered; each gets an answer. */
export class OpenReads {
  /** Token -> tick at which it was asked. */
  readonly #open = new Map<number, number>()
  #tokens = 0

  get count(): number {
    return this.#open.size
  }

  /** A token that no other read of this run has. */
  open(tick: number): number {
    this.#tokens += 1
    this.#open.set(this.#tokens, tick)
    return this.#tokens
  }

  /** True the first time: a repeated answer is none. */
  close(token: number): boolean {
    return this.#open.delete(token)
  }

  /** Closes those asked before the tick, or all. */
  closeBefore(tick = Number.POSITIVE_INFINITY): readonly number[] {
    const closed: number[] = []
    for (const [token, asked] of this.#open) {
      if (asked >= tick) break
      closed.push(token)
    }
    for (const token of closed) this.#open.delete(token)
    return closed
  }
}
