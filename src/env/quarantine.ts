/**
 * Puts a folder that is not to be trusted aside, as evidence, and makes room for a fresh one.
 *
 * It is renamed to `<folder>-quarantine-<n>`; the newest two are kept. A crash leaves it under one of the two
 * names: under the old one the fault is found again. Nothing is ever repaired in place.
 */
import type { Disk } from './disk.js'
import { joinPath } from './disk.js'

const keptMax = 2

/** Renames the folder and resolves with its new path, durably. */
export async function quarantine(disk: Disk, folder: string): Promise<string> {
  const cut = folder.lastIndexOf('/')
  const parent = cut < 0 ? '.' : folder.slice(0, cut)
  const prefix = `${folder.slice(cut + 1)}-quarantine-`
  const numbers = (await disk.list(parent))
    .filter(name => name.startsWith(prefix))
    .map(name => Number(name.slice(prefix.length)))
    .filter(number => Number.isSafeInteger(number))
    .sort((left, right) => left - right)
  for (const number of numbers.slice(0, Math.max(0, numbers.length - (keptMax - 1)))) {
    await disk.remove(joinPath(parent, `${prefix}${number}`))
  }
  const path = joinPath(parent, `${prefix}${(numbers.at(-1) ?? 0) + 1}`)
  await disk.rename(folder, path)
  await disk.syncFolder(parent)
  return path
}
