/** What the write-ahead log remembers of where a partition's log begins and of its segments, in registers. */
import type { Place } from '../raft/messages.js'
import type { RecordedMarks } from '../segments/marks.js'
import {
  decodeInstalled,
  decodeSegmentSealed,
  decodeSegmentSynced,
  decodeTruncation,
  type Installed,
  type RegisterKind,
  registerKinds,
} from '../wal/registers.js'

/** A partition's registers, each found by its kind. */
export type FindRegister = (kind: RegisterKind) => Buffer | undefined

/** The newest snapshot that came from another replica; undefined if none did. DAMAGED as below. */
export function installedOf(register: FindRegister): Installed | undefined {
  const payload = register(registerKinds.installed)
  return payload && decodeInstalled(payload)
}

/**
 * The entry before the log's first one, as it was cut; undefined: it begins at entry 1. An installed snapshot
 * truncates the write-ahead log to its own index and brings the entries before that in a segment. DAMAGED
 * when a register cannot be taken apart.
 */
export function cutOf(register: FindRegister): Place | undefined {
  const truncation = register(registerKinds.truncation)
  if (truncation === undefined) return undefined
  const cut = decodeTruncation(truncation)
  const installed = installedOf(register)
  if (installed?.index !== cut.index) return cut
  return { index: installed.cutIndex, term: installed.cutTerm }
}

/** The newest marks among the registers. DAMAGED when one cannot be taken apart. */
export function marksOf(register: FindRegister): RecordedMarks {
  const synced = register(registerKinds.segmentSynced)
  const sealed = register(registerKinds.segmentSealed)
  const cut = cutOf(register)
  return {
    ...(synced && { synced: decodeSegmentSynced(synced) }),
    ...(cut && { truncated: cut.index }),
    ...(sealed && { sealed: decodeSegmentSealed(sealed) }),
  }
}
