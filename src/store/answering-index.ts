/** The making of an index that answers, through its replacement: by another making, or with its replica. */
import { isSillokError, type SillokError } from '../base/errors.js'
import type { OpenedIndex } from '../replica/indexes.js'
import type { Partition } from '../replica/partition.js'
import { wasCutShort } from '../replica/replaced.js'

/**
 * What the work gives with the index that `find` finds. If that one is replaced meanwhile, so that the work
 * fails, it is done again with the one in its place. Rejects with what else fails; where no index is found
 * any more with the last failure, or with `missing` if none was found at first.
 */
export async function withAnswering<T>(
  partition: Pick<Partition, 'replica' | 'readable'>,
  find: () => Promise<OpenedIndex | undefined>,
  work: (opened: OpenedIndex) => Promise<T>,
  missing: () => SillokError,
): Promise<T> {
  for (let replaced: unknown; ; ) {
    const { replica } = partition
    const opened = await find()
    if (opened === undefined) throw replaced ?? missing()
    try {
      return await work(opened)
    } catch (error) {
      // The indexes over the replica that takes the place of this one answer, once it is here.
      if (wasCutShort(error, partition, replica)) await partition.readable()
      else if (!wasReplaced(error, opened)) throw error
      replaced = error
    }
  }
}

/** Another making took its place. */
function wasReplaced(error: unknown, { runner }: OpenedIndex): boolean {
  return isSillokError(error, 'NOT_FOUND') && runner.state === 'closed'
}
