/**
 * From a call to its answer: hands a command to the partition and waits, with deadline and signal.
 *
 * Whatever ends the waiting early leaves the request alone: its outcome is unknown to the caller.
 */
import { SillokError } from '../base/errors.js'
import type { Command, Write } from '../machine/command.js'
import type { Done, Reply } from '../machine/reply.js'
import type { Replica } from '../replica/replica.js'
import { callRefusal } from './check-options.js'
import type { Deadlines } from './deadlines.js'
import type { CallOptions } from './options.js'
import { Wait } from './wait.js'

/** Told what became of the request itself, whenever that is known. */
export type Observed = (result: Reply | SillokError) => void

/** A call whose turn has not come yet. */
export interface Queued {
  /** True until deadline or signal ended the wait, or it was sent. */
  isWaiting(): boolean
  /** Hands the command to the partition; only while it waits. */
  send(command: Command, bytes: number): void
}

/** The way from a call to the partition and back. */
export class Asking {
  readonly #replica: Replica
  readonly #deadlines: Deadlines

  constructor(replica: Replica, deadlines: Deadlines) {
    this.#replica = replica
    this.#deadlines = deadlines
  }

  /** Asks the partition. Resolves with the answer of a request that took effect, rejects with any other. */
  ask(
    command: Command,
    bytes: number,
    sender: object,
    options: CallOptions,
    observed?: Observed,
  ): Promise<Done> {
    return this.askLater(sender, options, queued => queued.send(command, bytes), observed)
  }

  /** The same for a command that is made when its turn comes; deadline and signal count from now on. */
  askLater(
    sender: object,
    options: CallOptions,
    enqueue: (queued: Queued) => void,
    observed?: Observed,
  ): Promise<Done> {
    return new Promise((resolve, reject) => {
      const wait = this.#wait(options, reject)
      if (wait === undefined) return
      const answer = (result: Reply | SillokError): void => {
        observed?.(result)
        if (!wait.settle()) return
        if (result instanceof SillokError) reject(result)
        else if (result.ok) resolve(result)
        else reject(new SillokError(result.code, result.message, { details: result.details }))
      }
      enqueue({
        isWaiting: () => wait.isOn && !wait.sent,
        send: (command, bytes) => {
          wait.sent = true
          this.#replica.submit({ command, sender, bytes, answer })
        },
      })
    })
  }

  /** Resolves when a linearizable read may be done. */
  barrier(options: CallOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = this.#wait(options, reject)
      if (wait === undefined) return
      this.#replica.readBarrier(error => {
        if (wait.settle()) error === undefined ? resolve() : reject(error)
      })
    })
  }

  #wait(options: CallOptions, reject: (error: SillokError) => void): Wait | undefined {
    const refusal = callRefusal(options)
    if (refusal === undefined) return new Wait(this.#deadlines, options, reject)
    reject(refusal)
    return undefined
  }
}

/** A write command with what it weighs. */
export function weigh(write: Pick<Write, 'operations'>): number {
  let bytes = 64
  for (const operation of write.operations) bytes += operation.key.length + (operation.document?.length ?? 0)
  return bytes
}
