/**
 * One call that waits for its answer: until it comes, the deadline passes or the signal says stop, whichever is first.
 *
 * What ends the waiting early leaves the request alone: its outcome is unknown, unless it was never sent.
 */
import { type Code, SillokError } from '../base/errors.js'
import type { Deadlines, Waiting } from './deadlines.js'
import type { CallOptions } from './options.js'

export class Wait {
  /** The request is on its way: from now on nobody knows its outcome but the partition. */
  sent = false
  readonly #deadlines: Deadlines
  readonly #waiting: Waiting
  readonly #signal: AbortSignal | undefined
  readonly #abort: (() => void) | undefined

  /** Begins to wait; `ended` is called if deadline or signal end it. The options have passed `callRefusal`. */
  constructor(
    deadlines: Deadlines,
    { signal, deadlineMs }: CallOptions,
    ended: (error: SillokError) => void,
  ) {
    this.#deadlines = deadlines
    this.#waiting = deadlines.begin(deadlineMs, () => {
      this.#unlisten()
      ended(this.#error('TIMED_OUT', 'no answer before the deadline'))
    })
    if (signal === undefined) return
    this.#signal = signal
    this.#abort = () => {
      if (this.settle()) ended(this.#error('ABORTED', 'the signal stopped the waiting', signal.reason))
    }
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  /** True while neither answer, deadline nor signal came. */
  get isOn(): boolean {
    return !this.#waiting.settled
  }

  /** Ends the wait; true if it was still on. */
  settle(): boolean {
    this.#unlisten()
    return this.#deadlines.settle(this.#waiting)
  }

  #unlisten(): void {
    if (this.#abort !== undefined) this.#signal?.removeEventListener('abort', this.#abort)
  }

  #error(code: Code, message: string, cause?: unknown): SillokError {
    const options = cause === undefined ? {} : { cause }
    return new SillokError(code, message, this.sent ? options : { ...options, outcome: 'not-applied' })
  }
}
