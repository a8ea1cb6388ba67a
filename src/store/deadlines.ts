/**
 * Deadlines of calls: most have the default one, so they end in the order in which they began and share one
 * timer. While a call waits, its deadline keeps the process alive; when none does, no timer runs.
 */
import type { Clock, Timer } from '../env/clock.js'

/** A call that waits. */
export interface Waiting {
  /** When it ends, on the monotonic clock. */
  at: number
  settled: boolean
  /** Its own timer, if its deadline is not the default one. */
  timer?: Timer | undefined
  /** The deadline passed. */
  expired(): void
  /** The store is closed, and nothing else will ever answer. */
  closed(): void
}

/** The deadlines of one store. */
export class Deadlines {
  readonly #clock: Clock
  readonly #defaultMs: number
  /** Those with a timer of their own. */
  readonly #own = new Set<Waiting>()
  #queue: Waiting[] = []
  #head = 0
  #timer: Timer | undefined
  /** Waits that their deadline ended. */
  timeouts = 0

  constructor(clock: Clock, defaultMs: number) {
    this.#clock = clock
    this.#defaultMs = defaultMs
  }

  /** Calls `expired` after the time, the default one if undefined, unless `settle` comes first. */
  begin(waiting: Waiting, ms: number | undefined): void {
    waiting.at = this.#clock.monotonicMs() + (ms ?? this.#defaultMs)
    if (ms === undefined) this.#enqueue(waiting)
    else {
      this.#own.add(waiting)
      waiting.timer = this.#clock.after(ms, () => this.#expire(waiting))
    }
  }

  /** True the first time: the call is answered, its deadline means nothing any more. */
  settle(waiting: Waiting): boolean {
    if (waiting.settled) return false
    waiting.settled = true
    if (waiting.timer !== undefined) {
      waiting.timer.stop()
      waiting.timer = undefined
      this.#own.delete(waiting)
    }
    while (this.#queue[this.#head]?.settled === true) this.#head += 1
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0
      this.#head = 0
      this.#stopTimer()
    } else if (this.#head >= 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return true
  }

  /** Ends the wait of all who still wait: for what is not the store's, and may never come. */
  close(): void {
    const waiting = [...this.#queue.slice(this.#head), ...this.#own]
    for (const one of waiting) if (this.settle(one)) one.closed()
    this.#stopTimer()
  }

  #stopTimer(): void {
    this.#timer?.stop()
    this.#timer = undefined
  }

  #enqueue(waiting: Waiting): void {
    this.#queue.push(waiting)
    this.#timer ??= this.#clock.after(this.#defaultMs, () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    const now = this.#clock.monotonicMs()
    for (let first = this.#queue[this.#head]; first !== undefined; first = this.#queue[this.#head]) {
      if (first.at > now) {
        this.#timer = this.#clock.after(first.at - now, () => this.#look())
        return
      }
      if (first.settled) this.#head += 1
      else this.#expire(first)
    }
  }

  #expire(waiting: Waiting): void {
    if (!this.settle(waiting)) return
    this.timeouts += 1
    waiting.expired()
  }
}
