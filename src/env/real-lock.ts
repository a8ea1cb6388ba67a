/**
 * The lock of a data folder: a tiny `level` database in `<folder>/lock`, whose file LOCK is held by the
 * system for this process (Node itself has no flock), and released by the system when the process dies.
 *
 * A second holder in this process never gets as far as LOCK: LevelDB would open it, see that it is held and
 * close it again, and the system drops all locks of a process on a file when the process closes any
 * descriptor of it. Then another process could write to the folder too.
 */
import { stat } from 'node:fs/promises'
import { Level } from 'level'
import { isSillokError } from '../base/errors.js'
import { type Disk, joinPath } from './disk.js'
import type { FolderLock } from './environment.js'
import { folderInUse } from './folder-locks.js'
import { levelError } from './level-errors.js'

/**
 * Folders that this process holds or is about to hold, by device and file number: a link is the same folder.
 */
const held = new Set<string>()

/**
 * Holds the folder, which is made if missing. FOLDER_IN_USE while another process, or another holder in this
 * one, does; FOLDER_UNUSABLE when nothing can be written there.
 */
export async function lockFolder(disk: Disk, folder: string): Promise<FolderLock> {
  await disk.makeFolder(folder)
  const { dev, ino } = await stat(folder, { bigint: true })
  const name = `${dev} ${ino}`
  if (held.has(name)) throw folderInUse(folder)
  held.add(name)
  try {
    const database = await takeLock(disk, folder)
    return {
      release: async () => {
        await database.close()
        held.delete(name)
      },
    }
  } catch (error) {
    held.delete(name)
    throw error
  }
}

async function takeLock(disk: Disk, folder: string): Promise<Level> {
  const place = joinPath(folder, 'lock')
  try {
    return await openLock(place, folder)
  } catch (error) {
    if (!isSillokError(error, 'DAMAGED') && !isSillokError(error, 'DISK_FAILED')) throw error
    // It holds nothing worth keeping. LOCK itself stays: another process may hold it by now.
    for (const name of await disk.list(place)) {
      if (name !== 'LOCK') await disk.remove(joinPath(place, name))
    }
    return await openLock(place, folder)
  }
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
