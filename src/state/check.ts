/**
 * Reads the key-value folder of a replica that nobody has open and says what is wrong with it; writes nothing
 * there. LevelDB itself, which writes when it opens, sees a copy.
 *
 * Looked at: CURRENT, the MANIFEST, the tables and logs that it names, every byte by LevelDB's own checksums;
 * then every row by ours. Not looked at, since nothing uses them: LOCK, LOG, LOG.old, and tables and logs
 * that the MANIFEST does not name. What a log holds was written after the last checkpoint and is applied
 * again: after a crash its end may be torn, and that is no fault.
 */
import { atByte, atKey, type Findings } from '../base/finding.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { keyText, type Row, type RowKey, readRow } from '../codec/row.js'
import { type Disk, joinPath } from '../env/disk.js'
import type { KeyValueStore, KeyValueStores } from '../env/key-value.js'
import { tableFault } from '../env/level-table-check.js'
import { markKeys, readMark } from './flush.js'
import { type LevelFiles, readManifest } from './level-files.js'
import { readLevelLog } from './level-log.js'
import { SessionWindows } from './windows.js'

/** Which folder is checked, and how. */
export interface StateCheck {
  readonly disk: Disk
  readonly keyValue: KeyValueStores
  readonly folder: string
  /** A folder of the check's own, made and removed by it, into which LevelDB's files are copied. */
  readonly scratch: string
  /** The store was closed cleanly: there is nothing that a crash left. */
  readonly clean: boolean
}

/** What the store says of itself. */
export interface StoredMarks {
  /** No row is newer. */
  readonly newest: LogIndex
  /** All rows up to there are in tables. */
  readonly proven: LogIndex
  /** Recorded checkpoints up to there speak of another folder. */
  readonly rebuilding: LogIndex
  /** The synced write that follows a checkpoint names this one. */
  readonly probe: LogIndex
}

const rowsPerRead = 1000

/** Names of the files that hold the rows; undefined when something is wrong with one of them. */
export async function checkFiles(check: StateCheck, findings: Findings): Promise<string[] | undefined> {
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

/** The name of the MANIFEST in use. */
async function checkCurrent(
  { disk, folder }: StateCheck,
  names: readonly string[],
  findings: Findings,
): Promise<string | undefined> {
  const path = joinPath(folder, 'CURRENT')
  if (!names.includes('CURRENT')) {
    findings.fault(path, '', 'is missing')
    return undefined
  }
  const bytes = await findings.attempt(path, () => readWhole(disk, path, findings))
  const name = /^(MANIFEST-\d{6,})\n$/.exec(bytes?.toString('latin1') ?? '')?.[1]
  if (bytes !== undefined && name === undefined) findings.fault(path, atByte(0), 'does not name a MANIFEST')
  if (name === undefined || names.includes(name)) return name
  if (names.some(other => other.startsWith('MANIFEST-')))
    findings.fault(path, atByte(0), `names ${name}, which is not there`)
  else findings.fault(joinPath(folder, name), '', 'is missing')
  return undefined
}

async function checkManifest(
  { disk, folder, clean }: StateCheck,
  name: string,
  names: readonly string[],
  findings: Findings,
): Promise<LevelFiles | undefined> {
  const path = joinPath(folder, name)
  return await findings.attempt(path, async () => {
    const { records, fault } = await readLevelLog(await readWhole(disk, path, findings))
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
  { disk, folder }: StateCheck,
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
  { disk, folder, clean }: StateCheck,
  names: readonly string[],
  { logNumber }: LevelFiles,
  findings: Findings,
): Promise<string[]> {
  const used = names.filter(name => /^\d+\.log$/.test(name) && Number.parseInt(name, 10) >= logNumber)
  const newest = `${fileStem(logNumber)}.log`
  // A store that was only just made names none.
  if (logNumber > 0 && !used.includes(newest))
    findings.fault(joinPath(folder, newest), '', 'is missing: the MANIFEST names it')
  for (const name of used) {
    const path = joinPath(folder, name)
    await findings.attempt(path, async () => {
      const { fault } = await readLevelLog(await readWhole(disk, path, findings))
      if (fault === undefined) return
      if (clean) findings.fault(path, atByte(fault.offset), fault.what)
      else findings.note(path, atByte(fault.offset), `torn end: ${fault.what}; read again from the log`)
    })
  }
  return used
}

/**
 * Opens a copy of these files and shows every row that holds by its checksum, kept replies one by one.
 * Resolves with the marks; undefined when LevelDB refuses the copy, or a mark does not hold.
 */
export async function readRows(
  check: StateCheck,
  names: readonly string[],
  findings: Findings,
  see: (key: RowKey, row: Row) => void,
): Promise<StoredMarks | undefined> {
  const { disk, keyValue, folder, scratch } = check
  await disk.makeFolder(scratch)
  try {
    for (const name of names) await copyFile(disk, joinPath(folder, name), joinPath(scratch, name))
    return await findings.attempt(folder, async () => {
      const store = await keyValue.open(scratch, { writeBufferBytes: limits.writeBufferBytes })
      try {
        return await readStore(store, folder, findings, see)
      } finally {
        await store.close()
      }
    })
  } finally {
    await disk.remove(scratch)
  }
}

async function readStore(
  store: KeyValueStore,
  folder: string,
  findings: Findings,
  see: (key: RowKey, row: Row) => void,
): Promise<StoredMarks | undefined> {
  const windows = new SessionWindows()
  const marks = new Map<string, LogIndex | undefined>()
  const iterator = store.iterate({})
  try {
    for (;;) {
      const page = await iterator.next(rowsPerRead)
      if (page.length === 0) break
      for (const [key, value] of page) {
        findings.counts.rows++
        const text = keyText(key)
        const kind = text[0]
        const row = kind === '!' || kind === 's' ? undefined : readRow(key, value)
        if (row !== undefined) see(text, row)
        const mark = kind === '!' ? readMark(key, value) : undefined
        if (mark !== undefined) marks.set(text, mark)
        const holds = row !== undefined || mark !== undefined || (kind === 's' && windows.restore(key, value))
        if (!holds) findings.fault(folder, atKey(key), 'the row fails its checksum')
      }
    }
  } finally {
    await iterator.close()
  }
  for (const window of windows.all()) {
    for (const [place, row] of window.rows.entries()) see(window.keys[place] ?? '', row)
  }
  const mark = (key: Buffer): LogIndex => marks.get(keyText(key)) ?? 0
  return {
    newest: mark(markKeys.applied),
    proven: mark(markKeys.checkpoint),
    rebuilding: mark(markKeys.rebuilding),
    probe: mark(markKeys.probe),
  }
}

async function readWhole(disk: Disk, path: string, findings: Findings): Promise<Buffer> {
  const file = await disk.open(path)
  try {
    const bytes = await file.read(0, await file.size())
    findings.read(bytes.length)
    return bytes
  } finally {
    await file.close()
  }
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
