/**
 * Names of files and folders, in memory: a tree under one root. `/a//b`, `a/b` and `./a/b` are the same path.
 *
 * The errors are those that the door to files promises.
 */
import { SillokError } from '../base/errors.js'

/** A folder: names of files and folders. */
export class Folder<File> {
  readonly entries = new Map<string, File | Folder<File>>()
}

/** Where a name stands (or would). */
export interface Place<File> {
  readonly folder: Folder<File>
  readonly name: string
}

/** The steps of a path from the root. */
export function pathSteps(path: string): string[] {
  return path.split('/').filter(step => step !== '' && step !== '.')
}

/** The names under one root; what a file is, is the caller's. */
export class MemoryTree<File extends object> {
  readonly root: Folder<File>

  constructor(root = new Folder<File>()) {
    this.root = root
  }

  /**
   * What stands at the path, undefined if nothing does. FOLDER_UNUSABLE if a file stands where a folder must.
   */
  find(path: string): File | Folder<File> | undefined {
    let node: File | Folder<File> | undefined = this.root
    for (const step of pathSteps(path)) {
      if (node === undefined) return undefined
      if (!(node instanceof Folder)) throw notFolder(path)
      node = node.entries.get(step)
    }
    return node
  }

  /** The file at the path; DISK_FAILED if there is none. */
  file(path: string): File {
    const node = this.find(path)
    if (node === undefined) throw missing(path)
    if (node instanceof Folder) throw new SillokError('DISK_FAILED', `${path} is a folder`)
    return node
  }

  /** The folder at the path, undefined if nothing is there; FOLDER_UNUSABLE if it is a file. */
  folder(path: string): Folder<File> | undefined {
    const node = this.find(path)
    if (node !== undefined && !(node instanceof Folder)) throw notFolder(path)
    return node
  }

  /** The folder that holds (or would hold) the path's last step; DISK_FAILED if it is missing. */
  place(path: string): Place<File> {
    const steps = pathSteps(path)
    const name = steps.pop()
    if (name === undefined) throw new SillokError('DISK_FAILED', `${path} is the root`)
    const folder = this.folder(steps.join('/'))
    if (folder === undefined) throw missing(path)
    return { folder, name }
  }

  /**
   * Makes the folders that are missing along the path; tells where each step stands, top down, and which are
   * new.
   */
  makeFolder(path: string): { place: Place<File>; node: Folder<File>; made: boolean }[] {
    const steps: { place: Place<File>; node: Folder<File>; made: boolean }[] = []
    let folder = this.root
    for (const name of pathSteps(path)) {
      const found = folder.entries.get(name)
      if (found !== undefined && !(found instanceof Folder)) throw notFolder(path)
      const node = found ?? new Folder<File>()
      folder.entries.set(name, node)
      steps.push({ place: { folder, name }, node, made: found === undefined })
      folder = node
    }
    return steps
  }

  /** Checks that a rename is one that a file system would do. */
  checkRename(
    from: string,
    to: string,
  ): { source: Place<File>; target: Place<File>; node: File | Folder<File> } {
    const source = this.place(from)
    const target = this.place(to)
    const node = source.folder.entries.get(source.name)
    if (node === undefined) throw missing(from)
    const replaced = target.folder.entries.get(target.name)
    const fits =
      replaced === undefined ||
      replaced === node ||
      (node instanceof Folder
        ? replaced instanceof Folder && replaced.entries.size === 0
        : !(replaced instanceof Folder))
    if (!fits) throw new SillokError('DISK_FAILED', `cannot rename ${from} over ${to}`)
    return { source, target, node }
  }
}

function missing(path: string): SillokError {
  return new SillokError('DISK_FAILED', `no such file or folder: ${path}`, { details: { path } })
}

function notFolder(path: string): SillokError {
  return new SillokError('FOLDER_UNUSABLE', `a file stands where a folder must: ${path}`, {
    details: { path },
  })
}
