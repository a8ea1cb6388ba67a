/**
 * The committed log of one partition: sealed segments, the open one, and what waits in memory to be written.
 *
 * Always holds: entries have no gap from `firstIndex` to `lastIndex`; what a read returns is what was
 * appended, or the read throws DAMAGED naming file and byte; a sealed file is a function of the entries, the
 * partition, the cluster epoch and `cutBytes` alone, so it has the same bytes on every replica.
 *
 * A later write shares a disk sector with the synced bytes before it: a sector is taken to be written whole
 * or not at all. If a disk breaks that, the mark's CRC shows it on open, and another replica has the
 * segment.
 */
import { assert, must } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import { logTruncated, SillokError } from '../base/errors.js'
import type { Finding } from '../base/finding.js'
import type { LogIndex, PartitionId, Term } from '../base/ids.js'
import { joinPath } from '../env/disk.js'
import { type RecordedMarks, recordedIndex } from './marks.js'
import {
  chunkBytes,
  contentFindings,
  loadSealed,
  readEntries,
  type SealedSegment,
  sealedFindings,
  sealedPath,
} from './sealed-segment.js'
import type { SegmentContent } from './segment-content.js'
import { termAt } from './segment-footer.js'
import { type SegmentHandle, SegmentHandles } from './segment-handles.js'
import { openName, type SegmentHeader } from './segment-header.js'
import { recoverSegments } from './segment-recovery.js'
import { SegmentWriter, type WriterOptions } from './segment-writer.js'

/** How a log is opened. */
export interface SegmentLogOptions extends WriterOptions {
  /** The folder, which holds this partition's segments only; made if missing. */
  readonly folder: string
  readonly partition: PartitionId
  /** The store's: a sealed segment may be of an older one, the open segment may not. */
  readonly clusterEpoch: number
  /** Encoded bytes that close a segment, from the partition's creation entry. */
  readonly cutBytes: number
  /** What the write-ahead log remembers. */
  readonly recorded: RecordedMarks
  /** Writes the mark into the write-ahead log; resolves when it is durable there. */
  readonly record: WriterOptions['record']
  /** Called once if writing has ended for ever: DISK_FAILED, or what `record` threw. Reads still work. */
  readonly failed?: (error: unknown) => void
}

/** How much a read returns. */
export interface ReadLimits {
  /** Of encoded entries; one entry is returned even if it is longer. */
  readonly bytesMax: number
  /** The last index wanted. */
  readonly through?: LogIndex
}

/** The segments of one partition: append, sync, read, verify. */
export class SegmentLog {
  #firstIndex: LogIndex
  readonly #options: SegmentLogOptions
  readonly #handles: SegmentHandles
  readonly #writer: SegmentWriter
  #isClosed = false

  private constructor(options: SegmentLogOptions, handles: SegmentHandles, writer: SegmentWriter) {
    this.#options = options
    this.#handles = handles
    this.#writer = writer
    this.#firstIndex = (options.recorded.truncated ?? 0) + 1
  }

  /**
   * Opens the folder. Then `lastIndex` is at least the last recorded index, and all entries after it must be
   * appended again from the write-ahead log. Throws DAMAGED when recorded bytes are missing or wrong, as far
   * as header, footer and the open segment show; VERSION_UNSUPPORTED; and what the disk throws.
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    const { disk, folder, recorded } = options
    const recovered = await recoverSegments(disk, folder, options, recorded)
    const handles = new SegmentHandles()
    const writer = new SegmentWriter(options, handles, recovered, recordedIndex(recorded))
    return new SegmentLog(options, handles, writer)
  }

  /** The first entry of the log: it rises when the log is trimmed. */
  get firstIndex(): LogIndex {
    return this.#firstIndex
  }

  /** The last appended entry, 0 if there is none. */
  get lastIndex(): LogIndex {
    return this.#writer.lastIndex
  }

  /** Entries up to here are durable in segments and recorded: the write-ahead log may forget them. */
  get syncedIndex(): LogIndex {
    return this.#writer.syncedIndex
  }

  /**
   * Encoded bytes of entries in memory that no file holds yet: what a host must bound before it commits more.
   */
  get pendingBytes(): number {
    return this.#writer.pendingBytes
  }

  /** The disk is full: entries are tried again until there is room for them. */
  get waitsForSpace(): boolean {
    return this.#writer.waitsForSpace
  }

  /** Files, and their bytes. */
  status(): { readonly segments: number; readonly bytes: number } {
    const { sealed, content } = this.#writer
    let bytes = content?.length ?? 0
    for (const segment of sealed) bytes += segment.bytes
    return { segments: sealed.length + (content ? 1 : 0), bytes }
  }

  /** Term of an entry from `firstIndex` to `lastIndex`; undefined of any other. Reads nothing. */
  term(index: LogIndex): Term | undefined {
    if (index < this.#firstIndex || index > this.lastIndex) return undefined
    const { content, sealed, writtenIndex } = this.#writer
    if (index > writtenIndex) return this.#writer.pending(index)?.term
    if (content !== undefined && index >= content.firstIndex) return termAt(content.runs, index)
    return termAt(must(findSegment(sealed, index), `a segment with entry ${index}`).runs, index)
  }

  /**
   * Takes committed entries, in index order without gaps (asserted); those up to `lastIndex` are there
   * already and skipped. Returns at once; the bytes must not change any more. Written and synced later: see
   * `sync`.
   */
  append(entries: readonly Entry[]): void {
    this.#writer.append(entries)
  }

  /**
   * When it resolves, everything appended before the call is durable and recorded. Waits while the disk is
   * full. Rejects with the error that ended the writing.
   */
  sync(): Promise<void> {
    return this.#writer.sync()
  }

  /**
   * The entries from `from` on, at least one unless `from` lies after `lastIndex` or `through`. Each one's
   * CRC, index and partition were checked. Throws DAMAGED naming file and byte; LOG_TRUNCATED when entries
   * of it were given up, now or while it is read; CLOSED, once it is, for what cannot be read any more.
   */
  async read(from: LogIndex, { bytesMax, through = Number.MAX_SAFE_INTEGER }: ReadLimits): Promise<Entry[]> {
    const last = Math.min(through, this.lastIndex)
    const entries: Entry[] = []
    let room = bytesMax
    for (let next = from; next <= last; next = from + entries.length) {
      if (next < this.#firstIndex) throw logTruncated(next, this.#firstIndex)
      const some = next > this.#writer.writtenIndex ? this.#waiting(next, last, room) : undefined
      const more = some ?? (await this.#stored(next, last, room, entries.length === 0))
      if (more.length === 0) break
      for (const entry of more) {
        if (entries.length > 0 && entry.bytes.length > room) return entries
        entries.push(entry)
        room -= entry.bytes.length
      }
    }
    return entries
  }

  /**
   * All entries from `from` to `through` (or what is the last one now), in pieces of about 1 MiB, one read
   * ahead.
   */
  async *chunks(from: LogIndex, through: LogIndex = this.lastIndex): AsyncGenerator<Entry[], void, void> {
    const last = Math.min(through, this.lastIndex)
    let next = this.#ahead(from, last)
    for (;;) {
      const entries = await next
      const newest = entries.at(-1)
      if (newest === undefined) return
      next = this.#ahead(newest.index + 1, last)
      yield entries
    }
  }

  /** All entries from `from` to `through` (or what is the last one now), one by one. */
  async *entries(from: LogIndex, through: LogIndex = this.lastIndex): AsyncGenerator<Entry, void, void> {
    for await (const chunk of this.chunks(from, through)) for (const entry of chunk) yield entry
  }

  /** Reads every file and says what is wrong with it; nothing is found in a healthy log. */
  async verify(): Promise<Finding[]> {
    const { disk, folder } = this.#options
    const findings: Finding[] = []
    // By iterator: a segment that is sealed meanwhile is read too.
    for (const segment of this.#writer.sealed) {
      findings.push(...(await sealedFindings(disk, folder, segment)))
    }
    const content = this.#writer.content
    if (content === undefined || content.offsets.count === 0) return findings
    const { crc, lastIndex } = content
    const path = this.#openPath(content)
    const check = (handle: SegmentHandle): Promise<Finding[]> =>
      contentFindings(path, handle, content.header, lastIndex, { crc })
    findings.push(...(await this.#handles.use(content.firstIndex, neverLoaded, check)))
    return findings
  }

  /** Sealed segments, the oldest first. */
  get sealed(): readonly Pick<SealedSegment, 'firstIndex' | 'lastIndex' | 'bytes' | 'sha256'>[] {
    return this.#writer.sealed
  }

  /** Bytes of the entries after that one; an estimate within a sealed segment. */
  bytesAfter(index: LogIndex): number {
    const { content, sealed, pendingBytes } = this.#writer
    let bytes = pendingBytes
    if (content !== undefined && content.lastIndex > index) {
      const { offsets } = content
      bytes += index < content.firstIndex ? content.length : content.length - offsets.end(index)
    }
    for (let at = sealed.length - 1; at >= 0; at--) {
      const segment = sealed[at]
      if (segment === undefined || segment.lastIndex <= index) break
      const { firstIndex, lastIndex, bytes: own } = segment
      const share = (lastIndex - Math.max(index, firstIndex - 1)) / (lastIndex - firstIndex + 1)
      bytes += own * share
    }
    return Math.round(bytes)
  }

  /**
   * The last entry of the newest segment that may be given up if only entries up to `through` may; the newest
   * one that is recorded as sealed always stays: an opening looks for it. Below `firstIndex` if none may.
   */
  trimmable(through: LogIndex): LogIndex {
    let last = this.#firstIndex - 1
    for (const { lastIndex } of this.#writer.recorded.slice(0, -1)) if (lastIndex <= through) last = lastIndex
    return last
  }

  /**
   * Gives up the segments up to this entry, the last of one: the caller has made that durable. From the call
   * on the log begins behind it, and reads of what lies before reject with LOG_TRUNCATED. When it resolves
   * the files are removed; a crash on the way leaves some, which the next opening removes.
   */
  async trim(through: LogIndex): Promise<void> {
    const { sealed, recorded } = this.#writer
    const count = sealed.findIndex(({ lastIndex }) => lastIndex === through) + 1
    assert(
      count > 0 && count < recorded.length,
      () => `no recorded segment but the newest ends at ${through}`,
    )
    const gone = sealed.splice(0, count)
    this.#firstIndex = through + 1
    for (const segment of gone) {
      await this.#handles.forget(segment.firstIndex)
      await this.#options.disk.remove(sealedPath(this.#options.folder, segment))
    }
  }

  /** True from the close on: what is not in memory or an open file is not to be had any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Syncs and closes all files. Rejects, everything closed, when the last entries could not be made durable.
   */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#writer.close()
  }

  #ahead(from: LogIndex, through: LogIndex): Promise<Entry[]> {
    const entries = this.read(from, { bytesMax: chunkBytes, through })
    // The consumer may leave before it asks for this one.
    entries.catch(() => {})
    return entries
  }

  /** Entries in memory, at most a little more than asked for. */
  #waiting(from: LogIndex, through: LogIndex, room: number): Entry[] {
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index <= through && bytes <= room; index++) {
      const entry = this.#writer.pending(index)
      if (entry === undefined) break
      entries.push(entry)
      bytes += entry.bytes.length
    }
    return entries
  }

  /** Entries of the one segment that holds `from`; with `one`, at least that one. */
  async #stored(from: LogIndex, through: LogIndex, room: number, one: boolean): Promise<Entry[]> {
    try {
      return await this.#fromFile(from, through, room, one)
    } catch (error) {
      // Its file may have gone while it was opened: it was given up, or the folder is.
      if (from < this.#firstIndex) throw logTruncated(from, this.#firstIndex)
      throw this.#isClosed ? logClosed(error) : error
    }
  }

  #fromFile(from: LogIndex, through: LogIndex, room: number, one: boolean): Promise<Entry[]> {
    const content = this.#writer.content
    const isOpen = content !== undefined && from >= content.firstIndex
    const segment = isOpen ? undefined : findSegment(this.#writer.sealed, from)
    const { header, firstIndex } = isOpen ? content : must(segment, `a segment with entry ${from}`)
    const path = segment ? sealedPath(this.#options.folder, segment) : this.#openPath({ header })
    const load = segment ? () => this.#load(segment) : neverLoaded
    return this.#handles.use(firstIndex, load, async handle => {
      const fits = handle.offsets.lastWithin(from, through, Math.min(room, chunkBytes))
      const last = one ? Math.max(from, fits) : fits
      return last < from ? [] : await readEntries(path, handle, header, from, last)
    })
  }

  #load(segment: SealedSegment): Promise<SegmentHandle> {
    return loadSealed(this.#options.disk, this.#options.folder, segment)
  }

  #openPath({ header }: Pick<SegmentContent, 'header'> | { header: SegmentHeader }): string {
    return joinPath(this.#options.folder, openName(header.firstIndex))
  }
}

/** What is said of entries that a log has, and cannot be read because it is closed. */
export function logClosed(cause?: unknown): SillokError {
  return new SillokError('CLOSED', 'the log is closed', { cause })
}

/** The segment that holds the entry. */
function findSegment(sealed: readonly SealedSegment[], index: LogIndex): SealedSegment | undefined {
  let low = 0
  let high = sealed.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const segment = sealed[middle]
    if (segment === undefined || index < segment.firstIndex) high = middle - 1
    else if (index > segment.lastIndex) low = middle + 1
    else return segment
  }
  return undefined
}

/** The open segment's handle is held by the writer. */
function neverLoaded(): Promise<SegmentHandle> {
  throw new Error('the open segment has no handle')
}
