/**
 * The files of the log: those that are needed, the next one, and those that may be used again.
 *
 * Always: the needed files are floor … current, ascending. The floor rises only when a durable batch said so,
 * and only above files whose entries are released or copied. Files below it are renamed and used again: their
 * bytes stay as they are until the first batch of their next use, and never validate under its salt.
 *
 * States after a crash: files below the floor under any name; a spare of any length up to the full one:
 * blank, marked as unfinished, or with its old content; a current file whose opening is not whole. Recovery
 * tells them apart by header and floor.
 */
import { assert, must } from '../base/assert.js'
import type { BatchSequence, FileSequence } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import { type Disk, joinPath } from '../env/disk.js'
import { batchLength, floorRecord, voidedRecord } from './batch.js'
import { durableNoteName } from './durable-note.js'
import { Usage } from './usage.js'
import { openingOffset, prepareFile, type WalFile, walFileName } from './wal-file.js'

/** What a ring is made with. */
export interface RingOptions {
  readonly disk: Disk
  readonly folder: string
  readonly random: Random
  readonly fileBytes: number
  readonly filesMax: number
}

/** The files of one log. */
export class Ring {
  readonly usage = new Usage()
  /** Needed files, oldest first; the last one is the current one. */
  readonly needed: WalFile[] = []
  /** Files that end before the batch that is named. */
  readonly voided = new Map<FileSequence, BatchSequence>()
  /** Bytes that the last opening took: what the next one will take, about. */
  openingBytes: number = limits.walBlockBytes
  readonly #options: RingOptions
  #free: string[] = []
  #spare: string | undefined
  #preparing: Promise<void> | undefined
  #prepareError: unknown

  constructor(options: RingOptions) {
    assert(options.filesMax >= 3, () => `a ring of ${options.filesMax} files`)
    this.#options = options
  }

  get current(): WalFile {
    return must(this.needed.at(-1), 'the current file')
  }

  get oldest(): WalFile {
    return must(this.needed[0], 'the oldest file')
  }

  /** Oldest file that a restart reads. */
  get floor(): FileSequence {
    return this.oldest.sequence
  }

  /**
   * True if one file more than the ring holds may be taken, to give up old ones that nothing in the ring has
   * room to give up: its opening tells the floor.
   */
  get mayOvershoot(): boolean {
    return this.needed.length <= this.#options.filesMax
  }

  /** Bytes left in the current file. */
  get roomBytes(): number {
    return Math.max(0, this.current.sizeBytes - this.current.offset)
  }

  /** Files that can be switched to before an old one must be given up. */
  get openFiles(): number {
    return Math.max(0, this.#options.filesMax - this.needed.length)
  }

  /** Files on disk that are in use or kept for it. */
  get filesCount(): number {
    return this.needed.length + this.#free.length + (this.#spare === undefined ? 0 : 1)
  }

  /** Bytes of the whole ring. */
  get ringBytes(): number {
    return this.#options.filesMax * this.#options.fileBytes
  }

  /** Bytes for batches in a new file, after its opening. */
  get usableBytes(): number {
    return this.#options.fileBytes - openingOffset - this.openingBytes
  }

  /** The floor that the next batch may tell: the oldest file that holds a needed entry. */
  nextFloor(): FileSequence {
    const used = this.needed.find(file => this.usage.bytesIn(file.sequence) > 0)
    return (used ?? this.current).sequence
  }

  /**
   * Bytes that batches may take before the oldest file must have been given up, if clearing it is to stay
   * possible and `reserve` bytes are to be left for it.
   */
  allowance(reserve: number): number {
    const { filesMax } = this.#options
    if (this.needed.length > filesMax) return 0
    if (this.openFiles >= 2) return Number.POSITIVE_INFINITY
    const { sequence } = this.oldest
    const bytes = this.usage.bytesIn(sequence)
    const padding = (2 * Math.ceil(bytes / limits.walBatchBytesMax) + 1) * limits.walBlockBytes
    const copies = bytes === 0 ? 0 : bytes + padding
    const room =
      this.openFiles === 0
        ? this.roomBytes
        : this.usableBytes + Math.max(0, this.roomBytes - this.usage.largestIn(sequence))
    return room - copies - reserve
  }

  /**
   * True if copying old entries on gains room: the needed ones, packed, leave a quarter of a file besides
   * `reserve` and one file to copy to.
   */
  copyingHelps(reserve: number): boolean {
    const perFile = this.usableBytes - this.usage.largest()
    return this.usage.total() <= (this.#options.filesMax - 1) * perFile - reserve - this.usableBytes / 4
  }

  /** Newest of the files that should be given up soon: there are still files to switch to meanwhile. */
  oldFile(): FileSequence {
    return this.current.sequence - Math.max(1, Math.floor(this.#options.filesMax / 2))
  }

  /** Takes over what was found on disk. */
  adopt(files: readonly WalFile[], free: readonly string[]): void {
    this.needed.push(...files)
    this.#free.push(...free)
  }

  /** One more file that may be used again. */
  adoptFree(path: string): void {
    this.#free.push(path)
  }

  /** Records at the head of a file: the floor and what is void. */
  restate(): Buffer[] {
    const floor = this.nextFloor()
    const records = [floorRecord(floor)]
    for (const [file, batch] of this.voided) if (file >= floor) records.push(voidedRecord(file, batch))
    return records
  }

  /** A durable batch told this floor: older files may be used again. */
  raise(floor: FileSequence): void {
    while (this.oldest.sequence < floor) {
      const file = must(this.needed.shift(), 'the oldest file')
      assert(file.device === undefined, () => `file ${file.sequence} is still written to`)
      assert(this.usage.bytesIn(file.sequence) === 0, () => `file ${file.sequence} is still needed`)
      this.#free.push(file.path)
      this.voided.delete(file.sequence)
    }
    for (const file of this.voided.keys()) if (file < floor) this.voided.delete(file)
  }

  /** Gets the next file ready, in the background. */
  prepare(): void {
    if (this.openFiles > 0) this.#prepare()
  }

  #prepare(): void {
    if (this.#spare !== undefined || this.#preparing !== undefined) return
    this.#prepareError = undefined
    this.#preparing = this.#makeSpare(this.current.sequence + 1)
      .catch(error => {
        this.#prepareError = error
      })
      .finally(() => {
        this.#preparing = undefined
      })
  }

  /**
   * The next file, open, with a new salt; the current one from now on. Rejects as the disk does, and
   * may be repeated.
   */
  async take(sequence: FileSequence): Promise<WalFile> {
    this.#prepare()
    await this.#preparing
    if (this.#prepareError !== undefined) {
      const error = this.#prepareError
      this.#prepareError = undefined
      throw error
    }
    const path = must(this.#spare, 'a spare file')
    this.#spare = undefined
    return await this.#use(path, sequence)
  }

  /** The same for recovery, which may take one file more than the ring holds. */
  async takeFirst(sequence: FileSequence): Promise<WalFile> {
    await this.#makeSpare(sequence)
    const path = must(this.#spare, 'a spare file')
    this.#spare = undefined
    return await this.#use(path, sequence)
  }

  /** Waits for what is going on, and closes the current file. */
  async close(): Promise<void> {
    await this.#preparing
    for (const file of this.needed) {
      await file.device?.close()
      file.device = undefined
    }
  }

  async #use(path: string, sequence: FileSequence): Promise<WalFile> {
    const { disk, folder, fileBytes, random } = this.#options
    const device = await disk.openLog(path, joinPath(folder, durableNoteName))
    return { path, sequence, sizeBytes: fileBytes, offset: openingOffset, device, salt: random.bytes(8) }
  }

  async #makeSpare(sequence: FileSequence): Promise<void> {
    const { disk, folder, fileBytes } = this.#options
    const named = joinPath(folder, walFileName(sequence))
    const from = this.#free.includes(named) ? named : this.#free[0]
    this.#spare = await prepareFile(disk, folder, { sequence, sizeBytes: fileBytes, from })
    this.#free = this.#free.filter(path => path !== from)
  }
}

/** Bytes on disk of an opening with these records. */
export function openingLength(batches: readonly (readonly Buffer[])[]): number {
  return batches.reduce((sum, records) => sum + batchLength(recordsLength(records)), 0)
}

/** Parts an opening's records into batches, in order; at least one. */
export function splitOpening(records: readonly Buffer[]): Buffer[][] {
  const batches: Buffer[][] = [[]]
  let bytes = 0
  for (const record of records) {
    bytes += record.length
    if (bytes > limits.walBatchBytesMax) {
      batches.push([])
      bytes = record.length
    }
    batches.at(-1)?.push(record)
  }
  return batches
}

/** Bytes of the records together. */
export function recordsLength(records: readonly Buffer[]): number {
  return records.reduce((sum, record) => sum + record.length, 0)
}
