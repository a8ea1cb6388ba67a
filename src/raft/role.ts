/**
 * What a replica is in its group, with what only that role knows (paper 5.1).
 *
 *   follower ──► preCandidate ──► candidate ──► leader
 *
 * and from each of them back to follower. What belongs to a role goes with it: nothing of a leadership
 * survives its end.
 */
import type { LogIndex, ReplicaId } from '../base/ids.js'
import type { Progress } from './progress.js'
import { ReadRounds } from './reads.js'

/** Follows whoever leads; a learner is one too. */
export interface Follower {
  readonly name: 'follower'
}

/** Asks whether it could win. Its term is the one before the election. */
export interface PreCandidate {
  readonly name: 'preCandidate'
  readonly votes: Map<ReplicaId, boolean>
}

/** Asks for votes in its term. */
export interface Candidate {
  readonly name: 'candidate'
  readonly votes: Map<ReplicaId, boolean>
}

/** Replicates its log to the others. */
export class Leader {
  readonly name = 'leader'
  /** First index of the own term: nothing before it is committed by counting, no read answered. */
  readonly termStart: LogIndex
  /** Every member, itself included. */
  readonly progress = new Map<ReplicaId, Progress>()
  readonly reads = new ReadRounds()
  /** No change of the configuration is proposed before this index is applied. */
  pendingConfiguration: LogIndex
  /** Gets the leadership, as soon as it has the whole log; 0 for nobody. */
  transferee: ReplicaId = 0
  /** A member may campaign at any time by this leader's own word: no lease in this term any more. */
  leaseForfeited = false
  /** There are entries or a commit index that members were not told. */
  appendsDue = false
  heartbeatElapsed = 0
  /** Ticks since the leadership began. */
  ticks = 0
  /** What was proposed here and is not committed, in order, and its bytes in all; not its own first entry. */
  readonly #sizes: { readonly index: LogIndex; readonly bytes: number }[] = []
  #uncommittedBytes = 0

  constructor(lastIndex: LogIndex) {
    this.termStart = lastIndex + 1
    this.pendingConfiguration = lastIndex
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes
  }

  proposed(index: LogIndex, bytes: number): void {
    this.#uncommittedBytes += bytes
    this.#sizes.push({ index, bytes })
  }

  committed(index: LogIndex): void {
    let done = 0
    for (const size of this.#sizes) {
      if (size.index > index) break
      this.#uncommittedBytes -= size.bytes
      done += 1
    }
    this.#sizes.splice(0, done)
  }
}

/** What a replica is. */
export type Role = Follower | PreCandidate | Candidate | Leader
