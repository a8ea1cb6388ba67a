/**
 * Files of the operating system. Relative paths are relative to the working directory.
 *
 * A name is durable when its folder was synced: the folder is opened read-only and fsynced (on Windows, which
 * cannot, nothing is done). After a failed sync every later sync of that open file fails too, because the
 * system would report success while the bytes are gone.
 */
import fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Disk, DiskFile, LogDevice } from './disk.js'
import { RealFile } from './real-file.js'
import { LogThread, RealLogDevice } from './real-log-device.js'
import { isSystemError, namedError, type SystemVerb, systemError } from './system-errors.js'

const openFile = promisify(fs.open)
const closeFile = promisify(fs.close)
const syncFile = promisify(fs.fsync)
const { readdir, stat, mkdir, rename, rm } = fs.promises

/** The disk of this machine. Its thread starts with the first log device and ends with `close`. */
export class RealDisk implements Disk {
  #thread: LogThread | undefined

  async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    const flags = fs.constants.O_RDWR | (options?.create ? fs.constants.O_CREAT : 0)
    return new RealFile(await attempt('open', path, openFile(path, flags, 0o644)), path)
  }

  async openLog(path: string, notePath?: string): Promise<LogDevice> {
    const descriptor = await attempt('open', path, openFile(path, 'r+'))
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT
    // Without room for a new file there is no note: nothing rests on it.
    const note = notePath === undefined ? undefined : await openFile(notePath, flags, 0o644).catch(() => {})
    this.#thread ??= new LogThread()
    return new RealLogDevice(this.#thread, descriptor, path, note ?? undefined)
  }

  async list(folder: string): Promise<string[]> {
    try {
      return (await readdir(folder)).sort()
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return []
      throw systemError(error, 'list', folder)
    }
  }

  async sizeOf(path: string): Promise<number | undefined> {
    try {
      const found = await stat(path)
      return found.isFile() ? found.size : undefined
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined
      throw systemError(error, 'look at', path)
    }
  }

  async makeFolder(folder: string): Promise<void> {
    const missing: string[] = []
    let path = resolve(folder)
    while (!(await isFolder(path))) {
      missing.push(path)
      path = dirname(path)
    }
    // The deepest one that exists may come from a process that was killed before it synced the parent.
    if (path !== dirname(path)) await this.#syncIfAllowed(dirname(path))
    for (const next of missing.toReversed()) {
      await mkdir(next).catch(error => {
        if (!isSystemError(error, 'EEXIST')) throw systemError(error, 'make', next)
      })
      await this.syncFolder(dirname(next))
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await attempt('rename', from, rename(from, to))
  }

  async remove(path: string): Promise<void> {
    await attempt('remove', path, rm(path, { recursive: true, force: true }))
  }

  async syncFolder(folder: string): Promise<void> {
    if (process.platform === 'win32') return
    const descriptor = await attempt('open', folder, openFile(folder, 'r'))
    try {
      await attempt('sync', folder, syncFile(descriptor))
    } finally {
      await closeFile(descriptor)
    }
  }

  async close(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await thread?.close()
  }

  /** Parents of the data folder may belong to somebody else. */
  async #syncIfAllowed(folder: string): Promise<void> {
    try {
      await this.syncFolder(folder)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'FOLDER_UNUSABLE')) throw error
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw systemError(error, 'look at', path)
  }
  throw namedError('ENOTDIR', 'make', path)
}

async function attempt<T>(verb: SystemVerb, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw systemError(error, verb, path)
  }
}
