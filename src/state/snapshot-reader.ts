/**
 * Reads a snapshot file from its first byte to its last and checks all of it: frames, order of the rows, each
 * row's own checksum, how many there are, the digests that they add up to, the SHA-256.
 *
 * Rows are handed out before the end was seen, so nothing counts before the end is reached. In memory is one
 * frame, and a row that goes on in the next.
 */
import { isSillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type Frame, FrameReader, frameHeadBytes } from '../codec/frame.js'
import type { Disk, DiskFile } from '../env/disk.js'
import { Digests, differingSlots } from './digests.js'
import {
  addStored,
  damagedSnapshot,
  decodeSnapshotFoot,
  decodeSnapshotHead,
  rowAt,
  type SnapshotFoot,
  type SnapshotHead,
  snapshotFrames,
  snapshotHash,
} from './snapshot-format.js'

/** Key and value of a row, as the key-value store has them. */
export type StoredRow = readonly [key: Buffer, value: Buffer]

/** A file that was read whole. */
export interface ReadSnapshot extends SnapshotFoot {
  readonly head: SnapshotHead
  /** Of the file. */
  readonly bytes: number
}

/**
 * The rows in key order, some at a time: views, so copy what stays. Ends with what the file says of itself.
 * Throws DAMAGED naming file and byte; VERSION_UNSUPPORTED; what the disk throws.
 */
export async function* snapshotRows(
  disk: Disk,
  path: string,
): AsyncGenerator<readonly StoredRow[], ReadSnapshot, void> {
  if ((await disk.sizeOf(path)) === undefined) throw damagedSnapshot(path, 0, 'the file is missing')
  const file = await disk.open(path)
  try {
    return yield* new Reading(path, file).rows()
  } finally {
    await file.close()
  }
}

/**
 * Reads the whole file and passes its rows on. Rejects as `snapshotRows` does, and with what `use` throws.
 */
export async function readSnapshot(
  disk: Disk,
  path: string,
  use: (rows: readonly StoredRow[]) => Promise<void> | void = () => {},
): Promise<ReadSnapshot> {
  const rows = snapshotRows(disk, path)
  try {
    for (let next = await rows.next(); ; next = await rows.next()) {
      if (next.done === true) return next.value
      await use(next.value)
    }
  } finally {
    await rows.return({} as ReadSnapshot)
  }
}

const nothing = Buffer.alloc(0)

/** One file on its way. */
class Reading {
  readonly #path: string
  readonly #file: DiskFile
  readonly #frames = new FrameReader(limits.snapshotFrameBytes)
  readonly #hash = snapshotHash()
  readonly #digests = new Digests()
  /** Where the next frame begins. */
  #offset = 0
  #readBytes = 0
  #number = 0
  /** The beginning of a row that goes on in the next frame. */
  #rest: Buffer = nothing
  #lastKey: Buffer = nothing
  #rows = 0
  #head: SnapshotHead | undefined

  constructor(path: string, file: DiskFile) {
    this.#path = path
    this.#file = file
  }

  async *rows(): AsyncGenerator<readonly StoredRow[], ReadSnapshot, void> {
    for (;;) {
      const frame = await this.#next()
      if (frame.stream !== this.#number)
        throw this.#damaged(`frame ${frame.stream} instead of ${this.#number}`)
      const length = frameHeadBytes + frame.body.length
      if (this.#head === undefined) this.#begin(frame)
      else if (frame.kind === snapshotFrames.rows) yield this.#take(frame.body)
      else if (frame.kind === snapshotFrames.footer) return await this.#end(this.#head, frame.body, length)
      else throw this.#damaged(`a frame of kind ${frame.kind}`)
      this.#number++
      this.#offset += length
    }
  }

  /** The next frame; its bytes are hashed unless it is the footer, which hashes its own. */
  async #next(): Promise<Frame> {
    for (;;) {
      const frame = this.#decoded()
      if (frame !== undefined) {
        const { body } = frame
        // The head stands right before the body, in the same bytes.
        const head = Buffer.from(body.buffer, body.byteOffset - frameHeadBytes, frameHeadBytes)
        if (frame.kind !== snapshotFrames.footer) this.#hash.update(head).update(body)
        return frame
      }
      const bytes = await this.#file.read(this.#readBytes, limits.snapshotFrameBytes)
      if (bytes.length === 0) throw this.#damaged('the file ends before its footer')
      this.#readBytes += bytes.length
      this.#frames.push(bytes)
    }
  }

  #decoded(): Frame | undefined {
    try {
      return this.#frames.next()
    } catch (error) {
      if (!isSillokError(error)) throw error
      throw damagedSnapshot(this.#path, this.#offset, error.message, error)
    }
  }

  #begin({ kind, body }: Frame): void {
    if (kind !== snapshotFrames.header) throw this.#damaged('the first frame is no header')
    this.#head = decodeSnapshotHead(this.#path, body)
  }

  #take(body: Buffer): readonly StoredRow[] {
    const bytes = this.#rest.length === 0 ? body : Buffer.concat([this.#rest, body])
    const rows: StoredRow[] = []
    let at = 0
    for (let row = rowAt(bytes, 0); row !== undefined; row = rowAt(bytes, at)) {
      const { key, value, end } = row
      if (this.#rows > 0 && this.#lastKey.compare(key) >= 0) throw this.#damaged('rows are not in order')
      if (!addStored(this.#digests, key, value)) {
        throw this.#damaged(`the row ${key.toString('hex')} fails its checksum`)
      }
      this.#lastKey = key
      this.#rows++
      rows.push([key, value])
      at = end
    }
    this.#rest = Buffer.from(bytes.subarray(at))
    this.#lastKey = Buffer.from(this.#lastKey)
    return rows
  }

  async #end(head: SnapshotHead, body: Buffer, length: number): Promise<ReadSnapshot> {
    const foot = decodeSnapshotFoot(this.#path, this.#offset, body, this.#hash)
    const bytes = this.#offset + length
    if (this.#rest.length > 0) throw this.#damaged('the last row is cut short')
    if (foot.rows !== this.#rows) throw this.#damaged(`${this.#rows} rows; the footer says ${foot.rows}`)
    const slots = differingSlots(foot.digests, this.#digests.copy())
    if (slots.length > 0) throw this.#damaged(`the rows of ${slots.length} slots do not fit their digests`)
    const size = await this.#file.size()
    if (size !== bytes) throw damagedSnapshot(this.#path, bytes, `${size - bytes} bytes follow the footer`)
    return { ...foot, head, bytes }
  }

  #damaged(what: string): ReturnType<typeof damagedSnapshot> {
    return damagedSnapshot(this.#path, this.#offset, what)
  }
}
