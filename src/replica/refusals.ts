/** What a replica says to callers whom it cannot serve. */
import { type Code, SillokError, withUnknownOutcome } from '../base/errors.js'
import type { ReplicaId } from '../base/ids.js'
import type { ProposedChange } from '../raft/raft.js'

type DroppedChange = Extract<ProposedChange, { readonly dropped: unknown }>

const codeOfDropped: Record<DroppedChange['dropped'], Code> = {
  notLeader: 'NOT_LEADER',
  transferring: 'NOT_LEADER',
  uncommittedFull: 'OVERLOADED',
  changePending: 'OVERLOADED',
  configurationMoved: 'CONFLICT',
  changeRefused: 'INVALID',
}

/** Another replica leads, as far as is known that one; 0 for nobody. */
export function notLeader(leader: ReplicaId): SillokError {
  const details = leader === 0 ? {} : { leader }
  return new SillokError('NOT_LEADER', 'this node does not lead the partition', { details })
}

/** What was decided and changes nothing rests on entries that may be replaced: it is to be asked again. */
export function leadershipLost(): SillokError {
  return new SillokError('LEADERSHIP_LOST', 'the leadership in which this was decided is over')
}

/** Why a change of the group was not proposed. */
export function refusedChange({ dropped, reason }: DroppedChange): SillokError {
  return new SillokError(codeOfDropped[dropped], `the group is not changed: ${reason}`)
}

/** What a stopped replica says to those whose proposals may still commit. */
export function whileWaiting(error: SillokError): SillokError {
  if (error.code !== 'CLOSED') return withUnknownOutcome(error)
  return new SillokError('CLOSED_WHILE_WAITING', 'the store was closed while this waited')
}
