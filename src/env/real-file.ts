/**
 * An open file of the operating system. Every count that the system returns is compared; short work is
 * continued.
 */
import fs from 'node:fs'
import { promisify } from 'node:util'
import { assert } from '../base/assert.js'
import type { SillokError } from '../base/errors.js'
import type { DiskFile } from './disk.js'
import { namedError, type SystemVerb, systemError } from './system-errors.js'

const read = promisify(fs.read)
const writev = promisify(fs.writev)
const fstat = promisify(fs.fstat)
const ftruncate = promisify(fs.ftruncate)
const fdatasync = promisify(fs.fdatasync)
const closeFile = promisify(fs.close)

/** What pieces of a file are compared with. */
const zeros = Buffer.alloc(1024 * 1024)

/** A file by its descriptor, which `close` gives back; any use after that is refused. */
export class RealFile implements DiskFile {
  readonly #descriptor: number
  readonly #path: string
  #open = true
  #failedSync: SillokError | undefined

  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor
    this.#path = path
  }

  async size(): Promise<number> {
    return (await this.#attempt('look at', () => fstat(this.#descriptor))).size
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    const count = await this.#fill(buffer, offset)
    // A short answer must not hold on to a long buffer.
    return count < length ? Buffer.from(buffer.subarray(0, count)) : buffer
  }

  async contentEnd(): Promise<number> {
    let end = await this.size()
    const piece = Buffer.allocUnsafe(Math.min(end, zeros.length))
    while (end > 0) {
      const length = Math.min(end, piece.length)
      const part = piece.subarray(0, await this.#fill(piece.subarray(0, length), end - length))
      if (!part.equals(zeros.subarray(0, part.length))) break
      end -= length
    }
    return end
  }

  /** Reads until the buffer is full or the file ends: how many bytes that were. */
  async #fill(buffer: Buffer, offset: number): Promise<number> {
    let at = 0
    while (at < buffer.length) {
      const { bytesRead } = await this.#attempt('read', () =>
        read(this.#descriptor, buffer, at, buffer.length - at, offset + at),
      )
      if (bytesRead === 0) break
      at += bytesRead
    }
    return at
  }

  async write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    let left = buffers.filter(buffer => buffer.length > 0)
    let at = offset
    while (left.length > 0) {
      const { bytesWritten } = await this.#attempt('write', () => writev(this.#descriptor, left, at))
      if (bytesWritten === 0) throw namedError('ENOSPC', 'write', this.#path)
      at += bytesWritten
      left = withoutFirst(left, bytesWritten)
    }
  }

  async sync(): Promise<void> {
    if (this.#failedSync !== undefined) throw this.#failedSync
    try {
      await this.#attempt('sync', () => fdatasync(this.#descriptor))
    } catch (error) {
      this.#failedSync = systemError(error, 'sync', this.#path)
      throw this.#failedSync
    }
  }

  async truncate(size: number): Promise<void> {
    await this.#attempt('truncate', () => ftruncate(this.#descriptor, size))
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    try {
      await closeFile(this.#descriptor)
    } catch (error) {
      throw systemError(error, 'close', this.#path)
    }
  }

  async #attempt<T>(verb: SystemVerb, work: () => Promise<T>): Promise<T> {
    // A closed descriptor's number may belong to another file by now.
    assert(this.#open, () => `the file is closed: ${this.#path}`)
    try {
      return await work()
    } catch (error) {
      throw systemError(error, verb, this.#path)
    }
  }
}

/** The buffers without their first `count` bytes. */
function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  const left: Uint8Array[] = []
  for (const buffer of buffers) {
    if (skip < buffer.length) left.push(buffer.subarray(skip))
    skip = Math.max(0, skip - buffer.length)
  }
  return left
}
