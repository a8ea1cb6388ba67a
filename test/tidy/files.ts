/** Where the project is, and which files it has; apart from `source.ts`, since that loads the compiler. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root of the project, from the compiled place of this file. */
export const projectRoot = fileURLToPath(new URL('../../../', import.meta.url))

/** Paths of all files under these folders, sorted; a missing folder has none. */
export function listFiles(folders: readonly string[], root = projectRoot): string[] {
  const found: string[] = []
  for (const folder of folders) {
    let entries: string[] = []
    try {
      entries = readdirSync(path.join(root, folder), {
        recursive: true,
        encoding: 'utf8',
        withFileTypes: true,
      })
        .filter(entry => entry.isFile())
        .map(entry => path.join(entry.parentPath, entry.name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    for (const entry of entries) found.push(path.relative(root, entry).split(path.sep).join('/'))
  }
  return found.filter(file => !file.includes('node_modules/')).sort()
}
