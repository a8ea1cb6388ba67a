/**
 * How much of each file of the log is still needed: bytes of entries that stand nowhere else. Always
 * exact.
 */
import { assert } from '../base/assert.js'
import type { FileSequence } from '../base/ids.js'
import { recordHeadBytes } from './batch.js'

interface FileUsage {
  entries: number
  bytes: number
  /** Length of the largest entry that the file ever held. */
  largest: number
}

/** Needed bytes by file. */
export class Usage {
  readonly #files = new Map<FileSequence, FileUsage>()

  add(file: FileSequence, entryBytes: number): void {
    const bytes = entryBytes + recordHeadBytes
    const usage = this.#files.get(file)
    if (usage === undefined) {
      this.#files.set(file, { entries: 1, bytes, largest: bytes })
    } else {
      usage.entries++
      usage.bytes += bytes
      if (bytes > usage.largest) usage.largest = bytes
    }
  }

  remove(file: FileSequence, entryBytes: number): void {
    const usage = this.#files.get(file)
    assert(usage !== undefined && usage.entries > 0, () => `file ${file} holds no entry`)
    usage.entries--
    usage.bytes -= entryBytes + recordHeadBytes
    if (usage.entries > 0) return
    assert(usage.bytes === 0, () => `file ${file}: ${usage.bytes} bytes without an entry`)
    this.#files.delete(file)
  }

  /** Bytes of the file's needed entries, as records. */
  bytesIn(file: FileSequence): number {
    return this.#files.get(file)?.bytes ?? 0
  }

  largestIn(file: FileSequence): number {
    return this.#files.get(file)?.largest ?? 0
  }

  /** Length of the largest entry in any file that holds needed ones. */
  largest(): number {
    let bytes = 0
    for (const usage of this.#files.values()) bytes = Math.max(bytes, usage.largest)
    return bytes
  }

  total(): number {
    let bytes = 0
    for (const usage of this.#files.values()) bytes += usage.bytes
    return bytes
  }
}
