/**
 * A batch of the log: one group commit, one write, one sync, one CRC. It stands wholly or not at all.
 *
 *   0  u32 crc        over all that follows, the padding included
 *   4  u32 magic
 *   8  u32 body       length of the records in bytes
 *  12  u32 records    how many
 *  16  u64 sequence   +1 for ever, over all files
 *  24  u64 file       sequence of the file
 *  32  8 B salt       of this use of the file: nobody outside can forge it, no earlier use of the file has it
 *  40  u32 previous   CRC of the batch before
 *  44  u16 flags      witness, clean close, opening
 *  46  u16 opening    in an opening batch: how many batches the opening has
 *  48  records, then zeros to the next 4 KiB
 *
 * A record is u32 (kind | length << 8), then its bytes:
 *
 *   entry, copy   the entry as encoded (base/entry). An entry replaces the tail from its index on; a copy
 *                 does not: it says again what an older file holds, so that the older file may go
 *   register      u32 partition, u32 register kind, payload. `restated`: the same, known before this batch
 *   cut           u32 partition: no entry of it written so far counts any more
 *   floor         u64 file: older files are not needed
 *   voided        u64 file, u64 batch: that file ends before that batch, whatever follows there
 *
 * States after a crash: the last batch may be there in any subset of its sectors. It begins at 4 KiB, so no
 * write touches a sector of the batch before.
 */
import { assert } from '../base/assert.js'
import { crc32 } from '../base/checksum.js'
import { type Entry, readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { BatchSequence, FileSequence, PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'

/** Bytes before the records. */
export const batchHeadBytes = 48
/** Bytes before each record. */
export const recordHeadBytes = 4
/** Bytes of a register record before its payload, record head included. */
export const registerHeadBytes = recordHeadBytes + 8

const magic = 0x62574c53
const block = limits.walBlockBytes

/** What a batch is besides its records; may be combined. */
export const batchFlags = { witness: 1, cleanClose: 2, opening: 4 } as const

/** Kinds of records, by their number on disk. */
export const recordKinds = {
  entry: 1,
  copy: 2,
  register: 3,
  restated: 4,
  cut: 5,
  floor: 6,
  voided: 7,
} as const

/** Where a batch stands in the chain. */
export interface BatchPlace {
  readonly sequence: BatchSequence
  readonly file: FileSequence
  readonly salt: Buffer
  readonly previousCrc: number
  readonly flags: number
  /** Batches of the opening; 0 unless the batch is one of them. */
  readonly openingCount: number
}

/** A batch that validated. */
export interface Batch extends BatchPlace {
  readonly crc: number
  readonly recordCount: number
  /** The records, a view. */
  readonly body: Buffer
  /** Bytes on disk, padding included. */
  readonly length: number
}

/** Bytes on disk of a batch with that many bytes of records. */
export function batchLength(bodyBytes: number): number {
  return Math.ceil((batchHeadBytes + bodyBytes) / block) * block
}

/** Builds one batch after the other in one buffer: a batch's bytes hold until the next `begin`. */
export class BatchWriter {
  readonly #buffer = Buffer.alloc(batchLength(limits.walBatchBytesMax))
  #end = batchHeadBytes
  #records = 0

  /** Bytes of records so far. */
  get bodyBytes(): number {
    return this.#end - batchHeadBytes
  }

  begin(): void {
    this.#end = batchHeadBytes
    this.#records = 0
  }

  entry(entry: Entry, kind: 1 | 2): void {
    const { bytes } = entry
    const at = this.#head(kind, bytes.length)
    this.#buffer.set(bytes, at)
  }

  register(partition: PartitionId, kind: number, payload: Uint8Array): void {
    const at = this.#head(recordKinds.register, 8 + payload.length)
    this.#buffer.writeUInt32LE(partition, at)
    this.#buffer.writeUInt32LE(kind, at + 4)
    this.#buffer.set(payload, at + 8)
  }

  /** A record made by one of the functions below, or read from another batch. */
  raw(record: Uint8Array): void {
    assert(this.bodyBytes + record.length <= limits.walBatchBytesMax, 'the batch is too long')
    this.#buffer.set(record, this.#end)
    this.#end += record.length
    this.#records++
  }

  /** The batch, ready for the disk: a view that the next `begin` ends. */
  finish(place: BatchPlace): { readonly bytes: Buffer; readonly crc: number } {
    const buffer = this.#buffer
    const length = batchLength(this.bodyBytes)
    buffer.fill(0, this.#end, length)
    buffer.writeUInt32LE(magic, 4)
    buffer.writeUInt32LE(this.bodyBytes, 8)
    buffer.writeUInt32LE(this.#records, 12)
    writeIndex(buffer, place.sequence, 16)
    writeIndex(buffer, place.file, 24)
    buffer.set(place.salt, 32)
    buffer.writeUInt32LE(place.previousCrc, 40)
    buffer.writeUInt16LE(place.flags, 44)
    buffer.writeUInt16LE(place.openingCount, 46)
    const bytes = buffer.subarray(0, length)
    const crc = crc32(bytes.subarray(4))
    buffer.writeUInt32LE(crc, 0)
    return { bytes, crc }
  }

  #head(kind: number, length: number): number {
    const at = this.#end
    const end = at + recordHeadBytes + length
    assert(end - batchHeadBytes <= limits.walBatchBytesMax, () => `a batch of ${end} bytes`)
    this.#buffer.writeUInt32LE(kind + length * 256, at)
    this.#end = end
    this.#records++
    return at + recordHeadBytes
  }
}

/** A record of its own bytes. */
export function rawRecord(kind: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = Buffer.allocUnsafe(recordHeadBytes)
  head.writeUInt32LE(kind + length * 256, 0)
  return Buffer.concat([head, ...parts])
}

/** A register that was known before this batch. */
export function restatedRecord(partition: PartitionId, kind: number, payload: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(8)
  head.writeUInt32LE(partition, 0)
  head.writeUInt32LE(kind, 4)
  return rawRecord(recordKinds.restated, head, payload)
}

/** Ends all entries of the partition that are written so far. */
export function cutRecord(partition: PartitionId): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(partition, 0)
  return rawRecord(recordKinds.cut, bytes)
}

/** Older files than that one are not needed. */
export function floorRecord(file: FileSequence): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  writeIndex(bytes, file, 0)
  return rawRecord(recordKinds.floor, bytes)
}

/** The file ends before that batch. */
export function voidedRecord(file: FileSequence, batch: BatchSequence): Buffer {
  const bytes = Buffer.allocUnsafe(16)
  writeIndex(bytes, file, 0)
  writeIndex(bytes, batch, 8)
  return rawRecord(recordKinds.voided, bytes)
}

/** The batch that begins at offset, if one stands there whole; with a salt, only one under that salt. */
export function decodeBatch(bytes: Buffer, offset: number, salt?: Buffer): Batch | undefined {
  if (offset + block > bytes.length || bytes.readUInt32LE(offset + 4) !== magic) return undefined
  const ownSalt = bytes.subarray(offset + 32, offset + 40)
  if (salt !== undefined && !salt.equals(ownSalt)) return undefined
  const bodyBytes = bytes.readUInt32LE(offset + 8)
  if (bodyBytes > limits.walBatchBytesMax) return undefined
  const length = batchLength(bodyBytes)
  if (offset + length > bytes.length) return undefined
  const crc = bytes.readUInt32LE(offset)
  if (crc32(bytes.subarray(offset + 4, offset + length)) !== crc) return undefined
  return {
    crc,
    length,
    recordCount: bytes.readUInt32LE(offset + 12),
    sequence: readIndex(bytes, offset + 16),
    file: readIndex(bytes, offset + 24),
    salt: ownSalt,
    previousCrc: bytes.readUInt32LE(offset + 40),
    flags: bytes.readUInt16LE(offset + 44),
    openingCount: bytes.readUInt16LE(offset + 46),
    body: bytes.subarray(offset + batchHeadBytes, offset + batchHeadBytes + bodyBytes),
  }
}

/** Where the last batch that may begin in these bytes would end, whole or not; at least their length. */
export function claimedEnd(bytes: Buffer): number {
  let end = bytes.length
  const from = Math.max(0, end - batchLength(limits.walBatchBytesMax))
  for (let offset = from - (from % block); offset + batchHeadBytes <= bytes.length; offset += block) {
    const bodyBytes = bytes.readUInt32LE(offset + 8)
    if (bytes.readUInt32LE(offset + 4) !== magic || bodyBytes > limits.walBatchBytesMax) continue
    end = Math.max(end, offset + batchLength(bodyBytes))
  }
  return end
}

/** True if a batch under that salt was begun there, whether it stands whole or not. */
export function beginsBatch(bytes: Buffer, offset: number, salt: Buffer): boolean {
  if (offset + batchHeadBytes > bytes.length || bytes.readUInt32LE(offset + 4) !== magic) return false
  return salt.equals(bytes.subarray(offset + 32, offset + 40))
}

/** One record, where it stands: bytes are cut out only when asked for. */
export class RawRecord {
  readonly kind: number
  readonly body: Buffer
  /** Of its bytes, behind the record's head. */
  readonly start: number
  readonly end: number

  constructor(kind: number, body: Buffer, start: number, end: number) {
    this.kind = kind
    this.body = body
    this.start = start
    this.end = end
  }

  get bytes(): Buffer {
    return this.body.subarray(this.start, this.end)
  }

  /** The record with its head. */
  get whole(): Buffer {
    return this.body.subarray(this.start - recordHeadBytes, this.end)
  }
}

/**
 * The records of a batch, in order; `body` may be a copy of the batch's. DAMAGED if they do not fill the
 * body; VERSION_UNSUPPORTED for an unknown kind.
 */
export function batchRecords(batch: Batch, body = batch.body): RawRecord[] {
  const records: RawRecord[] = []
  let offset = 0
  while (offset + recordHeadBytes <= body.length) {
    const head = body.readUInt32LE(offset)
    const kind = head % 256
    const start = offset + recordHeadBytes
    const end = start + Math.floor(head / 256)
    if (end > body.length) break
    if (kind < recordKinds.entry || kind > recordKinds.voided) {
      throw new SillokError('VERSION_UNSUPPORTED', `a record of kind ${kind} in batch ${batch.sequence}`, {
        details: { batch: batch.sequence, file: batch.file, kind },
      })
    }
    records.push(new RawRecord(kind, body, start, end))
    offset = end
  }
  if (offset !== body.length || records.length !== batch.recordCount) {
    throw new SillokError('DAMAGED', `batch ${batch.sequence} of the log is malformed`, {
      details: { batch: batch.sequence, file: batch.file },
    })
  }
  return records
}
