/**
 * Elections: who asks for votes, who gives them, what they come to (paper 5.2, 5.4.1; thesis 4.2.3, 9.6).
 *
 * A vote is answered by whoever is asked, whatever it believes of its own membership: it may have been made a
 * voter by an entry that it has not seen. It counts when it is durable, also the one that a candidate gives
 * itself. A replica that hears a leader refuses, unless that leader asked for the election; a leader that
 * does not hear a quorum gives up (`checkQuorum`), so a leader that only a bridge still hears does not keep
 * the bridge from electing another for longer than an election timeout.
 *
 * Requests and answers tell what is committed. Otherwise a group could come to a stop: the last voter of the
 * new configuration may not know that the joint one is left, and need the votes of those who know that they
 * have none, and whose logs are longer.
 */

import type { Core } from './core.js'
import type { Place, VoteAnswer, VoteRequest } from './messages.js'
import { quorumVote, votersOf } from './quorum.js'
import { replicateToAll } from './replication.js'

/** Begins an election, with a pre-vote first if that is the way here. Answers whether it may. */
export function beginElection(core: Core): boolean {
  if (!mayBegin(core)) return false
  // A leader may be reading on this replica's word that it elects nobody else, itself included.
  if (core.options.leaseReads && core.keepsLease) return false
  if (core.options.preVote && !core.isSoleVoter) askForPreVotes(core)
  else askForVotes(core, false)
  return true
}

/** The leader asks this replica to take over: no pre-vote, and no lease is in the way (thesis 3.10). */
export function beginTransferredElection(core: Core): void {
  if (mayBegin(core)) askForVotes(core, true)
}

/** Answers a request for a vote or a pre-vote, whose term is at least this replica's. */
export function answerVoteRequest(core: Core, request: VoteRequest): void {
  const { from, pre, term } = request
  learn(core, request.committed)
  const isFree = core.vote === from || (core.vote === 0 && core.leader === 0)
  const mayVote = isFree || (pre && term > core.term)
  const granted =
    mayVote && core.recovering === undefined && core.log.isUpToDate(request.lastIndex, request.lastTerm)
  // A granted pre-vote speaks of the term that was asked for, a refusal tells the asker of the term here.
  const { committed } = core.log
  core.send(from, { type: 'voteAnswer', pre, granted, committed }, granted ? term : core.term)
  if (!granted || pre) return
  core.vote = from
  core.elapsedTicks = 0
}

/** Counts an answer, at a candidate of the kind that asked. */
export function countVote(core: Core, { from, pre, granted, committed }: VoteAnswer): void {
  learn(core, committed)
  const { role } = core
  if (role.name !== (pre ? 'preCandidate' : 'candidate')) return
  if (!role.votes.has(from)) role.votes.set(from, granted)
  const { votes } = role
  switch (quorumVote(core.configuration, voter => votes.get(voter))) {
    case 'won':
      if (pre) askForVotes(core, false)
      else {
        replicateToAll(core, core.becomeLeader())
      }
      break
    case 'lost':
      core.becomeFollower(core.term, 0)
      break
    case 'pending':
  }
}

/**
 * What somebody else knows to be committed is so here, if the log has it. If that changes the configuration,
 * an election under the old one is off.
 */
function learn(core: Core, { index, term }: Place): void {
  const { role, log } = core
  if (role.name === 'leader' || index <= log.commit || !log.has(index, term)) return
  log.commitTo(index)
  if (role.name !== 'follower' && log.hasUnappliedConfiguration) core.becomeFollower(core.term, 0)
}

/** A leader does not campaign; nor does who would decide by a configuration that is already overtaken. */
function mayBegin(core: Core): boolean {
  return core.role.name !== 'leader' && core.mayCampaign && !core.log.hasUnappliedConfiguration
}

function askForPreVotes(core: Core): void {
  core.becomePreCandidate()
  ask(core, true, false)
}

function askForVotes(core: Core, transfer: boolean): void {
  core.becomeCandidate()
  ask(core, false, transfer)
}

function ask(core: Core, pre: boolean, transfer: boolean): void {
  const { lastIndex, lastTerm, committed } = core.log
  const term = pre ? core.term + 1 : core.term
  for (const voter of votersOf(core.configuration)) {
    if (voter === core.id) core.send(voter, { type: 'voteAnswer', pre, granted: true, committed }, term)
    else core.send(voter, { type: 'voteRequest', pre, lastIndex, lastTerm, transfer, committed }, term)
  }
}
