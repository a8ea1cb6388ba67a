/**
 * What a quorum knows and what it has decided: a majority of one set of voters, or of both sets while the
 * configuration is joint (paper 6, thesis 4.3).
 *
 * Pure functions over sets of replica ids. An empty set has nothing to say: it agrees with everything, so the
 * half that a simple configuration does not have never stands in the way of the other.
 */
import type { ReplicaId } from '../base/ids.js'

/** The voters whose majorities decide; `outgoing` is empty unless the configuration is joint. */
export interface Electorate {
  readonly voters: readonly ReplicaId[]
  readonly outgoing: readonly ReplicaId[]
}

/** What an election has come to. Pending means that those who have not voted can still turn it. */
export type VoteResult = 'won' | 'lost' | 'pending'

/** How many of that many voters are a majority. */
export function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1
}

/**
 * The highest number that a majority of the voters has reached, of what `reachedBy` says that each has.
 * Without voters it is Number.MAX_SAFE_INTEGER.
 */
export function majorityReached(
  voters: readonly ReplicaId[],
  reachedBy: (voter: ReplicaId) => number,
): number {
  if (voters.length === 0) return Number.MAX_SAFE_INTEGER
  const reached = voters.map(reachedBy).sort((a, b) => b - a)
  return reached[majorityOf(voters.length) - 1] ?? 0
}

/** What the votes of one set come to; `voteOf` answers undefined for who has not voted. */
export function majorityVote(
  voters: readonly ReplicaId[],
  voteOf: (voter: ReplicaId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return 'won'
  const votes = voters.map(voteOf)
  const needed = majorityOf(voters.length)
  const granted = votes.filter(vote => vote === true).length
  const open = votes.filter(vote => vote === undefined).length
  if (granted >= needed) return 'won'
  return granted + open >= needed ? 'pending' : 'lost'
}

/** The highest number that a quorum has reached: in a joint configuration a majority of each half. */
export function quorumReached(electorate: Electorate, reachedBy: (voter: ReplicaId) => number): number {
  return Math.min(
    majorityReached(electorate.voters, reachedBy),
    majorityReached(electorate.outgoing, reachedBy),
  )
}

/** What the votes of the whole electorate come to: won only where both halves are won. */
export function quorumVote(
  electorate: Electorate,
  voteOf: (voter: ReplicaId) => boolean | undefined,
): VoteResult {
  const halves = [majorityVote(electorate.voters, voteOf), majorityVote(electorate.outgoing, voteOf)]
  if (halves.includes('lost')) return 'lost'
  return halves.includes('pending') ? 'pending' : 'won'
}

/** Every voter of either half once, in order of id. */
export function votersOf(electorate: Electorate): readonly ReplicaId[] {
  const { voters, outgoing } = electorate
  return [...new Set([...voters, ...outgoing])].sort((a, b) => a - b)
}
