/**
 * Makes the key-value store of a state anew: from the newest snapshot file that holds, or else from nothing.
 * The log behind it gives the rest, so the log must reach back that far.
 *
 * Crash states: the mark `!void` is durable before the first row, and goes with the first checkpoint. A store
 * with the mark is removed by the next opening, which begins again. A snapshot that proves bad on the way
 * leaves a half-filled store: it is removed too, before the next one is tried.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { rowKinds } from '../codec/row.js'
import type { KeyValueBatch, KeyValueStore } from '../env/key-value.js'
import { emptyCheckpoint } from './checkpoint.js'
import { markKeys, markRow } from './flush.js'
import { PartitionRows } from './partition-rows.js'
import { readSnapshot } from './snapshot-reader.js'
import type { OpenedStore, SnapshotFile, StoreOptions } from './store-options.js'
import { SessionWindows } from './windows.js'

/**
 * Removes what is there of the store. Durable when it resolves: a file of it that came back after a crash
 * would be taken for one of the fresh store.
 */
export async function removeStore({ disk, folder }: StoreOptions): Promise<void> {
  await disk.remove(folder)
  await disk.syncFolder(folder.slice(0, Math.max(0, folder.lastIndexOf('/'))) || '.')
}

const replyKind = rowKinds.reply.charCodeAt(0)
const partitionKind = rowKinds.partition.charCodeAt(0)

/**
 * A fresh store in the folder, which must be gone. `recorded`: the checkpoint that the log speaks of, void
 * from now on. Rejects with DAMAGED, naming what is lost, when no snapshot holds and the log has lost its
 * head; DISK_FULL.
 */
export async function rebuildStore(
  options: StoreOptions,
  recorded: LogIndex,
  reason: string,
): Promise<OpenedStore> {
  const { snapshots = [], logFirstIndex = 1 } = options
  const bad: string[] = []
  const badSnapshots: string[] = []
  for (const snapshot of snapshots) {
    checkJoins(options, snapshot)
    // Until a checkpoint is recorded an opening must not take a part of the rows for all of them.
    const store = await freshStore(options, Math.max(recorded, 1))
    try {
      const loaded = await load(options, store, snapshot)
      const rebuilt = [reason, ...bad, `made from ${snapshot.path} and the log`].join('; ')
      return { store, ...loaded, rebuilt, badSnapshots }
    } catch (error) {
      await store.close()
      if (!isSillokError(error, 'DAMAGED') || error.details['file'] !== snapshot.path) throw error
      await removeStore(options)
      bad.push(error.message)
      badSnapshots.push(snapshot.path)
    }
  }
  if (logFirstIndex > 1) throw lost(options, [reason, ...bad])
  const store = await freshStore(options, recorded)
  const resident = { windows: new SessionWindows(), partitionRows: new PartitionRows() }
  const rebuilt = [reason, ...bad].join('; ')
  return { store, checkpoint: emptyCheckpoint, ...resident, newest: 0, rebuilt, badSnapshots }
}

/** What snapshot and log hold must touch: both count, so anything else was lost. */
function checkJoins({ logFirstIndex = 1, logLastIndex }: StoreOptions, { path, index }: SnapshotFile): void {
  if (index <= logLastIndex && index >= logFirstIndex - 1) return
  const log = `the log goes from entry ${logFirstIndex} to ${logLastIndex}`
  throw new SillokError(
    'DAMAGED',
    `${log}, and ${path} is the state of entry ${index}: entries are missing`,
    {
      details: { file: path, firstLost: Math.min(index, logLastIndex) + 1 },
    },
  )
}

function lost({ folder, logFirstIndex }: StoreOptions, reasons: readonly string[]): SillokError {
  const why = `the log begins at entry ${logFirstIndex}, and no snapshot holds (${reasons.join('; ')})`
  return new SillokError('DAMAGED', `${folder} cannot be built again: ${why}`, {
    details: { folder, logFirstIndex },
  })
}

async function freshStore(options: StoreOptions, recorded: LogIndex): Promise<KeyValueStore> {
  const store = await options.keyValue.open(options.folder, options)
  const batch = store.batch()
  // Without this row the recorded checkpoint would be taken to speak of the fresh folder.
  batch.put(markKeys.rebuilding, markRow(markKeys.rebuilding, recorded))
  await orClosed(store, () => batch.write({ sync: true }))
  return store
}

/** What the work resolves with; if it fails the store is closed, or it could not be opened again. */
export async function orClosed<T>(store: KeyValueStore, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Writes all rows of the snapshot into the store, in batches, each with `!applied`. */
async function load(
  { disk }: StoreOptions,
  store: KeyValueStore,
  { path, index, sha256 }: SnapshotFile,
): Promise<Omit<OpenedStore, 'store' | 'rebuilt'>> {
  const windows = new SessionWindows()
  const partitionRows = new PartitionRows()
  const applied = markRow(markKeys.applied, index)
  let batch: KeyValueBatch | undefined
  let bytes = 0
  const write = async (): Promise<void> => {
    batch?.put(markKeys.applied, applied)
    await batch?.write()
    batch = undefined
    bytes = 0
  }
  const read = await readSnapshot(disk, path, async rows => {
    for (const [key, value] of rows) {
      batch ??= store.batch()
      batch.put(key, value)
      bytes += key.length + value.length
      // What stays in memory must not keep the piece of the file that it was read with.
      if (key[0] === replyKind) windows.restore(key, Buffer.from(value))
      if (key[0] === partitionKind) partitionRows.restore(key, Buffer.from(value))
      if (bytes >= limits.flushBatchBytesMax) await write()
    }
    await write()
  })
  if (read.head.index !== index || !read.sha256.equals(sha256)) {
    const details = { file: path, offset: 0 }
    throw new SillokError('DAMAGED', `${path} is not the snapshot that was recorded`, { details })
  }
  return { checkpoint: { index, digests: read.digests, tables: [] }, windows, partitionRows, newest: index }
}
