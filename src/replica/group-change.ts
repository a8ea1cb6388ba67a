/**
 * A change of the group, from its proposal until it holds whoever is lost.
 *
 * Each replica goes by a change once it has applied it, and that it is decided only its leader knows at first
 * (`raft/membership.ts`). Were the leader lost then, the others would go on by the configuration of before,
 * which may ask for a majority that is not there any more. So an entry follows that says nothing: who
 * acknowledges it was told with it, or before it, that the change is decided.
 */
import { entryKinds } from '../base/entry.js'
import { asUnknown, SillokError } from '../base/errors.js'
import type { LogIndex, ReplicaId, Term } from '../base/ids.js'
import { timeEntry } from '../machine/evolve.js'
import type { Reply } from '../machine/reply.js'
import type { ConfigurationChange } from '../raft/configuration.js'
import type { Raft } from '../raft/raft.js'
import type { LogClock } from './log-time.js'
import { refusedChange } from './refusals.js'
import type { Waiters } from './waiters.js'

/** What a change works with: parts of the replica. */
export interface GroupChangeParts {
  readonly self: ReplicaId
  readonly raft: Raft
  readonly waiters: Waiters
  readonly time: LogClock
  /** Has what was proposed carried out. */
  readonly pump: () => void
}

/**
 * Proposes the change, and resolves with the index of its entry when that is applied here, and a majority of
 * the configuration that it made (of each half, while joint) has heard that it is decided; with a leader that
 * takes its own vote, and may never hear of a later entry, when it is applied. Rejects as
 * `Replica.changeGroup`.
 */
export async function changeGroup(
  parts: GroupChangeParts,
  change: ConfigurationChange,
  ifIndex: LogIndex | undefined,
): Promise<LogIndex> {
  const { self, raft, time } = parts
  const proposed = raft.proposeConfiguration(change, ifIndex)
  if ('dropped' in proposed) throw refusedChange(proposed)
  await applied(parts, proposed)
  if (!raft.status().configuration.voters.includes(self)) return proposed.index
  const behind = raft.propose(timeEntry(time.stamp()), entryKinds.empty)
  if ('dropped' in behind) {
    const message = 'the group is changed, and perhaps only this replica knows'
    throw new SillokError('LEADERSHIP_LOST', message, { outcome: 'unknown' })
  }
  await applied(parts, behind).catch((error: unknown) => {
    throw asUnknown(error)
  })
  return proposed.index
}

/** Resolves when what was proposed is applied here. */
function applied(
  { waiters, pump }: GroupChangeParts,
  { index, term }: { readonly index: LogIndex; readonly term: Term },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const answer = (result: Reply | SillokError): void => {
      if (result instanceof SillokError) reject(result)
      else resolve()
    }
    waiters.add(index, term, { ok: true, version: 0, value: null }, { answer })
    pump()
  })
}
