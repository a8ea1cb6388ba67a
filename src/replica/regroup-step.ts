/**
 * What the leader of a group does next to bring it to what the register of nodes says; pure.
 *
 * In this order: a learner that is gone leaves; who is missing begins to listen; who listens, has what is
 * committed and is to vote gets a vote, in the place of one who is to have none, if there is such a one (a
 * joint change); who is to have no vote loses it. A vote is given and taken one at a time, and only if a
 * majority of those who vote then was heard of lately (etcd's strict check). One whose disk was lost keeps
 * its vote until the new one of its node has caught up: nobody else is lost with less votes needed.
 *
 * Replicas whose numbers the register did not give out are left alone.
 */
import type { ReplicaId } from '../base/ids.js'
import type { ClusterNode, NodeRegister, NodeRole } from '../machine/nodes.js'
import type { ChangeStep, ConfigurationChange } from '../raft/configuration.js'
import { isJoint } from '../raft/configuration.js'
import type { MemberStatus, RaftStatus } from '../raft/status.js'

/** A change of the group, or another leader: who leaves the group does not lead it. */
export type RegroupStep =
  | { readonly type: 'change'; readonly change: ConfigurationChange }
  | { readonly type: 'handOver'; readonly to: ReplicaId }

/** A learner that lacks no more entries than this is given a vote. */
const lagMax = 1000

type Group = Pick<RaftStatus, 'configuration' | 'members' | 'commit' | 'leader'>

/** The next step; undefined: there is none, or it is too early. `group` is as its leader sees it. */
export function regroupStep(group: Group, register: NodeRegister): RegroupStep | undefined {
  const { configuration } = group
  if (isJoint(configuration)) return undefined
  const { voters, learners } = configuration
  const roleOf = rolesBy(register)
  const gone = learners.find(replica => roleOf(replica) === 'none')
  if (gone !== undefined) return simple({ type: 'remove', replica: gone })
  const missing = register.nodes.find(one => one.role !== 'none' && !isMember(group, one))
  if (missing !== undefined) return simple({ type: 'addLearner', replica: missing.replica })
  const elect = learners.find(replica => roleOf(replica) === 'voter' && hasCaughtUp(group, replica))
  const retiring = voters.filter(replica => ['none', 'learner'].includes(roleOf(replica) ?? ''))
  const isAwaited = learners.some(replica => roleOf(replica) === 'voter')
  const isKept = (replica: ReplicaId): boolean =>
    isAwaited && elect === undefined && !register.nodes.some(one => one.replica === replica)
  const leaving = retiring.filter(replica => !isKept(replica))
  const retired = leaving.find(replica => replica !== group.leader)
  if (elect === undefined && retired === undefined) {
    return leaving.length > 0 ? handOver(group, retiring) : undefined
  }
  const steps: ChangeStep[] = []
  if (elect !== undefined) steps.push({ type: 'addVoter', replica: elect })
  if (retired !== undefined) {
    steps.push({ type: roleOf(retired) === 'learner' ? 'addLearner' : 'remove', replica: retired })
  }
  const after = [...voters.filter(one => one !== retired), ...(elect === undefined ? [] : [elect])]
  if (!wouldDecide(group, after)) return undefined
  const [first] = steps
  if (steps.length === 1 && first !== undefined) return simple(first)
  return { type: 'change', change: { type: 'joint', steps } }
}

/** What a replica is to be: `none` if its number was given out and no node has it; undefined: not known. */
function rolesBy({ nodes, replicas }: NodeRegister): (replica: ReplicaId) => NodeRole | undefined {
  const roles = new Map(nodes.map(one => [one.replica, one.role]))
  return replica => roles.get(replica) ?? (replica <= replicas ? 'none' : undefined)
}

function simple(step: ChangeStep): RegroupStep {
  return { type: 'change', change: { type: 'simple', steps: [step] } }
}

function isMember({ configuration }: Group, { replica }: ClusterNode): boolean {
  return configuration.voters.includes(replica) || configuration.learners.includes(replica)
}

function hasCaughtUp({ members, commit }: Group, replica: ReplicaId): boolean {
  const member = members.find(one => one.replica === replica)
  return member !== undefined && isWell(member) && member.match > 0 && member.match + lagMax >= commit
}

function isWell({ recentlyActive, state }: MemberStatus): boolean {
  return recentlyActive && state !== 'snapshot'
}

function wouldDecide({ members, leader }: Group, voters: readonly ReplicaId[]): boolean {
  const able = voters.filter(
    voter => voter === leader || members.some(one => one.replica === voter && isWell(one)),
  )
  return 2 * able.length > voters.length
}

/** To the voter that has most, of those that stay. */
function handOver(group: Group, retiring: readonly ReplicaId[]): RegroupStep | undefined {
  const staying = group.members
    .filter(one => group.configuration.voters.includes(one.replica) && !retiring.includes(one.replica))
    .filter(isWell)
    .sort((a, b) => b.match - a.match)
  const [best] = staying
  return best && { type: 'handOver', to: best.replica }
}
