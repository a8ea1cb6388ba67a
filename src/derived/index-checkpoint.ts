/**
 * The file `CHECKPOINT` of an index store: whose rows these are, and what must be found there.
 *
 *   u32 crc (of the rest) | u16 format | 16 incarnation | u64 batch n | u32 length | identity
 *   | u32 count | { u8 length | table's name | u64 size | u32 crc }*
 *
 * It is written under another name and renamed, so a crash leaves the old one or the new one. It is there
 * before the first row is written, and removed before the first row is: without it, or with one that fails
 * its check or has another format, no row is used.
 */
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import { type Disk, joinPath, readWhole } from '../env/disk.js'
import type { TableRecord } from '../env/level-tables.js'

/** What the file holds. */
export interface IndexCheckpoint {
  /** Names index, type, version, configuration and cluster epoch. */
  readonly identity: string
  /** Drawn when the store was made, in hex: another one is another store. */
  readonly incarnation: string
  /** Batches up to this one are in the tables; 0: none yet. */
  readonly batch: number
  readonly tables: readonly TableRecord[]
}

/** Bytes of an incarnation. */
export const incarnationBytes = 16

/** The file's name in the folder of the index. */
export const checkpointName = 'CHECKPOINT'

const besideName = 'CHECKPOINT.new'
const format = 1
const headBytes = 34

/** Writes it into the folder in place of the one there; durable when it resolves. */
export async function writeCheckpoint(
  disk: Disk,
  folder: string,
  checkpoint: IndexCheckpoint,
): Promise<void> {
  const bytes = encode(checkpoint)
  const file = await disk.open(joinPath(folder, besideName), { create: true })
  try {
    await file.write([bytes], 0)
    await file.truncate(bytes.length)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(joinPath(folder, besideName), joinPath(folder, checkpointName))
  await disk.syncFolder(folder)
}

/** The one in the folder; undefined if there is none; a text if something is wrong with it. */
export async function readCheckpoint(
  disk: Disk,
  folder: string,
): Promise<IndexCheckpoint | string | undefined> {
  const path = joinPath(folder, checkpointName)
  if ((await disk.sizeOf(path)) === undefined) return undefined
  try {
    return decode(await readWhole(disk, path))
  } catch (error) {
    if (isSillokError(error) && (await disk.sizeOf(path)) === undefined) return undefined
    throw error
  }
}

function encode({ identity, incarnation, batch, tables }: IndexCheckpoint): Buffer {
  const name = Buffer.from(identity)
  const size = tables.reduce((sum, table) => sum + 13 + table.name.length, headBytes + name.length + 4)
  const bytes = Buffer.alloc(size)
  bytes.writeUInt16LE(format, 4)
  bytes.write(incarnation, 6, 'hex')
  writeIndex(bytes, batch, 22)
  bytes.writeUInt32LE(name.length, 30)
  bytes.set(name, headBytes)
  let at = bytes.writeUInt32LE(tables.length, headBytes + name.length)
  for (const { name, sizeBytes, crc } of tables) {
    at = bytes.writeUInt8(name.length, at)
    at += bytes.write(name, at, 'latin1')
    writeIndex(bytes, sizeBytes, at)
    at = bytes.writeUInt32LE(crc, at + 8)
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

function decode(bytes: Buffer): IndexCheckpoint | string {
  if (bytes.length < headBytes || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) {
    return `its ${checkpointName} of ${bytes.length} bytes fails its check`
  }
  const found = bytes.readUInt16LE(4)
  if (found !== format) return `its ${checkpointName} has format ${found}, not ${format}`
  let at = headBytes + bytes.readUInt32LE(30)
  const identity = bytes.toString('utf8', headBytes, at)
  const tables: TableRecord[] = []
  const count = bytes.readUInt32LE(at)
  at += 4
  for (let left = count; left > 0; left--) {
    const end = at + 1 + bytes.readUInt8(at)
    const name = bytes.toString('latin1', at + 1, end)
    tables.push({ name, sizeBytes: readIndex(bytes, end), crc: bytes.readUInt32LE(end + 8) })
    at = end + 12
  }
  const incarnation = bytes.toString('hex', 6, 6 + incarnationBytes)
  return { identity, incarnation, batch: readIndex(bytes, 22), tables }
}
