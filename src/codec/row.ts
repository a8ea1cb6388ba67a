/**
 * A row of a partition's state, and the names of rows.
 *
 * A row's key is bytes; in memory it is a string with one character (0 to 255) per byte, so that JavaScript's
 * string order is byte order and a Map finds it. First byte: the kind.
 *
 *   d | u32be collection | key as tuple element                    a document
 *   c | u32be constraint | normalised value as tuple               a claim: who holds the unique value
 *   v | u32be constraint | u16be n | value | key as tuple element  a document that shares a unique value
 *   s | slot | u48be session | u32be epoch | u48be sequence        a kept reply
 *   r | slot | request id                                          a kept request id: its reply, or a fence
 *   m | name                                                       the partition's own state
 *
 * A stored row is u32 crc | u64 version | value, where value is what the fact carried. The CRC covers key,
 * version and value, so a row that is stored under another key does not validate.
 *
 * The hash of a row is a pair of CRCs, (key + version + value) and (version + value + key); the first one is
 * the stored CRC. A slot's digest is the sum of the pairs of its rows, each modulo 2^32.
 */

import { assert } from '../base/assert.js'
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { type SlotId, slotCount, type Version } from '../base/ids.js'
import { limits } from '../base/limits.js'

/** A row key, one character per byte. */
export type RowKey = string

/** The first character of a row key, by kind. */
export const rowKinds = {
  document: 'd',
  claim: 'c',
  violation: 'v',
  reply: 's',
  requestId: 'r',
  partition: 'm',
} as const

/** The slot under which the partition's own rows are summed: one past the real ones. */
export const partitionSlot: SlotId = slotCount

/** How many digests a partition has: one per slot and one for its own rows. */
export const digestCount = slotCount + 1

/** Bytes of a stored row before its value. */
const rowHeadBytes = 12

/** A row that is there. `hash0` and `hash1` are the pair described above. */
export interface Row {
  readonly version: Version
  /** What the fact carried. */
  readonly value: Buffer
  readonly hash0: number
  readonly hash1: number
}

/** The key as bytes, as it is stored. A copy. */
export function keyBytes(key: RowKey): Buffer {
  return Buffer.from(key, 'latin1')
}

/** The key as text, as it is kept in memory. */
export function keyText(bytes: Uint8Array): RowKey {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** The row under that key. The value is not copied: whoever keeps the row keeps the value's whole buffer. */
export function makeRow(key: RowKey, version: Version, value: Buffer): Row {
  const length = writeKey(key)
  if (version !== hashedVersion) hashVersion(version)
  versionBytes.copy(scratch, length)
  const hash0 = crc32(value, crc32(scratchView(length + 8)))
  return { version, value, hash0, hash1: crc32(scratchView(length), crc32(value, versionHash)) }
}

/** The row's stored form, a copy. */
export function storedRow(row: Row): Buffer {
  const bytes = Buffer.allocUnsafe(rowHeadBytes + row.value.length)
  bytes.writeUInt32LE(row.hash0, 0)
  writeIndex(bytes, row.version, 4)
  bytes.set(row.value, rowHeadBytes)
  return bytes
}

/** Reads a stored row, a view; undefined unless its CRC holds. */
export function readRow(key: Buffer, bytes: Buffer): Row | undefined {
  if (bytes.length < rowHeadBytes) return undefined
  const body = bytes.subarray(4)
  const hash0 = crc32(body, crc32(key))
  if (hash0 !== bytes.readUInt32LE(0)) return undefined
  const value = bytes.subarray(rowHeadBytes)
  return { version: readIndex(bytes, 4), value, hash0, hash1: crc32(key, crc32(body)) }
}

/**
 * The slot of a row; of documents and claims by the CRC of what follows the number of collection or
 * constraint.
 */
export function slotOfRow(key: RowKey): SlotId {
  switch (key.charCodeAt(0)) {
    case 0x64:
      return crc32(scratchView(writeKey(key), 5)) % slotCount
    case 0x63:
      return crc32(scratchView(writeKey(key), 1)) % slotCount
    case 0x76:
      return violationSlot(writeKey(key)) % slotCount
    case 0x73:
    case 0x72:
      return key.length > 1 ? key.charCodeAt(1) : 0
    default:
      return partitionSlot
  }
}

/** That of the claim on the same value; the key is in the scratch. */
function violationSlot(length: number): number {
  const end = Math.min(7 + scratch.readUInt16BE(5), length)
  return crc32(scratch.subarray(7, end), crc32(scratch.subarray(1, 5)))
}

// Hashing runs for every row of every write. It makes no buffers: keys are written to one scratch, of which
// there is one view per start and length, and the version, the same for all rows of an entry, is hashed once.

/** Longer than any key that a row may have, and a version. */
const scratch = Buffer.alloc(2 * limits.uniqueValueBytesMax)
/** No key of a row is longer. */
export const rowKeyBytesMax = scratch.length - 8
const scratchViews = new Map<number, Uint8Array[]>([
  [0, []],
  [1, []],
  [5, []],
])
const versionBytes = Buffer.alloc(8)
let hashedVersion: Version = 0
let versionHash = crc32(versionBytes)

/** The key's length; its bytes are at the start of the scratch. */
function writeKey(key: RowKey): number {
  assert(key.length <= rowKeyBytesMax, () => `a row key of ${key.length} bytes`)
  return scratch.write(key, 0, 'latin1')
}

/** The scratch from there up to `end`. */
function scratchView(end: number, from: 0 | 1 | 5 = 0): Uint8Array {
  const views = scratchViews.get(from) as Uint8Array[]
  let view = views[end]
  if (view === undefined) {
    view = scratch.subarray(from, Math.max(from, end))
    views[end] = view
  }
  return view
}

function hashVersion(version: Version): void {
  writeIndex(versionBytes, version, 0)
  versionHash = crc32(versionBytes)
  hashedVersion = version
}
