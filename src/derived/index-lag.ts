/** For how long an index has been behind what is applied. */
import type { LogIndex } from '../base/ids.js'
import type { Clock } from '../env/clock.js'

/** The time since an index was last level with its source. */
export class IndexLag {
  readonly #clock: Clock
  #behindMs: number | undefined
  /** The last entry that was applied when changes were last read, and when that was. */
  #seen = { index: 0, atMs: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** More is applied. */
  grew(): void {
    this.#behindMs ??= this.#clock.monotonicMs()
  }

  /** Changes up to that entry, the last that is applied, are going to be read. */
  reads(index: LogIndex): void {
    this.#seen = { index, atMs: this.#clock.monotonicMs() }
  }

  /** The index holds all up to that position. */
  wrote(position: LogIndex, applied: LogIndex): void {
    if (position >= applied) this.#behindMs = undefined
    else if (position >= this.#seen.index) this.#behindMs = this.#seen.atMs
  }

  /** In whole milliseconds. */
  get ms(): number {
    return this.#behindMs === undefined ? 0 : Math.round(this.#clock.monotonicMs() - this.#behindMs)
  }
}
