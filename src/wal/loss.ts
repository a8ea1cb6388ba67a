/** Says what a damaged log lost, per partition, as far as what still validates can tell. Never throws. */

import { decodeEntry } from '../base/entry.js'
import type { LogIndex, PartitionId } from '../base/ids.js'
import { type Batch, batchRecords, type RawRecord, recordKinds } from './batch.js'

/** What is known of one partition around the damage. */
export interface PartitionLoss {
  readonly partition: PartitionId
  /** Highest index before the damage; 0 if there is none in the files. */
  readonly lastBefore: LogIndex
  /** Lowest index that was appended after it; undefined if there is none: then the end is not known. */
  readonly firstAfter: LogIndex | undefined
}

/** Every partition that the batches name, with the indexes between which entries may be lost. */
export function describeLoss(before: readonly Batch[], after: readonly Batch[]): PartitionLoss[] {
  const last = new Map<PartitionId, LogIndex>()
  const first = new Map<PartitionId, LogIndex>()
  visit(before, (partition, index) => {
    if (index !== undefined) last.set(partition, index)
    else if (!last.has(partition)) last.set(partition, 0)
  })
  visit(after, (partition, index) => {
    if (!last.has(partition)) last.set(partition, 0)
    if (index === undefined) return
    first.set(partition, Math.min(index, first.get(partition) ?? index))
  })
  return [...last].map(([partition, lastBefore]) => ({
    partition,
    lastBefore,
    firstAfter: first.get(partition),
  }))
}

function visit(batches: readonly Batch[], call: (partition: PartitionId, index?: LogIndex) => void): void {
  for (const batch of batches) {
    for (const { kind, bytes } of recordsOf(batch)) {
      if (kind === recordKinds.entry) {
        const entry = decodeEntry(bytes)
        if (entry !== undefined) call(entry.partition, entry.index)
      } else if (kind === recordKinds.register || kind === recordKinds.restated) {
        call(bytes.readUInt32LE(0))
      }
    }
  }
}

function recordsOf(batch: Batch): RawRecord[] {
  try {
    return batchRecords(batch)
  } catch {
    return []
  }
}
