/** What becomes of a read whose replica makes room for a snapshot of another node: its state is closed. */
import { isSillokError, SillokError } from '../base/errors.js'
import type { Partition } from '../replica/partition.js'
import type { Replica } from '../replica/replica.js'

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

/** For what must be of one moment, which the rows in their place cannot show. */
export function rowsReplaced(): SillokError {
  const message = 'the rows were replaced by a snapshot of another node while they were read: begin anew'
  return new SillokError('UNAVAILABLE', message)
}

/** See `State.scrub`: numbers of slots that do not fit. UNAVAILABLE if the state was replaced. */
export async function scrub(partition: Partition): Promise<readonly number[]> {
  const { state, replica } = partition
  try {
    return (await state.scrub()).slots
  } catch (error) {
    throw wasCutShort(error, partition, replica) ? rowsReplaced() : error
  }
}
