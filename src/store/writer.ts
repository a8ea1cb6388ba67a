/**
 * Who writes: the store itself, or a session. Commands of one writer are decided in call order.
 */
import { isSillokError, withUnknownOutcome } from '../base/errors.js'
import type { Numbering, Operation, RequestMark } from '../machine/command.js'
import type { Done } from '../machine/reply.js'
import { type Asking, weigh } from './asking.js'
import { callRefusal, invalid, type OptionNames } from './check-options.js'
import type { WriteOptions, Written } from './options.js'
import { requestMark } from './request-hash.js'

/** Sends document operations: all of them take effect, or none. */
export interface Writer {
  /** Who numbers the requests; undefined: they have no numbers. */
  readonly numbering: Numbering | undefined
  /**
   * Resolves with what `finish` makes of the answer. The options are checked; that they name a request id
   * counts only by `request`. Without operations only with a request.
   */
  write<R>(
    operations: readonly Operation[],
    options: WriteOptions,
    finish: (done: Done) => R,
    request: RequestMark | undefined,
  ): Promise<R>
}

/** Writes of the store itself: without a request id, a retry by the caller is a new request. */
export class PlainWriter implements Writer {
  readonly numbering = undefined
  readonly #asking: Asking

  constructor(asking: Asking) {
    this.#asking = asking
  }

  write<R>(
    operations: readonly Operation[],
    options: WriteOptions,
    finish: (done: Done) => R,
    request: RequestMark | undefined,
  ): Promise<R> {
    if (options.sequence !== undefined) {
      return Promise.reject(invalid('sequence: only a caller-numbered session takes it, see db.session'))
    }
    const bytes = weigh(operations)
    if (request !== undefined) {
      const command = { type: 'write', operations, mark: undefined, request } as const
      return this.#asking.ask(command, bytes, { sender: this, finish, mayBeRetry: true }, options)
    }
    const command = { type: 'write', operations, mark: undefined } as const
    return this.#asking.ask(command, bytes, { sender: this, finish }, options)
  }
}

/**
 * Checks the options, makes the operations and has them written. What is wrong rejects, it does not throw.
 */
export function writeBy<R>(
  writer: Writer,
  operations: () => readonly Operation[],
  options: WriteOptions,
  allowed: OptionNames,
  finish: (done: Done) => R,
): Promise<R> {
  const refused = callRefusal(options, allowed)
  if (refused !== undefined)
    return Promise.reject(mayBeRetry(writer, options) ? withUnknownOutcome(refused) : refused)
  try {
    const made = operations()
    const { requestId } = options
    const request = requestId === undefined ? undefined : requestMark(requestId, made)
    return writer.write(made, options, finish, request)
  } catch (error) {
    // That the store is closed says nothing about an earlier attempt; what is no request was never one.
    const isWidened = isSillokError(error, 'CLOSED') && mayBeRetry(writer, options)
    return Promise.reject(isWidened ? withUnknownOutcome(error) : error)
  }
}

/** The answer to a write of which only the version is told. */
export function written({ version }: Done): Written {
  return { version }
}

/** A number or an id may have been sent before: what refuses this attempt says nothing about that. */
function mayBeRetry(writer: Writer, options: WriteOptions | null | undefined): boolean {
  if (options?.requestId !== undefined) return true
  return writer.numbering === 'caller' && options?.sequence !== undefined
}
