/**
 * Reads the files of a log folder and says of each what it is: part of the log, or free to be used again.
 *
 * A file counts when its opening is whole. Batches are looked for at 4 KiB boundaries only and under the
 * file's own salt, so neither a caller's bytes nor an earlier use of the file pass for a batch. A bad batch
 * that a valid one follows, in this file or a later one, was acknowledged: damage, never cut off.
 */

import { readIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { BatchSequence, FileSequence, LogIndex, PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { type Disk, joinPath } from '../env/disk.js'
import { type Batch, batchFlags, batchRecords, claimedEnd, decodeBatch, recordKinds } from './batch.js'
import { durableNoteName } from './durable-note.js'
import { registerKinds } from './registers.js'
import { decodeFileHeader, isWalFileName, namedSequence, openingOffset, walFileName } from './wal-file.js'

/** One file as it was found. */
export interface FileScan {
  readonly path: string
  readonly name: string
  readonly sizeBytes: number
  /** What the header says of it; undefined if the header is lost, or the file was never used. */
  readonly madeBytes: number | undefined
  /** False if its zeros were never durable: it must not be used. */
  readonly isFinished: boolean
  /** Of the header, or of the first batch if the header is lost; undefined for a file that was never used. */
  readonly sequence: FileSequence | undefined
  readonly salt: Buffer
  /** Batches from the start, each the successor of the one before. */
  batches: Batch[]
  /** Where the first batch that is not valid would begin. */
  endOffset: number
  /** Valid batches behind that: what stands at endOffset was acknowledged. */
  later: Batch[]
  /** True if the opening is whole. */
  readonly counts: boolean
}

/** All files of the folder. */
export interface FolderScan {
  /** The log's files from floor to the newest, ascending, without what is void. Empty: the log is new. */
  readonly chain: FileScan[]
  /** Files of the log that hold nothing which is needed. */
  readonly free: FileScan[]
  readonly floor: FileSequence
  readonly voided: ReadonlyMap<FileSequence, BatchSequence>
  /** Entries up to there are released, by the newest batches. */
  readonly released: ReadonlyMap<PartitionId, LogIndex>
}

/**
 * Makes all durable that an earlier process may have left in the cache: what is read must not vanish
 * later.
 */
export async function syncAll(disk: Disk, folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const file = await disk.open(joinPath(folder, name))
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }
  await disk.syncFolder(folder)
}

/** Reads and sorts the files. DAMAGED, FOREIGN_FOLDER, VERSION_UNSUPPORTED. */
export async function scanFolder(disk: Disk, folder: string): Promise<FolderScan> {
  const all = (await disk.list(folder)).filter(name => name !== durableNoteName)
  const names = all.filter(isWalFileName)
  if (names.length === 0 && all.length > 0) {
    throw new SillokError('FOREIGN_FOLDER', `${folder} holds files, but no log`, {
      details: { folder, names: all.slice(0, 10) },
    })
  }
  // Without files there may be no folder.
  if (names.length > 0) await syncAll(disk, folder, names)
  const files: FileScan[] = []
  for (const name of names) files.push(await scanFile(disk, folder, name))
  return sortFiles(folder, files)
}

/** Reads one file of the folder; writes nothing. DAMAGED if nothing says which file it is. */
export async function scanFile(disk: Disk, folder: string, name: string): Promise<FileScan> {
  const path = joinPath(folder, name)
  const { bytes, sizeBytes } = await readContent(disk, path)
  const header = decodeFileHeader(bytes, path)
  const first = decodeBatch(bytes, openingOffset)
  const bare = {
    path,
    name,
    sizeBytes,
    madeBytes: undefined,
    isFinished: header !== 'unfinished',
    batches: [],
    later: [],
    endOffset: openingOffset,
  }
  if (typeof header === 'string') {
    const opening = first !== undefined && (first.flags & batchFlags.opening) !== 0 ? first : undefined
    if (opening === undefined && header === 'bad') throw badHeader(path)
    if (opening === undefined) return { ...bare, sequence: undefined, salt: Buffer.alloc(0), counts: false }
    return scanBatches({ ...bare, sequence: opening.file, salt: opening.salt }, bytes)
  }
  const { sequence, salt, sizeBytes: madeBytes } = header
  return scanBatches({ ...bare, sequence, salt, madeBytes }, bytes)
}

/** All but the zeros at the end: a file that is new is mostly zeros, and none of them begins a batch. */
async function readContent(disk: Disk, path: string): Promise<{ bytes: Buffer; sizeBytes: number }> {
  const file = await disk.open(path)
  try {
    const sizeBytes = await file.size()
    const blocks = Math.ceil((await file.contentEnd()) / limits.walBlockBytes)
    const bytes = await file.read(0, Math.max(openingOffset, blocks * limits.walBlockBytes))
    const end = Math.min(sizeBytes, claimedEnd(bytes))
    // The last batch may end in zeros.
    return { bytes: end > bytes.length ? await file.read(0, end) : bytes, sizeBytes }
  } finally {
    await file.close()
  }
}

function scanBatches(file: Omit<FileScan, 'counts'>, bytes: Buffer): FileScan {
  const { batches, later, salt, sequence } = file
  let offset = openingOffset
  for (;;) {
    const batch = decodeBatch(bytes, offset, salt)
    const last = batches.at(-1)
    if (batch === undefined || batch.file !== sequence) break
    if (last !== undefined && batch.sequence !== last.sequence + 1) break
    if (last !== undefined && batch.previousCrc !== last.crc) break
    batches.push(batch)
    offset += batch.length
  }
  const newest = batches.at(-1)?.sequence ?? 0
  for (let at = offset; at < bytes.length; at += limits.walBlockBytes) {
    const batch = decodeBatch(bytes, at, salt)
    if (batch !== undefined && batch.file === sequence && batch.sequence > newest) later.push(batch)
  }
  const openingCount = batches[0]?.openingCount ?? 0
  const opening = batches.slice(0, openingCount)
  const whole =
    openingCount > 0 &&
    opening.length === openingCount &&
    opening.every(batch => (batch.flags & batchFlags.opening) !== 0 && batch.openingCount === openingCount)
  return { ...file, endOffset: offset, counts: whole }
}

/** Says which of the files make up the log. DAMAGED if there was one, and none begins as it must. */
export function sortFiles(folder: string, files: readonly FileScan[]): FolderScan {
  const newest = files.filter(file => file.counts).reduce(newer, undefined)
  refuseGap(newest, files)
  if (newest === undefined) return newFolder(folder, files)
  const { floor, voided, released } = readNewest(newest)
  const isVoid = (file: FileScan): boolean => {
    const from = voided.get(file.sequence ?? 0)
    return from !== undefined && (file.batches[0]?.sequence ?? from) >= from
  }
  const chain: FileScan[] = []
  const free: FileScan[] = []
  for (const file of files) {
    const sequence = file.sequence ?? 0
    if (sequence < floor || isVoid(file)) {
      free.push(file)
      continue
    }
    if (!file.counts && file.later.length === 0 && sequence === sequenceOf(newest) + 1) free.push(file)
    else chain.push(file)
  }
  chain.sort((a, b) => sequenceOf(a) - sequenceOf(b))
  for (const file of chain) cutVoid(file, voided)
  return { chain, free, floor, voided, released }
}

function newer(best: FileScan | undefined, file: FileScan): FileScan {
  return best === undefined || sequenceOf(file) > sequenceOf(best) ? file : best
}

/** A file is named only when the opening of the one before it is durable. */
function refuseGap(newest: FileScan | undefined, files: readonly FileScan[]): void {
  const next = newest === undefined ? 1 : sequenceOf(newest) + 1
  const after = files.find(file => namedSequence(file.name) > next)
  if (after === undefined) return
  const path = after.path.slice(0, -after.name.length) + walFileName(next)
  const isThere = files.some(file => file.path === path)
  const what = isThere ? 'is damaged in its opening' : 'is missing'
  throw new SillokError('DAMAGED', `the log file ${path} ${what}: ${after.name} was made after it`, {
    details: { file: path, ...(isThere && { offset: openingOffset }) },
  })
}

/** Throws DAMAGED for a file that is not as long as it was made before it got its header. */
export function refuseOtherLength({ path, sizeBytes, madeBytes, endOffset }: FileScan): void {
  if (madeBytes === undefined || sizeBytes === madeBytes) return
  const message = `the log file ${path} is ${sizeBytes} bytes long; it was made with ${madeBytes}`
  throw new SillokError('DAMAGED', message, { details: { file: path, offset: sizeBytes, endOffset } })
}

/** Without a whole opening there is no log yet, unless something says that there was one. */
function newFolder(folder: string, files: readonly FileScan[]): FolderScan {
  const suspect = files.find(file => (file.sequence ?? 1) !== 1 || file.later.length > 0)
  if (suspect !== undefined) {
    throw new SillokError('DAMAGED', `no file in ${folder} begins as a file of the log must`, {
      details: { file: suspect.path, offset: openingOffset },
    })
  }
  return { chain: [], free: [...files], floor: 1, voided: new Map(), released: new Map() }
}

/** The newest file restates what is void and released; any of its batches may say more. */
function readNewest(file: FileScan): Pick<FolderScan, 'floor' | 'voided' | 'released'> {
  let floor: FileSequence = 1
  const voided = new Map<FileSequence, BatchSequence>()
  const released = new Map<PartitionId, LogIndex>()
  for (const batch of file.batches) {
    for (const { kind, body, start } of batchRecords(batch)) {
      if (kind === recordKinds.floor) floor = readIndex(body, start)
      if (kind === recordKinds.voided) voided.set(readIndex(body, start), readIndex(body, start + 8))
      if (kind !== recordKinds.register && kind !== recordKinds.restated) continue
      const partition = body.readUInt32LE(start)
      const register = body.readUInt32LE(start + 4)
      if (register === registerKinds.released) released.set(partition, readIndex(body, start + 8))
      if (register === registerKinds.destroyed && kind === recordKinds.register) released.delete(partition)
    }
  }
  return { floor, voided, released }
}

function cutVoid(file: FileScan, voided: ReadonlyMap<FileSequence, BatchSequence>): void {
  const from = voided.get(sequenceOf(file))
  if (from === undefined) return
  file.batches = file.batches.filter(batch => batch.sequence < from)
  file.later = []
}

/** The sequence of a file that was used. */
export function sequenceOf(file: FileScan): FileSequence {
  return file.sequence ?? 0
}

/** True if the name says what the header says. */
export function isNamedRight(file: FileScan): boolean {
  return file.name === walFileName(sequenceOf(file))
}

function badHeader(path: string): SillokError {
  return new SillokError('DAMAGED', `the header of the log file ${path} is damaged`, {
    details: { file: path, offset: 0 },
  })
}
