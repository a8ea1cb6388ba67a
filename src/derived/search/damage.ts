/**
 * Rows that do not fit each other: some are lost, whatever their checks say. The index is built anew then.
 */
import { SillokError } from '../../base/errors.js'

/** Throws DAMAGED unless the condition holds. */
export function mustFit(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw misfit(what())
}

/** DAMAGED, for rows that do not fit. */
export function misfit(what: string): SillokError {
  return new SillokError('DAMAGED', `rows of a search index do not fit: ${what}`)
}
