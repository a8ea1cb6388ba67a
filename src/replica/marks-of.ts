/** What the write-ahead log remembers of a partition's segments, from its registers. */
import type { RecordedMarks } from '../segments/marks.js'
import { decodeSegmentSealed, decodeSegmentSynced, registerKinds } from '../wal/registers.js'

/** The newest marks among the registers. DAMAGED when one cannot be taken apart. */
export function marksOf({ registers }: { readonly registers: ReadonlyMap<number, Buffer> }): RecordedMarks {
  const synced = registers.get(registerKinds.segmentSynced)
  const sealed = registers.get(registerKinds.segmentSealed)
  return {
    ...(synced && { synced: decodeSegmentSynced(synced) }),
    ...(sealed && { sealed: decodeSegmentSealed(sealed) }),
  }
}
