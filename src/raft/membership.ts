/**
 * Changes of the configuration at a leader and when applied (paper 6, thesis 4).
 *
 * A change takes effect when its entry is applied, on each replica for itself. At most one is on its way:
 * the next is proposed when the last is applied here, and a new leader waits until everything that it found
 * in its log is applied. So quorums of neighbouring configurations always meet, and a joint configuration is
 * left only when the entry that made it is committed and applied.
 */
import { type Entry, entryHeadBytes, entryKinds } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { type Configuration, type ConfigurationChange, changed, isJoint, isVoter } from './configuration.js'
import { decodeChange, encodeChange } from './configuration-entry.js'
import type { Core } from './core.js'
import { answerConfirmedReads } from './reading.js'
import { commitByCounting, sendAll } from './replication.js'
import type { Leader } from './role.js'

/** Why a change is not proposed: nothing was done. */
export type ChangeRefusal =
  /** An earlier change, or what a new leader found in its log, is not applied yet. */
  | 'changePending'
  /** The configuration is not the one that the caller named. */
  | 'configurationMoved'
  /** The change may not follow this configuration. */
  | 'changeRefused'

/** Says why the change may not be proposed now; undefined if it may. */
export function whyNot(
  core: Core,
  leader: Leader,
  change: ConfigurationChange,
  ifIndex: LogIndex | undefined,
): { readonly dropped: ChangeRefusal; readonly reason: string } | undefined {
  const { configuration, configurationIndex, log, options } = core
  if (ifIndex !== undefined && ifIndex !== configurationIndex) {
    const reason = `the configuration is the one of entry ${configurationIndex}, not of ${ifIndex}`
    return { dropped: 'configurationMoved', reason }
  }
  if (!options.checkChanges) return undefined
  if (leader.pendingConfiguration > log.applied) {
    const reason = `entry ${leader.pendingConfiguration} is not applied yet, ${log.applied} is`
    return { dropped: 'changePending', reason }
  }
  try {
    changed(configuration, change)
    return undefined
  } catch (error) {
    if (!(error instanceof SillokError)) throw error
    return { dropped: 'changeRefused', reason: error.message }
  }
}

/** Appends the change to the leader's log. */
export function appendChange(core: Core, leader: Leader, change: ConfigurationChange): Entry {
  const bytes = encodeChange(core.options.emptyEntry(), change)
  const entry = core.appendOwn(leader, bytes, entryKinds.configuration)
  leader.pendingConfiguration = entry.index
  return entry
}

/** Bytes that the entry of a change takes. */
export function changeBytes(change: ConfigurationChange): number {
  return encodeChange(Buffer.alloc(entryHeadBytes), change).length
}

/** The entry is applied: from here on its configuration counts. Answers the configuration. */
export function applyChange(core: Core, entry: Entry): Configuration {
  if (core.log.isReplaced(entry.index)) return core.configuration
  core.log.configurationApplied(entry.index)
  const next = after(core.configuration, decodeChange(entry), core.options.checkChanges)
  core.setConfiguration(next, entry.index)
  const { role } = core
  if (role.name === 'leader') lead(core, role)
  return next
}

/**
 * A leader whose joint configuration is to be left by itself does so once that is applied. Not while it hands
 * over: the transferee would be behind those who have the new entry, and lose the election.
 */
export function leaveJointIfDue(core: Core): void {
  const { role, configuration, log } = core
  if (role.name !== 'leader' || !configuration.autoLeave || !isJoint(configuration)) return
  if (role.transferee !== 0) return
  if (role.pendingConfiguration <= log.applied) appendChange(core, role, { type: 'leave' })
}

/** A leader goes on under another configuration, or gives up if it has no vote in it. */
function lead(core: Core, leader: Leader): void {
  if (!isVoter(core.configuration, core.id)) {
    core.becomeFollower(core.term, 0)
    return
  }
  // A smaller quorum may hold more than the one before, and may have answered more rounds of reads.
  if (commitByCounting(core, leader)) leader.appendsDue = true
  answerConfirmedReads(core, leader)
  for (const member of core.members) {
    const progress = leader.progress.get(member)
    if (progress !== undefined && member !== core.id) sendAll(core, progress)
  }
  if (leader.transferee !== 0 && !isVoter(core.configuration, leader.transferee)) leader.transferee = 0
}

function after(configuration: Configuration, change: ConfigurationChange, mustFit: boolean): Configuration {
  try {
    return changed(configuration, change)
  } catch (error) {
    if (mustFit || !(error instanceof SillokError)) throw error
    return configuration
  }
}
