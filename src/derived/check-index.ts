/**
 * Reads the folder of an index that nobody has open and says what is wrong with it; writes nothing there.
 *
 * Looked at: CHECKPOINT, LevelDB's files by their own checksums, then in a copy every row by ours, the marks,
 * and all rows and notes against those that the documents give, which are computed again from the log. Of an
 * index that is still being built only what must hold already: notes of what its position covers.
 *
 * An index is a copy: a fault here costs only a build. The next opening does it by itself if it sees the
 * fault; a wrong row that has a valid checksum it does not see, so remove the folder then.
 */
import { atKey, type Findings } from '../base/finding.js'
import type { LogIndex } from '../base/ids.js'
import { joinPath } from '../env/disk.js'
import type { KeyValueStore } from '../env/key-value.js'
import { checkLevelFiles, type LevelCheck, withLevelCopy } from '../env/level-folder-check.js'
import { type Canonical, compareRows } from './compare-rows.js'
import { HeldBack } from './held-back.js'
import { checkpointName, type IndexCheckpoint, readCheckpoint } from './index-checkpoint.js'
import { type IndexPosition, markKeys } from './index-marks.js'
import { SharedView } from './index-snapshot.js'
import { findRows, rowsFolder } from './open-index.js'
import { verifyRows } from './verify-rows.js'

/** Which index is checked, and against what. */
export interface IndexCheck extends LevelCheck {
  /** Whose rows they must be; undefined if that is not known. */
  readonly identity: string | undefined
  /** True for the identity of an older or newer version of the index's type. */
  readonly isOtherVersion: (identity: string) => boolean
  /** The last entry of the log; undefined when it cannot be read. */
  readonly lastIndex: LogIndex | undefined
  /** The index itself, if it is known and its rows are compared by what they mean. */
  readonly index?: Canonical
  /**
   * A store with the rows that the documents as of that entry give, without the changes that are held back,
   * or a text that says why there is none.
   */
  readonly expected: (position: LogIndex, heldBack: HeldBack) => Promise<KeyValueStore | string>
}

const ours: readonly string[] = [checkpointName, 'rows']

/** Checks one index. */
export async function checkIndex(check: IndexCheck, findings: Findings): Promise<void> {
  const { disk, folder } = check
  for (const name of await disk.list(folder)) {
    if (!ours.includes(name)) findings.note(joinPath(folder, name), '', 'is not used')
  }
  const checkpoint = await checkCheckpoint(check, findings)
  if (checkpoint === undefined) return
  const rows = { ...check, folder: rowsFolder(folder) }
  const names = await disk.list(rows.folder)
  if (checkpoint.batch === 0 && !names.some(name => /^CURRENT$|\.(log|ldb|sst)$/.test(name))) {
    findings.note(rows.folder, '', 'nothing was written yet')
    return
  }
  const files = await checkLevelFiles(rows, findings)
  if (files === undefined) return
  await withLevelCopy(rows, files, findings, store => checkStore(rows, store, checkpoint, findings))
}

/** The checkpoint if rows are used with it. */
async function checkCheckpoint(check: IndexCheck, findings: Findings): Promise<IndexCheckpoint | undefined> {
  const { disk, folder, clean, identity, isOtherVersion } = check
  const path = joinPath(folder, checkpointName)
  const checkpoint = await findings.attempt(path, () => readCheckpoint(disk, folder))
  if (checkpoint === undefined) {
    const what = 'is missing: no row is used, and the index will be built anew'
    const hasRows = (await disk.list(rowsFolder(folder))).length > 0
    // A crash may leave this while an index is begun anew.
    if (clean && hasRows) findings.fault(path, '', what)
    else findings.note(path, '', what)
    return undefined
  }
  findings.read((await disk.sizeOf(path)) ?? 0)
  if (typeof checkpoint === 'string') {
    findings.fault(path, '', checkpoint)
    return undefined
  }
  if (identity === undefined || checkpoint.identity === identity) return checkpoint
  const what = `was made for ${checkpoint.identity}, not ${identity}: the index will be built anew`
  if (isOtherVersion(checkpoint.identity)) findings.note(path, '', what)
  else findings.fault(path, '', what)
  return undefined
}

async function checkStore(
  check: IndexCheck,
  store: KeyValueStore,
  { batch: proven }: IndexCheckpoint,
  findings: Findings,
): Promise<void> {
  const { folder, lastIndex } = check
  const found = await findRows(store, proven)
  if (typeof found === 'string') {
    findings.fault(folder, '', found)
    return
  }
  const at: IndexPosition = found.at ?? { position: 0, batch: 0, build: { done: false, after: undefined } }
  const view = new SharedView(store, at.position, () => {})
  try {
    const { failing, rowCount } = await verifyRows(view, { at, proven })
    findings.counts.rows += rowCount
    for (const key of failing)
      findings.fault(folder, atKey(Buffer.from(key, 'hex')), 'the row fails its checksum, or is missing')
    if (failing.length > 0) return
  } finally {
    await view.release()
  }
  if (lastIndex !== undefined && at.position > lastIndex) {
    const what = `the index is at entry ${at.position}, and the log ends at ${lastIndex}`
    findings.fault(folder, atKey(markKeys.position), what)
    return
  }
  await compareWithLog(check, store, at, findings)
}

async function compareWithLog(
  { folder, expected, index }: IndexCheck,
  store: KeyValueStore,
  at: IndexPosition,
  findings: Findings,
): Promise<void> {
  if (at.batch === 0) {
    findings.note(folder, '', 'nothing was written yet')
    return
  }
  const heldBack = await HeldBack.read(store)
  const model = await expected(at.position, heldBack)
  if (typeof model === 'string') {
    findings.note(folder, '', `the rows were not compared with the log: ${model}`)
    return
  }
  if (!at.build.done) findings.note(folder, '', 'is being built: rows and later notes were not compared')
  try {
    const differs = (key: Buffer, what: string): void => findings.fault(folder, atKey(key), what)
    heldBack.compare(at.position, at.build.done, differs)
    await compareRows(store, model, { at, heldBack }, differs, index)
  } finally {
    await model.close()
  }
}
