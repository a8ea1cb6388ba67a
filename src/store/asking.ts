/**
 * From a call to its answer: hands a command to the partition and waits, with deadline and signal.
 *
 * Whatever ends the waiting early leaves the request alone: its outcome is unknown to the caller. One promise and one
 * object per call: this is on the way of every write.
 */
import { SillokError } from '../base/errors.js'
import type { Command, Write } from '../machine/command.js'
import type { Done, Reply } from '../machine/reply.js'
import type { Ticket } from '../replica/admission.js'
import type { Replica } from '../replica/replica.js'
import type { Deadlines, Waiting } from './deadlines.js'
import type { CallOptions } from './options.js'

/** Told what became of the request itself, whenever that is known. */
export type Observed = () => void

/** A request: the command, who asks, and what the caller gets of the answer. */
export interface Request<R> {
  readonly command: Command
  /** What the command weighs against the limit of waiting bytes. */
  readonly bytes: number
  /** Commands with the same sender are decided in call order. */
  readonly sender: object
  readonly finish: (done: Done) => R
  readonly observed?: Observed
}

/** The way from a call to the partition and back. */
export class Asking {
  readonly #replica: Replica
  readonly #deadlines: Deadlines

  constructor(replica: Replica, deadlines: Deadlines) {
    this.#replica = replica
    this.#deadlines = deadlines
  }

  /** Asks the partition. Resolves with what `finish` makes of the answer, rejects if the request was refused. */
  ask<R>(request: Request<R>, options: CallOptions): Promise<R> {
    const refused = refusal(options)
    if (refused !== undefined) return Promise.reject(refused)
    return new Promise((resolve, reject) => {
      const call = new Call(request, this.#deadlines, options.signal, resolve, reject)
      this.#deadlines.begin(call, options.deadlineMs)
      this.#replica.submit(call)
    })
  }

  /** Resolves when a linearizable read may be done. */
  barrier(options: CallOptions): Promise<void> {
    const refused = refusal(options)
    if (refused !== undefined) return Promise.reject(refused)
    return new Promise((resolve, reject) => {
      const read = new Wait(this.#deadlines, options.signal, reject)
      this.#deadlines.begin(read, options.deadlineMs)
      this.#replica.readBarrier(error => {
        if (!read.end()) return
        if (error === undefined) resolve()
        else reject(error)
      })
    })
  }
}

/** Waiting for something, until it comes, the deadline passes or the signal is aborted: whichever is first. */
class Wait implements Waiting {
  at = 0
  settled = false
  readonly #deadlines: Deadlines
  readonly #signal: AbortSignal | undefined
  readonly #reject: (error: SillokError) => void
  readonly #aborted: (() => void) | undefined

  constructor(deadlines: Deadlines, signal: AbortSignal | undefined, reject: (error: SillokError) => void) {
    this.#deadlines = deadlines
    this.#signal = signal
    this.#reject = reject
    if (signal !== undefined) {
      this.#aborted = () => this.#abort(signal)
      signal.addEventListener('abort', this.#aborted, { once: true })
    }
  }

  /** True the first time: what was waited for has come. */
  end(): boolean {
    if (this.#aborted !== undefined) this.#signal?.removeEventListener('abort', this.#aborted)
    return this.#deadlines.settle(this)
  }

  expired(): void {
    if (this.#aborted !== undefined) this.#signal?.removeEventListener('abort', this.#aborted)
    this.#reject(new SillokError('TIMED_OUT', 'no answer before the deadline'))
  }

  #abort(signal: AbortSignal): void {
    if (!this.#deadlines.settle(this)) return
    this.#reject(new SillokError('ABORTED', 'the signal stopped the waiting', { cause: signal.reason }))
  }
}

/** A request on its way. */
class Call<R> extends Wait implements Ticket {
  readonly #request: Request<R>
  readonly #resolve: (result: R) => void
  readonly #refuse: (error: SillokError) => void

  constructor(
    request: Request<R>,
    deadlines: Deadlines,
    signal: AbortSignal | undefined,
    resolve: (result: R) => void,
    reject: (error: SillokError) => void,
  ) {
    super(deadlines, signal, reject)
    this.#request = request
    this.#resolve = resolve
    this.#refuse = reject
  }

  get command(): Command {
    return this.#request.command
  }

  get sender(): object {
    return this.#request.sender
  }

  get bytes(): number {
    return this.#request.bytes
  }

  answer(result: Reply | SillokError): void {
    this.#request.observed?.()
    if (!this.end()) return
    if (result instanceof SillokError) this.#refuse(result)
    else if (result.ok) this.#resolve(this.#request.finish(result))
    else this.#refuse(new SillokError(result.code, result.message, { details: result.details }))
  }
}

/** Why a call with these options may not even begin. */
export function refusal({ signal, deadlineMs }: CallOptions): SillokError | undefined {
  if (signal?.aborted === true) {
    return new SillokError('ABORTED', 'the signal was aborted before the call', { outcome: 'not-applied' })
  }
  if (deadlineMs !== undefined && !(deadlineMs > 0)) {
    return new SillokError('INVALID', `deadlineMs must be a positive number, not ${deadlineMs}`)
  }
  return undefined
}

/** What a write weighs. */
export function weigh(write: Write): number {
  let bytes = 64
  for (const operation of write.operations) {
    bytes += operation.key.length + (operation.document?.length ?? 0)
  }
  return bytes
}
