/** What befalls who reads a replica while another one takes its place: the one that was read is closed. */
import { isSillokError } from '../base/errors.js'
import type { Partition } from './partition.js'
import type { Replica } from './replica.js'

/** True from the moment on at which another replica takes the place of that one. */
export function isReplaced(partition: Pick<Partition, 'replica'>, replica: Replica): boolean {
  return replica.isReplaced || replica !== partition.replica
}

/** True if the read of that replica failed for this reason alone: the one in its place can be read. */
export function wasCutShort(
  error: unknown,
  partition: Pick<Partition, 'replica'>,
  replica: Replica,
): boolean {
  return isSillokError(error, 'CLOSED') && isReplaced(partition, replica)
}
