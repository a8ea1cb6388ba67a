/**
 * The table files of a LevelDB folder: their list for a checkpoint, and their comparison before
 * the store is opened (after that it is too late: compaction gives damaged rows new checksums).
 *
 * A table named in the checkpoint must have the size and CRC that were recorded. Any other, made since or
 * under a number that was given out again after a crash, must hold by LevelDB's own checksums. One that does
 * neither is renamed out of LevelDB's sight: a crash leaves half-written tables that nothing refers to, and
 * LevelDB itself refuses to open when one that it needs is missing.
 */
import { crc32 } from '../base/checksum.js'
import { isSillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type Disk, type DiskFile, joinPath } from './disk.js'
import { checkTable, isFinishedTable } from './level-table-check.js'

/** A table as it was at a checkpoint. */
export interface TableRecord {
  readonly name: string
  readonly sizeBytes: number
  readonly crc: number
}

const damagedSuffix = '.damaged'

function isTable(name: string): boolean {
  return /^\d+\.(ldb|sst)$/.test(name)
}

/** All finished tables; the CRC of those in `known` with the same name and size is taken from there. */
export async function listTables(
  disk: Disk,
  folder: string,
  known: readonly TableRecord[],
): Promise<TableRecord[]> {
  const before = new Map(known.map(table => [table.name, table]))
  const tables: TableRecord[] = []
  for (const name of (await disk.list(folder)).filter(isTable)) {
    const old = before.get(name)
    const sizeBytes = await disk.sizeOf(joinPath(folder, name))
    if (sizeBytes === undefined) continue
    const table = old?.sizeBytes === sizeBytes ? old : await measureIfThere(disk, folder, name)
    if (table !== undefined) tables.push(table)
  }
  return tables
}

/**
 * Compaction removes tables and writes new ones at any moment: one that is gone or unfinished is not listed.
 */
async function measureIfThere(disk: Disk, folder: string, name: string): Promise<TableRecord | undefined> {
  try {
    return await measure(disk, folder, name)
  } catch (error) {
    if (isSillokError(error) && (await disk.sizeOf(joinPath(folder, name))) === undefined) return undefined
    throw error
  }
}

async function measure(disk: Disk, folder: string, name: string): Promise<TableRecord | undefined> {
  const file = await disk.open(joinPath(folder, name))
  try {
    if (!(await isFinishedTable(file))) return undefined
    return { name, sizeBytes: await file.size(), crc: await fileCrc(file) }
  } finally {
    await file.close()
  }
}

async function fileCrc(file: DiskFile): Promise<number> {
  let crc = 0
  for (let offset = 0; ; ) {
    const bytes = await file.read(offset, limits.flushBatchBytesMax)
    if (bytes.length === 0) return crc
    crc = crc32(bytes, crc)
    offset += bytes.length
  }
}

/**
 * Compares all tables before the store is opened. Resolves with the names of those that were put out of
 * sight.
 */
export async function compareTables(
  disk: Disk,
  folder: string,
  recorded: readonly TableRecord[],
): Promise<string[]> {
  const known = new Map(recorded.map(table => [table.name, table]))
  const damaged: string[] = []
  for (const name of (await disk.list(folder)).filter(isTable)) {
    const record = known.get(name)
    const path = joinPath(folder, name)
    const same = record !== undefined && sameTable(record, await measure(disk, folder, name))
    if (same || (await checkTable(disk, path))) continue
    await disk.rename(path, path + damagedSuffix)
    damaged.push(name)
  }
  if (damaged.length > 0) await disk.syncFolder(folder)
  return damaged
}

function sameTable(record: TableRecord, table: TableRecord | undefined): boolean {
  return table !== undefined && table.sizeBytes === record.sizeBytes && table.crc === record.crc
}

/** Removes what `compareTables` put out of sight, once the store was opened without it. */
export async function removeDamaged(disk: Disk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (name.endsWith(damagedSuffix)) await disk.remove(joinPath(folder, name))
  }
}
