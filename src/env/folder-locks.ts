/** Folders that are held inside one process: for environments without files. */
import { SillokError } from '../base/errors.js'
import type { FolderLock } from './environment.js'
import { pathSteps } from './memory-tree.js'

/** The folders that one process holds; a path is compared without its empty steps. */
export class FolderLocks {
  readonly #held = new Set<string>()

  /** Holds the folder until released; FOLDER_IN_USE while another holder does. */
  take(folder: string): FolderLock {
    const path = pathSteps(folder).join('/')
    if (this.#held.has(path)) throw folderInUse(folder)
    this.#held.add(path)
    let held = true
    return {
      release: async () => {
        if (held) this.#held.delete(path)
        held = false
      },
    }
  }
}

/** The error for a data folder that another process, or another store of this one, holds. */
export function folderInUse(folder: string, cause?: unknown): SillokError {
  const message = `${folder} is in use by another process, or by another store of this one`
  return new SillokError('FOLDER_IN_USE', message, { details: { folder }, cause })
}
