/**
 * Tells those who follow a log that more of it is applied, or that it ends. Who waits keeps the process
 * alive: following may be all that it does.
 */
import { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import type { Clock } from '../env/clock.js'

interface Waiter {
  readonly index: LogIndex
  readonly resolve: () => void
  readonly reject: (error: SillokError) => void
}

/** For ever, about: only its being there counts. */
const holdMs = 2 ** 30

/** The followers of one partition's log. */
export class AppliedSignal {
  readonly #clock: Clock
  readonly #applied: () => LogIndex
  readonly #waiters = new Set<Waiter>()
  #failure: SillokError | undefined

  /** `applied`: everything up to there is, now. */
  constructor(clock: Clock, applied: () => LogIndex) {
    this.#clock = clock
    this.#applied = applied
  }

  /** More is applied. */
  notify(): void {
    const index = this.#applied()
    for (const waiter of this.#waiters) if (waiter.index < index) waiter.resolve()
  }

  /** Something else is to be seen: who waits looks again, though nothing more is applied. */
  wake(): void {
    for (const { resolve } of this.#waiters) resolve()
  }

  /** Nothing more will be applied: who waits gets this error, and who asks later. */
  fail(error: SillokError): void {
    this.#failure ??= error
    for (const { reject } of this.#waiters) reject(error)
  }

  /**
   * Resolves when more than that is applied, or with `wake`. Rejects with ABORTED when the signal says stop.
   */
  async beyond(index: LogIndex, signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (signal?.aborted) throw aborted(signal)
    if (this.#applied() > index) return
    let waiter: Waiter | undefined
    let stop: (() => void) | undefined
    const hold = this.#clock.after(holdMs, () => {})
    try {
      await new Promise<void>((resolve, reject) => {
        waiter = { index, resolve, reject }
        this.#waiters.add(waiter)
        stop = () => reject(signal && aborted(signal))
        signal?.addEventListener('abort', stop, { once: true })
      })
    } finally {
      hold.stop()
      if (waiter !== undefined) this.#waiters.delete(waiter)
      if (stop !== undefined) signal?.removeEventListener('abort', stop)
    }
  }
}

function aborted(signal: AbortSignal): SillokError {
  return new SillokError('ABORTED', 'the signal stopped the waiting', {
    outcome: 'not-applied',
    cause: signal.reason,
  })
}
