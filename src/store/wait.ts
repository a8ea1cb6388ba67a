/**
 * One call that waits: until its answer comes, the deadline passes or the signal says stop, whichever is
 * first.
 *
 * What ends the waiting early leaves the request alone: its outcome is unknown, unless it was never sent.
 */
import { type Code, SillokError } from '../base/errors.js'
import type { Deadlines, Waiting } from './deadlines.js'
import type { CallOptions } from './options.js'

/** The waiting of one call. */
export class Wait implements Waiting {
  at = 0
  settled = false
  /** The request is on its way: from now on nobody knows its outcome but the partition. */
  sent = false
  readonly #deadlines: Deadlines
  readonly #reject: (error: SillokError) => void
  readonly #signal: AbortSignal | undefined
  readonly #aborted: (() => void) | undefined

  /**
   * Begins to wait; `reject` is called if deadline or signal end it. The options have passed `callRefusal`.
   */
  constructor(
    deadlines: Deadlines,
    { signal, deadlineMs }: CallOptions,
    reject: (error: SillokError) => void,
  ) {
    this.#deadlines = deadlines
    this.#reject = reject
    if (signal !== undefined) {
      this.#signal = signal
      this.#aborted = () => {
        if (this.end()) reject(this.#error('ABORTED', 'the signal stopped the waiting', signal.reason))
      }
      signal.addEventListener('abort', this.#aborted, { once: true })
    }
    deadlines.begin(this, deadlineMs)
  }

  /** Ends the wait; true if it was still on. */
  end(): boolean {
    this.#unlisten()
    return this.#deadlines.settle(this)
  }

  expired(): void {
    this.#unlisten()
    this.#reject(this.#error('TIMED_OUT', 'no answer before the deadline'))
  }

  #unlisten(): void {
    if (this.#aborted !== undefined) this.#signal?.removeEventListener('abort', this.#aborted)
  }

  #error(code: Code, message: string, cause?: unknown): SillokError {
    const options = cause === undefined ? {} : { cause }
    return new SillokError(code, message, this.sent ? options : { ...options, outcome: 'not-applied' })
  }
}
