/**
 * What a node does again and again, on the timers of its process.
 *
 * A call that comes late is made once, and those that were missed never. First what the sockets already hold
 * is read: after a stall of the event loop the timers fire before the heartbeats that came meanwhile, and a
 * follower that counted them first would take its leader for dead.
 */
import type { Clock, Timer } from '../env/clock.js'

/** So late that something may have come meanwhile. */
const lateMs = 20

/** The repeated calls of one node; none is made after `stop`. */
export class Ticker {
  readonly #clock: Clock
  readonly #timers = new Set<Timer>()
  #isStopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls every so many milliseconds, until stopped. */
  every(ms: number, call: () => void): void {
    if (this.#isStopped) return
    const dueMs = this.#clock.monotonicMs() + ms
    const run = (): void => {
      if (this.#isStopped) return
      call()
      this.every(ms, call)
    }
    const timer = this.#clock.after(
      ms,
      () => {
        this.#timers.delete(timer)
        if (this.#clock.monotonicMs() - dueMs < lateMs) run()
        else this.#clock.soon(run)
      },
      { idle: true },
    )
    this.#timers.add(timer)
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) timer.stop()
    this.#timers.clear()
  }
}
