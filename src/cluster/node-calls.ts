/** What may be called at a node: the methods, with the shapes of what is said and answered. */
import type { NodeId, PartitionId, ReplicaId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import * as schema from '../codec/wire-schema.js'

/** `join`: a node says who it is, and is told what it is to hold. Idempotent. */
export interface JoinRequest {
  /** The cluster that the node is of already; undefined if it has none. */
  readonly cluster?: string
  readonly node: NodeId
  /** Where it listens, as the others can reach it. */
  readonly address: string
  /** Names its disk. */
  readonly incarnation: string
  /** The replica that is on the disk; null: none yet. */
  readonly holds: ReplicaId | null
  /** What a new node is to be. */
  readonly role: 'voter' | 'learner'
}

/** The answer to `join`. */
export interface Joined {
  readonly cluster: string
  readonly clusterEpoch: number
  /** Its replica of every group. */
  readonly replica: ReplicaId
  readonly groups: readonly JoinedGroup[]
}

/** A group of which the node holds a replica. */
export interface JoinedGroup {
  readonly partition: PartitionId
  /** With whom it began. */
  readonly voters: readonly ReplicaId[]
  readonly cutBytes: number
}

/** The answer to `identify`: who listens there. */
export interface NodeName {
  readonly cluster: string
  readonly node: NodeId
  readonly incarnation: string
}

const name = schema.text(256)
const incarnation = schema.text(64, 1)
const node = schema.integer(1, limits.nodeIdMax)
const replica = schema.integer(1, Number.MAX_SAFE_INTEGER)

/** What is said with each method. */
export const requests = {
  join: schema.object({
    cluster: schema.optional(name),
    node,
    address: schema.text(limits.addressBytesMax, 1),
    incarnation,
    holds: schema.nullable(replica),
    role: schema.literal('voter', 'learner'),
  }),
  identify: schema.object({}),
} as const

/** What each method is answered with. */
export const answers = {
  join: schema.object({
    cluster: name,
    clusterEpoch: schema.index(),
    replica,
    groups: schema.list(
      schema.object({
        partition: schema.index(),
        voters: schema.list(replica, limits.groupReplicasMax),
        cutBytes: schema.integer(1, Number.MAX_SAFE_INTEGER),
      }),
      1024,
    ),
  }),
  identify: schema.object({ cluster: name, node, incarnation }),
} as const

/** A method that a node answers. */
export type NodeMethod = keyof typeof requests
