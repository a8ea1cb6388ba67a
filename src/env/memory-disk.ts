/** A disk in memory, for stores without files: everything is there at once and ends with the process. */
import { SillokError } from '../base/errors.js'
import type { Clock } from './clock.js'
import type { Disk, DiskFile, LogDevice } from './disk.js'
import { MemoryBytes } from './memory-bytes.js'
import { Folder, MemoryTree } from './memory-tree.js'

/** A disk of its own: nothing is shared with another one, nothing fails for want of space. */
export class MemoryDisk implements Disk {
  readonly #clock: Clock
  readonly #tree = new MemoryTree<MemoryBytes>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const file = options?.create ? this.#madeFile(path) : this.#tree.file(path)
    return {
      size: async () => file.size,
      read: async (offset, length) => file.read(offset, length),
      contentEnd: async () => file.contentEnd,
      write: async (buffers, offset) => writeAll(file, buffers, offset),
      truncate: async size => file.truncate(size),
      sync: async () => {},
      close: async () => {},
    }
  }

  async openLog(path: string, notePath?: string): Promise<LogDevice> {
    const file = this.#tree.file(path)
    const noteFile = notePath === undefined ? undefined : this.#madeFile(notePath)
    const commit: LogDevice['commit'] = async (buffers, offset, { note } = {}) => {
      writeAll(file, buffers, offset)
      if (note !== undefined) noteFile?.write(note, 0)
      // A loop of awaited writes would otherwise never let the event loop go on.
      await new Promise<void>(resolve => this.#clock.soon(resolve))
    }
    return { commit, close: async () => {} }
  }

  #madeFile(path: string): MemoryBytes {
    const { folder, name } = this.#tree.place(path)
    if (!folder.entries.has(name)) folder.entries.set(name, new MemoryBytes())
    return this.#tree.file(path)
  }

  async list(folder: string): Promise<string[]> {
    return [...(this.#tree.folder(folder)?.entries.keys() ?? [])].sort()
  }

  async sizeOf(path: string): Promise<number | undefined> {
    const node = this.#tree.find(path)
    return node instanceof MemoryBytes ? node.size : undefined
  }

  async makeFolder(folder: string): Promise<void> {
    this.#tree.makeFolder(folder)
  }

  async rename(from: string, to: string): Promise<void> {
    const { source, target, node } = this.#tree.checkRename(from, to)
    source.folder.entries.delete(source.name)
    target.folder.entries.set(target.name, node)
  }

  async remove(path: string): Promise<void> {
    if (this.#tree.find(path) === undefined) return
    const { folder, name } = this.#tree.place(path)
    folder.entries.delete(name)
  }

  async syncFolder(path: string): Promise<void> {
    if (!(this.#tree.folder(path) instanceof Folder)) {
      throw new SillokError('DISK_FAILED', `no such folder: ${path}`, { details: { path } })
    }
  }

  async close(): Promise<void> {}
}

function writeAll(file: MemoryBytes, buffers: readonly Uint8Array[], offset: number): void {
  let at = offset
  for (const buffer of buffers) {
    file.write(buffer, at)
    at += buffer.length
  }
}
