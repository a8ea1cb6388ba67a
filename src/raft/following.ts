/**
 * What a member does with what its leader sends: entries, heartbeats, snapshots (paper 5.3, 7).
 *
 * Whatever comes from the leader of the term counts as hearing of it, also what is refused.
 */

import type { Core } from './core.js'
import type { Append, Heartbeat, InstallSnapshot, Snapshot } from './messages.js'

/** Takes the entries if the logs meet before them; otherwise says where they may meet. */
export function takeAppend(core: Core, message: Append): void {
  const { log } = core
  const { from, previousIndex, previousTerm, entries, commit } = message
  // Behind the commit index the logs are equal: the leader learns how far.
  if (previousIndex < log.commit) {
    core.send(from, { type: 'appended', index: log.commit })
    return
  }
  if (!log.has(previousIndex, previousTerm)) {
    const hint = log.meetingPlace(Math.min(previousIndex, log.lastIndex), previousTerm)
    core.send(from, {
      type: 'appendRejected',
      index: previousIndex,
      hintIndex: hint.index,
      hintTerm: hint.term,
    })
    return
  }
  log.merge(entries)
  const last = previousIndex + entries.length
  log.commitTo(Math.min(commit, last))
  core.verified(last)
  core.send(from, { type: 'appended', index: last })
}

/**
 * Commits what the leader says this member holds. A commit index beyond the log can only mean that what was
 * acknowledged in this term is gone: the replica recovers, and the answer tells the leader. A recovering one
 * commits by appends alone: what it holds may be what it held before it was overwritten.
 */
export function takeHeartbeat(core: Core, { from, commit, round }: Heartbeat): void {
  const { log } = core
  if (commit > log.lastIndex && core.recovering === undefined) {
    core.recover()
    core.outbox.alarms.push({ type: 'matchRegressed', replica: core.id, match: commit, last: log.lastIndex })
  }
  if (core.recovering === undefined) log.commitTo(commit)
  const recovering = core.recovering && Math.min(core.recovering.verified, log.stable)
  core.send(from, { type: 'heartbeatAnswer', round, recovering })
}

/** Installs a snapshot, or says how far the log reaches if that does not need it. */
export function takeSnapshot(core: Core, { from, snapshot }: InstallSnapshot): void {
  const index = installs(core, snapshot) ? core.log.lastIndex : core.log.commit
  core.send(from, { type: 'appended', index })
}

/**
 * A snapshot replaces the whole log, unless the log holds its entry: then everything up to there is committed
 * and what follows stays. It may be older than this replica's membership: the entries after it tell of that.
 */
function installs(core: Core, snapshot: Snapshot): boolean {
  const { log } = core
  const { index, term, configuration, configurationIndex } = snapshot
  if (index <= log.commit) return false
  if (log.has(index, term)) {
    log.commitTo(index)
    return false
  }
  log.install(snapshot)
  core.setConfiguration(configuration, configurationIndex)
  return true
}
