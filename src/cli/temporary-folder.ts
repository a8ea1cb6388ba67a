/** A folder for the length of a verb. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/**
 * Makes a folder, works in it and removes it with all that it holds, unless it is to be kept. A relative
 * prefix is taken in the system's temporary folder.
 */
export async function inTemporaryFolder<T>(
  prefix: string,
  isKept: boolean,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.resolve(tmpdir(), prefix))
  try {
    return await work(folder)
  } finally {
    if (!isKept) await rm(folder, { recursive: true, force: true })
  }
}
