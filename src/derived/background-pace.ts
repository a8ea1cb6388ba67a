/**
 * The pace of work that nobody waits for: builds, of indexes and of constraints.
 *
 * While others write it works in short slices, and after each of them it rests longer than it has worked: so
 * a write rarely finds the event loop taken, and never for long. While nobody writes it goes on as other work
 * does. Work that goes on side by side, say a build that reads ahead while it writes, rests together.
 */
import type { Clock } from '../env/clock.js'
import { Pace, type Pacing } from './pace.js'

/** How long a slice lasts while others write. */
const shortSliceMs = 1
/** For so long after the last write of others they count as writing. */
const writingMs = 20
/** A rest is so many times as long as the work: that gets an eleventh of the time, as far as it is timed. */
const restsPerWork = 10
/** No rest is longer: work that called for it took so long only since the disk stalled. */
const restMsMax = 40
/** The garbage collector copies what a step holds in memory: of 2,000 documents that took 5 ms. */
const documentsAtATime = 64

/** Gives turns and rests. One for all work of this kind on one log: together it takes no more. */
export class BackgroundPace implements Pacing {
  /** The pace of work that somebody waits for. */
  readonly foreground: Pacing
  /** Entries of this work itself, from the moment they are on their way: `writes` counts them too. */
  ownWrites = 0
  readonly #clock: Pick<Clock, 'monotonicMs' | 'soon' | 'after'>
  readonly #writes: () => number
  #seenWrites: number
  #wroteMs = Number.NEGATIVE_INFINITY
  /** The last look at the clock in this turn of the event loop; undefined: there was none. */
  #lookedMs: number | undefined
  /** What was worked since the last rest, as far as it was looked at. */
  #workedMs = 0
  #resting: Promise<void> | undefined

  /** `sliceMs`: of work that somebody waits for. `writes`: how many entries were written so far. */
  constructor(clock: Pick<Clock, 'monotonicMs' | 'soon' | 'after'>, sliceMs: number, writes: () => number) {
    this.#clock = clock
    this.foreground = new Pace(clock, sliceMs)
    this.#writes = writes
    this.#seenWrites = writes()
  }

  /** True while others write. */
  othersWrite(): boolean {
    const nowMs = this.#clock.monotonicMs()
    const writes = this.#writes() - this.ownWrites
    if (writes > this.#seenWrites) {
      this.#wroteMs = nowMs
      this.#seenWrites = writes
    }
    return nowMs - this.#wroteMs < writingMs
  }

  /**
   * How many of so many documents the next step of a build takes: while others write, only a few. But if its
   * steps also follow changes of others, `changes` in the last one, then twice as many as those: else it
   * would do little but follow.
   */
  atATime(documents: number, changes = 0): number {
    if (!this.othersWrite()) return documents
    return Math.min(documents, Math.max(documentsAtATime, 2 * changes))
  }

  pause(): Promise<void> | undefined {
    const nowMs = this.#clock.monotonicMs()
    if (this.#lookedMs === undefined) {
      this.#clock.soon(() => {
        this.#lookedMs = undefined
      })
    } else this.#workedMs += nowMs - this.#lookedMs
    this.#lookedMs = nowMs
    if (!this.othersWrite()) {
      this.#workedMs = 0
      return this.foreground.pause()
    }
    if (this.#resting !== undefined) return this.#resting
    return this.#workedMs < shortSliceMs ? undefined : this.rest(0)
  }

  turn(): Promise<void> {
    return this.#resting ?? this.foreground.turn()
  }

  /**
   * Rests for what was worked since the last rest, and for `workedMs` that `pause` has not seen: not at all
   * if nobody else writes. What comes while another one rests is made up for by the next rest.
   */
  rest(workedMs: number): Promise<void> {
    if (!this.othersWrite()) {
      this.#workedMs = 0
      return Promise.resolve()
    }
    this.#workedMs += workedMs
    if (this.#resting !== undefined) return this.#resting
    const restMs = Math.min(restsPerWork * this.#workedMs, restMsMax)
    this.#workedMs = 0
    this.#resting = new Promise<void>(resolve => this.#clock.after(restMs, resolve)).then(() => {
      this.#resting = undefined
    })
    return this.#resting
  }
}
