/**
 * The lock of a data folder: a tiny `level` database in `<folder>/lock`, whose file LOCK is held by the
 * system for this process (Node itself has no flock), and released by the system when the process dies.
 */
import { Level } from 'level'
import { isSillokError } from '../base/errors.js'
import { type Disk, joinPath } from './disk.js'
import type { FolderLock } from './environment.js'
import { folderInUse } from './folder-locks.js'
import { levelError } from './level-errors.js'

/**
 * Holds the folder, which is made if missing. FOLDER_IN_USE while another process, or another holder in this
 * one, does; FOLDER_UNUSABLE when nothing can be written there.
 */
export async function lockFolder(disk: Disk, folder: string): Promise<FolderLock> {
  await disk.makeFolder(folder)
  const place = joinPath(folder, 'lock')
  let database: Level
  try {
    database = await openLock(place, folder)
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED') && !isSillokError(error, 'DISK_FAILED')) throw error
    // It holds nothing worth keeping. LOCK itself stays: another process may hold it by now.
    for (const name of await disk.list(place)) {
      if (name !== 'LOCK') await disk.remove(joinPath(place, name))
    }
    database = await openLock(place, folder)
  }
  return { release: () => database.close() }
}

async function openLock(place: string, folder: string): Promise<Level> {
  const database = new Level(place, { writeBufferSize: 64 * 1024, cacheSize: 64 * 1024 })
  try {
    await database.open()
    return database
  } catch (error) {
    const found = levelError(error, place)
    throw found.code === 'FOLDER_IN_USE' ? folderInUse(folder, error) : found
  }
}
