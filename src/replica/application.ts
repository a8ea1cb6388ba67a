/**
 * Applies a partition's committed entries to its state, in order, and hands them to its segments: from the
 * tail of the write-ahead log in the very turn in which they may be applied, older ones from the segments.
 *
 * One run at a time. It gives way to other work after a slice of time, and ends where it may go no further.
 */
import { must } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Clock } from '../env/clock.js'
import type { SegmentLog } from '../segments/segment-log.js'
import type { Tail } from '../wal/tail.js'

/** Entries that are applied between two looks at the clock. */
const entriesPerLook = 64

/** What an application works with. */
export interface ApplicationParts {
  readonly clock: Clock
  readonly tail: Tail
  readonly segments: Pick<SegmentLog, 'lastIndex' | 'append' | 'chunks'>
  /** The last entry that is applied. */
  readonly applied: () => LogIndex
  /** Applies the next entry. */
  readonly apply: (entry: Entry) => void
  /** Called after some entries were applied. */
  readonly progressed: () => void
  /** True when nothing may be applied any more. */
  readonly stopped: () => boolean
  /** Called when it cannot go on. */
  readonly failed: (error: unknown) => void
}

/** The application of one partition's log. */
export class Application {
  readonly #parts: ApplicationParts
  #target: LogIndex = 0
  #running = false

  constructor(parts: ApplicationParts) {
    this.#parts = parts
  }

  /** Hands the segments what they lack of the applied log: after a crash that may be more than is to come. */
  refill(): void {
    const { tail, segments, applied } = this.#parts
    const entries: Entry[] = []
    for (let index = segments.lastIndex + 1; index <= applied(); index++) {
      entries.push(must(tail.get(index), `entry ${index} in the tail`))
    }
    if (entries.length > 0) segments.append(entries)
  }

  /** Entries up to this one are committed and durable here: applies them, at once as far as it can. */
  goOn(through: LogIndex): void {
    this.#target = Math.max(this.#target, through)
    if (this.#running || this.#parts.stopped()) return
    this.#running = true
    this.#run().then(
      () => {
        this.#running = false
        if (this.#isDue) this.goOn(this.#target)
      },
      error => {
        // What ends a replica closes its segments too: that ends this, and is no failure.
        if (!this.#parts.stopped()) this.#parts.failed(error)
      },
    )
  }

  get #isDue(): boolean {
    return this.#parts.applied() < this.#target && !this.#parts.stopped()
  }

  async #run(): Promise<void> {
    const { tail, segments, applied, apply, progressed } = this.#parts
    while (this.#isDue) {
      const next = applied() + 1
      if (next >= tail.firstIndex) {
        this.#applyTail()
        if (this.#isDue) await this.#soon()
      } else {
        for await (const chunk of segments.chunks(next, Math.min(this.#target, tail.firstIndex - 1))) {
          if (!this.#isDue) return
          for (const entry of chunk) apply(entry)
          progressed()
          await this.#soon()
        }
      }
    }
  }

  #applyTail(): void {
    const { clock, tail, applied, apply, progressed } = this.#parts
    const target = this.#target
    const began = clock.monotonicMs()
    for (let index = applied() + 1; index <= target; index++) {
      apply(must(tail.get(index), `entry ${index} in the tail`))
      if (index % entriesPerLook === 0 && clock.monotonicMs() - began > limits.sliceMs) break
    }
    this.refill()
    progressed()
  }

  #soon(): Promise<void> {
    return new Promise(resolve => this.#parts.clock.soon(resolve))
  }
}
