/**
 * What the write-ahead log remembers of a partition's segments, so that a crash can be told from damage.
 *
 * A mark is recorded after the bytes that it names are durable and before anybody counts on them. Bytes that
 * a mark names must be there, or they are damaged; bytes that no mark names may be anything, and the
 * write-ahead log still holds their entries.
 */
import type { LogIndex } from '../base/ids.js'

/** The open segment is durable up to here. */
export interface SyncedMark {
  /** Where the segment begins. */
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  /** Bytes of header and entries. */
  readonly length: number
  /** CRC of these bytes. */
  readonly crc: number
}

/** A segment was sealed and its name is durable. */
export interface SealedMark {
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  /** Of header and entries. */
  readonly sha256: Buffer
}

/** The newest of each, as the write-ahead log holds them on open. */
export interface RecordedMarks {
  /** Entries up to here were given up: their segments may be there or not, and count for nothing. */
  readonly truncated?: LogIndex
  readonly synced?: SyncedMark
  readonly sealed?: SealedMark
}

/** What is handed to the write-ahead log. A seal makes older marks of the same segment void. */
export type Mark = ({ readonly kind: 'synced' } & SyncedMark) | ({ readonly kind: 'sealed' } & SealedMark)

/** The last index that the marks promise to be on disk, 0 for none. */
export function recordedIndex(marks: RecordedMarks): LogIndex {
  return Math.max(marks.sealed?.lastIndex ?? 0, marks.synced?.lastIndex ?? 0)
}
