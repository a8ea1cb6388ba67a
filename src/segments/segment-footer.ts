/**
 * The end of a sealed segment, after its entries; written once, by the seal.
 *
 *   u32 per entry    where it starts, from the end of the header
 *   term runs        u64 first index | u64 term, one for each change of term
 *   trailer          0 u64 first index | 8 u64 last index | 16 u32 entries | 20 u32 term runs
 *                   24 u32 content bytes: header and entries | 28 SHA-256 of the content
 *                   60 u32 CRC of all of the footer before it | 64 8 bytes magic "sillokSF"
 *
 * All little-endian. A file is sealed if its last 72 bytes are such a trailer and everything fits its
 * length; a crash can leave any part of a footer in a file that is still named `open-…`, where it is cut
 * off.
 */
import { assert } from '../base/assert.js'
import { crc32, crc32Parts } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import type { LogIndex, Term } from '../base/ids.js'
import type { DiskFile } from '../env/disk.js'
import { EntryOffsets } from './entry-offsets.js'
import { damaged, headerBytes } from './segment-header.js'

/** Bytes of the fixed part at the very end of the file. */
export const trailerBytes = 72

const magic = Buffer.from('sillokSF', 'latin1')
const crcAt = 60
const runBytes = 16

/** Entries from this index on are of this term, up to the next run. */
export interface TermRun {
  readonly firstIndex: LogIndex
  readonly term: Term
}

/** The term of an entry that the runs cover; undefined before the first of them. */
export function termAt(runs: readonly TermRun[], index: LogIndex): Term | undefined {
  return runs.findLast(run => run.firstIndex <= index)?.term
}

/** What a footer says. */
export interface SegmentFooter {
  readonly offsets: EntryOffsets
  readonly runs: readonly TermRun[]
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  /** Header and entries: where the footer begins. */
  readonly contentBytes: number
  /** Of header and entries. */
  readonly sha256: Buffer
}

/** The footer's bytes for these entries. */
export function encodeFooter(offsets: EntryOffsets, runs: readonly TermRun[], sha256: Buffer): Buffer {
  assert(sha256.length === 32, () => `SHA-256 of ${sha256.length} bytes`)
  const table = offsets.encode()
  const list = Buffer.allocUnsafe(runs.length * runBytes)
  runs.forEach((run, i) => {
    writeIndex(list, run.firstIndex, i * runBytes)
    writeIndex(list, run.term, i * runBytes + 8)
  })
  const trailer = Buffer.allocUnsafe(trailerBytes)
  writeIndex(trailer, offsets.firstIndex, 0)
  writeIndex(trailer, offsets.lastIndex, 8)
  trailer.writeUInt32LE(offsets.count, 16)
  trailer.writeUInt32LE(runs.length, 20)
  trailer.writeUInt32LE(headerBytes + offsets.entryBytes, 24)
  sha256.copy(trailer, 28)
  trailer.writeUInt32LE(crc32Parts(table, list, trailer.subarray(0, crcAt)), crcAt)
  magic.copy(trailer, 64)
  return Buffer.concat([table, list, trailer])
}

/**
 * Reads the footer of the file named `name`. Throws DAMAGED unless it is whole, valid and fits the file's
 * length.
 */
export async function readFooter(name: string, file: DiskFile): Promise<SegmentFooter> {
  const size = await file.size()
  const trailerAt = size - trailerBytes
  if (trailerAt < headerBytes) throw damaged(name, size, 'too short for a footer')
  const trailer = await file.read(trailerAt, trailerBytes)
  if (trailer.length < trailerBytes || !trailer.subarray(64).equals(magic)) {
    throw damaged(name, trailerAt, 'no footer at the end of the file')
  }
  const count = trailer.readUInt32LE(16)
  const runCount = trailer.readUInt32LE(20)
  const contentBytes = trailer.readUInt32LE(24)
  const listBytes = count * 4 + runCount * runBytes
  if (contentBytes < headerBytes || contentBytes + listBytes !== trailerAt) {
    throw damaged(name, trailerAt, `a footer of ${count} entries does not fit a file of ${size} bytes`)
  }
  const lists = await file.read(contentBytes, listBytes)
  const crc = crc32(trailer.subarray(0, crcAt), crc32(lists))
  if (lists.length < listBytes || crc !== trailer.readUInt32LE(crcAt)) {
    throw damaged(name, contentBytes, 'the footer fails its checksum')
  }
  return parse(name, trailer, lists, contentBytes)
}

function parse(name: string, trailer: Buffer, lists: Buffer, contentBytes: number): SegmentFooter {
  const firstIndex = readIndex(trailer, 0)
  const lastIndex = readIndex(trailer, 8)
  const tableBytes = trailer.readUInt32LE(16) * 4
  const entryBytes = contentBytes - headerBytes
  const offsets = EntryOffsets.decode(firstIndex, lists.subarray(0, tableBytes), entryBytes)
  if (offsets === undefined || offsets.lastIndex !== lastIndex || lastIndex < firstIndex) {
    throw damaged(name, contentBytes, `the offset table is not one of ${firstIndex} to ${lastIndex}`)
  }
  const runs: TermRun[] = []
  for (let at = tableBytes; at < lists.length; at += runBytes) {
    runs.push({ firstIndex: readIndex(lists, at), term: readIndex(lists, at + 8) })
  }
  return { offsets, runs, firstIndex, lastIndex, contentBytes, sha256: trailer.subarray(28, crcAt) }
}
