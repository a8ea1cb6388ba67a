/** The door to time. Every timer of the store goes through a Clock, so that a simulation can own time. */
import type { MonotonicMs, WallMs } from '../base/ids.js'

/** A timer that can be stopped; stopping a fired or stopped one does nothing. */
export interface Timer {
  stop(): void
}

/** What time it is, and calls at a later time. */
export interface Clock {
  /** Milliseconds that only grow, with fractions; its zero means nothing. */
  monotonicMs(): MonotonicMs
  /** Milliseconds since 1970, possibly wrong, possibly going back: a label, never an order. */
  wallMs(): WallMs
  /** Calls once, at least `ms` milliseconds from now. Does not keep the process alive by itself if `idle`. */
  after(ms: number, call: () => void, options?: { readonly idle?: boolean }): Timer
  /** Calls once, after what the event loop already holds was handled (setImmediate). */
  soon(call: () => void): void
}
