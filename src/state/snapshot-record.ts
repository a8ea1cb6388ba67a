/**
 * Which snapshot files of a partition count: the payload of the register `snapshot` in the write-ahead log.
 *
 *   u16 format | u16 n | n times, the newest first: u64 index | u64 term | u64 bytes of the file | SHA-256
 *
 * At most two: the newest, and the one before. A file that is not named here does not count, whatever it
 * holds; one that is named was read back whole before.
 */
import { assert } from '../base/assert.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, Term } from '../base/ids.js'

/** A snapshot file that counts. */
export interface SnapshotRecord {
  readonly index: LogIndex
  readonly term: Term
  /** Of the file. */
  readonly bytes: number
  /** As in its footer. */
  readonly sha256: Buffer
}

/** Files that are kept: the newest, and the one before it. */
export const snapshotsKept = 2

const format = 1
const recordBytes = 56

/** The register's payload; the newest first. */
export function encodeSnapshots(records: readonly SnapshotRecord[]): Buffer {
  assert(records.length <= snapshotsKept, () => `${records.length} snapshots are kept`)
  const payload = Buffer.alloc(4 + records.length * recordBytes)
  payload.writeUInt16LE(format, 0)
  payload.writeUInt16LE(records.length, 2)
  for (const [place, { index, term, bytes, sha256 }] of records.entries()) {
    const at = 4 + place * recordBytes
    writeIndex(payload, index, at)
    writeIndex(payload, term, at + 8)
    writeIndex(payload, bytes, at + 16)
    sha256.copy(payload, at + 24)
  }
  return payload
}

/** What `encodeSnapshots` made; none without a payload. DAMAGED; VERSION_UNSUPPORTED for a later format. */
export function decodeSnapshots(payload: Buffer | undefined): SnapshotRecord[] {
  if (payload === undefined) return []
  const found = payload.length < 4 ? 0 : payload.readUInt16LE(0)
  if (found > format) {
    throw new SillokError('VERSION_UNSUPPORTED', `the recorded snapshots have format ${found}, not ${format}`)
  }
  const count = found === 0 ? 0 : payload.readUInt16LE(2)
  if (found === 0 || payload.length !== 4 + count * recordBytes) {
    throw new SillokError(
      'DAMAGED',
      `the recorded snapshots of ${payload.length} bytes cannot be taken apart`,
    )
  }
  return Array.from({ length: count }, (_, place) => {
    const at = 4 + place * recordBytes
    const sha256 = Buffer.from(payload.subarray(at + 24, at + recordBytes))
    return {
      index: readIndex(payload, at),
      term: readIndex(payload, at + 8),
      bytes: readIndex(payload, at + 16),
      sha256,
    }
  })
}

/** The name of the file with the state as of that entry. */
export function snapshotName(index: LogIndex): string {
  assert(Number.isSafeInteger(index) && index > 0, () => `no snapshot is as of entry ${index}`)
  return `${String(index).padStart(20, '0')}.snap`
}
