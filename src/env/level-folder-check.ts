/**
 * Checks a LevelDB folder that nobody has open, and lets LevelDB itself, which writes when it opens, open a
 * copy of what holds. Writes nothing in the folder.
 *
 * Looked at: CURRENT, the MANIFEST, the tables and logs that it names, every byte by LevelDB's own checksums.
 * Not looked at, since nothing uses them: LOCK, LOG, LOG.old, and tables and logs that the MANIFEST does not
 * name. After a crash the end of a log may be torn, and that is no fault: our own log has it too.
 */
import { atByte, type Findings } from '../base/finding.js'
import { limits } from '../base/limits.js'
import { type Disk, joinPath, readWhole } from './disk.js'
import type { KeyValueStore, KeyValueStores } from './key-value.js'
import { type LevelFiles, readManifest } from './level-files.js'
import { readLevelLog } from './level-log.js'
import { tableFault } from './level-table-check.js'

/** Which folder is checked, and how. */
export interface LevelCheck {
  readonly disk: Disk
  readonly keyValue: KeyValueStores
  readonly folder: string
  /** A folder of the check's own, made and removed by it, into which LevelDB's files are copied. */
  readonly scratch: string
  /** The store was closed cleanly: there is nothing that a crash left. */
  readonly clean: boolean
}

/** Names of the files that hold the rows; undefined when something is wrong with one of them. */
export async function checkLevelFiles(check: LevelCheck, findings: Findings): Promise<string[] | undefined> {
  const { disk, folder } = check
  const before = findings.faultCount
  const names = await disk.list(folder)
  const manifest = await checkCurrent(check, names, findings)
  if (manifest === undefined) return undefined
  const files = await checkManifest(check, manifest, names, findings)
  if (files === undefined) return undefined
  const tables = await checkTables(check, names, files, findings)
  const logs = await checkLogs(check, names, files, findings)
  return findings.faultCount > before ? undefined : ['CURRENT', manifest, ...tables, ...logs]
}

/**
 * Does the work on a store opened from a copy of these files, which is removed again. Undefined when LevelDB
 * refuses the copy, or the work finds damage: a fault of the folder.
 */
export async function withLevelCopy<T>(
  check: LevelCheck,
  names: readonly string[],
  findings: Findings,
  work: (store: KeyValueStore) => Promise<T>,
): Promise<T | undefined> {
  const { disk, keyValue, folder, scratch } = check
  await disk.makeFolder(scratch)
  try {
    for (const name of names) await copyFile(disk, joinPath(folder, name), joinPath(scratch, name))
    return await findings.attempt(folder, async () => {
      const store = await keyValue.open(scratch, { writeBufferBytes: limits.writeBufferBytes })
      try {
        return await work(store)
      } finally {
        await store.close()
      }
    })
  } finally {
    await disk.remove(scratch)
  }
}

/** The name of the MANIFEST in use. */
async function checkCurrent(
  { disk, folder }: LevelCheck,
  names: readonly string[],
  findings: Findings,
): Promise<string | undefined> {
  const path = joinPath(folder, 'CURRENT')
  if (!names.includes('CURRENT')) {
    findings.fault(path, '', 'is missing')
    return undefined
  }
  const bytes = await findings.attempt(path, () => readCounted(disk, path, findings))
  const name = /^(MANIFEST-\d{6,})\n$/.exec(bytes?.toString('latin1') ?? '')?.[1]
  if (bytes !== undefined && name === undefined) findings.fault(path, atByte(0), 'does not name a MANIFEST')
  if (name === undefined || names.includes(name)) return name
  if (names.some(other => other.startsWith('MANIFEST-')))
    findings.fault(path, atByte(0), `names ${name}, which is not there`)
  else findings.fault(joinPath(folder, name), '', 'is missing')
  return undefined
}

async function checkManifest(
  { disk, folder, clean }: LevelCheck,
  name: string,
  names: readonly string[],
  findings: Findings,
): Promise<LevelFiles | undefined> {
  const path = joinPath(folder, name)
  return await findings.attempt(path, async () => {
    const { records, fault } = await readLevelLog(await readCounted(disk, path, findings))
    if (fault !== undefined && (clean || !fault.what.startsWith('ends'))) {
      findings.fault(path, atByte(fault.offset), fault.what)
      return undefined
    }
    if (fault !== undefined) findings.note(path, atByte(fault.offset), `torn end: ${fault.what}`)
    const files = readManifest(records)
    if (files === undefined || records.length === 0) {
      findings.fault(path, '', 'holds what is no list of files')
      return undefined
    }
    const newer = names.find(other => Number.parseInt(other, 10) >= files.nextNumber)
    if (clean && newer !== undefined) {
      findings.fault(path, '', `ends too early: ${newer} was made after its last edit`)
      return undefined
    }
    return files
  })
}

/** The tables that the MANIFEST names. */
async function checkTables(
  { disk, folder }: LevelCheck,
  names: readonly string[],
  files: LevelFiles,
  findings: Findings,
): Promise<string[]> {
  const used: string[] = []
  for (const [number, sizeBytes] of files.tables) {
    const stem = fileStem(number)
    const name = names.includes(`${stem}.sst`) ? `${stem}.sst` : `${stem}.ldb`
    const path = joinPath(folder, name)
    used.push(name)
    await findings.attempt(path, async () => {
      const size = await disk.sizeOf(path)
      if (size === undefined) return findings.fault(path, '', 'is missing: the MANIFEST names it')
      findings.read(size)
      if (size !== sizeBytes) {
        const what = `is ${size} bytes long; the MANIFEST says ${sizeBytes}`
        return findings.fault(path, atByte(Math.min(size, sizeBytes)), what)
      }
      const fault = await tableFault(disk, path)
      if (fault !== undefined) findings.fault(path, atByte(fault), 'a block fails its checksum')
    })
  }
  for (const name of names.filter(isTableName)) {
    if (!used.includes(name)) findings.note(joinPath(folder, name), '', 'is not used: no MANIFEST names it')
  }
  return used
}

/** The logs that are read when the store is opened. */
async function checkLogs(
  { disk, folder, clean }: LevelCheck,
  names: readonly string[],
  { logNumber }: LevelFiles,
  findings: Findings,
): Promise<string[]> {
  const used = names.filter(name => /^\d+\.log$/.test(name) && Number.parseInt(name, 10) >= logNumber)
  const newest = `${fileStem(logNumber)}.log`
  // It was left while it was made: the first MANIFEST names no log, and the first log is still empty.
  const isNew = logNumber === 0 && !names.some(isTableName) && (await areEmpty(disk, folder, used))
  if (!used.includes(newest) && !isNew)
    findings.fault(joinPath(folder, newest), '', 'is missing: the MANIFEST names it')
  for (const name of used) {
    const path = joinPath(folder, name)
    await findings.attempt(path, async () => {
      const { fault } = await readLevelLog(await readCounted(disk, path, findings))
      if (fault === undefined) return
      if (clean) findings.fault(path, atByte(fault.offset), fault.what)
      else findings.note(path, atByte(fault.offset), `torn end: ${fault.what}; read again from the log`)
    })
  }
  return used
}

async function areEmpty(disk: Disk, folder: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) if ((await disk.sizeOf(joinPath(folder, name))) !== 0) return false
  return true
}

async function readCounted(disk: Disk, path: string, findings: Findings): Promise<Buffer> {
  const bytes = await readWhole(disk, path)
  findings.read(bytes.length)
  return bytes
}

async function copyFile(disk: Disk, from: string, to: string): Promise<void> {
  const [source, target] = [await disk.open(from), await disk.open(to, { create: true })]
  try {
    for (let at = 0; ; ) {
      const bytes = await source.read(at, limits.flushBatchBytesMax)
      if (bytes.length === 0) return
      await target.write([bytes], at)
      at += bytes.length
    }
  } finally {
    await source.close()
    await target.close()
  }
}

function isTableName(name: string): boolean {
  return /^\d+\.(ldb|sst)$/.test(name)
}

function fileStem(number: number): string {
  return String(number).padStart(6, '0')
}
