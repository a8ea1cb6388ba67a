/**
 * The register of nodes, in meta: who belongs to the cluster, where each listens, which replica it holds in
 * every group, and what it is to be there. The groups are brought to what stands here.
 *
 * A replica's number is given out once. So a number that was given out and that no node has any more is one
 * that is gone: its disk was lost, or its node removed.
 */
import type { NodeId, ReplicaId } from '../base/ids.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'

/** What a node is to be in the groups; `none`: it leaves them, and then the cluster. */
export type NodeRole = 'voter' | 'learner' | 'none'

/** One node of the cluster. */
export interface ClusterNode {
  readonly node: NodeId
  /** Where it listens, as the others can reach it. */
  readonly address: string
  /** Names the disk on which its replicas are. */
  readonly incarnation: string
  readonly replica: ReplicaId
  readonly role: NodeRole
}

/** The value of the `mh` row. */
export interface NodeRegister {
  /** In the order of their numbers. */
  readonly nodes: readonly ClusterNode[]
  /** The highest number that was given to a replica. */
  readonly replicas: number
  /** Incarnations that were given up last: a late request of theirs must not bring them back. */
  readonly gone: readonly string[]
}

/** The register of a store that no node has entered. */
export const noNodes: NodeRegister = { nodes: [], replicas: 0, gone: [] }

/** So many incarnations are remembered after they were given up. */
const goneMax = 64

/** The register with that node, in the place of an earlier one of its number. */
export function withNode(register: NodeRegister, one: ClusterNode): NodeRegister {
  const others = withoutNode(
    register,
    register.nodes.find(({ node }) => node === one.node),
  )
  const nodes = [...others.nodes, one].sort((a, b) => a.node - b.node)
  const gone = others.gone.filter(incarnation => incarnation !== one.incarnation)
  return { nodes, replicas: Math.max(register.replicas, one.replica), gone }
}

/** The register without that node. */
export function withoutNode(register: NodeRegister, one: ClusterNode | undefined): NodeRegister {
  if (one === undefined) return register
  const nodes = register.nodes.filter(({ node }) => node !== one.node)
  return { ...register, nodes, gone: [...register.gone, one.incarnation].slice(-goneMax) }
}

/** The value of the `mh` row. */
export function encodeNodes(register: NodeRegister): Buffer {
  return packStrict(register)
}

/** Reads the value of the `mh` row. */
export function decodeNodes(value: Buffer): NodeRegister {
  return unpackTrusted(value) as NodeRegister
}
