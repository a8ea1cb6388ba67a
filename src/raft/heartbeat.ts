/**
 * Heartbeats of a leader and what their answers bring: members that are there, appends that got lost, reads
 * that are confirmed (paper 5.2, thesis 6.2, 6.4).
 */
import type { ReplicaId } from '../base/ids.js'
import type { Core } from './core.js'
import type { HeartbeatAnswer } from './messages.js'
import { quorumVote } from './quorum.js'
import { answerConfirmedReads } from './reading.js'
import { others, sendAppend } from './replication.js'
import type { Leader } from './role.js'

/** Tells every member who leads, and what it may commit. Carries the newest round of reads. */
export function sendHeartbeats(core: Core, leader: Leader): void {
  const { round } = leader.reads
  for (const progress of others(core, leader)) {
    const commit = Math.min(progress.match, core.log.commit)
    core.send(progress.replica, { type: 'heartbeat', commit, round })
    progress.told(commit)
  }
}

/** Begins the round of the reads that came since the last one. A sole voter need not tell anybody of it. */
export function beginReadRound(core: Core, leader: Leader, mustSend = !core.isSoleVoter): void {
  leader.reads.begin(leader.ticks)
  if (mustSend) sendHeartbeats(core, leader)
  answerConfirmedReads(core, leader)
}

/** The member follows: what may have been lost on the way is sent again, and reads are confirmed. */
export function takeHeartbeatAnswer(core: Core, leader: Leader, message: HeartbeatAnswer): void {
  const { from, round, recovering } = message
  const progress = leader.progress.get(from)
  if (progress === undefined) return
  progress.recentlyActive = true
  if (recovering !== undefined && recovering < progress.match) {
    const match = progress.lost(recovering)
    core.outbox.alarms.push({ type: 'matchRegressed', replica: from, match, last: recovering })
  }
  progress.resume()
  if (progress.match < core.log.lastIndex || progress.state === 'probe') sendAppend(core, progress, true)
  leader.reads.answered(from, round)
  answerConfirmedReads(core, leader)
}

/** True if a quorum was heard of since the last look; begins the next one. */
export function hearsQuorum(core: Core, leader: Leader): boolean {
  const isActive = (voter: ReplicaId) => leader.progress.get(voter)?.recentlyActive === true
  const result = quorumVote(core.configuration, voter => voter === core.id || isActive(voter))
  for (const progress of leader.progress.values()) progress.recentlyActive = progress.replica === core.id
  return result === 'won'
}
