/**
 * What a call may not ask for. Callers in JavaScript have no types, so every option is looked at before
 * anything is done: a mistyped one must not quietly mean something else.
 */
import { SillokError } from '../base/errors.js'
import type { CallOptions, ReadOptions, ScanOptions } from './options.js'

const levels = ['linearizable', 'session', 'stale']

/** Why the call is not even begun, if so: INVALID, or ABORTED by its signal (not applied). */
export function callRefusal(options: CallOptions): SillokError | undefined {
  if (typeof options !== 'object' || options === null) {
    return invalid(`options must be an object, not ${show(options)}`)
  }
  const { deadlineMs, signal } = options
  if (deadlineMs !== undefined && !(Number.isFinite(deadlineMs) && deadlineMs > 0)) {
    return invalid(`deadlineMs must be a positive number of milliseconds, not ${show(deadlineMs)}`)
  }
  if (signal === undefined) return undefined
  if (typeof signal?.addEventListener !== 'function') {
    return invalid(`signal must be an AbortSignal, not ${show(signal)}`)
  }
  if (!signal.aborted) return undefined
  const message = 'the signal was aborted before the call'
  return new SillokError('ABORTED', message, { outcome: 'not-applied', cause: signal.reason })
}

/** Throws ABORTED once the signal says stop: between the rows of what is read. */
export function checkSignal({ signal }: CallOptions, what: string): void {
  if (signal?.aborted)
    throw new SillokError('ABORTED', `the signal stopped ${what}`, { cause: signal.reason })
}

/** Throws INVALID for a level that does not exist, or as `callRefusal` says. */
export function checkRead(options: ReadOptions): void {
  const refusal = callRefusal(options)
  if (refusal !== undefined) throw refusal
  const { level } = options
  if (level !== undefined && !levels.includes(level)) {
    throw invalid(`level must be one of ${levels.join(', ')}, not ${show(level)}`)
  }
}

/** Throws INVALID unless limit, reverse and prefix are what their types say; as `checkRead` for the rest. */
export function checkScan(options: ScanOptions): void {
  checkRead(options)
  const { limit, reverse, prefix } = options
  const whole = limit === Number.POSITIVE_INFINITY || Number.isInteger(limit)
  if (limit !== undefined && !(whole && limit >= 0)) {
    throw invalid(`limit must be a whole number from 0, not ${show(limit)}`)
  }
  if (reverse !== undefined && typeof reverse !== 'boolean') {
    throw invalid(`reverse must be true or false, not ${show(reverse)}`)
  }
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw invalid(`prefix must be a text, not ${show(prefix)}`)
  }
}

function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : `${String(value)}`
}

function invalid(message: string): SillokError {
  return new SillokError('INVALID', message)
}
