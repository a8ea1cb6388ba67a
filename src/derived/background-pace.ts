/**
 * The pace of work that nobody waits for: builds, of indexes and of constraints.
 *
 * While others write it works in short slices, and after each of them it rests longer than it has worked: so
 * a write rarely finds the event loop taken, and never for long. While nobody writes it goes on as other work
 * does. Who works on several sides at once, say reads ahead, rests with all of them.
 */
import type { Clock } from '../env/clock.js'
import { Pace, type Pacing } from './pace.js'

/** How long a slice lasts while others write. */
const shortSliceMs = 1
/** Who wrote within so many milliseconds is writing. */
const writingMs = 20
/** A sixth of one processor for the work that it times. */
const restsPerWork = 5
/** What took longer waited for a disk that stalls. */
const restMsMax = 20
/** What one step holds in memory, the garbage collector copies while it lasts: 2,000 documents, 5 ms. */
const documentsAtATime = 64

/** Gives turns and rests. One for all work of this kind on one log: together it takes no more. */
export class BackgroundPace implements Pacing {
  /** That of work which somebody waits for. */
  readonly foreground: Pacing
  /** Entries of this work itself, from the moment they are on their way: they are among the writes. */
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
   * How many of so many documents to take at a time: fewer while others write, but twice as many as came with
   * the last ones from others, if each step brings such too. Else it would mostly do those.
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
   * Rests for what was worked since the last rest, and for so much work done out of sight: not at all
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
