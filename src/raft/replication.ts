/**
 * What a leader does: sends its log to the others, counts what they hold, commits (paper 5.3, 5.4.2; thesis
 * 10.2.1).
 */
import { assert } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { LogIndex, ReplicaId } from '../base/ids.js'
import { isVoter } from './configuration.js'
import type { Core } from './core.js'
import type { Appended, AppendRejected, EntriesLoaded } from './messages.js'
import type { Progress } from './progress.js'
import { quorumReached } from './quorum.js'
import type { Leader } from './role.js'

/** Sends every member what is new to it: entries as far as its window goes, a commit index. */
export function replicateToAll(core: Core, leader: Leader): void {
  leader.appendsDue = false
  for (const progress of others(core, leader)) {
    sendAppend(core, progress, progress.wouldLearn(core.log.commit))
    sendAll(core, progress)
  }
}

/** A member, or this leader's own disk, holds the log up to an index. */
export function takeAppended(core: Core, leader: Leader, { from, index }: Appended): void {
  const progress = leader.progress.get(from)
  if (progress === undefined) return
  const { log } = core
  assert(
    index <= log.lastIndex,
    () => `replica ${from} acknowledges ${index}, the log ends at ${log.lastIndex}`,
  )
  progress.recentlyActive = true
  const isNews = progress.acknowledged(index)
  if (!isNews && !(progress.match === index && progress.state === 'probe')) return
  if (progress.state === 'probe') progress.becomeReplicate()
  else if (progress.state === 'replicate') progress.arrived(index)
  else if (progress.match + 1 >= log.firstIndex || progress.match >= progress.pendingSnapshot) {
    // Any place from which the log goes on will do, also that of another snapshot than the one on its way.
    progress.becomeProbe()
    progress.becomeReplicate()
  }
  if (commitByCounting(core, leader)) leader.appendsDue = true
  else if (from !== core.id && progress.wouldLearn(log.commit)) sendAppend(core, progress, true)
  if (from === core.id) return
  sendAll(core, progress)
  if (from === leader.transferee && progress.match === log.lastIndex) sendCampaignNow(core, leader)
}

/** The member has no such entry: goes back to where the logs may meet, a whole term at a step. */
export function takeRejection(core: Core, leader: Leader, message: AppendRejected): void {
  const progress = leader.progress.get(message.from)
  if (progress === undefined) return
  progress.recentlyActive = true
  const { index, hintIndex, hintTerm } = message
  const hint = hintTerm > 0 ? core.log.meetingPlace(hintIndex, hintTerm).index : hintIndex
  if (!progress.refused(index, hint)) return
  if (progress.state === 'replicate') progress.becomeProbe()
  sendAppend(core, progress, true)
}

/** Entries that had to be read first. Those of another term, or overtaken, are not needed any more. */
export function takeLoaded(core: Core, leader: Leader, { request, entries }: EntriesLoaded): void {
  const progress = leader.progress.get(request.to)
  if (progress === undefined || progress.loading !== request.from) return
  progress.loading = 0
  if (entries === 'failed') progress.pause()
  else if (progress.next !== request.from || progress.isPaused) sendAll(core, progress)
  else if (entries === 'compacted') sendSnapshot(core, progress)
  else {
    const previousTerm = core.log.term(progress.next - 1)
    if (previousTerm === undefined) sendSnapshot(core, progress)
    else {
      sendEntries(core, progress, previousTerm, entries)
      sendAll(core, progress)
    }
  }
}

/** Commits what a quorum holds, if it is of this term: what precedes it comes with it (paper 5.4.2). */
export function commitByCounting(core: Core, leader: Leader): boolean {
  const index = quorumReached(core.configuration, voter => leader.progress.get(voter)?.match ?? 0)
  if (index < leader.termStart || !core.log.commitTo(index)) return false
  leader.committed(index)
  leader.reads.admitDeferred(index)
  return true
}

/**
 * Hands leadership over: at once if the transferee has the whole log, else when it has. To this leader
 * itself: gives up a transfer that is on its way.
 */
export function beginTransfer(core: Core, leader: Leader, to: ReplicaId): void {
  const progress = leader.progress.get(to)
  // Asking again for the same changes nothing: its time does not begin anew.
  if (progress === undefined || leader.transferee === to || !isVoter(core.configuration, to)) return
  if (to === core.id) {
    leader.transferee = 0
    return
  }
  leader.transferee = to
  core.elapsedTicks = 0
  if (progress.match === core.log.lastIndex) sendCampaignNow(core, leader)
  else sendAppend(core, progress, true)
}

/** Sends what there is for the member until nothing is left or its window is full. */
export function sendAll(core: Core, progress: Progress): void {
  while (sendAppend(core, progress, false));
}

/**
 * Sends one append, or the snapshot if the log does not reach back far enough. Answers whether anything left.
 */
export function sendAppend(core: Core, progress: Progress, allowEmpty: boolean): boolean {
  if (progress.isPaused) return false
  const previousTerm = core.log.term(progress.next - 1)
  if (previousTerm === undefined) return sendSnapshot(core, progress)
  // A full window lets an empty append through: its answer frees what got lost on the way.
  const isFull = progress.state === 'replicate' && progress.flightIsFull
  const entries = isFull ? [] : core.log.entries(progress.next, core.options.appendBytesMax)
  if (entries === 'compacted') return sendSnapshot(core, progress)
  if (entries === 'absent') return need(core, progress)
  if (entries.length === 0 && !allowEmpty) return false
  sendEntries(core, progress, previousTerm, entries)
  return true
}

function sendEntries(core: Core, progress: Progress, previousTerm: number, entries: readonly Entry[]): void {
  const { commit } = core.log
  const previousIndex = progress.next - 1
  core.send(progress.replica, { type: 'append', previousIndex, previousTerm, entries, commit })
  let bytes = 0
  for (const entry of entries) bytes += entry.bytes.length
  progress.sent(entries.length, bytes)
  progress.told(Math.min(commit, previousIndex + entries.length))
}

/** Has the entries read; the member waits for them. */
function need(core: Core, progress: Progress): boolean {
  const { replica: to, next: from } = progress
  const through: LogIndex = core.log.stable
  const { appendBytesMax: bytesMax } = core.options
  progress.loading = from
  core.outbox.needs.push({ type: 'needEntries', to, term: core.term, from, through, bytesMax })
  return false
}

/** A snapshot goes only to a member that was heard of: it is large. */
function sendSnapshot(core: Core, progress: Progress): boolean {
  if (!progress.recentlyActive) return false
  const snapshot = core.log.snapshot()
  if (snapshot === undefined || snapshot.index + 1 < core.log.firstIndex) return false
  if (snapshot.index <= progress.match) return false
  progress.becomeSnapshot(snapshot.index)
  core.send(progress.replica, { type: 'installSnapshot', snapshot })
  return true
}

function sendCampaignNow(core: Core, leader: Leader): void {
  leader.leaseForfeited = true
  core.send(leader.transferee, { type: 'campaignNow' })
}

/** The other members, in order of id. */
export function* others(core: Core, leader: Leader): Generator<Progress> {
  for (const member of core.members) {
    const progress = leader.progress.get(member)
    if (progress !== undefined && member !== core.id) yield progress
  }
}
