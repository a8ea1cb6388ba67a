/**
 * The system's time. Timers never fire early, and may be longer than the 24.8 days that setTimeout can count.
 */
import type { MonotonicMs, WallMs } from '../base/ids.js'
import type { Clock, Timer } from './clock.js'

/** The longest delay that setTimeout takes. */
const delayMsMax = 2 ** 31 - 1

/** The clock of this process. */
export class RealClock implements Clock {
  monotonicMs(): MonotonicMs {
    return performance.now()
  }

  wallMs(): WallMs {
    return Date.now()
  }

  after(ms: number, call: () => void, options?: { readonly idle?: boolean }): Timer {
    const due = performance.now() + ms
    let timeout: NodeJS.Timeout
    const arm = (): void => {
      timeout = setTimeout(fire, Math.min(delayMsMax, Math.max(0, due - performance.now())))
      if (options?.idle) timeout.unref()
    }
    // The event loop counts whole milliseconds of its own clock and may be up to one early.
    const fire = (): void => (performance.now() < due ? arm() : call())
    arm()
    return { stop: () => clearTimeout(timeout) }
  }

  soon(call: () => void): void {
    setImmediate(call)
  }
}
