/**
 * From a call to its answer: hands a command to the partition and waits, with deadline and signal.
 *
 * Whatever ends the waiting early leaves the request alone: its outcome is unknown to the caller.
 */
import { SillokError } from '../base/errors.js'
import type { Command, SessionMark, Write } from '../machine/command.js'
import type { Done, Reply } from '../machine/reply.js'
import type { Replica } from '../replica/replica.js'
import type { Deadlines } from './deadlines.js'
import type { CallOptions } from './options.js'

/** Told what became of the request itself, whenever that is known. */
export type Observed = (result: Reply | SillokError) => void

export class Asking {
  readonly #replica: Replica
  readonly #deadlines: Deadlines

  constructor(replica: Replica, deadlines: Deadlines) {
    this.#replica = replica
    this.#deadlines = deadlines
  }

  /** Asks the partition. Resolves with the answer of a request that took effect, rejects with any other. */
  ask(command: Command, bytes: number, sender: object, options: CallOptions, observed?: Observed): Promise<Done> {
    return new Promise((resolve, reject) => {
      const wait = this.#wait(options, reject)
      if (wait === undefined) return
      const answer = (result: Reply | SillokError): void => {
        observed?.(result)
        if (!wait()) return
        if (result instanceof SillokError) reject(result)
        else if (result.ok) resolve(result)
        else reject(new SillokError(result.code, result.message, { details: result.details }))
      }
      this.#replica.submit({ command, sender, bytes, answer })
    })
  }

  /** Resolves when a linearizable read may be done. */
  barrier(options: CallOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = this.#wait(options, reject)
      if (wait === undefined) return
      this.#replica.readBarrier(error => {
        if (wait()) error === undefined ? resolve() : reject(error)
      })
    })
  }

  /** Begins to wait; the function that it returns ends the wait, and is true if it was still on. */
  #wait(options: CallOptions, reject: (error: SillokError) => void): (() => boolean) | undefined {
    const { signal, deadlineMs } = options
    if (signal?.aborted) {
      reject(new SillokError('ABORTED', 'the signal was aborted before the call', { outcome: 'not-applied' }))
      return undefined
    }
    if (deadlineMs !== undefined && !(deadlineMs > 0)) {
      reject(new SillokError('INVALID', `deadlineMs must be a positive number, not ${deadlineMs}`))
      return undefined
    }
    const waiting = this.#deadlines.begin(deadlineMs, () => {
      signal?.removeEventListener('abort', abort)
      reject(new SillokError('TIMED_OUT', 'no answer before the deadline'))
    })
    const abort = (): void => {
      if (this.#deadlines.settle(waiting)) {
        reject(new SillokError('ABORTED', 'the signal stopped the waiting', { cause: signal?.reason }))
      }
    }
    if (signal === undefined) return () => this.#deadlines.settle(waiting)
    signal.addEventListener('abort', abort, { once: true })
    return () => {
      signal.removeEventListener('abort', abort)
      return this.#deadlines.settle(waiting)
    }
  }
}

/** A write command with what it weighs. */
export function weigh(write: Write): number {
  let bytes = 64
  for (const operation of write.operations) bytes += operation.key.length + (operation.document?.length ?? 0)
  return bytes
}

/** What a writer adds to a command: nothing, or the mark of a session. */
export type Marking = (write: Omit<Write, 'mark'>) => { mark: SessionMark | undefined; observed?: Observed }
