/**
 * What the write-ahead log records of a state checkpoint: from where to replay, and what must be found there.
 *
 *   u32 crc (of the rest) | u16 format | u64 index C | u32 n | { u8 n | table's name | u64 size | u32 crc }*
 *   | u32 digest sums, two per slot
 *
 * When it is recorded, all rows up to C are in synced tables: `!ckpt` = C was written after them, compacted
 * into a table with them, and a synced write that follows has succeeded, which fails if the table could not
 * be written.
 */
import { assert } from '../base/assert.js'
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import type { KeyValueStore } from '../env/key-value.js'
import type { TableRecord } from '../env/level-tables.js'
import { digestWords } from './digests.js'
import { markKeys, markRow } from './flush.js'

/** What the log records of a checkpoint. */
export interface Checkpoint {
  /** All rows up to here are in the store; replay begins after it. */
  readonly index: LogIndex
  /** The digests at that index. */
  readonly digests: Uint32Array
  readonly tables: readonly TableRecord[]
}

/** Before the first one. */
export const emptyCheckpoint: Checkpoint = { index: 0, digests: new Uint32Array(digestWords), tables: [] }

const format = 1
const headBytes = 18

/** The bytes that the log records. */
export function encodeCheckpoint({ index, digests, tables }: Checkpoint): Buffer {
  assert(digests.length === digestWords, () => `${digests.length} digest words`)
  const size = tables.reduce((sum, { name }) => sum + 13 + name.length, headBytes + 4 * digestWords)
  const bytes = Buffer.alloc(size)
  bytes.writeUInt16LE(format, 4)
  writeIndex(bytes, index, 6)
  let at = bytes.writeUInt32LE(tables.length, 14)
  for (const { name, sizeBytes, crc } of tables) {
    at = bytes.writeUInt8(name.length, at)
    at += bytes.write(name, at, 'latin1')
    writeIndex(bytes, sizeBytes, at)
    at = bytes.writeUInt32LE(crc, at + 8)
  }
  for (const sum of digests) at = bytes.writeUInt32LE(sum, at)
  assert(at === size, () => `checkpoint: ${at} of ${size} bytes`)
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

/**
 * Throws DAMAGED if the bytes are not what `encodeCheckpoint` made, VERSION_UNSUPPORTED for a later format.
 */
export function decodeCheckpoint(bytes: Buffer): Checkpoint {
  if (bytes.length < headBytes || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) {
    throw new SillokError('DAMAGED', `the recorded checkpoint of ${bytes.length} bytes fails its check`)
  }
  const found = bytes.readUInt16LE(4)
  if (found !== format) {
    throw new SillokError('VERSION_UNSUPPORTED', `the recorded checkpoint has format ${found}, not ${format}`)
  }
  const tables: TableRecord[] = []
  let at = headBytes
  for (let left = bytes.readUInt32LE(14); left > 0; left--) {
    const end = at + 1 + bytes.readUInt8(at)
    const name = bytes.toString('latin1', at + 1, end)
    tables.push({ name, sizeBytes: readIndex(bytes, end), crc: bytes.readUInt32LE(end + 8) })
    at = end + 12
  }
  const digests = new Uint32Array(digestWords)
  for (let word = 0; word < digestWords; word++) digests[word] = bytes.readUInt32LE(at + 4 * word)
  return { index: readIndex(bytes, 6), digests, tables }
}

/**
 * The store was made anew, and its first checkpoint is recorded: from now on it stands for the record. Not
 * before: the mark alone shows that what the log had recorded until then is not of this store.
 */
export async function endRebuild(store: KeyValueStore): Promise<void> {
  const end = store.batch()
  end.delete(markKeys.rebuilding)
  await end.write({ sync: true })
}

/**
 * Forces everything up to index, which was flushed before, into synced tables, and proves it. The success of
 * `compact` alone proves nothing: on a full disk it resolves and no table is there.
 */
export async function proveCheckpoint(store: KeyValueStore, index: LogIndex): Promise<void> {
  const mark = store.batch()
  mark.put(markKeys.checkpoint, markRow(markKeys.checkpoint, index))
  await mark.write()
  await store.compact()
  const probe = store.batch()
  probe.put(markKeys.probe, markRow(markKeys.probe, index))
  await probe.write({ sync: true })
}
