/**
 * Who writes: the store itself, or a session. Commands of one writer are decided in call order; one whose
 * documents an async schema has to see first takes its place when the schema has answered.
 */
import { SillokError, withUnknownOutcome } from '../base/errors.js'
import type { Numbering, Operation, RefusedOperation, RequestMark } from '../machine/command.js'
import type { Done } from '../machine/reply.js'
import { type Asking, type Waiting, weigh } from './asking.js'
import { callRefusal, invalid, type OptionNames } from './check-options.js'
import type { WriteOptions, Written } from './options.js'
import { requestMark } from './request-hash.js'
import { unlessAnswered } from './requests.js'

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
  /**
   * Where the caller numbers the requests: operations that stand each by itself, under one number; those that
   * are refused here already are part of the request.
   */
  writeEach?<R>(
    operations: readonly Operation[],
    refused: readonly RefusedOperation[],
    options: WriteOptions,
    finish: (done: Done) => R,
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
  const refused = earlyRefusal(writer, options, allowed)
  if (refused !== undefined) return Promise.reject(refused)
  try {
    const made = operations()
    const { requestId } = options
    const request = requestId === undefined ? undefined : requestMark(requestId, made)
    return writer.write(made, options, finish, request)
  } catch (error) {
    return Promise.reject(refusalOf(error, writer, options))
  }
}

/**
 * As `writeBy`, of what has to be shown to a schema first: `check` gives it, or a promise of it if the schema
 * is async. Until the schema has answered nothing is sent, and the outcome of what ends the wait is
 * not-applied; then deadline and signal go on.
 */
export function writeChecked<C, R>(
  { writer, asking }: { readonly writer: Writer; readonly asking: Asking },
  check: () => C | Promise<C>,
  operations: (checked: C, options: WriteOptions) => readonly Operation[],
  options: WriteOptions,
  allowed: OptionNames,
  finish: (done: Done) => R,
): Promise<R> {
  const refused = earlyRefusal(writer, options, allowed)
  if (refused !== undefined) return Promise.reject(refused)
  let checking: C | Promise<C>
  try {
    checking = check()
  } catch (error) {
    return Promise.reject(refusalOf(error, writer, options))
  }
  if (!(checking instanceof Promise)) {
    const checked = checking
    return writeBy(writer, () => operations(checked, options), options, allowed, finish)
  }
  const later = checking
  const own = copied(options)
  let wasSent = false
  const work = async (waiting: Waiting): Promise<R> => {
    const checked = await later
    if (waiting.settled) throw new SillokError('ABORTED', 'nobody waits any more')
    waiting.sent = true
    wasSent = true
    return await writeBy(writer, () => operations(checked, own), own, allowed, finish)
  }
  return asking.until(work, own, false).catch((error: unknown) => {
    throw wasSent ? error : refusalOf(error, writer, own)
  })
}

/** The options as they are now: their object is the caller's, who may use it for the next write. */
function copied(options: WriteOptions): WriteOptions {
  const own: Record<string, unknown> = {}
  for (const name in options) own[name] = options[name as keyof WriteOptions]
  return own
}

/** Why the call is not even begun, if so. */
export function earlyRefusal(
  writer: Writer,
  options: WriteOptions,
  allowed: OptionNames,
): SillokError | undefined {
  const refused = callRefusal(options, allowed)
  return refused && (mayBeRetry(writer, options) ? withUnknownOutcome(refused) : refused)
}

/**
 * What refuses this attempt says nothing about an earlier one of the same request; what is no request was
 * never one.
 */
export function refusalOf(error: unknown, writer: Writer, options: WriteOptions): unknown {
  return mayBeRetry(writer, options) ? unlessAnswered(error) : error
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
