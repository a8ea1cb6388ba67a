/** A folder for the length of a verb. */
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeSignal } from './signals.js'
import { userFileError } from './user-file.js'

/** What works in the folder may make a file while it is removed: tried again, so often. */
const removal = { recursive: true, force: true, maxRetries: 5 } as const

/**
 * Makes a folder, works in it and removes it with all that it holds, unless it is to be kept; also when
 * a signal ends the process. A relative prefix is taken in the system's temporary folder. NOT_FOUND or
 * INVALID if no folder can be made there.
 */
export async function inTemporaryFolder<T>(
  prefix: string,
  isKept: boolean,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const place = path.resolve(tmpdir(), prefix)
  const folder = await mkdtemp(place).catch(error => {
    throw userFileError(error, 'make', `${place}…`)
  })
  const unlisten = isKept ? () => {} : beforeSignal(() => rmSync(folder, removal))
  try {
    return await work(folder)
  } finally {
    if (!isKept) await rm(folder, removal)
    unlisten()
  }
}
