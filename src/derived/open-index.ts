/**
 * Opens the rows of an index, or decides that they are not to be trusted and begins with none.
 *
 *   folder/CHECKPOINT   ours, see index-checkpoint.ts
 *   folder/rows         the key-value store
 *
 * Not trusted: `CHECKPOINT` is missing, damaged or of another identity, a table fails its comparison and is
 * needed, the store refuses to open, a mark, the row of a parked document or the last note fails its check,
 * the last checkpoint is not there, or a batch since then is missing from the middle. Then both are removed,
 * `CHECKPOINT` first: rows are copies of what the log and the state hold. If only the newest batches are
 * missing, that is no damage: LevelDB may lose the end of its log.
 */
import { isSillokError } from '../base/errors.js'
import type { Random } from '../base/random.js'
import { type Disk, joinPath } from '../env/disk.js'
import type { KeyRange, KeyValueStore, KeyValueStores } from '../env/key-value.js'
import { compareTables, removeDamaged } from '../env/level-tables.js'
import {
  checkpointName,
  type IndexCheckpoint,
  incarnationBytes,
  readCheckpoint,
  writeCheckpoint,
} from './index-checkpoint.js'
import {
  type BuiltAt,
  type IndexPosition,
  markerBatch,
  markersAfter,
  markKeys,
  readBuilt,
  readNumber,
  readPosition,
} from './index-marks.js'
import type { FoundNotes } from './index-notes.js'
import { nameOf, noneParked, openParked, type ParkedChange, type ParkedKeys } from './parked.js'
import { openValue, spaces } from './stored-value.js'

/** Where the rows are, and which index they must belong to. */
export interface OpenIndexOptions {
  readonly disk: Disk
  readonly keyValue: KeyValueStores
  readonly random: Random
  readonly folder: string
  readonly identity: string
  readonly writeBufferBytes: number
}

/** What was found in the store. */
export interface FoundRows extends FoundNotes {
  /** Undefined: nothing was ever written. */
  readonly at: IndexPosition | undefined
  /** The oldest batch whose mark is still there, or the next one. */
  readonly firstMarker: number
  readonly parked: ParkedKeys
  /** Documents that were left out. */
  readonly skipped: number
  readonly built: BuiltAt | undefined
}

/** A store whose rows are trusted up to the position that they name. */
export interface OpenedIndex extends FoundRows {
  readonly store: KeyValueStore
  readonly checkpoint: IndexCheckpoint
  /** Why it begins anew. */
  readonly rebuilt?: string
}

const markersPerRead = 1000
const rowsPerRead = 1000
const nothingFound: FoundRows = {
  at: undefined,
  firstMarker: 1,
  highestNote: undefined,
  mayHaveGone: false,
  parked: noneParked,
  skipped: 0,
  built: undefined,
}

/** How the reason begins why rows are made anew that are whole, but of another version of the index. */
export const madeForAnother = 'it was made for'

/** The folder of the key-value store. */
export function rowsFolder(folder: string): string {
  return joinPath(folder, 'rows')
}

/** Opens the rows, or none. Rejects with what is not their fault: FOLDER_IN_USE, DISK_FULL. */
export async function openIndex(options: OpenIndexOptions): Promise<OpenedIndex> {
  const { disk, folder } = options
  const names = await disk.list(folder)
  const reason = await tryOpen(options, names)
  if (typeof reason === 'object') return reason
  if (names.length > 0) await discard(disk, folder)
  await disk.makeFolder(rowsFolder(folder))
  const incarnation = options.random.bytes(incarnationBytes).toString('hex')
  const checkpoint = { identity: options.identity, incarnation, batch: 0, tables: [] }
  await writeCheckpoint(disk, folder, checkpoint)
  const store = await options.keyValue.open(rowsFolder(folder), options)
  return { store, checkpoint, ...nothingFound, ...(reason === undefined ? {} : { rebuilt: reason }) }
}

/** Removes what is not trusted. A crash leaves rows without `CHECKPOINT`, which nobody uses. */
async function discard(disk: Disk, folder: string): Promise<void> {
  await disk.remove(joinPath(folder, checkpointName))
  await disk.syncFolder(folder)
  await disk.remove(rowsFolder(folder))
  await disk.syncFolder(folder)
}

/** The opened store, or why it is not to be trusted; undefined if nothing is there. */
async function tryOpen(
  options: OpenIndexOptions,
  names: readonly string[],
): Promise<OpenedIndex | string | undefined> {
  const { disk, folder, identity } = options
  const checkpoint = await readCheckpoint(disk, folder)
  if (checkpoint === undefined) {
    return names.includes('rows') && (await disk.list(rowsFolder(folder))).length > 0
      ? `its ${checkpointName} is missing`
      : undefined
  }
  if (typeof checkpoint === 'string') return checkpoint
  if (checkpoint.identity !== identity) return `${madeForAnother} ${checkpoint.identity}, not ${identity}`
  const rows = rowsFolder(folder)
  await disk.makeFolder(rows)
  const damaged = await compareTables(disk, rows, checkpoint.tables)
  let store: KeyValueStore
  try {
    store = await options.keyValue.open(rows, options)
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED') && !isSillokError(error, 'DISK_FAILED')) throw error
    const tables = damaged.length === 0 ? '' : ` (failed their check: ${damaged.join(', ')})`
    return `its store refuses to open: ${error.message}${tables}`
  }
  const found = await checkRows(store, checkpoint.batch)
  if (typeof found === 'string') {
    await store.close()
    return found
  }
  if (damaged.length > 0) await removeDamaged(disk, rows)
  return { store, checkpoint, ...found }
}

async function checkRows(store: KeyValueStore, proven: number): Promise<FoundRows | string> {
  try {
    return await findRows(store, proven)
  } catch (error) {
    if (isSillokError(error, 'DAMAGED') || isSillokError(error, 'DISK_FAILED')) {
      return `its store fails on reading: ${error.message}`
    }
    await store.close()
    throw error
  }
}

/** What the marks of a store say; or why it is not to be trusted, if so many batches are proven. */
export async function findRows(store: KeyValueStore, proven: number): Promise<FoundRows | string> {
  const keys = [markKeys.position, markKeys.checkpoint, markKeys.skipped, markKeys.built] as const
  const [position, checkpoint, skippedMark, builtMark] = await store.getMany(keys)
  if (position === undefined) {
    if (proven > 0) return `it is empty, batch ${proven} was recorded`
    const any = await firstRow(store, {})
    return any === undefined ? nothingFound : 'the mark of its position is missing'
  }
  const positionRest = openValue(keys[0], position)
  const checkpointRest = checkpoint && openValue(keys[1], checkpoint)
  const at = positionRest && readPosition(positionRest)
  const proves = checkpoint === undefined ? 0 : checkpointRest && readNumber(checkpointRest)
  const skippedRest = skippedMark && openValue(keys[2], skippedMark)
  const skipped = skippedMark === undefined ? 0 : skippedRest && readNumber(skippedRest)
  const builtRest = builtMark && openValue(keys[3], builtMark)
  const built = builtRest && readBuilt(builtRest)
  if (at === undefined || proves === undefined || skipped === undefined) return 'a mark fails its check'
  if (builtMark !== undefined && built === undefined) return 'a mark fails its check'
  if (proves < proven) return `it proves batch ${proves}, ${proven} was recorded`
  const wrong = await checkMarkers(store, proven, at.batch)
  if (wrong !== undefined) return wrong
  const parked = await readParked(store)
  if (parked === undefined) return 'the row of a parked document fails its check'
  const lastNote = await firstRow(store, { ...spaceRange(spaces.note), reverse: true })
  if (lastNote !== undefined && openValue(...lastNote) === undefined) return 'a note fails its check'
  return {
    at,
    firstMarker: (await firstMarker(store)) ?? at.batch + 1,
    highestNote: lastNote?.[0].subarray(1),
    mayHaveGone: (await firstRow(store, spaceRange(spaces.gone))) !== undefined,
    parked,
    skipped,
    built,
  }
}

/** All parked documents; undefined if one of their rows fails its check. */
async function readParked(store: KeyValueStore): Promise<ParkedKeys | undefined> {
  const parked = new Map<string, ParkedChange>()
  const rows = store.iterate(spaceRange(spaces.parked))
  try {
    for (;;) {
      const page = await rows.next(rowsPerRead)
      if (page.length === 0) return parked
      for (const [key, stored] of page) {
        if (openValue(key, stored) === undefined) return undefined
        const { version, since } = openParked(key, stored)
        parked.set(nameOf(key.subarray(1)), { version, since })
      }
    }
  } finally {
    await rows.close()
  }
}

/** What is wrong with the marks of the batches after the checkpoint, up to the last one. */
async function checkMarkers(store: KeyValueStore, proven: number, last: number): Promise<string | undefined> {
  if (last < proven) return `it ends with batch ${last}, ${proven} was recorded`
  let expected = proven + 1
  const marks = store.iterate(markersAfter(proven))
  try {
    for (;;) {
      const page = await marks.next(markersPerRead)
      if (page.length === 0) break
      for (const [key, stored] of page) {
        if (openValue(key, stored) === undefined) return 'a mark fails its check'
        if (markerBatch(key) !== expected) return `batch ${expected} of ${last} is missing`
        expected++
      }
    }
  } finally {
    await marks.close()
  }
  return expected === last + 1
    ? undefined
    : `the marks end with batch ${expected - 1}, its position says ${last}`
}

async function firstMarker(store: KeyValueStore): Promise<number | undefined> {
  const row = await firstRow(store, markersAfter(0))
  return row && markerBatch(row[0])
}

function spaceRange(space: number): { gte: Buffer; lt: Buffer } {
  return { gte: Buffer.from([space]), lt: Buffer.from([space + 1]) }
}

async function firstRow(store: KeyValueStore, range: KeyRange): Promise<[Buffer, Buffer] | undefined> {
  const rows = store.iterate(range)
  try {
    return (await rows.next(1))[0]
  } finally {
    await rows.close()
  }
}
