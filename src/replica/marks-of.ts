/** What the write-ahead log remembers of a partition's segments, from its registers. */
import type { RecordedMarks } from '../segments/marks.js'
import {
  decodeSegmentSealed,
  decodeSegmentSynced,
  decodeTruncation,
  type RegisterKind,
  registerKinds,
} from '../wal/registers.js'

/** The newest marks among the registers, each found by its kind. DAMAGED when one cannot be taken apart. */
export function marksOf(register: (kind: RegisterKind) => Buffer | undefined): RecordedMarks {
  const synced = register(registerKinds.segmentSynced)
  const sealed = register(registerKinds.segmentSealed)
  const truncation = register(registerKinds.truncation)
  return {
    ...(synced && { synced: decodeSegmentSynced(synced) }),
    ...(truncation && { truncated: decodeTruncation(truncation).index }),
    ...(sealed && { sealed: decodeSegmentSealed(sealed) }),
  }
}
