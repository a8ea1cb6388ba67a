/**
 * Work that waits for room on a full disk: tried again, at the same place, each second.
 *
 * Always holds: nothing is given up before `hurry` is called; then each piece of work is tried once more and
 * fails with DISK_FULL. Any other error is passed on at once.
 */
import { isSillokError } from '../base/errors.js'
import type { Clock, Timer } from '../env/clock.js'

/** Pause between two tries. */
const retryMs = 1000

/** Waits out a full disk. */
export class Patience {
  readonly #clock: Clock
  #hurried = false
  #waits = false
  #pause: { readonly timer: Timer; readonly end: () => void } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True from a full disk until the work was done. */
  get waits(): boolean {
    return this.#waits
  }

  /** Does the work, again and again while it throws DISK_FULL. It must be safe to repeat. */
  async tryFor<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      const last = this.#hurried
      try {
        const value = await work()
        this.#waits = false
        return value
      } catch (error) {
        if (last || !isSillokError(error, 'DISK_FULL')) throw error
      }
      this.#waits = true
      if (!this.#hurried) await this.#wait()
    }
  }

  /** Ends the current pause, and all later ones. */
  hurry(): void {
    this.#hurried = true
    this.#pause?.timer.stop()
    this.#pause?.end()
  }

  #wait(): Promise<void> {
    return new Promise(resolve => {
      const end = (): void => {
        this.#pause = undefined
        resolve()
      }
      this.#pause = { timer: this.#clock.after(retryMs, end), end }
    })
  }
}
