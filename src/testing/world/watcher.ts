/**
 * Looks at all replicas of a world again and again: at most one leads in a term, what is committed and
 * applied never goes back within a life, and replicas that have applied the same entries hold the same rows.
 */
import { crc32 } from '../../base/checksum.js'
import type { PartitionId } from '../../base/ids.js'
import type { OpenedReplica } from '../../replica/open-replica.js'

/** So many positions of a partition are remembered: replicas that are further apart are not compared. */
const positionsMax = 5000

/** What was seen of one partition. */
class Seen {
  /** Who leads in a term. */
  readonly leaders = new Map<number, number>()
  /** Digest of the state at an applied index. */
  readonly digests = new Map<number, { readonly digest: number; readonly replica: number }>()
  readonly applied = new WeakMap<OpenedReplica, number>()
}

/** The replicas of one world. */
export class Watcher {
  readonly #seen = new Map<PartitionId, Seen>()
  readonly #hear: (what: string) => void
  /** Positions at which the states of two replicas were compared. */
  compared = 0

  /** Says all that it sees and was not so before: it is a function of the seed. */
  constructor({ hear }: { readonly hear: (what: string) => void }) {
    this.#hear = hear
  }

  /** How often somebody new led. */
  get leaders(): number {
    return [...this.#seen.values()].reduce((sum, { leaders }) => sum + leaders.size, 0)
  }

  /** Throws what is wrong. */
  look(partition: PartitionId, opened: OpenedReplica): void {
    const seen = this.#seen.get(partition) ?? new Seen()
    this.#seen.set(partition, seen)
    const { replica, replicaId, state } = opened
    if (replica.isReplaced) return
    if (replica.leads) {
      const other = seen.leaders.get(replica.term)
      if (other !== undefined && other !== replicaId)
        throw new Error(`${other} and ${replicaId} lead partition ${partition} in term ${replica.term}`)
      seen.leaders.set(replica.term, replicaId)
    }
    const { applied } = state
    const before = seen.applied.get(opened)
    if (before !== undefined && applied < before)
      throw new Error(`replica ${replicaId} of partition ${partition} went back from ${before} to ${applied}`)
    if (applied === before) return
    seen.applied.set(opened, applied)
    this.#compare(seen, partition, opened)
  }

  #compare(seen: Seen, partition: PartitionId, { replicaId, state }: OpenedReplica): void {
    const digests = state.digests()
    const digest = crc32(Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength))
    this.#hear(`${partition} ${replicaId} ${state.applied} ${digest}`)
    const other = seen.digests.get(state.applied)
    if (other === undefined) {
      seen.digests.set(state.applied, { digest, replica: replicaId })
      if (seen.digests.size > positionsMax) seen.digests.delete(Math.min(...seen.digests.keys()))
      return
    }
    if (other.replica === replicaId) return
    this.compared += 1
    if (other.digest === digest) return
    const both = `replicas ${other.replica} and ${replicaId} of partition ${partition}`
    throw new Error(`${both} hold different rows at entry ${state.applied}`)
  }
}
