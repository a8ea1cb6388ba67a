/** Decides who belongs to the cluster, in meta. */
import type { NodeId, ReplicaId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Decision, EnterNode, ForgetNode, SetNodeRole } from './command.js'
import { finish } from './decide-meta.js'
import { Draft } from './draft.js'
import { nodesKey } from './keys.js'
import {
  type ClusterNode,
  decodeNodes,
  encodeNodes,
  type NodeRegister,
  noNodes,
  withNode,
  withoutNode,
} from './nodes.js'
import { type Refused, refuse } from './reply.js'
import type { DecideContext, View } from './view.js'

/**
 * Notes who the node is and where it listens, and gives it a replica if it has none. Idempotent. An empty
 * disk under the number of a node gets another replica than the lost one had; the disk that was taken for
 * lost, or whose node was removed, is refused from then on: FENCED.
 */
export function decideEnterNode(enter: EnterNode, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const register = readNodes(draft)
  if (register === undefined) return { type: 'need', keys: draft.needs }
  const refused = refusal(enter, register)
  if (refused !== undefined) return { type: 'answer', reply: refused }
  const known = register.nodes.find(({ node }) => node === enter.node)
  const { node, address, incarnation } = enter
  const isNew = known?.incarnation !== incarnation
  const replica = isNew ? (enter.holds ?? register.replicas + 1) : known.replica
  const entered: ClusterNode = { node, address, incarnation, replica, role: known?.role ?? enter.role }
  if (isNew || known.address !== address) write(draft, withNode(register, entered))
  const value = { replica, role: entered.role }
  return finish(draft, { ok: true, version: context.version, value })
}

function refusal(enter: EnterNode, { nodes, replicas, gone }: NodeRegister): Refused | undefined {
  const { node, address, incarnation, holds } = enter
  const known = nodes.find(one => one.node === node)
  const other = nodes.find(one => one.node !== node && one.address === address)
  if (other !== undefined) return refuse('INVALID', `${address} is the address of node ${other.node}`)
  if (known?.incarnation === incarnation) {
    if (holds === null || holds === known.replica) return undefined
    return refuse('INVALID', `node ${node} has replica ${known.replica}, and says that it holds ${holds}`)
  }
  if (replicas === 0) {
    // Who comes later waits for the node with which the cluster began.
    return holds === null ? refuse('UNAVAILABLE', 'the cluster is about to begin') : undefined
  }
  if (holds !== null || gone.includes(incarnation)) return fenced(node, known?.replica)
  if (known?.role === 'none') return refuse('INVALID', `node ${node} is leaving the cluster`)
  if (known !== undefined || nodes.length < limits.nodesMax) return undefined
  const details = { limit: limits.nodesMax }
  return refuse('INVALID', `the cluster has ${nodes.length} nodes, and no more are allowed`, details)
}

function fenced(node: NodeId, replica: ReplicaId | undefined): Refused {
  const why = replica === undefined ? 'was removed from the cluster' : `has replica ${replica} instead`
  return refuse('FENCED', `what is on this disk counts no more: node ${node} ${why}`)
}

/** Says what a node is to be in the groups from now on. */
export function decideSetNodeRole({ node, role }: SetNodeRole, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const register = readNodes(draft)
  if (register === undefined) return { type: 'need', keys: draft.needs }
  const known = register.nodes.find(one => one.node === node)
  if (known === undefined) {
    return { type: 'answer', reply: refuse('NOT_FOUND', `the cluster has no node ${node}`) }
  }
  const changed = withNode(register, { ...known, role })
  if (!changed.nodes.some(one => one.role === 'voter')) {
    return { type: 'answer', reply: refuse('INVALID', `node ${node} is the last one that votes`) }
  }
  if (known.role !== role) write(draft, changed)
  return finish(draft, { ok: true, version: context.version, value: null })
}

/** Forgets a node that was to leave, once no group has that replica. */
export function decideForgetNode(forget: ForgetNode, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  const register = readNodes(draft)
  if (register === undefined) return { type: 'need', keys: draft.needs }
  const known = register.nodes.find(({ replica }) => replica === forget.replica)
  if (known?.role === 'none') write(draft, withoutNode(register, known))
  return finish(draft, { ok: true, version: context.version, value: null })
}

function readNodes(draft: Draft): NodeRegister | undefined {
  const row = draft.get(nodesKey)
  return row === undefined ? undefined : row === null ? noNodes : decodeNodes(row.value)
}

function write(draft: Draft, register: NodeRegister): void {
  draft.put(nodesKey, encodeNodes(register))
}
