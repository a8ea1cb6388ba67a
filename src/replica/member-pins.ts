/**
 * What the other members of a group need of the log of the replica that leads it: what they do not have yet.
 * Without it each pause of a member would cost a snapshot of the whole state, and a member that takes long to
 * take one in, or to open what it took, would need the next one when it is done.
 */
import type { RaftStatus } from '../raft/raft.js'
import type { PinPlace } from './pins.js'

/**
 * The places of all members but the leader; of no members where nobody leads. Undefined while a new leader
 * does not know yet where one is that it hears; one that it never heard needs a snapshot anyway.
 */
export function memberPlaces(group: Pick<RaftStatus, 'leader' | 'members'>): PinPlace[] | undefined {
  const places: PinPlace[] = []
  for (const { replica, recentlyActive, match, pendingSnapshot, arrivedSnapshot } of group.members) {
    if (replica === group.leader) continue
    const position = Math.max(match, pendingSnapshot, arrivedSnapshot)
    if (position > 0) places.push({ kind: 'member', owner: `replica ${replica}`, position })
    else if (recentlyActive) return undefined
  }
  return places
}
