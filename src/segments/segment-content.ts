/**
 * The running account of one open segment's bytes: checksums, offsets and term runs of all that was written.
 *
 * Always holds: CRC and SHA-256 cover exactly the header and the entries added, in order; the entries have
 * one partition, one step of the index between them, and a valid CRC each. The state of the SHA-256 lives in
 * memory only: after opening, the bytes on disk are added again.
 */
import { createHash } from 'node:crypto'
import { assert } from '../base/assert.js'
import { crc32 } from '../base/checksum.js'
import { decodeEntry, type Entry } from '../base/entry.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { DiskFile } from '../env/disk.js'
import { EntryOffsets } from './entry-offsets.js'
import type { SyncedMark } from './marks.js'
import { encodeFooter, type TermRun } from './segment-footer.js'
import { damaged, encodeHeader, headerBytes, type SegmentHeader } from './segment-header.js'

/** Bytes read at once. */
const pieceBytes = 1024 * 1024

/** Header and entries of one segment, as they grow. */
export class SegmentContent {
  readonly header: SegmentHeader
  readonly headerBytes: Buffer
  readonly offsets: EntryOffsets
  readonly #runs: TermRun[] = []
  readonly #hash = createHash('sha256')
  #crc: number

  constructor(header: SegmentHeader) {
    this.header = header
    this.headerBytes = encodeHeader(header)
    this.offsets = new EntryOffsets(header.firstIndex)
    this.#hash.update(this.headerBytes)
    this.#crc = crc32(this.headerBytes)
  }

  get firstIndex(): LogIndex {
    return this.header.firstIndex
  }

  /** `firstIndex - 1` while there is no entry. */
  get lastIndex(): LogIndex {
    return this.offsets.lastIndex
  }

  /** Bytes of header and entries. */
  get length(): number {
    return headerBytes + this.offsets.entryBytes
  }

  /** The terms of the entries so far. */
  get runs(): readonly TermRun[] {
    return this.#runs
  }

  /** CRC of header and entries. */
  get crc(): number {
    return this.#crc
  }

  /** Adds entries whose encoded bytes, one after the other, are `bytes`. */
  add(entries: readonly Entry[], bytes: Uint8Array): void {
    for (const entry of entries) {
      assert(
        entry.index === this.lastIndex + 1 && entry.partition === this.header.partition,
        () => `entry ${entry.partition}/${entry.index} after ${this.header.partition}/${this.lastIndex}`,
      )
      if (this.#runs.at(-1)?.term !== entry.term) {
        this.#runs.push({ firstIndex: entry.index, term: entry.term })
      }
      this.offsets.add(entry.bytes.length)
    }
    this.#hash.update(bytes)
    this.#crc = crc32(bytes, this.#crc)
  }

  /** What the write-ahead log must remember once these bytes are durable. */
  mark(): SyncedMark {
    const { firstIndex, lastIndex, length, crc } = this
    return { firstIndex, lastIndex, length, crc }
  }

  /** Digest of header and entries. */
  sha256(): Buffer {
    return this.#hash.copy().digest()
  }

  /** The footer that seals this content. */
  footer(): Buffer {
    return encodeFooter(this.offsets, this.#runs, this.sha256())
  }
}

/**
 * The entries that lie one after the other in the bytes, from `index` on; stops at the first that is not
 * whole and valid. `used` bytes were entries.
 */
export function decodeRun(
  bytes: Buffer,
  header: Pick<SegmentHeader, 'partition'>,
  index: LogIndex,
): { entries: Entry[]; used: number } {
  const entries: Entry[] = []
  let used = 0
  while (used < bytes.length) {
    const entry = decodeEntry(bytes, used)
    if (entry === undefined || entry.partition !== header.partition) break
    if (entry.index !== index + entries.length) break
    entries.push(entry)
    used += entry.bytes.length
  }
  return { entries, used }
}

/**
 * Reads header and entries of an open segment again, up to `length` bytes. Throws DAMAGED at the first byte
 * that is not the whole and valid entry that must be there. The caller compares CRC and last index with
 * its mark.
 */
export async function readContent(
  name: string,
  file: DiskFile,
  header: SegmentHeader,
  length: number,
): Promise<SegmentContent> {
  const content = new SegmentContent(header)
  const front = await file.read(0, headerBytes)
  if (!front.equals(content.headerBytes)) throw damaged(name, 0, 'the header is not the expected one')
  let wanted = pieceBytes
  while (content.length < length) {
    const at = content.length
    const piece = await file.read(at, Math.min(wanted, length - at))
    const { entries, used } = decodeRun(piece, header, content.lastIndex + 1)
    if (entries.length > 0) {
      content.add(entries, piece.subarray(0, used))
      wanted = pieceBytes
    } else if (wanted < limits.entryBytesMax && piece.length === wanted) {
      wanted = limits.entryBytesMax
    } else {
      throw damaged(name, at, `entry ${content.lastIndex + 1} is not there whole and valid`)
    }
  }
  return content
}
