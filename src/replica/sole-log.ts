/**
 * The stored log of a group of one, as the protocol asks for it.
 *
 * A sole voter sends its log to nobody, so of what is stored the protocol needs to know only where it begins
 * and how it ended at the start; everything newer it remembers itself.
 */
import type { Entry } from '../base/entry.js'
import type { LogIndex, Term } from '../base/ids.js'
import type { LogStorage } from '../raft/log-storage.js'
import type { Snapshot } from '../raft/messages.js'
import type { SegmentLog } from '../segments/segment-log.js'
import type { Tail } from '../wal/tail.js'

/** Log and tail of one partition, whose last entry at the start is given. */
export class SoleLog implements LogStorage {
  readonly #segments: Pick<SegmentLog, 'firstIndex'>
  readonly #tail: Tail
  readonly #last: { readonly index: LogIndex; readonly term: Term }

  constructor(
    segments: Pick<SegmentLog, 'firstIndex'>,
    tail: Tail,
    last: { readonly index: LogIndex; readonly term: Term },
  ) {
    this.#segments = segments
    this.#tail = tail
    this.#last = last
  }

  get firstIndex(): LogIndex {
    return this.#segments.firstIndex
  }

  get lastIndex(): LogIndex {
    return this.#last.index
  }

  term(index: LogIndex): Term | undefined {
    return index === this.#last.index ? this.#last.term : this.#tail.get(index)?.term
  }

  entries(from: LogIndex, through: LogIndex, bytesMax: number): readonly Entry[] | 'absent' {
    if (from < this.#tail.firstIndex) return 'absent'
    return this.#tail.slice(from, bytesMax).filter(entry => entry.index <= through)
  }

  snapshot(): Snapshot | undefined {
    return undefined
  }
}
