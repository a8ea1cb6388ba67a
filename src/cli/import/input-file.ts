/**
 * The input of an import: one file, read twice through one descriptor: first for its digest and the number of
 * its rows, then for the rows. Standard input is copied to a temporary file first, which is removed at the
 * end.
 *
 * The second reading takes the digest again: an input that changed meanwhile is noticed at its end.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SillokError } from '../../base/errors.js'
import { systemError } from '../../env/system-errors.js'
import { userFileError } from '../user-file.js'
import type { InputFormat, RowReader } from './input-format.js'
import type { RawRow } from './row-splitter.js'

const chunkBytes = 256 * 1024

/** What the first reading found. */
export interface InputFacts {
  /** Digest of the whole input, in hexadecimal. */
  readonly sha256: string
  readonly bytes: number
  readonly rows: number
  /** What an import of it is known by: the same bytes in another format are another import. */
  readonly digest: string
  /** How its rows are read. */
  readonly read: RowReader
}

/** An input that is open. */
export class InputFile {
  readonly #file: FileHandle
  readonly #path: string
  readonly #format: InputFormat
  readonly #temporary: string | undefined

  private constructor(file: FileHandle, name: string, format: InputFormat, temporary: string | undefined) {
    this.#file = file
    this.#path = name
    this.#format = format
    this.#temporary = temporary
  }

  /** Opens the file; `-` copies standard input. Rejects with NOT_FOUND, INVALID. */
  static async open(name: string, format: InputFormat): Promise<InputFile> {
    if (name === '-') return InputFile.#copy(process.stdin, format)
    try {
      const file = await open(name, 'r')
      if ((await file.stat()).isFile()) return new InputFile(file, name, format, undefined)
      await file.close()
    } catch (error) {
      throw userFileError(error, 'read', name)
    }
    throw new SillokError('INVALID', `${name} is no regular file; - reads standard input`)
  }

  static async #copy(from: AsyncIterable<Uint8Array>, format: InputFormat): Promise<InputFile> {
    const place = path.join(tmpdir(), 'sillok-input-')
    const folder = await mkdtemp(place).catch(error => {
      throw userFileError(error, 'make', `${place}…`)
    })
    const name = path.join(folder, 'input')
    try {
      const file = await open(name, 'wx+')
      const copy = new InputFile(file, 'standard input', format, folder)
      try {
        for await (const chunk of from) await file.writeFile(chunk)
        return copy
      } catch (error) {
        await copy.close()
        throw error
      }
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw systemError(error, 'write', name)
    }
  }

  /** Reads it whole: digest, length, number of rows. Rejects with INVALID if its header cannot be used. */
  async examine(): Promise<InputFacts> {
    const hash = createHash('sha256')
    let rows = 0
    let bytes = 0
    const splitter = this.#format.splitter()
    for await (const chunk of this.#chunks()) {
      hash.update(chunk)
      bytes += chunk.length
      rows += splitter.push(chunk).length
    }
    rows += splitter.end().length
    const sha256 = hash.digest('hex')
    return { sha256, digest: this.#format.digest(sha256), bytes, rows, read: this.#format.reader(splitter) }
  }

  /**
   * The rows, some at a time. Rejects with SESSION_INPUT_CHANGED after the last if the digest is another now.
   */
  async *rows(sha256: string): AsyncGenerator<readonly RawRow[], void, undefined> {
    const hash = createHash('sha256')
    const splitter = this.#format.splitter()
    for await (const chunk of this.#chunks()) {
      hash.update(chunk)
      const rows = splitter.push(chunk)
      if (rows.length > 0) yield rows
    }
    yield splitter.end()
    if (hash.digest('hex') === sha256) return
    throw new SillokError('SESSION_INPUT_CHANGED', `${this.#path} changed while it was imported`)
  }

  /** Lets the file go; a temporary one is removed. */
  async close(): Promise<void> {
    await this.#file.close()
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true })
  }

  /** Each chunk has memory of its own: rows hold on to it while they are in flight. */
  async *#chunks(): AsyncGenerator<Buffer, void, undefined> {
    for (let position = 0; ; ) {
      const chunk = Buffer.allocUnsafeSlow(chunkBytes)
      let read: number
      try {
        read = (await this.#file.read(chunk, 0, chunkBytes, position)).bytesRead
      } catch (error) {
        throw systemError(error, 'read', this.#path)
      }
      if (read === 0) return
      position += read
      yield chunk.subarray(0, read)
    }
  }
}
