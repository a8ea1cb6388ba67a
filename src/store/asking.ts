/**
 * From a call to its answer: hands a command to the partition and waits, with deadline and signal.
 *
 * Whatever ends the waiting early leaves the request alone: its outcome is unknown to the caller. One promise
 * and one object per call: this is on the way of every write. Options that come here are checked, in the same
 * turn: a signal that was aborted before is never heard.
 */
import { must } from '../base/assert.js'
import { SillokError, withUnknownOutcome } from '../base/errors.js'
import type { Command, Write } from '../machine/command.js'
import { type Done, errorOf, type Refused, type Reply } from '../machine/reply.js'
import type { Ticket } from '../replica/admission.js'
import type { Partition } from '../replica/partition.js'
import { isReplaced } from '../replica/replaced.js'
import { Counts } from './counts.js'
import type { Deadlines } from './deadlines.js'
import type { CallOptions } from './options.js'
import { Wait } from './wait.js'

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
  /** Set when the work begins to have effects: what ends the wait from then on leaves the outcome unknown. */
  sent: boolean
}

/** The way from a call to the partition and back. */
export class Asking {
  readonly #partition: Partition
  readonly #deadlines: Deadlines
  /** Counts what is asked. */
  readonly counts: Counts
  /** Told of stored bytes that fail their check; must not throw. */
  readonly damaged: (reason: string) => void

  constructor(
    partition: Partition,
    deadlines: Deadlines,
    counts = new Counts(),
    damaged: (reason: string) => void = () => {},
  ) {
    this.#partition = partition
    this.#deadlines = deadlines
    this.counts = counts
    this.damaged = damaged
  }

  /**
   * Asks the partition; `bytes` is what the command weighs against the limit of waiting bytes. Resolves with
   * what `finish` makes of the answer, rejects if the request was refused.
   */
  ask<R>(command: Command, bytes: number, request: Request<R>, options: CallOptions): Promise<R> {
    return new Promise((resolve, reject) => {
      const call = new Call(this, this.#partition, this.#deadlines, request, options, resolve, reject)
      call.send(command, bytes)
    })
  }

  /** The same for a command that is made when its turn comes; deadline and signal count from now on. */
  askLater<R>(request: Request<R>, options: CallOptions, enqueue: (queued: Queued) => void): Promise<R> {
    return new Promise((resolve, reject) => {
      enqueue(new Call(this, this.#partition, this.#deadlines, request, options, resolve, reject))
    })
  }

  /**
   * Waits for work that goes on by itself: until it ends, or deadline or signal end the waiting. The work is
   * told by `waiting.settled` that nobody waits any more, from the very moment on. Until it says that it is
   * `sent`, what ends the wait says that nothing was applied.
   */
  until<T>(work: (waiting: Waiting) => Promise<T>, options: CallOptions, sent = true): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(this.#deadlines, options, reject)
      wait.sent = sent
      work(wait).then(
        result => wait.end() && resolve(result),
        error => wait.end() && reject(error),
      )
    })
  }

  /**
   * Does the reading when a linearizable read may be done; what it gives is waited for under the same
   * deadline and signal. `left` is called when the work itself has ended, though nobody may wait any more.
   */
  read<R>(options: CallOptions, reading: () => R | Promise<R>, left: () => void): Promise<R> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(this.#deadlines, options, reject)
      const done = (value: R): void => {
        left()
        if (wait.end()) resolve(value)
      }
      const failed = (error: unknown): void => {
        left()
        if (wait.end()) reject(error)
      }
      const isForgotten = (): boolean => wait.settled
      const attempt = (): void =>
        this.#partition.readBarrier(error => {
          const { replica } = this.#partition
          // What fails because another replica took the place of this one is read there.
          const again = (error: unknown): void => {
            if (isReplaced(this.#partition, replica) && !wait.settled) attempt()
            else failed(error)
          }
          if (error !== undefined) failed(error)
          else if (wait.settled) left()
          else readNow(reading, done, again)
        }, isForgotten)
      attempt()
    })
  }
}

function readNow<R>(reading: () => R | Promise<R>, done: (value: R) => void, failed: Refuse): void {
  let read: R | Promise<R>
  try {
    read = reading()
  } catch (error) {
    failed(error)
    return
  }
  if (read instanceof Promise) read.then(done, failed)
  else done(read)
}

type Refuse = (error: unknown) => void

/** A request on its way. */
class Call<R> extends Wait implements Ticket, Queued {
  readonly #asking: Asking
  readonly #partition: Partition
  readonly #request: Request<R>
  readonly #resolve: (result: R) => void
  readonly #refuse: (error: SillokError) => void
  #command: Command | undefined
  bytes = 0

  constructor(
    asking: Asking,
    partition: Partition,
    deadlines: Deadlines,
    request: Request<R>,
    options: CallOptions,
    resolve: (result: R) => void,
    reject: (error: SillokError) => void,
  ) {
    super(deadlines, options, reject)
    this.#asking = asking
    this.#partition = partition
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

  get isForgotten(): boolean {
    return this.settled
  }

  get isWaiting(): boolean {
    return !this.settled && !this.sent
  }

  send(command: Command, bytes: number): void {
    this.sent = true
    this.#command = command
    this.bytes = bytes
    this.#partition.submit(this)
  }

  answer(result: Reply | SillokError): void {
    this.#request.observed?.()
    this.#count(result)
    if (!this.end()) return
    if (result instanceof SillokError)
      this.#refuse(this.#request.mayBeRetry === true ? withUnknownOutcome(result) : result)
    else if (result.ok) this.#resolve(this.#request.finish(result))
    else this.#refuse(this.#refusal(result))
  }

  /** A holder that lost its session does not know what the next one did with a request that it sent again. */
  #refusal(refused: Refused): SillokError {
    const error = errorOf(refused)
    return error.code === 'FENCED' && this.#request.mayBeRetry === true ? withUnknownOutcome(error) : error
  }

  /** Also of one whose caller has gone. */
  #count(result: Reply | SillokError): void {
    const { counts, damaged } = this.#asking
    if (result instanceof SillokError) {
      counts.refused(result.code)
      if (result.code === 'DAMAGED' && !('node' in result.details)) damaged(result.message)
    } else if (!result.ok) counts.refused(result.code)
    else if (this.#command?.type === 'write') counts.writes += 1
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
