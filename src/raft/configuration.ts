/**
 * Who belongs to a group, and the changes that lead from one membership to the next (paper 6, thesis 4).
 *
 * A configuration is simple (voters and learners) or joint: then `outgoing` holds the voters of before, and
 * whatever is decided needs a majority of both halves. A voter that becomes a learner while its old half
 * still votes waits in `learnersNext`.
 *
 * Always (`checkConfiguration`): lists are sorted and without repetition; there is a voter; no learner votes
 * in either half; who waits in learnersNext votes in the outgoing half; a simple configuration has neither
 * outgoing voters nor learnersNext nor autoLeave. Pure: a change gives a new configuration, or an error that
 * says why it may not be, and leaves the old one as it was.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { ReplicaId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Electorate } from './quorum.js'

/** Who votes, who only listens. */
export interface Configuration extends Electorate {
  /** Voters; while joint, those of the incoming half. */
  readonly voters: readonly ReplicaId[]
  /** Voters of the outgoing half; empty unless joint. */
  readonly outgoing: readonly ReplicaId[]
  /** Replicas that get the log and do not vote. */
  readonly learners: readonly ReplicaId[]
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly ReplicaId[]
  /** While joint: the leader leaves it by itself as soon as it is applied. */
  readonly autoLeave: boolean
}

/** One step of a change. Adding a voter as learner takes its vote; adding a learner as voter gives it one. */
export interface ChangeStep {
  readonly type: 'addVoter' | 'addLearner' | 'remove'
  readonly replica: ReplicaId
}

/**
 * A change of the membership, as it stands in the log.
 *
 * `simple` changes one voter at most and takes effect at once. `joint` goes through a joint configuration and
 * is left by the leader itself; `jointExplicit` stays joint until a change of type `leave` is proposed. Both
 * take any number of steps.
 */
export type ConfigurationChange =
  | { readonly type: 'simple' | 'joint' | 'jointExplicit'; readonly steps: readonly ChangeStep[] }
  | { readonly type: 'leave' }

/** A simple configuration of these voters and learners. */
export function simpleConfiguration(
  voters: readonly ReplicaId[],
  learners: readonly ReplicaId[] = [],
): Configuration {
  return made({ voters: new Set(voters), learners: new Set(learners), learnersNext: new Set() }, [], false)
}

/** True while decisions need both halves. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0
}

/** Everyone who gets the log, voters of both halves and learners, in order of id. */
export function membersOf(configuration: Configuration): readonly ReplicaId[] {
  const { voters, outgoing, learners } = configuration
  return [...new Set([...voters, ...outgoing, ...learners])].sort((a, b) => a - b)
}

/** True if the replica votes in either half. */
export function isVoter(configuration: Configuration, replica: ReplicaId): boolean {
  return configuration.voters.includes(replica) || configuration.outgoing.includes(replica)
}

/** The configuration after the change; throws INVALID if the change may not follow this configuration. */
export function changed(configuration: Configuration, change: ConfigurationChange): Configuration {
  switch (change.type) {
    case 'simple':
      return simpleChange(configuration, change.steps)
    case 'joint':
      return enterJoint(configuration, change.steps, true)
    case 'jointExplicit':
      return enterJoint(configuration, change.steps, false)
    case 'leave':
      return leaveJoint(configuration)
  }
}

/**
 * Takes the steps at once. Any majority before and any majority after must share a voter, so at most one
 * voter may come or go.
 */
export function simpleChange(configuration: Configuration, steps: readonly ChangeStep[]): Configuration {
  if (isJoint(configuration))
    throw refused('a simple change while the configuration is joint: leave it first')
  const next = stepped(configuration, steps, [])
  const before = new Set(configuration.voters)
  const after = new Set(next.voters)
  const moved =
    [...before].filter(id => !after.has(id)).length + [...after].filter(id => !before.has(id)).length
  if (moved > 1) throw refused(`a simple change of ${moved} voters: more than one needs a joint change`)
  return next
}

/** Enters the joint configuration of the present voters and of those after the steps. */
export function enterJoint(
  configuration: Configuration,
  steps: readonly ChangeStep[],
  autoLeave: boolean,
): Configuration {
  if (isJoint(configuration)) throw refused('a joint change while the configuration is joint: leave it first')
  return stepped(configuration, steps, configuration.voters, autoLeave)
}

/** Lets the outgoing half go: who waited to be a learner becomes one. */
export function leaveJoint(configuration: Configuration): Configuration {
  if (!isJoint(configuration)) throw refused('leaving a joint configuration that is not joint')
  const { voters, learners, learnersNext } = configuration
  const all = new Set([...learners, ...learnersNext])
  return made({ voters: new Set(voters), learners: all, learnersNext: new Set() }, [], false)
}

/** True if nobody but that replica has a vote: there is nobody to ask or to disturb. */
export function isSoleVoter({ voters, outgoing }: Configuration, replica: ReplicaId): boolean {
  return voters.length === 1 && voters[0] === replica && outgoing.length === 0
}

/** Throws unless what is always true of a configuration holds. */
export function checkConfiguration(configuration: Configuration): void {
  const fault = faultOf(configuration)
  assert(fault === undefined, () => `${fault}: ${JSON.stringify(configuration)}`)
}

/** What does not hold of what is always true of a configuration; undefined if all of it holds. */
export function faultOf(configuration: Configuration): string | undefined {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration
  for (const list of [voters, outgoing, learners, learnersNext]) {
    const isSorted = list.every(
      (id, place) => isReplicaId(id) && (place === 0 || id > (list[place - 1] ?? 0)),
    )
    if (!isSorted) return 'a list of replicas is not sorted, or names one twice'
  }
  if (voters.length === 0) return 'no voter'
  if (learners.some(id => isVoter(configuration, id))) return 'a learner votes'
  if (!learnersNext.every(id => outgoing.includes(id) && !voters.includes(id))) {
    return 'a learner to come does not vote in the outgoing half alone'
  }
  if (!isJoint(configuration) && autoLeave) return 'a simple configuration to be left'
  if (membersOf(configuration).length > limits.groupReplicasMax) return 'more replicas than a group may have'
  return undefined
}

interface Sets {
  readonly voters: Set<ReplicaId>
  readonly learners: Set<ReplicaId>
  readonly learnersNext: Set<ReplicaId>
}

function stepped(
  configuration: Configuration,
  steps: readonly ChangeStep[],
  outgoing: readonly ReplicaId[],
  autoLeave = false,
): Configuration {
  const sets: Sets = {
    voters: new Set(configuration.voters),
    learners: new Set(configuration.learners),
    learnersNext: new Set(),
  }
  if (steps.length === 0) throw refused('a change without steps')
  for (const { type, replica } of steps) {
    if (!isReplicaId(replica)) throw refused(`replica ${replica}: an id is a whole number from 1`)
    for (const set of Object.values(sets)) set.delete(replica)
    if (type === 'addVoter') sets.voters.add(replica)
    else if (type === 'addLearner') {
      // Its old half counts its vote until the joint configuration is left: nobody may be both.
      if (outgoing.includes(replica)) sets.learnersNext.add(replica)
      else sets.learners.add(replica)
    }
  }
  if (sets.voters.size === 0) throw refused('no voter would remain')
  const count = new Set([...sets.voters, ...outgoing, ...sets.learners]).size
  if (count > limits.groupReplicasMax)
    throw refused(`a group of ${count} replicas: at most ${limits.groupReplicasMax}`)
  return made(sets, outgoing, autoLeave)
}

function made(sets: Sets, outgoing: readonly ReplicaId[], autoLeave: boolean): Configuration {
  const sorted = (ids: Iterable<ReplicaId>) => [...ids].sort((a, b) => a - b)
  const configuration = {
    voters: sorted(sets.voters),
    outgoing: sorted(outgoing),
    learners: sorted(sets.learners),
    learnersNext: sorted(sets.learnersNext),
    autoLeave,
  }
  checkConfiguration(configuration)
  return configuration
}

function isReplicaId(id: number): boolean {
  return Number.isSafeInteger(id) && id > 0
}

function refused(why: string): SillokError {
  return new SillokError('INVALID', why)
}
