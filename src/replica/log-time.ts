/**
 * Log time: what the leader stamps its entries with, in milliseconds.
 *
 * It never goes back, goes on only while this replica leads, and a stall of the process moves it by one step
 * at most: sessions must not expire because a process slept (thesis 6.3; LogCabin's cluster clock).
 */
import type { LogTime } from '../base/ids.js'
import type { Clock } from '../env/clock.js'

/** The most that one step may add: twice the ticker's period. */
const stepMsMax = 200

/** The log time of one partition. */
export class LogClock {
  readonly #clock: Clock
  #time: LogTime = 0
  /** The newest time that an entry tells. */
  #logged: LogTime = 0
  #at: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Learns the time of an entry of the log. */
  observe(time: LogTime): void {
    this.#logged = Math.max(this.#logged, time)
    this.hear(time)
  }

  /** Learns the time of an entry that another leader stamped and that may never be applied. */
  hear(time: LogTime): void {
    this.#time = Math.max(this.#time, time)
  }

  /** Lets the time pass from now on (leader), or stand still. */
  run(running: boolean): void {
    this.#at = running ? this.#clock.monotonicMs() : undefined
  }

  /**
   * Moves on by what passed since the last call, a stall clamped. Called by the ticker and by every stamp.
   */
  advance(): void {
    if (this.#at === undefined) return
    const now = this.#clock.monotonicMs()
    this.#time += Math.min(Math.max(now - this.#at, 0), stepMsMax)
    this.#at = now
  }

  /** The time that passed since the newest applied entry: a restart forgets it. */
  get unloggedMs(): number {
    return this.stamp() - this.#logged
  }

  /** The time for the next entry. */
  stamp(): LogTime {
    this.advance()
    return Math.floor(this.#time)
  }
}
