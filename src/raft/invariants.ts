/**
 * What always holds of one replica, and of two moments of it one after the other. Each is a function named
 * for its sentence: it answers undefined, or the numbers that break it. Those that cost next to nothing run
 * after every step in production; all of them run after every step of the tests.
 *
 * What holds between replicas (one leader a term, equal logs, nothing committed is lost) is checked by the
 * simulated groups of the tests, which see all of them at once.
 */
import { assert } from '../base/assert.js'
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'
import { checkConfiguration, isJoint } from './configuration.js'
import type { Core } from './core.js'

/** One thing that always holds. */
export interface Invariant {
  /** What holds, in a sentence. */
  readonly sentence: string
  /** Undefined if it holds, otherwise what breaks it. */
  readonly broken: (core: Core) => string | undefined
}

/** compacted <= applied <= applying <= commit <= last, and applying <= stable <= last. */
function indexesAreInOrder({ log }: Core): string | undefined {
  const { firstIndex, applied, applying, commit, stable, lastIndex, isInstalling } = log
  const isOrdered =
    applied <= applying &&
    applying <= commit &&
    commit <= lastIndex &&
    applying <= stable &&
    stable <= lastIndex &&
    (isInstalling || firstIndex - 1 <= applied)
  if (isOrdered) return undefined
  return JSON.stringify({ firstIndex, applied, applying, commit, stable, lastIndex, isInstalling })
}

function lastTermIsNotAhead({ log, term }: Core): string | undefined {
  return log.lastTerm <= term ? undefined : `the log ends in term ${log.lastTerm}, the term is ${term}`
}

function leaderVotedForItself({ role, vote, id, leader }: Core): string | undefined {
  if (role.name !== 'leader' || (vote === id && leader === id)) return undefined
  return `replica ${id} leads, voted for ${vote}, knows leader ${leader}`
}

function candidateKnowsNoLeader({ role, leader }: Core): string | undefined {
  const isCandidate = role.name === 'candidate' || role.name === 'preCandidate'
  return isCandidate && leader !== 0 ? `a ${role.name} knows leader ${leader}` : undefined
}

function ownMatchIsDurable({ role, log, id }: Core): string | undefined {
  const own = role.name === 'leader' ? role.progress.get(id) : undefined
  if (own === undefined || own.match <= log.stable) return undefined
  return `the leader counts itself for ${own.match}, durable is ${log.stable}`
}

function progressIsInOrder({ role, log }: Core): string | undefined {
  if (role.name !== 'leader') return undefined
  for (const one of role.progress.values()) {
    const { replica, state, match, next, pendingSnapshot } = one
    const isOrdered = match < next && match <= log.lastIndex && next <= log.lastIndex + 1
    const fits = state === 'snapshot' ? next === pendingSnapshot + 1 : pendingSnapshot === 0
    if (!isOrdered || !fits) return JSON.stringify({ replica, state, match, next, pendingSnapshot })
  }
  return undefined
}

function progressIsOfMembers({ role, members }: Core): string | undefined {
  if (role.name !== 'leader') return undefined
  const known = [...role.progress.keys()].sort((a, b) => a - b)
  return known.join() === members.join() ? undefined : `progress of ${known}, members ${members}`
}

function configurationIsSound({ configuration }: Core): string | undefined {
  try {
    checkConfiguration(configuration)
    return undefined
  } catch (error) {
    return String(error)
  }
}

function jointIsApplied({ configuration, configurationIndex, log }: Core): string | undefined {
  if (!isJoint(configuration) || configurationIndex <= log.commit) return undefined
  return `joint by entry ${configurationIndex}, committed is ${log.commit}`
}

function termsRiseAlongTheLog({ log }: Core): string | undefined {
  let before: Term = 0
  for (let index = log.firstIndex - 1; index <= log.lastIndex; index++) {
    const term = log.term(index)
    if (term === undefined || term < before) return `entry ${index} has term ${term}, after ${before}`
    before = term
  }
  return undefined
}

/** Run after every step in production. */
export const cheapInvariants: readonly Invariant[] = [
  {
    sentence:
      'Applied, applying, committed and last index are in order, and only durable entries are applied.',
    broken: indexesAreInOrder,
  },
  { sentence: 'A leader voted for itself and knows itself as leader.', broken: leaderVotedForItself },
  { sentence: 'A candidate knows no leader.', broken: candidateKnowsNoLeader },
  { sentence: 'A leader counts itself for what is durable on its own disk only.', broken: ownMatchIsDurable },
]

/** All that hold of one replica. */
export const invariants: readonly Invariant[] = [
  ...cheapInvariants,
  { sentence: 'No entry has a term above that of its replica.', broken: lastTermIsNotAhead },
  {
    sentence: 'Of every member, match is below next, and neither is beyond the log.',
    broken: progressIsInOrder,
  },
  { sentence: 'A leader tracks exactly the members of its configuration.', broken: progressIsOfMembers },
  {
    sentence: 'The configuration is sound: a voter at least, no learner that votes.',
    broken: configurationIsSound,
  },
  { sentence: 'A joint configuration that counts is committed.', broken: jointIsApplied },
  { sentence: 'Terms never fall along the log.', broken: termsRiseAlongTheLog },
]

/** Throws if one of them does not hold, by default of the cheap ones. */
export function checkInvariants(core: Core, which = cheapInvariants): void {
  for (const { sentence, broken } of which) {
    const what = broken(core)
    if (what !== undefined) assert(false, `${sentence} Broken: ${what}`)
  }
}

/** A replica at one moment, as far as later moments are bound by it. */
export interface Moment {
  readonly term: Term
  readonly vote: ReplicaId
  readonly leader: ReplicaId
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly isLeader: boolean
  readonly lastIndex: LogIndex
}

/** Two moments of a run of one replica: what may not change, or only in one direction. */
export const deltaInvariants: readonly {
  readonly sentence: string
  readonly holds: (before: Moment, after: Moment) => boolean
}[] = [
  { sentence: 'The term never falls.', holds: (a, b) => b.term >= a.term },
  { sentence: 'The commit index never falls.', holds: (a, b) => b.commit >= a.commit },
  { sentence: 'The applied index never falls.', holds: (a, b) => b.applied >= a.applied },
  {
    sentence: 'In a term a vote is given at most once.',
    holds: (a, b) => a.term !== b.term || a.vote === 0 || a.vote === b.vote,
  },
  {
    sentence: 'In a term at most one leader is known.',
    holds: (a, b) => a.term !== b.term || a.leader === 0 || b.leader === 0 || a.leader === b.leader,
  },
  {
    sentence: 'A leader only appends.',
    holds: (a, b) => a.term !== b.term || !a.isLeader || !b.isLeader || b.lastIndex >= a.lastIndex,
  },
]
