/**
 * A file that appears under its name whole or not at all: written under a name of its own beside it, synced,
 * then renamed.
 *
 * States that a crash can leave: `NAME.<process>.part`, which nobody takes for the file; what stood under the
 * name before stays until the rename.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { systemError } from '../env/system-errors.js'
import { userFileError } from './user-file.js'

const pieceBytes = 256 * 1024

/** Text on its way into a file. `keep` or `drop` it in the end. */
export class WholeFile {
  readonly #name: string
  readonly #part: string
  readonly #file: FileHandle
  #waiting: string[] = []
  #waitingChars = 0
  /** Bytes that are written so far. */
  bytes = 0

  private constructor(name: string, part: string, file: FileHandle) {
    this.#name = name
    this.#part = part
    this.#file = file
  }

  /** Begins the file; its folder must be there. NOT_FOUND, INVALID, DISK_FULL, DISK_FAILED. */
  static async begin(name: string): Promise<WholeFile> {
    const part = `${name}.${process.pid}.part`
    try {
      return new WholeFile(name, part, await open(part, 'w', 0o644))
    } catch (error) {
      throw userFileError(error, 'write', name)
    }
  }

  /** Adds the text; resolves when more may be written. */
  async write(text: string): Promise<void> {
    this.#waiting.push(text)
    this.#waitingChars += text.length
    if (this.#waitingChars >= pieceBytes) await this.#flush()
  }

  /** When it resolves, the file stands whole and durable under its name. */
  async keep(): Promise<void> {
    await this.#flush()
    await attempt('sync', this.#part, this.#file.sync())
    await this.#file.close()
    await attempt('rename', this.#name, rename(this.#part, this.#name))
    await syncFolderOf(this.#name)
  }

  /** Leaves nothing. What failed before counts, not this. */
  async drop(): Promise<void> {
    await this.#file.close().catch(() => {})
    await rm(this.#part, { force: true }).catch(() => {})
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.join(''))
    this.#waiting = []
    this.#waitingChars = 0
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await attempt('write', this.#part, this.#file.write(bytes, at))
      at += bytesWritten
    }
    this.bytes += bytes.length
  }
}

async function syncFolderOf(name: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = path.dirname(path.resolve(name))
  const handle = await attempt('open', folder, open(folder, constants.O_RDONLY))
  try {
    await attempt('sync', folder, handle.sync())
  } finally {
    await handle.close()
  }
}

async function attempt<T>(
  verb: 'open' | 'write' | 'sync' | 'rename',
  name: string,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw systemError(error, verb, name)
  }
}
