/**
 * The beginning of every segment file, and how the files are named.
 *
 *   0  8 bytes  magic "sillokSG"
 *   8  u32      format, 1
 *  12  u32      partition
 *  16  u64      cluster epoch under which the segment was begun
 *  24  u64      index of its first entry
 *  32  u32      CRC of the 32 bytes before
 *
 * All little-endian. The entries follow, as encoded, one after the other. No node, no time, no compression:
 * the file is the same on every replica. Names (`open-<first>.seg`, `<first>-<last>.seg`, 20 digits each)
 * say what to expect and are never trusted: header and footer repeat it.
 */
import { assert } from '../base/assert.js'
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, PartitionId } from '../base/ids.js'

/** Bytes of the header. */
export const headerBytes = 36

/** The format of files that this release writes, and the only one that it reads. */
export const segmentFormat = 1

const magic = Buffer.from('sillokSG', 'latin1')

/** What a header says. */
export interface SegmentHeader {
  readonly partition: PartitionId
  readonly clusterEpoch: number
  readonly firstIndex: LogIndex
}

/** The error for a finding. */
export function damaged(file: string, offset: number, what: string): SillokError {
  return new SillokError('DAMAGED', `${file} at byte ${offset}: ${what}`, { details: { file, offset, what } })
}

/** The header's bytes. */
export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  magic.copy(bytes)
  bytes.writeUInt32LE(segmentFormat, 8)
  bytes.writeUInt32LE(header.partition, 12)
  writeIndex(bytes, header.clusterEpoch, 16)
  writeIndex(bytes, header.firstIndex, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32)
  return bytes
}

/**
 * Reads a header. Throws DAMAGED naming the file, or VERSION_UNSUPPORTED for a valid header of another
 * format.
 */
export function decodeHeader(file: string, bytes: Buffer): SegmentHeader {
  if (bytes.length < headerBytes) throw damaged(file, bytes.length, 'the header is cut short')
  if (!bytes.subarray(0, 8).equals(magic)) throw damaged(file, 0, 'the header has no magic')
  if (crc32(bytes.subarray(0, 32)) !== bytes.readUInt32LE(32)) {
    throw damaged(file, 0, 'the header fails its checksum')
  }
  const format = bytes.readUInt32LE(8)
  if (format !== segmentFormat) {
    throw new SillokError('VERSION_UNSUPPORTED', `${file} has segment format ${format}`, {
      details: { file, format },
    })
  }
  return {
    partition: bytes.readUInt32LE(12),
    clusterEpoch: readIndex(bytes, 16),
    firstIndex: readIndex(bytes, 24),
  }
}

/** Throws DAMAGED unless the header is what must be in that file. */
export function checkHeader(file: string, header: SegmentHeader, expected: SegmentHeader): void {
  if (header.partition !== expected.partition) {
    throw damaged(file, 12, `belongs to partition ${header.partition}, not ${expected.partition}`)
  }
  if (header.firstIndex !== expected.firstIndex) {
    throw damaged(file, 24, `begins at index ${header.firstIndex}, not ${expected.firstIndex}`)
  }
  if (header.clusterEpoch > expected.clusterEpoch) {
    throw damaged(file, 16, `is of cluster epoch ${header.clusterEpoch}, after ${expected.clusterEpoch}`)
  }
}

/** The name of the segment being written. */
export function openName(firstIndex: LogIndex): string {
  return `open-${digits(firstIndex)}.seg`
}

/** The name of a sealed segment. */
export function sealedName(firstIndex: LogIndex, lastIndex: LogIndex): string {
  return `${digits(firstIndex)}-${digits(lastIndex)}.seg`
}

/** What a file name claims: `lastIndex` is there for a sealed segment. Undefined for any other name. */
export function parseName(name: string): { firstIndex: LogIndex; lastIndex?: LogIndex } | undefined {
  const match = /^(?:open-(\d{20})|(\d{20})-(\d{20}))\.seg$/.exec(name)
  if (!match) return undefined
  if (match[1] !== undefined) return { firstIndex: Number(match[1]) }
  return { firstIndex: Number(match[2]), lastIndex: Number(match[3]) }
}

function digits(index: LogIndex): string {
  assert(Number.isSafeInteger(index) && index > 0, () => `no segment begins or ends at index ${index}`)
  return String(index).padStart(20, '0')
}
