/** What a host is opened with. */
import type { SillokError } from '../base/errors.js'
import type { PartitionId, ReplicaId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { IndexType } from '../derived/contract.js'
import type { Environment } from '../env/environment.js'
import type { Address, Network } from '../env/network.js'
import type { Alarm } from '../raft/messages.js'
import type { IndexEvent } from './indexes.js'
import type { BeginCalls } from './receiver.js'

/** How a host is opened, and whom it tells of what. */
export interface HostOptions {
  readonly env: Environment
  readonly folder: string
  /** Undefined: this node is the whole cluster. */
  readonly member?: MemberOptions | undefined
  /** Other limits than the usual ones: for simulations. */
  readonly limits?: Partial<Limits>
  /** Told once when the host stops by itself. */
  readonly failed?: (error: SillokError) => void
  /** Told when a part was found unusable and is rebuilt from the log. */
  readonly rebuilt?: (reason: string) => void
  /** Told when there is no space for the log, and when there is again. */
  readonly diskFull?: (full: boolean) => void
  /** Told what happens to indexes. */
  readonly indexTold?: (event: IndexEvent) => void
  /** Told when stored bytes fail their check in work of the store's own: which part, and how. */
  readonly damaged?: (part: string, reason: string) => void
  /** Called at every tick, with the time from one to the next. */
  readonly ticked?: (periodMs: number) => void
  /** The kinds of indexes that can be at work. */
  readonly indexTypes?: ReadonlyMap<string, IndexType>
}

/** One node of a cluster of several: who it is, and how it reaches the others. */
export interface MemberOptions {
  readonly network: Network
  /** Names the cluster: other nodes of it are heard, nobody else. */
  readonly cluster: string
  readonly node: number
  /** Where this node listens, as the others can reach it. */
  readonly address: Address
  /** Where the node of that replica listens, as somebody else knows it; by default as the nodes know it. */
  readonly addressOf?: (partition: PartitionId, replica: ReplicaId) => Address | undefined
  /**
   * The replicas with which each partition of a new cluster begins, this node's first. For the very first
   * start of a node that is there from the beginning: one that comes later, or lost its disk, waits to be
   * given replicas (`Host.place`), or it would vote again in elections that it has forgotten.
   */
  readonly founders?: Founders | undefined
  /** Somebody is about to call this node; undefined: it answers no calls. */
  readonly calls?: BeginCalls | undefined
  /** Of the cluster, if the folder is new; 0 if not given. */
  readonly clusterEpoch?: number | undefined
  /** Names the disk, if the folder is new; by chance if not given. */
  readonly incarnation?: string | undefined
  /** Told of what is not this node's fault: another one said something wrong, a snapshot did not arrive. */
  readonly trouble?: (reason: string) => void
  /** Told when a replica of a group no longer holds what it had acknowledged. */
  readonly alarmed?: (partition: PartitionId, alarm: Alarm) => void
}

/** The replica that a node holds of each partition, and the voters with whom its group begins. */
export interface Founders {
  readonly replica: ReplicaId
  readonly voters: readonly ReplicaId[]
}

/** A replica that a node is to hold from now on. */
export interface Placement {
  readonly partition: PartitionId
  /** Never given to a replica before. */
  readonly replica: ReplicaId
  /** The voters with whom the group began. */
  readonly voters: readonly ReplicaId[]
  /** The length of the partition's segments, in bytes, fixed when it was created. */
  readonly cutBytes: number
}

/** Of a cluster that begins with one node, as all do that begin by themselves. */
export const founders: Founders = { replica: 1, voters: [1] }
