/**
 * Writes committed entries behind the commit path: into the open segment, synced, sealed where the content
 * says so.
 *
 * Always holds: one step at a time (write, sync or seal), in the order of the entries; an entry leaves memory
 * only after it was written; `syncedIndex` grows only after its mark was recorded. The steps of a seal:
 * footer written, file synced, renamed, folder synced, mark recorded; a crash between any two leaves what
 * segment-recovery reads. A new file's name is made durable with its first sync.
 *
 * A full disk stops nothing for ever: the step is tried again each second, at the same place (unless the
 * owner has no time for that). Any other error ends the writer: it is reported once, waiting syncs are
 * rejected, and the entries stay in memory and in the write-ahead log.
 */
import { assert } from '../base/assert.js'
import { crc32 } from '../base/checksum.js'
import type { Entry } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Clock } from '../env/clock.js'
import { type Disk, joinPath } from '../env/disk.js'
import type { Mark } from './marks.js'
import { Patience } from './patience.js'
import { type SealedSegment, sealedPath } from './sealed-segment.js'
import { SegmentContent } from './segment-content.js'
import type { SegmentHandles } from './segment-handles.js'
import { openName, type SegmentHeader } from './segment-header.js'
import type { OpenSegment, Recovered } from './segment-recovery.js'

/** What a writer needs to know; see SegmentLogOptions. */
export interface WriterOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly folder: string
  readonly partition: number
  readonly clusterEpoch: number
  readonly cutBytes: number
  readonly record: (mark: Mark) => Promise<void>
  readonly failed?: ((error: unknown) => void) | undefined
  /** A full disk is not waited out: it ends the writer as any other error does. */
  readonly isHurried?: boolean | undefined
  /** Waiting bytes that start a write. */
  readonly writeBytes?: number | undefined
  /** Written bytes that start a sync. */
  readonly syncBytes?: number | undefined
}

/** The open segment while it is written. */
interface Writing extends OpenSegment {
  /** The file's name is durable. */
  named: boolean
  /** Up to here the last mark was recorded. */
  syncedBytes: number
}

interface Waiter {
  readonly index: LogIndex
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** One write takes at most this much, unless one entry is longer. */
const writeBytesMax = 1024 * 1024
const writeBytesMin = 256 * 1024

/** Writes in the background, in order: entries, syncs, marks, seals. */
export class SegmentWriter {
  readonly sealed: SealedSegment[]
  readonly #options: WriterOptions
  readonly #handles: SegmentHandles
  readonly #patience: Patience
  readonly #writeBytes: number
  readonly #syncBytes: number
  #open: Writing | undefined
  #unrecorded: boolean
  /** Entries that are not in a file yet, in order, from `#writtenIndex + 1` on. */
  #pending: Entry[] = []
  #pendingBytes = 0
  #writtenIndex: LogIndex
  #syncedIndex: LogIndex
  #wantedIndex: LogIndex = 0
  #waiters: Waiter[] = []
  #running: Promise<void> | undefined
  #busy = false
  #failure: { readonly error: unknown } | undefined
  #closing = false

  constructor(options: WriterOptions, handles: SegmentHandles, recovered: Recovered, syncedIndex: LogIndex) {
    assert(options.cutBytes > 0 && options.cutBytes < 2 ** 31, () => `cutBytes ${options.cutBytes}`)
    this.#options = options
    this.#handles = handles
    this.#patience = new Patience(options.clock)
    if (options.isHurried === true) this.#patience.hurry()
    this.#writeBytes = options.writeBytes ?? writeBytesMin
    this.#syncBytes = options.syncBytes ?? limits.segmentSyncBytes
    this.sealed = recovered.sealed
    this.#unrecorded = recovered.unrecorded
    if (recovered.open) {
      const { content, file } = recovered.open
      this.#open = { content, file, named: true, syncedBytes: content.length }
      handles.hold(content.firstIndex, { file, offsets: content.offsets })
    }
    const { open, sealed, truncated } = recovered
    this.#writtenIndex = open?.content.lastIndex ?? sealed.at(-1)?.lastIndex ?? truncated
    this.#syncedIndex = Math.max(syncedIndex, truncated)
  }

  /** The sealed segments that are recorded: all, but for a newest one. */
  get recorded(): readonly SealedSegment[] {
    return this.#unrecorded ? this.sealed.slice(0, -1) : this.sealed
  }

  /** The last entry that was appended. */
  get lastIndex(): LogIndex {
    return this.#writtenIndex + this.#pending.length
  }

  /** Entries up to here can be read from files. */
  get writtenIndex(): LogIndex {
    return this.#writtenIndex
  }

  get syncedIndex(): LogIndex {
    return this.#syncedIndex
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** The disk is full: what is to be written is tried again until there is room. */
  get waitsForSpace(): boolean {
    return this.#patience.waits
  }

  /** The open segment's account, undefined between a seal and the next write. */
  get content(): SegmentContent | undefined {
    return this.#open?.content
  }

  /** An entry that is not in a file yet. */
  pending(index: LogIndex): Entry | undefined {
    return this.#pending[index - this.#writtenIndex - 1]
  }

  append(entries: readonly Entry[]): void {
    assert(!this.#closing, 'append after close')
    for (const entry of entries) {
      const last = this.lastIndex
      if (entry.index <= last) continue
      assert(entry.index === last + 1, () => `entry ${entry.index} appended after ${last}`)
      assert(
        entry.partition === this.#options.partition,
        () => `an entry of partition ${entry.partition} in ${this.#options.partition}`,
      )
      this.#pending.push(entry)
      this.#pendingBytes += entry.bytes.length
    }
    if (this.#mustWrite()) this.#start()
  }

  sync(): Promise<void> {
    const index = this.lastIndex
    if (this.#failure) return Promise.reject(this.#failure.error)
    if (index <= this.#syncedIndex) return Promise.resolve()
    this.#wantedIndex = Math.max(this.#wantedIndex, index)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ index, resolve, reject })
      this.#start()
    })
  }

  /** Syncs and closes. On a full disk, or after a failure, rejects with that error, everything closed. */
  async close(): Promise<void> {
    this.#closing = true
    const synced = this.sync()
    this.#patience.hurry()
    try {
      await synced
    } finally {
      await this.#running
      const firstIndex = this.#open?.content.firstIndex
      if (firstIndex !== undefined) await this.#handles.letGo(firstIndex)
      await this.#handles.close()
    }
  }

  #start(): void {
    if (this.#busy || this.#failure) return
    this.#busy = true
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    try {
      for (let step = this.#due(); step; step = this.#due()) {
        await step()
        this.#settle()
      }
    } catch (error) {
      this.#failure = { error }
      const waiters = this.#waiters
      this.#waiters = []
      for (const waiter of waiters) waiter.reject(error)
      // Only a close gives up on a full disk, and it reports that itself.
      if (!this.#closing || !isSillokError(error, 'DISK_FULL')) this.#options.failed?.(error)
    } finally {
      // In the same turn in which nothing was due, so that a later append or sync starts the work again.
      this.#busy = false
    }
  }

  #settle(): void {
    const done = this.#waiters.filter(waiter => waiter.index <= this.#syncedIndex)
    if (done.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => waiter.index > this.#syncedIndex)
    for (const waiter of done) waiter.resolve()
  }

  /** What is to be done next, undefined if nothing is. */
  #due(): (() => Promise<void>) | undefined {
    if (this.#unrecorded) return () => this.#recordSeal()
    const content = this.#open?.content
    if (content && content.offsets.entryBytes >= this.#options.cutBytes) return () => this.#seal()
    if (this.#mustWrite()) return () => this.#write()
    if (content && this.#mustSync(content)) return () => this.#sync()
    return undefined
  }

  #mustWrite(): boolean {
    if (this.#pending.length === 0) return false
    if (this.#wantedIndex > this.#writtenIndex || this.#pendingBytes >= this.#writeBytes) return true
    const before = this.#open?.content.offsets.entryBytes ?? 0
    return before + this.#pendingBytes >= this.#options.cutBytes
  }

  #mustSync(content: SegmentContent): boolean {
    if (content.lastIndex <= this.#syncedIndex) return false
    const unsynced = content.length - (this.#open?.syncedBytes ?? 0)
    return this.#wantedIndex > this.#syncedIndex || unsynced >= this.#syncBytes
  }

  async #write(): Promise<void> {
    const open = this.#open ?? (await this.#begin())
    const { entries, bytes } = this.#take(open.content)
    const { content, file } = open
    const fresh = content.lastIndex < content.firstIndex
    const parts = fresh ? [content.headerBytes, bytes] : [bytes]
    await this.#patience.tryFor(() => file.write(parts, fresh ? 0 : content.length))
    content.add(entries, bytes)
    this.#pending.splice(0, entries.length)
    this.#pendingBytes -= bytes.length
    this.#writtenIndex = content.lastIndex
  }

  /** Makes the next segment's file; what a crash left under its name is gone. */
  async #begin(): Promise<Writing> {
    const { disk, folder } = this.#options
    const { partition, clusterEpoch } = this.#options
    const header: SegmentHeader = { partition, clusterEpoch, firstIndex: this.#writtenIndex + 1 }
    const content = new SegmentContent(header)
    const path = joinPath(folder, openName(header.firstIndex))
    const file = await this.#patience.tryFor(() => disk.open(path, { create: true }))
    if ((await file.size()) > 0) await file.truncate(0)
    this.#handles.hold(header.firstIndex, { file, offsets: content.offsets })
    this.#open = { content, file, named: false, syncedBytes: 0 }
    return this.#open
  }

  /** The next entries to write, up to the cut, gathered in one buffer. Each CRC is checked on the way. */
  #take(content: SegmentContent): { entries: Entry[]; bytes: Buffer } {
    let room = this.#options.cutBytes - content.offsets.entryBytes
    const entries: Entry[] = []
    let size = 0
    for (const entry of this.#pending) {
      const { length } = entry.bytes
      if (entries.length > 0 && size + length > writeBytesMax) break
      entries.push(entry)
      size += length
      room -= length
      if (room <= 0) break
    }
    const bytes = Buffer.allocUnsafe(size)
    let at = 0
    for (const { index, bytes: own } of entries) {
      bytes.set(own, at)
      const copy = bytes.subarray(at + 4, at + own.length)
      assert(crc32(copy) === own.readUInt32LE(0), () => `entry ${index} was changed in memory`)
      at += own.length
    }
    return { entries, bytes }
  }

  async #sync(): Promise<void> {
    const open = this.#open
    assert(open !== undefined, 'sync of no segment')
    const mark = open.content.mark()
    await open.file.sync()
    if (!open.named) await this.#options.disk.syncFolder(this.#options.folder)
    open.named = true
    await this.#options.record({ kind: 'synced', ...mark })
    open.syncedBytes = mark.length
    this.#syncedIndex = mark.lastIndex
  }

  async #seal(): Promise<void> {
    const open = this.#open
    assert(open !== undefined, 'seal of no segment')
    const { content, file } = open
    const { disk, folder } = this.#options
    const { firstIndex, lastIndex, length, header, runs } = content
    const footer = content.footer()
    await this.#patience.tryFor(() => file.write([footer], length))
    await file.sync()
    const from = joinPath(folder, openName(firstIndex))
    const to = sealedPath(folder, { firstIndex, lastIndex })
    await this.#patience.tryFor(() => disk.rename(from, to))
    await disk.syncFolder(folder)
    const bytes = length + footer.length
    this.sealed.push({ header, firstIndex, lastIndex, sha256: content.sha256(), runs, bytes })
    this.#open = undefined
    this.#unrecorded = true
    await this.#handles.letGo(firstIndex)
  }

  async #recordSeal(): Promise<void> {
    const segment = this.sealed.at(-1)
    assert(segment !== undefined, 'no seal to record')
    const { firstIndex, lastIndex, sha256 } = segment
    await this.#options.record({ kind: 'sealed', firstIndex, lastIndex, sha256 })
    this.#unrecorded = false
    this.#syncedIndex = lastIndex
  }
}
