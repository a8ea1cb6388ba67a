/**
 * What must hold when the faults of a world are over: everybody comes back and is at rest, all replicas are
 * alike, and what the workloads were told is there at each node.
 *
 * Two things are left of faults that have ended. A connection that a cable broke is given up only after a
 * silence, so that what is asked over it until then may go without an answer. Rot is found where it is read,
 * and not while an older view of the store is.
 */
import { isSillokError } from '../../base/errors.js'
import type { LogIndex, PartitionId } from '../../base/ids.js'
import type { OpenedReplica } from '../../replica/open-replica.js'
import type { Workload } from '../workloads/workload.js'
import { checkAgreement, isIntact } from './agreement.js'
import type { WorldNode } from './world-node.js'

/** What is verified, and the world around it. */
export interface VerificationParts {
  readonly nodes: readonly WorldNode[]
  readonly partitions: readonly PartitionId[]
  readonly workloads: readonly Workload[]
  /** A dead connection is given up after so long. */
  readonly silenceMs: number
  readonly nowMs: () => number
  readonly pause: (ms: number) => Promise<void>
  /** Rejects, with what does not happen, if the work takes too long. */
  readonly within: <T>(work: Promise<T>, otherwise: string) => Promise<T>
  readonly leader: (partition: PartitionId) => OpenedReplica | undefined
  /** Some node is being given new replicas. */
  readonly isReplacing: () => boolean
  /** The node's files are damaged: it is given another disk. */
  readonly damaged: (node: WorldNode) => void
}

/** Between two looks at whether all are at rest. */
const lookMs = 50

/** Verifies one world, as often as it is asked. */
export class Verification {
  readonly #parts: VerificationParts
  /** Until then a connection may be dead that nobody has given up. */
  #deafUntilMs = Number.POSITIVE_INFINITY

  constructor(parts: VerificationParts) {
    this.#parts = parts
  }

  /** The faults have ended. */
  calmed(): void {
    this.#deafUntilMs = this.#parts.nowMs() + this.#parts.silenceMs
  }

  /**
   * Everybody comes back, and all have what the leaders have; then everything is compared. From the beginning
   * when a node falls meanwhile, since rot is found only where it is read. `checked` gets what was looked at.
   */
  async verify(checked: Record<string, number>): Promise<void> {
    do await this.#rest()
    while (!((await this.#agree()) && (await this.#holds(checked))))
  }

  async #rest(): Promise<void> {
    await this.#parts.within(this.#whole(), 'the cluster does not come to rest')
  }

  /** Compares all replicas. False if a node turns out to be damaged: it is given another disk. */
  async #agree(): Promise<boolean> {
    const { nodes, partitions, damaged } = this.#parts
    for (const partition of partitions) {
      for (const node of nodes) {
        const opened = node.openedAt(partition)
        // Undefined: it, or another one before, came upon damage by itself.
        const found = opened && (await node.orEnd(isIntact(opened, node.hasRot)))
        if (found === true) continue
        if (found === false) damaged(node)
        return false
      }
    }
    // For each of them: while one is compared, a session may end in the other.
    for (const partition of partitions) {
      await this.#rest()
      const held = nodes.map(node => node.openedAt(partition))
      if (!held.every(opened => opened !== undefined)) return false
      try {
        await checkAgreement(held)
      } catch (error) {
        // A view that began before the rot hid it until now: whose it is comes out in the next round.
        if (isSillokError(error, 'DAMAGED') && nodes.some(({ hasRot }) => hasRot)) return false
        throw error
      }
    }
    return true
  }

  /**
   * Looks at what the workloads were told, at each node. False if a node falls meanwhile, or asked in vain
   * while a dead connection may not have been given up.
   */
  async #holds(checked: Record<string, number>): Promise<boolean> {
    const { nodes, workloads, nowMs } = this.#parts
    for (const node of nodes) {
      for (const workload of workloads) {
        const { store } = node
        if (store === undefined) return false
        const beganMs = nowMs()
        try {
          const count = await node.orEnd(workload.check(store))
          if (count === undefined) return false
          checked[workload.name] = count
        } catch (error) {
          if (isSillokError(error, 'TIMED_OUT') && beganMs < this.#deafUntilMs) return false
          throw new Error(`${workload.name}, at node ${node.node}: ${String(error)}`, { cause: error })
        }
      }
    }
    return true
  }

  async #whole(): Promise<void> {
    const { nodes, partitions, pause, isReplacing } = this.#parts
    for (;;) {
      await pause(lookMs)
      if (isReplacing() || nodes.some(({ store }) => store === undefined)) continue
      if (partitions.every(partition => this.#isAtRest(partition))) return
    }
  }

  #isAtRest(partition: PartitionId): boolean {
    const { nodes, leader } = this.#parts
    const { replica } = leader(partition) ?? {}
    if (replica === undefined) return false
    const { commit, lastIndex } = replica.group()
    const applied = (node: WorldNode): LogIndex | undefined => node.openedAt(partition)?.replica.applied
    return commit === lastIndex && nodes.every(node => applied(node) === commit)
  }
}
