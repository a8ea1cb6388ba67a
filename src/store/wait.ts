/**
 * One call that waits: until its answer comes, the deadline passes or the signal says stop, whichever is
 * first.
 *
 * What ends the waiting early leaves the request alone: its outcome is unknown, unless it was never sent.
 */
import { type Code, SillokError, storeClosed } from '../base/errors.js'
import type { Timer } from '../env/clock.js'
import type { Deadlines, Waiting } from './deadlines.js'
import type { CallOptions } from './options.js'

/** Told of the signal that stops it. */
interface Stopped {
  /** The signal says stop. */
  aborted(reason: unknown): void
}

const waits = new WeakMap<AbortSignal, Set<Stopped>>()

/** Calls when the signal says stop; what it gives takes that back. */
export function onAbort(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const stopped = { aborted }
  waitsOf(signal).add(stopped)
  return () => waitsOf(signal).delete(stopped)
}

/** What waits with that signal. It is listened to once, however many calls it is given to. */
function waitsOf(signal: AbortSignal): Set<Stopped> {
  let own = waits.get(signal)
  if (own === undefined) {
    own = new Set()
    waits.set(signal, own)
    const all = own
    const tell = (): void => {
      for (const wait of [...all]) wait.aborted(signal.reason)
    }
    signal.addEventListener('abort', tell, { once: true })
  }
  return own
}

/** The waiting of one call. */
export class Wait implements Waiting {
  at = 0
  settled = false
  timer: Timer | undefined
  /** The request is on its way: from now on nobody knows its outcome but the partition. */
  sent = false
  readonly #deadlines: Deadlines
  readonly #reject: (error: SillokError) => void
  readonly #signal: AbortSignal | undefined

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
    this.#signal = signal
    if (signal !== undefined) waitsOf(signal).add(this)
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

  closed(): void {
    this.#unlisten()
    if (this.sent) this.#reject(new SillokError('CLOSED_WHILE_WAITING', 'the store was closed meanwhile'))
    else this.#reject(storeClosed())
  }

  /** The signal says stop. */
  aborted(reason: unknown): void {
    if (this.end()) this.#reject(this.#error('ABORTED', 'the signal stopped the waiting', reason))
  }

  #unlisten(): void {
    if (this.#signal !== undefined) waitsOf(this.#signal).delete(this)
  }

  #error(code: Code, message: string, cause?: unknown): SillokError {
    const options = cause === undefined ? {} : { cause }
    return new SillokError(code, message, this.sent ? options : { ...options, outcome: 'not-applied' })
  }
}
