/**
 * One entry of a partition's log, encoded once by its proposer; WAL records, wire payloads and segments carry
 * these same bytes.
 *
 *   0  u32 crc       over all that follows, to the end of the body: partition, index and term included
 *   4  u32 length    of the body
 *   8  u32 partition
 *  12  u16 level     format level: a reader that does not know it stops
 *  14  u16 kind      what the body is (see `entryKinds`)
 *  16  u64 index
 *  24  u64 term
 *  32  body          never holds its own index, so it means the same wherever the entry stands
 *
 * All little-endian, no padding. The CRC is made once and checked on every hop.
 */
import { assert } from './assert.js'
import { crc32 } from './checksum.js'
import type { LogIndex, PartitionId, Term } from './ids.js'
import { limits } from './limits.js'

/** Bytes before the body. */
export const entryHeadBytes = 32

/** The format level that this release writes and the newest that it reads. */
export const entryLevel = 1

/** What a body is. */
export const entryKinds = {
  /** The log time and nothing else: the first entry of a term, or one that only records the time. */
  empty: 0,
  /** A configuration of the Raft group. */
  configuration: 1,
  /** Facts: rows that change, as decide made them. */
  facts: 2,
} as const

/** An entry, decoded; its bytes stay as its proposer made them. */
export interface Entry {
  readonly partition: PartitionId
  readonly index: LogIndex
  readonly term: Term
  readonly level: number
  readonly kind: number
  /** The entry as encoded, head and body. */
  readonly bytes: Buffer
}

/** The body of the entry, a view of its bytes. */
export function entryBody(entry: Entry): Buffer {
  return entry.bytes.subarray(entryHeadBytes)
}

/** Writes the head into the first 32 bytes of `bytes`, whose rest is the body already. */
export function sealEntry(
  bytes: Buffer,
  head: { partition: PartitionId; index: LogIndex; term: Term; kind: number },
): Entry {
  assert(bytes.length <= limits.entryBytesMax, () => `entry of ${bytes.length} bytes`)
  bytes.writeUInt32LE(bytes.length - entryHeadBytes, 4)
  bytes.writeUInt32LE(head.partition, 8)
  bytes.writeUInt16LE(entryLevel, 12)
  bytes.writeUInt16LE(head.kind, 14)
  writeIndex(bytes, head.index, 16)
  writeIndex(bytes, head.term, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  const { partition, index, term, kind } = head
  return { partition, index, term, level: entryLevel, kind, bytes }
}

/** Encodes an entry around a copy of the body. */
export function encodeEntry(
  head: { partition: PartitionId; index: LogIndex; term: Term; kind: number },
  body: Uint8Array,
): Entry {
  const bytes = Buffer.allocUnsafe(entryHeadBytes + body.length)
  bytes.set(body, entryHeadBytes)
  return sealEntry(bytes, head)
}

/**
 * Reads the entry that begins at offset; undefined unless it is whole and its CRC holds. The entry's bytes
 * are a view of `bytes`.
 */
export function decodeEntry(bytes: Buffer, offset = 0): Entry | undefined {
  if (bytes.length - offset < entryHeadBytes) return undefined
  const length = bytes.readUInt32LE(offset + 4)
  const end = offset + entryHeadBytes + length
  if (end > bytes.length || end - offset > limits.entryBytesMax) return undefined
  const own = bytes.subarray(offset, end)
  if (crc32(own.subarray(4)) !== own.readUInt32LE(0)) return undefined
  return {
    partition: own.readUInt32LE(8),
    level: own.readUInt16LE(12),
    kind: own.readUInt16LE(14),
    index: readIndex(own, 16),
    term: readIndex(own, 24),
    bytes: own,
  }
}

/** Writes a safe integer as 8 bytes, little-endian. */
export function writeIndex(bytes: Buffer, value: number, offset: number): void {
  // Every write comes through here: the message is made only when it is needed, without a closure.
  if (!Number.isSafeInteger(value) || value < 0) assert(false, `not an index: ${value}`)
  bytes.writeUInt32LE(value % 2 ** 32, offset)
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4)
}

/** Reads what `writeIndex` wrote; a number beyond 2^53 - 1 comes back as is, for the caller's checks. */
export function readIndex(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 2 ** 32
}
