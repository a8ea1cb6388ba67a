/**
 * A row of a partition's state, and the names of rows.
 *
 * A row's key is bytes; in memory it is a string with one character (0 to 255) per byte, so that JavaScript's
 * string order is byte order and a Map finds it. First byte: the kind.
 *
 *   d | u32be collection | key as tuple element                    a document
 *   c | u32be constraint | normalised value as tuple               a claim: who holds the unique value
 *   s | slot | u48be session | u32be epoch | u48be sequence        a kept reply
 *   r | slot | request id                                          reserved: a kept reply of a request id
 *   m | name                                                       the partition's own state
 *
 * A stored row is u32 crc | u64 version | value, where value is what the fact carried. The CRC covers key,
 * version and value, so a row that stands under another key does not validate.
 *
 * The hash of a row is a pair of CRCs, (key + version + value) and (version + value + key); the first one is
 * the stored CRC. A slot's digest is the sum of the pairs of its rows, each modulo 2^32.
 */

import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { type SlotId, slotCount, type Version } from '../base/ids.js'

/** A row key, one character per byte. */
export type RowKey = string

/** The first character of a row key, by kind. */
export const rowKinds = { document: 'd', claim: 'c', reply: 's', requestId: 'r', partition: 'm' } as const

/** The slot under which the partition's own rows are summed: one past the real ones. */
export const partitionSlot: SlotId = slotCount

/** How many digests a partition has: one per slot and one for its own rows. */
export const digestCount = slotCount + 1

/** Bytes of a stored row before its value. */
export const rowHeadBytes = 12

/** A row that is there. `hash0` and `hash1` are the pair described above. */
export interface Row {
  readonly version: Version
  /** As stored: crc, version, value. */
  readonly bytes: Buffer
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

/** The row as stored under that key. */
export function makeRow(key: Buffer, version: Version, value: Uint8Array): Row {
  const bytes = Buffer.allocUnsafe(rowHeadBytes + value.length)
  writeIndex(bytes, version, 4)
  bytes.set(value, rowHeadBytes)
  return hashed(key, version, bytes)
}

/** Reads a stored row; undefined unless its CRC holds. */
export function readRow(key: Buffer, bytes: Buffer): Row | undefined {
  if (bytes.length < rowHeadBytes) return undefined
  const body = bytes.subarray(4)
  const hash0 = crc32(body, crc32(key))
  if (hash0 !== bytes.readUInt32LE(0)) return undefined
  return { version: readIndex(bytes, 4), bytes, hash0, hash1: crc32(key, crc32(body)) }
}

/** What the fact carried. A view. */
export function rowValue(row: Row): Buffer {
  return row.bytes.subarray(rowHeadBytes)
}

function hashed(key: Buffer, version: Version, bytes: Buffer): Row {
  const body = bytes.subarray(4)
  const hash0 = crc32(body, crc32(key))
  bytes.writeUInt32LE(hash0, 0)
  return { version, bytes, hash0, hash1: crc32(key, crc32(body)) }
}

/** The slot of a row: of documents and claims by the CRC of what follows the kind's number, as their home. */
export function slotOfRow(key: Buffer): SlotId {
  const kind = key[0]
  if (kind === 0x64) return slotOfKey(key.subarray(5))
  if (kind === 0x63) return slotOfKey(key.subarray(1))
  if (kind === 0x73 || kind === 0x72) return key[1] ?? 0
  return partitionSlot
}

/** The slot of a document key, encoded as tuple element: crc32 mod 256. */
export function slotOfKey(key: Uint8Array): SlotId {
  return crc32(key) % slotCount
}
