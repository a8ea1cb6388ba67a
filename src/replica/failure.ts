/** What stops a node, as callers see it. */
import { isSillokError, messageOf, SillokError } from '../base/errors.js'

/** What stopped a part, as the error that callers get. */
export function asFailure(error: unknown): SillokError {
  if (error instanceof SillokError) return error
  const message = `an invariant is broken: ${messageOf(error)}`
  return new SillokError('STOPPED', message, { cause: error })
}

/** True for what a closing node meets on a full disk: what was acknowledged stands in the log anyway. */
export function isLackOfSpace(error: unknown): boolean {
  return isSillokError(error, 'CLOSED_WHILE_WAITING') || isSillokError(error, 'DISK_FULL')
}

/** True for what work of a leader meets that no longer leads: whoever leads now does it. */
export function isOfLeadership(error: unknown): boolean {
  return ['NOT_LEADER', 'LEADERSHIP_LOST', 'UNAVAILABLE'].some(
    code => error instanceof SillokError && error.code === code,
  )
}

/** True for what this node cannot go on after. Other nodes say what they have of that by another name. */
export function isOwnFault(error: unknown): boolean {
  return !(error instanceof SillokError) || error.code === 'DISK_FAILED' || error.code === 'STOPPED'
}

/** True for what work in the background meets when its store closes: nothing to report. */
export function isClosing(error: unknown): boolean {
  return error instanceof SillokError && (error.code === 'CLOSED' || error.code === 'CLOSED_WHILE_WAITING')
}
