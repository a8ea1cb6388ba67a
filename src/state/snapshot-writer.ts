/**
 * Writes a snapshot file from what a state holds at a flush boundary, and reads it back.
 *
 * Rows are copied as they are stored, page by page from a snapshot of the key-value store, so memory holds a
 * page and a frame, whatever the state's size, and applying goes on meanwhile. Each row is checked on its
 * way, and all of them against the digests that the state's own facts added up to: what the key-value store
 * lost or changed never gets into a file that counts.
 */
import { assert } from '../base/assert.js'
import { SillokError, storeClosed } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { frameHead } from '../codec/frame.js'
import type { Disk, DiskFile } from '../env/disk.js'
import type { KeyValueIterator } from '../env/key-value.js'
import { Digests, differingSlots } from './digests.js'
import {
  addStored,
  damagedSnapshot,
  encodeSnapshotFoot,
  encodeSnapshotHead,
  rowParts,
  type SnapshotHead,
  snapshotFrames,
  snapshotHash,
} from './snapshot-format.js'
import { readSnapshot } from './snapshot-reader.js'
import type { SnapshotRecord } from './snapshot-record.js'

/** A state at a flush boundary: everything up to `index` is in the key-value store, and nothing newer. */
export interface HeldState {
  readonly index: LogIndex
  /** As the facts added them up, not as the rows do. */
  readonly digests: Uint32Array
  /** All rows of the key-value store as of the index, its marks among them. Close it. */
  rows(): KeyValueIterator
  /** Lets it go. */
  release(): void
}

/** What is written, and where. */
export interface SnapshotJob {
  readonly disk: Disk
  /** Overwritten. */
  readonly path: string
  readonly head: SnapshotHead
  readonly state: HeldState
  /** Bytes of rows in one frame, at most `limits.snapshotFrameBytes`. */
  readonly frameBytes: number
  /** True: give up with CLOSED. */
  readonly isStopped: () => boolean
}

/** Few: a page is one slice of the event loop's time. */
const rowsPerPage = 200
const markKind = 0x21

/**
 * When it resolves the file is durable under its name as far as the caller syncs the folder, and was read
 * back whole. Rejects with DAMAGED if the stored rows are not the state, or the file is not what was written;
 * DISK_FULL; then the file may be there in any state.
 */
export async function writeSnapshot(job: SnapshotJob): Promise<SnapshotRecord> {
  const { disk, path, head, state } = job
  const file = await disk.open(path, { create: true })
  let written: { readonly bytes: number; readonly sha256: Buffer }
  try {
    if ((await file.size()) > 0) await file.truncate(0)
    written = await new Writing(job, file).run()
    await file.sync()
  } finally {
    await file.close()
  }
  const { digests, bytes, sha256 } = await readSnapshot(disk, path, () => checkStopped(job))
  const same = sha256.equals(written.sha256) && bytes === written.bytes
  if (!same || differingSlots(digests, state.digests).length > 0) {
    throw damagedSnapshot(path, 0, 'what is read back is not what was written')
  }
  return { index: head.index, term: head.term, bytes, sha256 }
}

function checkStopped({ isStopped }: SnapshotJob): void {
  if (isStopped()) throw storeClosed()
}

/** One file on its way. */
class Writing {
  readonly #job: SnapshotJob
  readonly #file: DiskFile
  readonly #hash = snapshotHash()
  readonly #digests = new Digests()
  /** Bytes of rows that wait for their frame. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #frames = 0
  #rows = 0
  #bytes = 0
  #syncedBytes = 0

  constructor(job: SnapshotJob, file: DiskFile) {
    this.#job = job
    this.#file = file
  }

  async run(): Promise<{ readonly bytes: number; readonly sha256: Buffer }> {
    const { head, state } = this.#job
    assert(head.index === state.index, () => `a snapshot of ${head.index} from a state at ${state.index}`)
    await this.#write([encodeSnapshotHead(head)])
    const stored = state.rows()
    try {
      let page = await stored.next(rowsPerPage)
      for (; page.length > 0; page = await stored.next(rowsPerPage)) {
        checkStopped(this.#job)
        await this.#page(page)
      }
    } finally {
      await stored.close()
    }
    if (this.#waitingBytes > 0) await this.#rowFrame(Buffer.concat(this.#waiting))
    const slots = differingSlots(state.digests, this.#digests.copy())
    if (slots.length > 0) {
      const what = `the stored rows of ${slots.length} slots do not fit the digests of entry ${head.index}`
      throw new SillokError('DAMAGED', what, { details: { slots: slots.slice(0, 8) } })
    }
    const { body, sha256 } = encodeSnapshotFoot({ rows: this.#rows, digests: state.digests }, this.#hash)
    await this.#put([frameHead(snapshotFrames.footer, this.#frames, body), body])
    return { bytes: this.#bytes, sha256 }
  }

  async #page(page: readonly [Buffer, Buffer][]): Promise<void> {
    for (const [key, value] of page) {
      if (key[0] === markKind) continue
      if (!addStored(this.#digests, key, value)) {
        throw new SillokError('DAMAGED', `the stored row ${key.toString('hex')} fails its check`, {
          details: { key: key.toString('hex') },
        })
      }
      this.#rows++
      for (const part of rowParts(key, value)) {
        this.#waiting.push(part)
        this.#waitingBytes += part.length
      }
    }
    const { frameBytes } = this.#job
    if (this.#waitingBytes < frameBytes) return
    const bytes = Buffer.concat(this.#waiting)
    let at = 0
    for (; bytes.length - at >= frameBytes; at += frameBytes) {
      await this.#rowFrame(bytes.subarray(at, at + frameBytes))
    }
    this.#waiting = [bytes.subarray(at)]
    this.#waitingBytes = bytes.length - at
  }

  async #rowFrame(body: Buffer): Promise<void> {
    await this.#write([frameHead(snapshotFrames.rows, this.#frames, body), body])
  }

  /** A frame that the footer's SHA-256 covers. */
  async #write(parts: readonly Buffer[]): Promise<void> {
    for (const part of parts) this.#hash.update(part)
    this.#frames++
    await this.#put(parts)
  }

  /** Synced as it grows: the sync at the end must not keep the disk from the write-ahead log for long. */
  async #put(parts: readonly Buffer[]): Promise<void> {
    await this.#file.write(parts, this.#bytes)
    for (const part of parts) this.#bytes += part.length
    if (this.#bytes - this.#syncedBytes < limits.segmentSyncBytes) return
    await this.#file.sync()
    this.#syncedBytes = this.#bytes
  }
}
