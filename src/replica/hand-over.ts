/** Gives leadership away, by a replica that cannot do its work well: its disk is full, slow, or damaged. */
import type { Replica } from './replica.js'

/**
 * Asks the voter that has most of the log, of those that were heard of late, to lead instead; nothing happens
 * if there is none, or if it has been asked already.
 */
export function handOver(replica: Replica): void {
  if (!replica.leads) return
  const { leader, members, configuration, transferee } = replica.group()
  if (transferee !== 0) return
  const able = members
    .filter(member => configuration.voters.includes(member.replica) && member.replica !== leader)
    .filter(({ recentlyActive, state }) => recentlyActive && state !== 'snapshot')
    .sort((a, b) => b.match - a.match)
  const [best] = able
  if (best !== undefined) replica.transferLeader(best.replica)
}
