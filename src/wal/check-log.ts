/**
 * Reads a log that nobody has open and says what is wrong with it, file by file and byte by byte; writes
 * nothing, not even what opening would put right.
 *
 * Looked at: the header of every file, and of those that are needed every batch: its checksum, its place in
 * the chain, its records, the entries and registers in them. Not looked at, since nothing uses it: what
 * stands behind the last batch of a file, and the batches of files below the floor. A last batch that is not
 * whole cannot be told from one that was being written when the power went: a note, never a fault.
 */
import { assert, InvariantError } from '../base/assert.js'
import { decodeEntry, type Entry } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import { atByte, type Findings } from '../base/finding.js'
import type { FileSequence, LogIndex, PartitionId } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import { type Batch, batchFlags, batchRecords, beginsBatch, type RawRecord, recordKinds } from './batch.js'
import { checkDurableNote, durableNoteName } from './durable-note.js'
import { refuseShorter } from './recovery.js'
import { Replay } from './replay.js'
import { type FileScan, type FolderScan, isNamedRight, scanFile, sequenceOf, sortFiles } from './scan.js'
import type { Tail } from './tail.js'
import { Usage } from './usage.js'
import { decodeFileHeader, isWalFileName, openingOffset, walFileName } from './wal-file.js'

/** What the log says of one partition. */
export interface CheckedPartition {
  readonly registers: ReadonlyMap<number, Buffer>
  /** Entries that are not released. */
  readonly tail: Tail
  /** All entries that the files still hold, released ones too; of one index the newest. */
  readonly held: ReadonlyMap<LogIndex, Entry>
}

/** A log that was read. */
export interface CheckedLog {
  readonly scan: FolderScan
  /** It ends with a clean close. */
  readonly clean: boolean
  readonly partitions: ReadonlyMap<PartitionId, CheckedPartition>
  /** The name of the file that would come next. */
  readonly nextFile: string
}

/**
 * Checks all files of the folder. Undefined when faults were found in it: then nothing may be concluded from
 * what it says.
 */
export async function checkLog(
  disk: Disk,
  folder: string,
  findings: Findings,
): Promise<CheckedLog | undefined> {
  const before = findings.faultCount
  const scan = await scanForCheck(disk, folder, findings)
  if (scan === undefined) return undefined
  checkChain(folder, scan, findings)
  for (const file of scan.chain) {
    await checkFile(disk, file, findings)
    checkBatches(file, findings)
  }
  await checkDurableNote(disk, folder, findings)
  if (scan.chain.length > 0) await findings.attempt(folder, () => refuseShorter(disk, folder, scan))
  const newest = scan.chain.at(-1)
  const last = newest?.batches.at(-1)
  const clean = last !== undefined && (last.flags & batchFlags.cleanClose) !== 0
  if (newest !== undefined && !clean) await noteEnd(disk, newest, findings)
  if (findings.faultCount > before) return undefined
  const partitions = partitionsOf(folder, scan, findings)
  const nextFile = joinPath(folder, walFileName((newest === undefined ? 0 : sequenceOf(newest)) + 1))
  return findings.faultCount > before ? undefined : { scan, clean, partitions, nextFile }
}

/** A batch with its place in its file. */
export interface PlacedBatch {
  readonly offset: number
  readonly batch: Batch
}

/** The batches of a file that are part of the log, in order. */
export function placedBatches(file: FileScan): PlacedBatch[] {
  let offset = openingOffset
  return file.batches.map(batch => {
    const placed = { offset, batch }
    offset += batch.length
    return placed
  })
}

/** All files, sorted; undefined when one of them says nothing of itself. */
async function scanForCheck(disk: Disk, folder: string, findings: Findings): Promise<FolderScan | undefined> {
  const files: FileScan[] = []
  const before = findings.faultCount
  for (const name of await disk.list(folder)) {
    const path = joinPath(folder, name)
    if (name === durableNoteName) continue
    if (!isWalFileName(name)) {
      findings.note(path, '', 'is no file of the log')
      continue
    }
    await findings.attempt(path, async () => {
      const file = await scanFile(disk, folder, name)
      findings.read(file.sizeBytes)
      files.push(file)
      await checkHeader(disk, file, findings)
    })
  }
  if (findings.faultCount > before) return undefined
  return await findings.attempt(folder, async () => sortFiles(folder, files))
}

/** A header is one sector: whatever a crash does, it is a whole one or zeros. */
async function checkHeader(disk: Disk, file: FileScan, findings: Findings): Promise<void> {
  const front = await readAt(disk, file.path, 0, openingOffset)
  const header = decodeFileHeader(front, file.path)
  if (header === 'bad') findings.fault(file.path, atByte(0), 'the header of the file is damaged')
}

/** A file in use: that its header says what its batches say. */
async function checkFile(disk: Disk, file: FileScan, findings: Findings): Promise<void> {
  const { path } = file
  const front = await readAt(disk, path, 0, openingOffset)
  const header = decodeFileHeader(front, path)
  // A bad one was told before.
  if (header === 'bad') return
  const says = typeof header === 'string' ? undefined : header
  if (says?.sequence !== file.sequence || !says?.salt.equals(file.salt)) {
    findings.fault(path, atByte(0), 'the header does not say what the first batch says')
  }
  const stray = front.subarray(32).findIndex(byte => byte !== 0)
  if (stray >= 0) findings.fault(path, atByte(32 + stray), 'a byte behind the header is not zero')
}

/** Every file whole, each the successor of the one before. */
function checkChain(folder: string, scan: FolderScan, findings: Findings): void {
  let before: FileScan | undefined
  let expected: FileSequence = scan.floor
  for (const file of scan.chain) {
    const sequence = sequenceOf(file)
    while (scan.voided.has(expected) && expected < sequence) expected++
    for (; expected < sequence; expected++) {
      findings.fault(joinPath(folder, walFileName(expected)), '', `is missing: ${file.name} comes after it`)
    }
    if (!isNamedRight(file)) findings.fault(file.path, atByte(0), `by its header it is file ${sequence}`)
    if (!file.counts) findings.fault(file.path, atByte(file.endOffset), 'a batch of the opening is damaged')
    else if (file.later.length > 0) {
      const through = file.later.at(-1)?.sequence
      findings.fault(file.path, atByte(file.endOffset), `a batch is damaged; others up to ${through} follow`)
    }
    checkJoin(before, file, findings)
    before = file
    expected = sequence + 1
  }
  for (const file of scan.free) {
    if (!file.counts && sequenceOf(file) === expected && file.batches.length + file.later.length > 0)
      findings.note(file.path, atByte(file.endOffset), 'torn end: the opening of a new file is not whole')
  }
}

/** The file goes on where the one before it ended. */
function checkJoin(before: FileScan | undefined, file: FileScan, findings: Findings): void {
  const last = before?.batches.at(-1)
  const first = file.batches[0]
  if (before === undefined || last === undefined || first === undefined) return
  if (sequenceOf(file) !== sequenceOf(before) + 1) return
  if (first.sequence !== last.sequence + 1) {
    const what = `the batches ${last.sequence + 1} to ${first.sequence - 1} are damaged or missing`
    findings.fault(before.path, atByte(before.endOffset), `${what}: ${file.name} goes on after them`)
  } else if (first.previousCrc !== last.crc) {
    findings.fault(
      file.path,
      atByte(openingOffset),
      `the first batch follows another one than ${last.sequence}`,
    )
  }
}

function checkBatches(file: FileScan, findings: Findings): void {
  for (const { offset, batch } of placedBatches(file)) {
    findings.counts.batches++
    try {
      for (const record of batchRecords(batch)) checkRecord(file, offset, record, findings)
    } catch (error) {
      if (!isSillokError(error)) throw error
      findings.fault(file.path, atByte(offset), error.message)
    }
  }
}

function checkRecord(file: FileScan, offset: number, record: RawRecord, findings: Findings): void {
  const { kind, body, start, end } = record
  if (kind === recordKinds.entry || kind === recordKinds.copy) {
    findings.counts.entries++
    if (decodeEntry(body, start)?.bytes.length === end - start) return
    findings.fault(file.path, atByte(offset), 'the batch holds an entry that is not whole and valid')
  } else if (kind === recordKinds.register || kind === recordKinds.restated) {
    if (end - start >= 8) return
    findings.fault(file.path, atByte(offset), 'the batch holds a register without a name')
  }
}

/** Says how the log ends, if not by a clean close. */
async function noteEnd(disk: Disk, file: FileScan, findings: Findings): Promise<void> {
  const head = await readAt(disk, file.path, file.endOffset, openingOffset)
  const what = beginsBatch(head, 0, file.salt)
    ? 'torn end: the last batch is not whole; if its write was cut short, nobody was told of it'
    : 'the log was not closed cleanly'
  findings.note(file.path, atByte(file.endOffset), what)
}

/** What the batches add up to. */
function partitionsOf(
  folder: string,
  scan: FolderScan,
  findings: Findings,
): Map<PartitionId, CheckedPartition> {
  const partitions = new Map<PartitionId, CheckedPartition>()
  const replay = new Replay(scan.released)
  const held = new Map<PartitionId, Map<LogIndex, Entry>>()
  try {
    for (const file of scan.chain) {
      for (const batch of file.batches) {
        replay.batch(batch)
        for (const record of batchRecords(batch)) holdEntry(held, record)
      }
    }
    for (const log of replay.finish(new Usage())) {
      if (!log.exists) continue
      const { registers, tail, id } = log
      partitions.set(id, { registers, tail, held: held.get(id) ?? new Map() })
    }
  } catch (error) {
    if (!isSillokError(error) && !(error instanceof InvariantError)) throw error
    findings.fault(folder, '', error.message)
  }
  return partitions
}

function holdEntry(held: Map<PartitionId, Map<LogIndex, Entry>>, record: RawRecord): void {
  const { kind, body, start } = record
  if (kind === recordKinds.cut) held.delete(body.readUInt32LE(start))
  if (kind !== recordKinds.entry && kind !== recordKinds.copy) return
  const entry = decodeEntry(body, start)
  assert(entry !== undefined, 'an entry that was checked')
  const entries = held.get(entry.partition) ?? new Map<LogIndex, Entry>()
  held.set(entry.partition, entries)
  if (kind === recordKinds.entry) {
    // It replaces the tail from its index on.
    for (let index = entry.index + 1; entries.delete(index); ) index++
  }
  entries.set(entry.index, entry)
}

async function readAt(disk: Disk, path: string, offset: number, length: number): Promise<Buffer> {
  const file = await disk.open(path)
  try {
    return await file.read(offset, length)
  } finally {
    await file.close()
  }
}
