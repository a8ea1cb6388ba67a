/**
 * The note of what was durable: the file `durable` beside the files of the log, which names the newest batch
 * that another one follows.
 *
 *   0   u32 crc       over the rest
 *   4   u32 magic
 *   8   u64 batch     its sequence
 *
 * It is written after the sync of the batch that follows, and never synced itself: a killed process leaves it
 * exact, a power loss may leave an older one, or none. So it says too little, never too much: a log that ends
 * before that batch has lost what was acknowledged. Of the last batch it says nothing: that one may be torn.
 * Bytes that fail their check say nothing.
 */
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { atByte, type Findings } from '../base/finding.js'
import type { BatchSequence } from '../base/ids.js'
import { type Disk, joinPath, readWhole } from '../env/disk.js'

const magic = 0x64574c53
const noteBytes = 16

/** The name of the note's file, in the folder of the log. */
export const durableNoteName = 'durable'

/** The bytes of the note. */
export function encodeDurableNote(batch: BatchSequence): Buffer {
  const bytes = Buffer.alloc(noteBytes)
  bytes.writeUInt32LE(magic, 4)
  writeIndex(bytes, batch, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

/** What the bytes say; undefined if they fail their check. */
function decode(bytes: Buffer): BatchSequence | undefined {
  if (bytes.length !== noteBytes || bytes.readUInt32LE(4) !== magic) return undefined
  return crc32(bytes.subarray(4)) === bytes.readUInt32LE(0) ? readIndex(bytes, 8) : undefined
}

/** Says so if the note is there and fails its check. No crash tears it: it is a part of one sector. */
export async function checkDurableNote(disk: Disk, folder: string, findings: Findings): Promise<void> {
  const path = joinPath(folder, durableNoteName)
  const bytes = await read(disk, path)
  if (bytes === undefined || bytes.every(byte => byte === 0)) return
  findings.read(bytes.length)
  if (decode(bytes) === undefined) findings.fault(path, atByte(0), 'the note of what was durable is damaged')
}

/** The batch that was surely durable and followed by another; undefined if nothing is known. */
export async function readDurableNote(disk: Disk, folder: string): Promise<BatchSequence | undefined> {
  const bytes = await read(disk, joinPath(folder, durableNoteName))
  return bytes && decode(bytes)
}

async function read(disk: Disk, path: string): Promise<Buffer | undefined> {
  return (await disk.sizeOf(path)) === undefined ? undefined : await readWhole(disk, path)
}
