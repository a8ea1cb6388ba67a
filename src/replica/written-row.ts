/** What one entry gave a row, from the log: for who wants to know what was written, not what is there now. */
import type { LogIndex } from '../base/ids.js'
import type { RowKey } from '../codec/row.js'
import { documentFacts } from '../machine/documents.js'
import type { ReadEntries } from './index-source.js'
import type { Partition } from './partition.js'
import { wasCutShort } from './replaced.js'

/** The log of an open partition. */
export interface WrittenIn {
  readonly partition: Pick<Partition, 'applied' | 'replica' | 'readable'>
  readonly read: ReadEntries
  /** Resolves when more than that is applied, or when something else is to be seen. */
  readonly beyond: (index: LogIndex) => Promise<void>
}

/**
 * What the entry gave the row; undefined if nothing. Waits for the entry to be applied here. Rejects with
 * LOG_TRUNCATED if the log no longer has it, or as the store does when it ends.
 */
export async function writtenRow(
  { partition, read, beyond }: WrittenIn,
  key: RowKey,
  index: LogIndex,
): Promise<Buffer | undefined> {
  for (;;) {
    while (partition.applied < index) await beyond(index - 1)
    const { replica } = partition
    try {
      return await inEntry(read, key, index)
    } catch (error) {
      // The log of a replica in whose place another one comes: that one's is read.
      if (!wasCutShort(error, partition, replica)) throw error
      await partition.readable()
    }
  }
}

async function inEntry(read: ReadEntries, key: RowKey, index: LogIndex): Promise<Buffer | undefined> {
  let value: Buffer | undefined
  for await (const entries of read(index, index)) {
    for (const fact of entries.flatMap(documentFacts)) {
      if (fact.op === 'put' && fact.key === key) value = fact.value
    }
  }
  return value
}
