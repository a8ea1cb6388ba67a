/** What stops a node, as callers see it. */
import { SillokError } from '../base/errors.js'

/** What stopped a part, as the error that callers get. */
export function asFailure(error: unknown): SillokError {
  if (error instanceof SillokError) return error
  const message = `an invariant is broken: ${error instanceof Error ? error.message : String(error)}`
  return new SillokError('STOPPED', message, { cause: error })
}
