/**
 * The bytes of a state snapshot file: all rows of a partition's state as of one entry, in our own checksummed
 * form. With the log from that entry on it gives the state again, whatever became of the key-value store.
 *
 * Frames (codec/frame) of at most 1 MiB each; their stream is the frame's number in the file, from 0.
 *
 *   kind 1, once, first    header: 0 magic "sillokSN" | 8 u16 format | 10 u16 zeros | 12 u32 partition
 *                          | 16 u64 cluster epoch | 24 u64 index | 32 u64 its term | 40 u64 its log time
 *                          | 48 u64 last entry of the newest segment that ends there or before, 0 for none
 *                          | 56 u32 length | 60 configuration
 *   kind 2, any number     bytes of rows: u16 n | key | u32 n | value, in key order. A row may go on in the
 *                          next frame. Keys and values are those of the key-value store, checksums included.
 *   kind 3, once, last     footer: 0 u64 rows | 8 digests of the state, two u32 per slot | SHA-256 of all
 *                          frames before this one and of the footer up to here
 *
 * All little-endian. Nothing in it is the node's own: replicas with the same log have the same bytes.
 */
import { createHash } from 'node:crypto'
import { assert } from '../base/assert.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, LogTime, PartitionId, Term } from '../base/ids.js'
import { encodeFrame } from '../codec/frame.js'
import { keyText, readRow, rowKeyBytesMax, slotOfRow } from '../codec/row.js'
import { type Digests, digestWords } from './digests.js'
import { readWindow } from './windows.js'

/** What a frame holds, by its number on disk. */
export const snapshotFrames = { header: 1, rows: 2, footer: 3 } as const

/** The format that this release writes, and the only one that it reads. */
export const snapshotFormat = 1

/** What a snapshot is of. */
export interface SnapshotHead {
  readonly partition: PartitionId
  readonly clusterEpoch: number
  /** All rows are as of this entry. */
  readonly index: LogIndex
  readonly term: Term
  readonly time: LogTime
  /** Last entry of the newest segment that ends at the index or before; 0: none does. */
  readonly lastCut: LogIndex
  /** Of the Raft group, as its register. */
  readonly configuration: Buffer
}

/** What the end of a snapshot says of it. */
export interface SnapshotFoot {
  readonly rows: number
  /** Of the state: two sums per slot. */
  readonly digests: Uint32Array
  /** Of the whole file but itself and the head of the last frame. */
  readonly sha256: Buffer
}

const magic = Buffer.from('sillokSN', 'latin1')
const headBytes = 60
const footBytes = 8 + 4 * digestWords + 32

/** The error for what is wrong with a snapshot file. */
export function damagedSnapshot(file: string, offset: number, what: string, cause?: unknown): SillokError {
  const details = { file, offset, what }
  return new SillokError('DAMAGED', `${file} at byte ${offset}: ${what}`, { details, cause })
}

/** The first frame of the file. */
export function encodeSnapshotHead(head: SnapshotHead): Buffer {
  const { configuration } = head
  const bytes = Buffer.alloc(headBytes + configuration.length)
  magic.copy(bytes)
  bytes.writeUInt16LE(snapshotFormat, 8)
  bytes.writeUInt32LE(head.partition, 12)
  writeIndex(bytes, head.clusterEpoch, 16)
  writeIndex(bytes, head.index, 24)
  writeIndex(bytes, head.term, 32)
  writeIndex(bytes, head.time, 40)
  writeIndex(bytes, head.lastCut, 48)
  bytes.writeUInt32LE(configuration.length, 56)
  configuration.copy(bytes, headBytes)
  return encodeFrame(snapshotFrames.header, 0, bytes)
}

/** What `encodeSnapshotHead` put into its frame. DAMAGED; VERSION_UNSUPPORTED for another format. */
export function decodeSnapshotHead(file: string, body: Buffer): SnapshotHead {
  if (body.length < headBytes || !body.subarray(0, 8).equals(magic)) {
    throw damagedSnapshot(file, 0, 'no header of a snapshot')
  }
  const format = body.readUInt16LE(8)
  if (format !== snapshotFormat) {
    throw new SillokError('VERSION_UNSUPPORTED', `${file} has snapshot format ${format}`, {
      details: { file, format },
    })
  }
  if (body.length !== headBytes + body.readUInt32LE(56)) {
    throw damagedSnapshot(file, 0, `a header of ${body.length} bytes`)
  }
  const number = (offset: number): number => {
    const value = readIndex(body, offset)
    if (!Number.isSafeInteger(value)) throw damagedSnapshot(file, 0, `${value} in its header`)
    return value
  }
  return {
    partition: body.readUInt32LE(12),
    clusterEpoch: number(16),
    index: number(24),
    term: number(32),
    time: number(40),
    lastCut: number(48),
    configuration: Buffer.from(body.subarray(headBytes)),
  }
}

/** The last frame's body; `before` is the hash of all frames before it, which this ends. */
export function encodeSnapshotFoot(
  { rows, digests }: Omit<SnapshotFoot, 'sha256'>,
  before: ReturnType<typeof createHash>,
): { readonly body: Buffer; readonly sha256: Buffer } {
  assert(digests.length === digestWords, () => `${digests.length} digest words`)
  const body = Buffer.alloc(footBytes)
  writeIndex(body, rows, 0)
  let at = 8
  for (const sum of digests) at = body.writeUInt32LE(sum, at)
  const sha256 = before.update(body.subarray(0, at)).digest()
  sha256.copy(body, at)
  return { body, sha256 }
}

/** What `encodeSnapshotFoot` made, of a file whose frames before had that hash. DAMAGED. */
export function decodeSnapshotFoot(
  file: string,
  offset: number,
  body: Buffer,
  before: ReturnType<typeof createHash>,
): SnapshotFoot {
  if (body.length !== footBytes) throw damagedSnapshot(file, offset, `a footer of ${body.length} bytes`)
  const digests = new Uint32Array(digestWords)
  for (let word = 0; word < digestWords; word++) digests[word] = body.readUInt32LE(8 + 4 * word)
  const sha256 = Buffer.from(body.subarray(footBytes - 32))
  if (
    !before
      .update(body.subarray(0, footBytes - 32))
      .digest()
      .equals(sha256)
  ) {
    throw damagedSnapshot(file, offset, 'the content fails its SHA-256')
  }
  return { rows: readIndex(body, 0), digests, sha256 }
}

/** The hash over frames, from the beginning. */
export function snapshotHash(): ReturnType<typeof createHash> {
  return createHash('sha256')
}

/** Bytes before the key of a row, and between key and value. */
const keyLengthBytes = 2
const valueLengthBytes = 4

/** A stored row as the rows of a snapshot have it, in parts. */
export function rowParts(key: Buffer, value: Buffer): Buffer[] {
  const keyLength = Buffer.allocUnsafe(keyLengthBytes)
  keyLength.writeUInt16LE(key.length, 0)
  const valueLength = Buffer.allocUnsafe(valueLengthBytes)
  valueLength.writeUInt32LE(value.length, 0)
  return [keyLength, key, valueLength, value]
}

/** The row that begins there and where it ends; undefined if the bytes end before it does. Views. */
export function rowAt(
  bytes: Buffer,
  offset: number,
): { readonly key: Buffer; readonly value: Buffer; readonly end: number } | undefined {
  if (offset + keyLengthBytes > bytes.length) return undefined
  const keyStart = offset + keyLengthBytes
  const keyEnd = keyStart + bytes.readUInt16LE(offset)
  const valueStart = keyEnd + valueLengthBytes
  if (valueStart > bytes.length) return undefined
  const end = valueStart + bytes.readUInt32LE(keyEnd)
  if (end > bytes.length) return undefined
  return { key: bytes.subarray(keyStart, keyEnd), value: bytes.subarray(valueStart, end), end }
}

/** Adds a stored row, or each reply of a stored window, to the digests; false if it fails its check. */
export function addStored(digests: Digests, key: Buffer, value: Buffer): boolean {
  if (key[0] === 0x73) {
    const window = readWindow(key, value)
    for (const row of window?.rows ?? []) digests.replace(window?.slot ?? 0, row.hash0, row.hash1, 0, 0)
    return window !== undefined
  }
  const row = key.length > rowKeyBytesMax ? undefined : readRow(key, value)
  if (row === undefined) return false
  digests.replace(slotOfRow(keyText(key)), row.hash0, row.hash1, 0, 0)
  return true
}
