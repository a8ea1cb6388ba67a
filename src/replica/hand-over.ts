/**
 * Gives leadership away, by a replica that cannot do its work well (its disk is full, slow, damaged), or
 * ends.
 */
import type { Clock } from '../env/clock.js'
import type { Replica } from './replica.js'

/** How long one that ends waits for another one to lead. */
const handOverMs = 500
/** Between two looks at whether it does. */
const lookMs = 2

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

/**
 * Has others lead what these replicas lead, where somebody can; resolves when they do, or do not within half
 * a second. Then who is left behind need not find out that nobody leads.
 */
export async function handedOver(replicas: readonly Replica[], clock: Clock): Promise<void> {
  const untilMs = clock.monotonicMs() + handOverMs
  for (const replica of replicas) handOver(replica)
  const isWaitedFor = (replica: Replica): boolean => replica.leads && replica.group().transferee !== 0
  while (replicas.some(isWaitedFor) && clock.monotonicMs() < untilMs) {
    await new Promise<void>(resolve => clock.after(lookMs, resolve))
  }
}
