/**
 * Whoever runs the cluster of a world: gives a node that lost its disk, or refuses to open what is on it, an
 * empty disk and new replicas, whose ids were never used before; the old ones leave their groups first.
 */
import { assert, must } from '../../base/assert.js'
import { isSillokError } from '../../base/errors.js'
import type { PartitionId, ReplicaId } from '../../base/ids.js'
import type { ConfigurationChange } from '../../raft/configuration.js'
import type { RaftStatus } from '../../raft/raft.js'
import type { OpenedReplica } from '../../replica/open-replica.js'
import type { WorldNode } from './world-node.js'

/** The cluster as its operator has it. */
export interface OperatedCluster {
  readonly partitions: readonly PartitionId[]
  /** The voters with which each group began. */
  readonly founders: readonly ReplicaId[]
  readonly pause: (ms: number) => Promise<void>
  /** Who leads the partition in the newest term, if anybody does. */
  readonly leader: (partition: PartitionId) => OpenedReplica | undefined
  readonly told: (node: number, what: string) => void
}

/** A learner that lacks no more than this is given a vote. */
const lagMax = 50
const pauseMs = 50

/** Keeps the address book: which replica is on which node. */
export class Operator {
  readonly #cluster: OperatedCluster
  readonly #nodeOf = new Map<ReplicaId, number>()
  #newest: ReplicaId

  constructor(cluster: OperatedCluster) {
    this.#cluster = cluster
    for (const founder of cluster.founders) this.#nodeOf.set(founder, founder)
    this.#newest = Math.max(...cluster.founders)
  }

  /** The node of that replica. */
  nodeOf(replica: ReplicaId): number | undefined {
    return this.#nodeOf.get(replica)
  }

  /** The replica that the node holds, or is to hold. */
  replicaOn(node: number): ReplicaId {
    const own = [...this.#nodeOf].filter(([, place]) => place === node).map(([replica]) => replica)
    assert(own.length > 0, () => `node ${node} holds no replica`)
    return Math.max(...own)
  }

  /** All that the node held before: of some groups a replacement that was cut short left one behind. */
  #oldOn(node: number, replica: ReplicaId): ReplicaId[] {
    return [...this.#nodeOf].filter(([id, place]) => place === node && id !== replica).map(([id]) => id)
  }

  /** When it resolves, the node holds new replicas, which are voters of all groups. */
  async replace(node: WorldNode): Promise<void> {
    const old = this.replicaOn(node.node)
    const replica = ++this.#newest
    this.#nodeOf.set(replica, node.node)
    this.#cluster.told(node.node, `replica ${replica} takes the place of ${old}`)
    node.replaceDisk()
    node.start()
    for (const partition of this.#cluster.partitions) await this.#regroup(node, partition, old, replica)
    this.#cluster.told(node.node, `replica ${replica} votes`)
  }

  async #regroup(node: WorldNode, partition: PartitionId, old: ReplicaId, replica: ReplicaId): Promise<void> {
    for (;;) {
      await this.#cluster.pause(pauseMs)
      if (node.state === 'lost') return
      const leader = this.#cluster.leader(partition)
      if (leader === undefined) continue
      const group = leader.replica.group()
      const isPlaced = await this.#place(node, partition, replica, leader.cutBytes)
      if (isPlaced && group.configuration.voters.includes(replica)) return
      if (!isPlaced && !group.configuration.voters.includes(old)) continue
      const change = nextChange(group, this.#oldOn(node.node, replica), replica)
      if (change !== undefined) await this.#change(leader, change, group)
    }
  }

  async #place(
    node: WorldNode,
    partition: PartitionId,
    replica: ReplicaId,
    cutBytes: number,
  ): Promise<boolean> {
    const { founders: voters } = this.#cluster
    if (node.host === undefined) return false
    const placed = node.place({ partition, replica, voters, cutBytes }).then(() => true)
    return await node.orEnd(placed).then(
      isPlaced => isPlaced === true,
      (error: unknown) => {
        if (!isSillokError(error) || error.code === 'INVALID') throw error
        return false
      },
    )
  }

  /** Resolves when it is made, or not: then it is looked at again. */
  async #change(
    { replica }: OpenedReplica,
    change: ConfigurationChange,
    { configurationIndex }: RaftStatus,
  ): Promise<void> {
    const made = replica.changeGroup(change, configurationIndex).then(
      () => {},
      () => {},
    )
    await Promise.race([made, this.#cluster.pause(1000)])
  }
}

/** The next of: the old one leaves, the new one listens, the new one votes; undefined: it is too early. */
function nextChange(
  group: RaftStatus,
  olds: readonly ReplicaId[],
  replica: ReplicaId,
): ConfigurationChange | undefined {
  const { configuration, members, commit } = group
  const isMember = (id: ReplicaId): boolean =>
    [...configuration.voters, ...configuration.learners].includes(id)
  const old = olds.find(isMember)
  if (old !== undefined) return { type: 'simple', steps: [{ type: 'remove', replica: old }] }
  if (!isMember(replica)) return { type: 'simple', steps: [{ type: 'addLearner', replica }] }
  const { match } = must(
    members.find(member => member.replica === replica),
    'the new replica',
  )
  if (match === 0 || match + lagMax < commit) return undefined
  return { type: 'simple', steps: [{ type: 'addVoter', replica }] }
}
