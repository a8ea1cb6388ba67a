/**
 * The pace of work that nobody waits for: builds, of indexes and of constraints.
 *
 * While others write it works in short slices, and after each of them it rests longer than it has worked: so
 * a write rarely finds the event loop taken, and never for long. While nobody writes it goes on as other work
 * does. Who works on several sides at once, say reads ahead, rests with all of them.
 */
import type { Clock } from '../env/clock.js'
import type { Pacing } from './pace.js'

/** How long a slice lasts while others write. */
const shortSliceMs = 1
/** Who wrote within so many milliseconds is writing. */
const writingMs = 20
/** A sixth of one processor for the work that it times. */
const restsPerWork = 5
/** What took longer waited for a disk that stalls. */
const restMsMax = 20

/** Gives turns and rests. */
export class BackgroundPace implements Pacing {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'soon' | 'after'>
  readonly #pace: Pacing
  readonly #writes: () => number
  #seenWrites: number
  #wroteMs = Number.NEGATIVE_INFINITY
  /** The last look at the clock in this turn of the event loop; undefined: there was none. */
  #lookedMs: number | undefined
  /** What was worked since the last rest, as far as it was looked at. */
  #workedMs = 0
  #resting: Promise<void> | undefined

  /** `pace`: that of other work. `writes`: what others have written so far, as a number that grows. */
  constructor(clock: Pick<Clock, 'monotonicMs' | 'soon' | 'after'>, pace: Pacing, writes: () => number) {
    this.#clock = clock
    this.#pace = pace
    this.#writes = writes
    this.#seenWrites = writes()
  }

  /** True while others write. */
  othersWrite(): boolean {
    const nowMs = this.#clock.monotonicMs()
    const writes = this.#writes()
    if (writes !== this.#seenWrites) this.#wroteMs = nowMs
    this.#seenWrites = writes
    return nowMs - this.#wroteMs < writingMs
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
      return this.#pace.pause()
    }
    if (this.#resting !== undefined) return this.#resting
    return this.#workedMs < shortSliceMs ? undefined : this.rest(this.#workedMs)
  }

  turn(): Promise<void> {
    return this.#resting ?? this.#pace.turn()
  }

  /** Resolves when so much work is made up for: at once if nobody else writes. */
  rest(workedMs: number): Promise<void> {
    this.#workedMs = 0
    if (!this.othersWrite()) return Promise.resolve()
    this.#resting ??= new Promise<void>(resolve => {
      this.#clock.after(Math.min(restsPerWork * workedMs, restMsMax), resolve)
    }).then(() => {
      this.#resting = undefined
    })
    return this.#resting
  }
}
