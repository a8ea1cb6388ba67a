/**
 * The stored log of one partition, as the protocol asks for it: segments, and the tail of the write-ahead log
 * over them.
 *
 * Segments hold committed entries only, the tail everything that is newer and not released; they overlap or
 * touch. Terms are at hand of every entry (a segment's footer tells the terms of its entries), entries
 * themselves only of the tail: the others have to be read.
 */
import type { Entry } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import type { LogIndex, Term } from '../base/ids.js'
import type { LogStorage } from '../raft/log-storage.js'
import type { EntriesLoaded, NeedEntries, Place, Snapshot } from '../raft/messages.js'
import type { SegmentLog } from '../segments/segment-log.js'
import type { Tail } from '../wal/tail.js'

/** What a stored log is put together from. */
export interface StoredLogParts {
  readonly segments: Pick<SegmentLog, 'firstIndex' | 'lastIndex' | 'term' | 'read'>
  readonly tail: Tail
  /** The entry before the log's first one, as it was cut. */
  readonly truncated: () => Place
  /** The newest snapshot of the state that can be sent. */
  readonly snapshot: () => Snapshot | undefined
  /** Told when stored entries cannot be read. */
  readonly unreadable: (error: unknown) => void
}

/** Segments and tail of one partition. Live: it follows both. */
export class StoredLog implements LogStorage {
  readonly #parts: StoredLogParts

  constructor(parts: StoredLogParts) {
    this.#parts = parts
  }

  get firstIndex(): LogIndex {
    return this.#parts.segments.firstIndex
  }

  get lastIndex(): LogIndex {
    const { tail, segments } = this.#parts
    return Math.max(tail.lastIndex, segments.lastIndex)
  }

  term(index: LogIndex): Term | undefined {
    const { tail, segments, truncated } = this.#parts
    const known = tail.get(index)?.term ?? segments.term(index)
    if (known !== undefined || index !== this.firstIndex - 1) return known
    const before = truncated()
    return before.index === index ? before.term : undefined
  }

  entries(from: LogIndex, through: LogIndex, bytesMax: number): readonly Entry[] | 'absent' | 'compacted' {
    const { tail } = this.#parts
    if (from < this.firstIndex) return 'compacted'
    if (from < tail.firstIndex) return 'absent'
    return tail.slice(from, bytesMax).slice(0, through - from + 1)
  }

  snapshot(): Snapshot | undefined {
    return this.#parts.snapshot()
  }

  /** Reads what a leader has to send and does not have in memory. Never rejects. */
  async load(request: NeedEntries): Promise<EntriesLoaded> {
    const { from, through, bytesMax } = request
    try {
      const entries = await this.#parts.segments.read(from, { through, bytesMax })
      return { type: 'entriesLoaded', request, entries: entries.length > 0 ? entries : 'failed' }
    } catch (error) {
      if (isSillokError(error, 'LOG_TRUNCATED'))
        return { type: 'entriesLoaded', request, entries: 'compacted' }
      this.#parts.unreadable(error)
      return { type: 'entriesLoaded', request, entries: 'failed' }
    }
  }
}
