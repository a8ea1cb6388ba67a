/**
 * Opens what an earlier process left: checks the chain, replays it, and puts the last batch beyond doubt.
 *
 * By the rule "never begin n+1 before n is synced", only the last batch n can be missing on the disk although
 * it was read (a failed sync leaves it in the cache). So after anything but a clean close, n counts only once
 * it stands in a new file, whose opening is: the state before n, the mark that the old file ends before n,
 * and the records of n. A crash in between leaves an opening that is not whole; the old file stands, and the
 * next open does it again. After a clean close the last batch holds nothing; it is written again in place.
 */
import { assert, must } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { BatchSequence, PartitionId } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import { type Batch, batchFlags, type RawRecord, recordKinds } from './batch.js'
import { durableNoteName, readDurableNote } from './durable-note.js'
import type { LogWriter, Position } from './log-writer.js'
import { describeLoss } from './loss.js'
import type { PartitionLog } from './partition-log.js'
import { Replay } from './replay.js'
import { openingLength, type Ring, splitOpening } from './ring.js'
import {
  type FileScan,
  type FolderScan,
  isNamedRight,
  refuseOtherLength,
  scanFolder,
  sequenceOf,
} from './scan.js'
import type { WalFile } from './wal-file.js'

/** What is known after the folder was read. */
export interface Recovered {
  readonly scan: FolderScan
  /** True if the last batch is a clean close. */
  readonly clean: boolean
  /** The batch after which the chain goes on. */
  readonly position: Position
  /** Own records of the last batch (or opening): not replayed yet. */
  readonly last: readonly RawRecord[]
  /** The first batch of what `last` comes from. */
  readonly lastSequence: BatchSequence
  readonly replay: Replay
}

/** Reads and checks everything; writes nothing. DAMAGED, VERSION_UNSUPPORTED, FOREIGN_FOLDER. */
export async function recover(disk: Disk, folder: string): Promise<Recovered> {
  const scan = await scanFolder(disk, folder)
  const replay = new Replay(scan.released)
  const newest = scan.chain.at(-1)
  if (newest === undefined) {
    const position = { sequence: 0, crc: 0 }
    return { scan, clean: false, position, last: [], lastSequence: 1, replay }
  }
  checkChain(scan)
  const lastBatch = must(newest.batches.at(-1), 'the last batch')
  const clean = (lastBatch.flags & batchFlags.cleanClose) !== 0
  const unit = clean ? [] : lastUnit(newest)
  const first = unit[0]?.sequence ?? lastBatch.sequence + 1
  for (const file of scan.chain) {
    for (const batch of file.batches) if (batch.sequence < first) replay.batch(batch)
  }
  const last = unit.flatMap(batch => replay.restated(batch))
  const before = chainBatches(scan).findLast(batch => batch.sequence < first)
  const crc = before?.crc ?? unit[0]?.previousCrc ?? 0
  return { scan, clean, position: { sequence: first - 1, crc }, last, lastSequence: first, replay }
}

/**
 * Rejects with DAMAGED if the log ends before the noted batch, or if a file was cut and the note does not say
 * that no such batch stood there.
 */
export async function refuseShorter(disk: Disk, folder: string, scan: FolderScan): Promise<void> {
  const durable = await readDurableNote(disk, folder)
  const last = chainBatches(scan).at(-1)?.sequence ?? 0
  const newest = scan.chain.at(-1)?.path ?? folder
  if (durable !== undefined && durable > last) {
    const message = `the log in ${folder} ends at batch ${last}, and batch ${durable} was durable`
    throw new SillokError('DAMAGED', message, { details: { file: newest, batch: last + 1, durable } })
  }
  // Behind the noted batch there is one at most, which may be torn: nothing else stood in what was cut off.
  const isKnown = durable !== undefined && durable >= last - 1
  const others = isKnown ? scan.chain.slice(0, -1) : [...scan.chain, ...scan.free]
  for (const file of others) refuseOtherLength(file)
}

/** Throws DAMAGED if the log knows nothing of one of these partitions: it, or a part of it, was lost. */
export function refuseLost(recovered: Recovered, folder: string, required: readonly PartitionId[]): void {
  const { scan, replay, last } = recovered
  const lost = required.filter(id => !replay.knows(id) && !last.some(record => isRegisterOf(id, record)))
  if (lost.length === 0) return
  const whose = `partition${lost.length > 1 ? 's' : ''} ${lost.join(' and ')}, of which a folder is there`
  const what =
    scan.chain.length === 0
      ? `the log in ${folder} is missing: no file of it holds ${whose}`
      : `files of the log in ${folder} are missing: it does not know ${whose}`
  const partitions = lost.map(partition => ({ partition, lastBefore: 0 }))
  throw new SillokError('DAMAGED', what, { details: { file: folder, partitions } })
}

function isRegisterOf(id: PartitionId, { kind, body, start }: RawRecord): boolean {
  return kind === recordKinds.register && body.readUInt32LE(start) === id
}

/**
 * Makes the recovered log ready for writing: in the ring, its partitions in `logs`, the last batch
 * beyond doubt.
 */
export async function settle(
  recovered: Recovered,
  at: {
    readonly disk: Disk
    readonly folder: string
    readonly ring: Ring
    readonly writer: LogWriter
    readonly logs: Map<PartitionId, PartitionLog>
    readonly fileBytes: number
    readonly filesMax: number
  },
): Promise<void> {
  const { disk, ring, logs } = at
  const { scan, replay } = recovered
  /** A file whose opening is rewritten holds nothing else. */
  const replaced = scan.chain.findLast(file => file.batches[0]?.sequence === recovered.lastSequence)
  const chain = scan.chain.filter(file => file !== replaced)
  const fitting = scan.free.filter(file => file.isFinished && file.sizeBytes === at.fileBytes)
  const kept = fitting.slice(0, Math.max(1, at.filesMax - chain.length))
  ring.adopt(
    chain.map(file => asWalFile(file)),
    kept.map(file => file.path),
  )
  for (const [file, batch] of scan.voided) ring.voided.set(file, batch)
  if (recovered.clean) {
    for (const log of replay.finish(ring.usage)) logs.set(log.id, log)
    await confirmClose(disk, at.folder, must(scan.chain.at(-1), 'the newest file'), ring)
  } else {
    await rewriteLast(recovered, at)
    if (replaced?.sizeBytes === at.fileBytes) ring.adoptFree(replaced.path)
  }
  const gone = scan.free.filter(
    file => !kept.includes(file) && ring.needed.every(one => one.path !== file.path),
  )
  for (const file of gone) await disk.remove(file.path)
  if (gone.length > 0) await disk.syncFolder(at.folder)
}

async function rewriteLast(
  recovered: Recovered,
  at: {
    readonly ring: Ring
    readonly writer: LogWriter
    readonly logs: Map<PartitionId, PartitionLog>
  },
): Promise<void> {
  const { ring, writer, logs } = at
  const { scan, replay, last, lastSequence } = recovered
  const newest = scan.chain.at(-1)
  const sequence = newest === undefined ? 1 : sequenceOf(newest) + 1
  if (newest !== undefined) ring.voided.set(sequenceOf(newest), lastSequence)
  const file = await ring.takeFirst(sequence)
  const restated = replay.restate()
  for (const record of last) replay.record(record, sequence)
  for (const log of replay.finish(ring.usage)) logs.set(log.id, log)
  ring.needed.push(file)
  const heads = [...ring.restate(), ...restated]
  const batches = splitOpening([...heads, ...last.map(record => record.whole)])
  ring.openingBytes = openingLength(splitOpening(heads))
  for (const batch of batches) {
    writer.batch.begin()
    for (const record of batch) writer.batch.raw(record)
    await writer.commit(file, batchFlags.opening, batches.length)
  }
  ring.raise(ring.nextFloor())
}

/** The last batch of the file, with the whole opening if it belongs to it. */
function lastUnit(file: FileScan): readonly Batch[] {
  const last = must(file.batches.at(-1), 'the last batch')
  return (last.flags & batchFlags.opening) === 0 ? [last] : file.batches
}

function chainBatches(scan: FolderScan): Batch[] {
  return scan.chain.flatMap(file => file.batches)
}

/** Every file whole, each the successor of the one before. */
function checkChain(scan: FolderScan): void {
  let last: Batch | undefined
  let expected = scan.floor
  for (const file of scan.chain) {
    while (scan.voided.has(expected) && expected < sequenceOf(file)) expected++
    const first = file.batches[0]
    const missing = sequenceOf(file) !== expected || !isNamedRight(file)
    const broken = last !== undefined && !follows(first, last)
    if (missing || broken || first === undefined || !file.counts) {
      throw damaged(scan, file, missing ? 'a file is missing before' : 'the opening is damaged in', last)
    }
    last = file.batches.at(-1)
    if (file.later.length > 0) throw damaged(scan, file, 'a batch is damaged in', last)
    expected++
  }
}

function follows(batch: Batch | undefined, last: Batch): boolean {
  return batch?.sequence === last.sequence + 1 && batch.previousCrc === last.crc
}

function damaged(scan: FolderScan, file: FileScan, what: string, last: Batch | undefined): SillokError {
  const before = chainBatches(scan).filter(batch => last !== undefined && batch.sequence <= last.sequence)
  const own = [...scan.chain.flatMap(one => one.batches), ...scan.chain.flatMap(one => one.later)]
  const after = own.filter(batch => last === undefined || batch.sequence > last.sequence)
  const details = {
    file: file.path,
    offset: file.endOffset,
    ...(last !== undefined && { batch: last.sequence + 1 }),
    laterBatches: after.length,
    partitions: describeLoss(before, after),
  }
  return new SillokError('DAMAGED', `${what} ${file.path}`, { details })
}

function asWalFile(file: FileScan): WalFile {
  return {
    path: file.path,
    sequence: sequenceOf(file),
    salt: Buffer.from(file.salt),
    sizeBytes: file.sizeBytes,
    offset: file.endOffset,
    device: undefined,
  }
}

/** Writes the clean close again: it must not vanish once another batch follows it. */
async function confirmClose(disk: Disk, folder: string, scanned: FileScan, ring: Ring): Promise<void> {
  const { current } = ring
  const last = must(scanned.batches.at(-1), 'the clean close')
  const offset = scanned.endOffset - last.length
  assert(current.path === scanned.path, () => `${current.path} is not ${scanned.path}`)
  const file = await disk.open(current.path)
  let bytes: Buffer
  try {
    bytes = await file.read(offset, last.length)
  } finally {
    await file.close()
  }
  current.device = await disk.openLog(current.path, joinPath(folder, durableNoteName))
  await current.device.commit([bytes], offset)
}
