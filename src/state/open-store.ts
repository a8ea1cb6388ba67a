/**
 * Opens the key-value store of a replica, or decides that it is not to be trusted and opens a fresh one.
 *
 * Not trusted: it refuses to open, misses what the recorded checkpoint proves, or a mark or a session row
 * fails its check. Then the folder goes to quarantine and a store is made anew (rebuild-store) from a
 * snapshot file and the log behind it, or from the log alone. The fresh store says so durably (`!void`), so
 * that a crash before its first checkpoint is not taken for damage: what was there so far is removed, and it
 * begins again.
 *
 * A store that is ahead of the log has no fault of its own: entries of the log are lost, which is refused.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { keyBytes, rowKinds } from '../codec/row.js'
import type { KeyValueStore } from '../env/key-value.js'
import { compareTables, removeDamaged } from '../env/level-tables.js'
import { quarantine } from '../env/quarantine.js'
import { type Checkpoint, decodeCheckpoint, emptyCheckpoint } from './checkpoint.js'
import { markKeys, readMark } from './flush.js'
import { PartitionRows } from './partition-rows.js'
import { orClosed, rebuildStore, removeStore } from './rebuild-store.js'
import type { OpenedStore, StoreOptions } from './store-options.js'
import { SessionWindows } from './windows.js'

/** Rows of sessions read at a time. */
const rowsPerRead = 1000

/**
 * Opens the store, or a fresh one. Rejects with what is not the store's fault: FOLDER_IN_USE, DISK_FULL, and
 * DAMAGED when it knows entries that the log does not hold.
 */
export async function openStore(options: StoreOptions): Promise<OpenedStore> {
  const recorded = options.checkpoint === undefined ? emptyCheckpoint : decodeCheckpoint(options.checkpoint)
  const isThere = (await options.disk.list(options.folder)).length > 0
  let reason = options.damaged
  const isBehind = recorded.index > 0 || (options.logFirstIndex ?? 1) > 1
  if (!isThere && isBehind) reason ??= 'the folder of the store is missing or empty'
  if (reason === undefined) {
    const opened = await tryStore(options, recorded)
    if (typeof opened !== 'string') return opened
    reason = opened
  }
  if (reason !== interrupted && isThere) await quarantine(options.disk, options.folder)
  else await removeStore(options)
  return await rebuildStore(options, recorded.index, reason)
}

/** What is there is the beginning of a rebuild: no evidence of anything. */
const interrupted = 'a rebuild was interrupted'

/** The opened store, or why it is not to be trusted. */
async function tryStore(options: StoreOptions, recorded: Checkpoint): Promise<OpenedStore | string> {
  const damaged = await compareTables(options.disk, options.folder, recorded.tables)
  let store: KeyValueStore
  try {
    store = await options.keyValue.open(options.folder, options)
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED') && !isSillokError(error, 'DISK_FAILED')) throw error
    const tables = damaged.length === 0 ? '' : ` (failed their check: ${damaged.join(', ')})`
    return `the store refuses to open: ${error.message}${tables}`
  }
  const opened = await orClosed(store, async () => {
    const checked = await checkStore(store, recorded, options.logFirstIndex ?? 1)
    if (typeof checked === 'string') return checked
    if (checked.newest > options.logLastIndex) throw logLost(options, checked.newest)
    if (damaged.length > 0) await removeDamaged(options.disk, options.folder)
    return checked
  })
  if (typeof opened === 'string') await store.close()
  return opened
}

/**
 * What the store holds was committed, so the log has lost entries: building the store again would hide that.
 */
function logLost({ folder, logLastIndex }: StoreOptions, newest: LogIndex): SillokError {
  const message = `the log ends at entry ${logLastIndex}, before entry ${newest} that ${folder} knows`
  return new SillokError('DAMAGED', `${message}: entries, or files of the log, are missing`, {
    details: { folder, firstLost: logLastIndex + 1, last: newest },
  })
}

async function checkStore(
  store: KeyValueStore,
  recorded: Checkpoint,
  logFirstIndex: LogIndex,
): Promise<OpenedStore | string> {
  try {
    const keys = [markKeys.applied, markKeys.checkpoint, markKeys.rebuilding]
    const found = await store.getMany(keys)
    const [newest, proven, rebuilding] = keys.map((key, at) => readMark(key, found[at]))
    if (newest === undefined || proven === undefined || rebuilding === undefined)
      return 'a mark fails its check'
    if (rebuilding > 0 && rebuilding >= recorded.index) return interrupted
    if (proven < recorded.index) {
      return `the store proves index ${proven}, the log recorded ${recorded.index}`
    }
    // As when the process ended before the first row of a snapshot was written.
    if (newest + 1 < logFirstIndex) return `the store ends at ${newest}, the log begins at ${logFirstIndex}`
    const resident = await readResident(store)
    if (typeof resident === 'string') return resident
    return { store, checkpoint: recorded, ...resident, newest }
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED') && !isSillokError(error, 'DISK_FAILED')) {
      await store.close()
      throw error
    }
    return `the store fails on reading: ${error.message}`
  }
}

/**
 * What is held in memory whole: kept replies and the partition's own rows. Or a text: the row that fails its
 * check.
 */
async function readResident(
  store: KeyValueStore,
): Promise<{ windows: SessionWindows; partitionRows: PartitionRows } | string> {
  const windows = new SessionWindows()
  const partitionRows = new PartitionRows()
  const bad =
    (await restoreRows(store, rowKinds.reply, (key, value) => windows.restore(key, value))) ??
    (await restoreRows(store, rowKinds.partition, (key, value) => partitionRows.restore(key, value)))
  return bad === undefined ? { windows, partitionRows } : `row ${bad} fails its check`
}

/** Reads all rows of a kind; the key of the first one that is refused, in hex. */
async function restoreRows(
  store: KeyValueStore,
  kind: string,
  restore: (key: Buffer, value: Buffer) => boolean,
): Promise<string | undefined> {
  const end = String.fromCharCode(kind.charCodeAt(0) + 1)
  const rows = store.iterate({ gte: keyBytes(kind), lt: keyBytes(end) })
  try {
    for (;;) {
      const page = await rows.next(rowsPerRead)
      if (page.length === 0) return undefined
      for (const [key, value] of page) if (!restore(key, value)) return key.toString('hex')
    }
  } finally {
    await rows.close()
  }
}
