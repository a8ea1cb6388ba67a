/**
 * How long work of indexes may hold the event loop: long work asks at times, and waits for a turn when the
 * slice that it is in has lasted long enough.
 *
 * A slice begins with the first look at the clock in a turn of the event loop. All indexes of one log share
 * one pace: their slices follow one another, with what else the event loop has in between.
 */
import type { Clock } from '../env/clock.js'

/** What long work asks as it goes. */
export interface Pacing {
  /** Undefined: go on. Else wait for it, so that other work can go first. */
  pause(): Promise<void> | undefined
  /** Resolves in a turn of the event loop of its own. */
  turn(): Promise<void>
}

/** Gives turns. */
export class Pace implements Pacing {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'soon'>
  readonly #sliceMs: number
  /** When the slice of this turn began; undefined: nobody looked at the clock in this turn. */
  #since: number | undefined
  /** Resolves with the last turn that was given out. */
  #turns: Promise<void> = Promise.resolve()

  constructor(clock: Pick<Clock, 'monotonicMs' | 'soon'>, sliceMs: number) {
    this.#clock = clock
    this.#sliceMs = sliceMs
  }

  pause(): Promise<void> | undefined {
    const now = this.#clock.monotonicMs()
    if (this.#since === undefined) this.#begin(now)
    else if (now - this.#since > this.#sliceMs) return this.turn()
    return undefined
  }

  turn(): Promise<void> {
    this.#turns = this.#turns.then(() => new Promise(resolve => this.#clock.soon(resolve)))
    return this.#turns
  }

  #begin(now: number): void {
    this.#since = now
    this.#clock.soon(() => {
      this.#since = undefined
    })
  }
}
