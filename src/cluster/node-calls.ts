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

/** The answer to `members`: who belongs to the cluster, as of the call. */
export interface Members {
  readonly cluster: string
  readonly nodes: readonly MemberOf[]
}

/** A node of the cluster. */
export interface MemberOf {
  readonly node: NodeId
  readonly address: string
  /** What it is to be; `none`: it is about to leave. */
  readonly role: 'voter' | 'learner' | 'none'
  /** Its replica of every group. */
  readonly replica: ReplicaId
  /** True if it votes in every group by now. */
  readonly votes: boolean
  /** The partitions that it leads, as far as the node knows that was called. */
  readonly leads: readonly PartitionId[]
}

/** The answer to `health`: how a node is. */
export interface Health {
  readonly node: NodeId
  /** It holds all partitions, and each of them has a leader. */
  readonly ready: boolean
  readonly groups: readonly GroupHealth[]
}

/** How the replica of one group is. */
export interface GroupHealth {
  readonly partition: PartitionId
  readonly role: string
  /** 0: nobody leads, as far as is known. */
  readonly leader: ReplicaId
  readonly term: number
  readonly commit: number
  readonly applied: number
}

const name = schema.text(256)
const incarnation = schema.text(64, 1)
const node = schema.integer(1, limits.nodeIdMax)
const role = schema.literal('voter', 'learner', 'none')
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
  members: schema.object({}),
  setRole: schema.object({ node, role }),
  transfer: schema.object({ node }),
  health: schema.object({}),
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
  members: schema.object({
    cluster: name,
    nodes: schema.list(
      schema.object({
        node,
        address: schema.text(limits.addressBytesMax),
        role,
        replica,
        votes: schema.boolean(),
        leads: schema.list(schema.index(), 1024),
      }),
      limits.nodesMax,
    ),
  }),
  setRole: schema.literal(null),
  transfer: schema.literal(null),
  health: schema.object({
    node,
    ready: schema.boolean(),
    groups: schema.list(
      schema.object({
        partition: schema.index(),
        role: schema.text(64),
        leader: schema.index(),
        term: schema.index(),
        commit: schema.index(),
        applied: schema.index(),
      }),
      1024,
    ),
  }),
} as const

/** A method that a node answers. */
export type NodeMethod = keyof typeof requests

/** What is said with the method. */
export type Said<M extends NodeMethod> = ReturnType<(typeof requests)[M]>

/** What the method is answered with. */
export type Answered<M extends NodeMethod> = ReturnType<(typeof answers)[M]>
