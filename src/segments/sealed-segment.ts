/**
 * A sealed segment: an immutable file with a footer.
 *
 * Opening one checks header and footer only; every entry is checked when it is read, and the whole by
 * `findings`.
 */
import { createHash } from 'node:crypto'
import { crc32 } from '../base/checksum.js'
import type { Entry } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import { atByte, type Finding } from '../base/finding.js'
import type { LogIndex } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import { decodeRun } from './segment-content.js'
import { readFooter, type TermRun } from './segment-footer.js'
import type { SegmentHandle } from './segment-handles.js'
import {
  checkHeader,
  damaged,
  decodeHeader,
  headerBytes,
  type SegmentHeader,
  sealedName,
} from './segment-header.js'

/** Bytes of entries that one read of the disk takes, unless one entry is longer. */
export const chunkBytes = 1024 * 1024

/** What is known of a sealed file since it was opened or sealed. */
export interface SealedSegment {
  /** As its header says: the cluster epoch may be older than the store's. */
  readonly header: SegmentHeader
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly sha256: Buffer
  /** The terms of its entries. */
  readonly runs: readonly TermRun[]
  /** Of the file. */
  readonly bytes: number
}

/** Path of a sealed file. */
export function sealedPath(folder: string, segment: { firstIndex: LogIndex; lastIndex: LogIndex }): string {
  return joinPath(folder, sealedName(segment.firstIndex, segment.lastIndex))
}

/** Checks header and footer of the file that its name says is sealed. Throws DAMAGED. */
export async function openSealed(
  disk: Disk,
  path: string,
  range: { readonly firstIndex: LogIndex; readonly lastIndex: LogIndex },
  expected: SegmentHeader,
): Promise<SealedSegment> {
  const { firstIndex, lastIndex } = range
  const file = await disk.open(path)
  try {
    const header = decodeHeader(path, await file.read(0, headerBytes))
    checkHeader(path, header, { ...expected, firstIndex })
    const footer = await readFooter(path, file)
    if (footer.firstIndex !== firstIndex || footer.lastIndex !== lastIndex) {
      const found = `${footer.firstIndex} to ${footer.lastIndex}`
      throw damaged(path, footer.contentBytes, `the footer is one of ${found}`)
    }
    const sha256 = Buffer.from(footer.sha256)
    const { runs } = footer
    return { header, firstIndex, lastIndex, sha256, runs, bytes: await file.size() }
  } finally {
    await file.close()
  }
}

/** Opens the file for reading: its footer must still be the one that was seen before. Throws DAMAGED. */
export async function loadSealed(disk: Disk, folder: string, segment: SealedSegment): Promise<SegmentHandle> {
  const path = sealedPath(folder, segment)
  if ((await disk.sizeOf(path)) === undefined) throw damaged(path, 0, 'the file is missing')
  const file = await disk.open(path)
  try {
    const footer = await readFooter(path, file)
    if (!footer.sha256.equals(segment.sha256)) {
      throw damaged(path, footer.contentBytes, 'the footer is another one than before')
    }
    return { file, offsets: footer.offsets }
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Reads the entries `from` to `through`, all of which the handle's table knows. Throws DAMAGED naming the
 * first one that is not whole, valid and in its place.
 */
export async function readEntries(
  path: string,
  handle: SegmentHandle,
  header: SegmentHeader,
  from: LogIndex,
  through: LogIndex,
): Promise<Entry[]> {
  const { file, offsets } = handle
  const start = offsets.start(from)
  const bytes = await file.read(start, offsets.end(through) - start)
  const { entries } = decodeRun(bytes, header, from)
  for (let i = 0; i <= through - from; i++) {
    const at = offsets.start(from + i)
    if (entries[i]?.bytes.length !== offsets.end(from + i) - at) {
      throw damaged(path, at, `entry ${from + i} is not there whole and valid`)
    }
  }
  return entries
}

/** What must hold for the content of a segment, besides its entries. */
export interface ContentDigest {
  readonly sha256?: Buffer
  readonly crc?: number
}

/**
 * Reads all content up to entry `through` and says what is wrong with it: every bad entry, the header, the
 * digest. Nothing is found in a healthy segment.
 */
export async function contentFindings(
  path: string,
  handle: SegmentHandle,
  header: SegmentHeader,
  through: LogIndex,
  digest: ContentDigest,
): Promise<Finding[]> {
  const { file, offsets } = handle
  const findings: Finding[] = []
  const hash = createHash('sha256')
  const front = await file.read(0, headerBytes)
  hash.update(front)
  let crc = crc32(front)
  let from = offsets.firstIndex
  await collect(findings, async () =>
    checkHeader(path, decodeHeader(path, front), { ...header, firstIndex: offsets.firstIndex }),
  )
  while (from <= through) {
    const last = Math.max(from, offsets.lastWithin(from, through, chunkBytes))
    const start = offsets.start(from)
    const bytes = await file.read(start, offsets.end(last) - start)
    hash.update(bytes)
    crc = crc32(bytes, crc)
    for (let index = from; index <= last; index++) {
      const own = bytes.subarray(offsets.start(index) - start, offsets.end(index) - start)
      if (decodeRun(own, header, index).used === own.length && own.length > 0) continue
      findings.push({ file: path, at: atByte(offsets.start(index)), what: `entry ${index} is not valid` })
    }
    from = last + 1
  }
  const same = digest.sha256 === undefined || hash.digest().equals(digest.sha256)
  if (!same) findings.push({ file: path, at: atByte(0), what: 'the content fails its SHA-256' })
  if (digest.crc !== undefined && digest.crc !== crc) {
    findings.push({ file: path, at: atByte(0), what: 'the content fails its checksum' })
  }
  return findings
}

/** Reads all of a sealed file and says what is wrong with it. */
export async function sealedFindings(disk: Disk, folder: string, segment: SealedSegment): Promise<Finding[]> {
  const findings: Finding[] = []
  await collect(findings, async () => {
    const handle = await loadSealed(disk, folder, segment)
    const path = sealedPath(folder, segment)
    try {
      findings.push(...(await contentFindings(path, handle, segment.header, segment.lastIndex, segment)))
    } finally {
      await handle.file.close()
    }
  })
  return findings
}

/** CRC of the first bytes of a file. */
export async function prefixCrc(disk: Disk, path: string, length: number): Promise<number> {
  const file = await disk.open(path)
  try {
    let crc = 0
    for (let at = 0; at < length; at += chunkBytes) {
      crc = crc32(await file.read(at, Math.min(chunkBytes, length - at)), crc)
    }
    return crc
  } finally {
    await file.close()
  }
}

/** Does the work; what it throws as DAMAGED becomes a finding. */
async function collect(findings: Finding[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED')) throw error
    const { file, offset, what } = error.details
    findings.push({ file: String(file), at: atByte(Number(offset)), what: String(what) })
  }
}
