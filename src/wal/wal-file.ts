/**
 * One file of the log: its name, its header, and how it is made.
 *
 *   0     u32 crc      over the rest of these 32 bytes
 *   4     u32 magic
 *   8     u16 format   of the log; a reader that does not know it stops
 *  10     2 zero bytes
 *  12     u32 blocks   length of the file, in blocks of 4 KiB
 *  16     u64 sequence of the file: the name says the same, and is not trusted
 *  24     8 B salt     random, new for each use of the file
 *  4096   the opening: batches that restate everything, counted only together
 *
 * Header and first batch are one write and one sync. States after a crash: the header is one sector, so it is
 * the new one, the one of the file's earlier use, or zeros; anything else is damage. The first batch repeats
 * sequence and salt at a place where no caller's bytes can stand, so a lost header alone hides nothing.
 *
 * Files are filled with zeros ahead of use, because a sync that need not write metadata is several times
 * faster. So a file that has a header has its whole length: no crash shortens it. Until they are durable a
 * mark stands where the header will: after a sync that failed the page cache shows a whole file, of which a
 * loss of power leaves little, and the next process must not use it.
 */
import { crc32 } from '../base/checksum.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { FileSequence } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { type Disk, joinPath, type LogDevice } from '../env/disk.js'

/** The format that this release writes, and the only one that it reads. */
export const walFormat = 1

/** Where the first batch begins. */
export const openingOffset = limits.walBlockBytes

const magic = 0x66574c53
/** Alone at the beginning of a file whose zeros are not durable yet. */
const unfinishedMark = 0x6e574c53
const headerBytes = 32
const fillBytes = 1024 * 1024

/** The first block of a file that is being made. */
const mark = Buffer.alloc(openingOffset)
mark.writeUInt32LE(unfinishedMark, 4)

/** What a header says. */
export interface FileHeader {
  readonly sequence: FileSequence
  readonly salt: Buffer
  readonly sizeBytes: number
}

/** A file of the log that is written to, or was. */
export interface WalFile extends FileHeader {
  readonly path: string
  /** Where the next batch begins. */
  offset: number
  /** Open only while the file is the newest one. */
  device: LogDevice | undefined
}

/** The name of the file with that sequence. */
export function walFileName(sequence: FileSequence): string {
  return `wal-${sequence.toString(16).padStart(16, '0')}`
}

/** The sequence that such a name says. */
export function namedSequence(name: string): FileSequence {
  return Number.parseInt(name.slice(4), 16)
}

/** True for a name that `walFileName` makes. */
export function isWalFileName(name: string): boolean {
  return /^wal-[0-9a-f]{16}$/.test(name)
}

/** The first block of the file. */
export function encodeFileHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(openingOffset)
  bytes.writeUInt32LE(magic, 4)
  bytes.writeUInt16LE(walFormat, 8)
  bytes.writeUInt32LE(header.sizeBytes / limits.walBlockBytes, 12)
  writeIndex(bytes, header.sequence, 16)
  bytes.set(header.salt, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(4, headerBytes)), 0)
  return bytes
}

/**
 * The header, `blank` for zeros (a file not yet used), `unfinished` for one that is still being made, `bad`
 * for anything that a crash cannot leave.
 */
export function decodeFileHeader(bytes: Buffer, path: string): FileHeader | 'blank' | 'unfinished' | 'bad' {
  const own = bytes.subarray(0, headerBytes)
  if (own.every(byte => byte === 0)) return 'blank'
  if (own.equals(mark.subarray(0, headerBytes))) return 'unfinished'
  if (own.length < headerBytes || own.readUInt32LE(4) !== magic) return 'bad'
  if (crc32(own.subarray(4)) !== own.readUInt32LE(0)) return 'bad'
  const format = own.readUInt16LE(8)
  if (format !== walFormat) {
    throw new SillokError('VERSION_UNSUPPORTED', `${path} is a log file of format ${format}`, {
      details: { file: path, format, supported: walFormat },
    })
  }
  const sizeBytes = own.readUInt32LE(12) * limits.walBlockBytes
  return { sequence: readIndex(own, 16), salt: own.subarray(24, 32), sizeBytes }
}

/**
 * Makes a file full of zeros. When it resolves, bytes and length are durable; the name is after
 * `syncFolder`.
 */
export async function makeZeroFile(disk: Disk, path: string, sizeBytes: number): Promise<void> {
  const file = await disk.open(path, { create: true })
  try {
    const zeros = Buffer.alloc(Math.min(fillBytes, sizeBytes))
    await file.write([mark], 0)
    for (let offset = mark.length; offset < sizeBytes; offset += zeros.length) {
      await file.write([zeros.subarray(0, Math.min(zeros.length, sizeBytes - offset))], offset)
    }
    await file.sync()
    await file.write([zeros.subarray(0, mark.length)], 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Gets the file ready to be the one with that sequence: an old file under a new name, or a new one full of
 * zeros. When it resolves, file and name are durable; the header is written with the first batch.
 */
export async function prepareFile(
  disk: Disk,
  folder: string,
  options: {
    readonly sequence: FileSequence
    readonly sizeBytes: number
    readonly from?: string | undefined
  },
): Promise<string> {
  const path = joinPath(folder, walFileName(options.sequence))
  if (options.from === undefined) await makeZeroFile(disk, path, options.sizeBytes)
  else if (options.from !== path) await disk.rename(options.from, path)
  await disk.syncFolder(folder)
  return path
}
