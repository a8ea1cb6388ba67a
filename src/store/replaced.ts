/** What becomes of a read whose replica makes room for a snapshot of another node: its state is closed. */
import { SillokError } from '../base/errors.js'
import type { Partition } from '../replica/partition.js'
import { wasCutShort } from '../replica/replaced.js'

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
