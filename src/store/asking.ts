/**
 * From a call to its answer: hands a command to the partition and waits, with deadline and signal.
 *
 * Whatever ends the waiting early leaves the request alone: its outcome is unknown to the caller. One promise
 * and one object per call: this is on the way of every write. Options that come here are checked, in the same
 * turn: a signal that was aborted before is never heard.
 */
import { must } from '../base/assert.js'
import { SillokError, withUnknownOutcome } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Command, Write } from '../machine/command.js'
import type { Done, Reply } from '../machine/reply.js'
import type { Ticket } from '../replica/admission.js'
import type { Replica } from '../replica/replica.js'
import type { Deadlines } from './deadlines.js'
import type { CallOptions } from './options.js'
import { Wait } from './wait.js'
import { WaitingRoom } from './waiting-room.js'

/** Who asks, and what the caller gets of the answer. */
export interface Request<R> {
  /** Commands with the same sender are decided in call order. */
  readonly sender: object
  readonly finish: (done: Done) => R
  /** Told when the request itself is answered, whoever still waits for it. */
  readonly observed?: () => void
  /**
   * The same request may have been sent before, so what refuses this attempt says nothing about it: only an
   * answer of the partition, which looked at the kept reply first, is definite.
   */
  readonly mayBeRetry?: boolean
}

/** A call whose turn has not come yet. */
export interface Queued {
  /** True until deadline or signal ended the wait, or it was sent. */
  readonly isWaiting: boolean
  /** Hands the command to the partition; only while it waits. */
  send(command: Command, bytes: number): void
}

/** A call whose work goes on by itself. */
export interface Waiting {
  /** True once the call was answered, or deadline or signal ended the wait. */
  readonly settled: boolean
}

/** The way from a call to the partition and back. */
export class Asking {
  readonly #replica: Replica
  readonly #deadlines: Deadlines
  readonly #barriers: WaitingRoom

  constructor(replica: Replica, deadlines: Deadlines, readsMax: number = limits.waitingReadsMax) {
    this.#barriers = new WaitingRoom(readsMax, 'reads')
    this.#replica = replica
    this.#deadlines = deadlines
  }

  /**
   * Asks the partition; `bytes` is what the command weighs against the limit of waiting bytes. Resolves with
   * what `finish` makes of the answer, rejects if the request was refused.
   */
  ask<R>(command: Command, bytes: number, request: Request<R>, options: CallOptions): Promise<R> {
    return this.askLater(request, options, queued => queued.send(command, bytes))
  }

  /** The same for a command that is made when its turn comes; deadline and signal count from now on. */
  askLater<R>(request: Request<R>, options: CallOptions, enqueue: (queued: Queued) => void): Promise<R> {
    return new Promise((resolve, reject) => {
      enqueue(new Call(this.#replica, this.#deadlines, request, options, resolve, reject))
    })
  }

  /**
   * Waits for work that goes on by itself: until it ends, or deadline or signal end the waiting. The work is
   * told by `waiting.settled` that nobody waits any more, from the very moment on. What ends the wait for a
   * read says that nothing was applied.
   */
  until<T>(work: (waiting: Waiting) => Promise<T>, options: CallOptions, isRead = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(this.#deadlines, options, reject)
      wait.sent = !isRead
      work(wait).then(
        result => wait.end() && resolve(result),
        error => wait.end() && reject(error),
      )
    })
  }

  /**
   * Resolves when a linearizable read may be done. Rejects with OVERLOADED when `limits.waitingReadsMax`
   * reads wait here, those counted whose callers have gone.
   */
  barrier(options: CallOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#barriers.enter()
      const wait = new Wait(this.#deadlines, options, reject)
      this.#replica.readBarrier(error => {
        this.#barriers.leave()
        if (!wait.end()) return
        if (error === undefined) resolve()
        else reject(error)
      })
    })
  }
}

/** A request on its way. */
class Call<R> extends Wait implements Ticket, Queued {
  readonly #replica: Replica
  readonly #request: Request<R>
  readonly #resolve: (result: R) => void
  readonly #refuse: (error: SillokError) => void
  #command: Command | undefined
  bytes = 0

  constructor(
    replica: Replica,
    deadlines: Deadlines,
    request: Request<R>,
    options: CallOptions,
    resolve: (result: R) => void,
    reject: (error: SillokError) => void,
  ) {
    super(deadlines, options, reject)
    this.#replica = replica
    this.#request = request
    this.#resolve = resolve
    this.#refuse = reject
  }

  get command(): Command {
    return must(this.#command, 'the command of a call that was sent')
  }

  get sender(): object {
    return this.#request.sender
  }

  get isWaiting(): boolean {
    return !this.settled && !this.sent
  }

  send(command: Command, bytes: number): void {
    this.sent = true
    this.#command = command
    this.bytes = bytes
    this.#replica.submit(this)
  }

  answer(result: Reply | SillokError): void {
    this.#request.observed?.()
    if (!this.end()) return
    if (result instanceof SillokError)
      this.#refuse(this.#request.mayBeRetry === true ? withUnknownOutcome(result) : result)
    else if (result.ok) this.#resolve(this.#request.finish(result))
    else this.#refuse(new SillokError(result.code, result.message, { details: result.details }))
  }
}

/** What a write weighs against the limit of waiting bytes. */
export function weigh(operations: Write['operations']): number {
  return 64 + operationBytes(operations)
}

/** Keys and documents, as sent. */
export function operationBytes(operations: Write['operations']): number {
  let bytes = 0
  for (const { key, document } of operations) bytes += key.length + (document?.length ?? 0)
  return bytes
}
