/** A call that must be refused, and not by throwing. */
import type { Test } from 'tap'
import { type Code, isSillokError } from '../../../src/index.js'

/** What the call is refused with. */
export async function refused(
  t: Test,
  call: () => unknown,
  code: Code,
  message: RegExp,
  name: string,
  outcome = 'not-applied',
): Promise<void> {
  let error: unknown
  try {
    // A call that throws before it returns its promise escapes a caller's .catch().
    const promise = call()
    try {
      await promise
    } catch (rejected) {
      error = rejected
    }
  } catch (thrown) {
    t.fail(`${name}: thrown, not rejected`, { found: String(thrown) })
    return
  }
  if (!isSillokError(error)) {
    t.fail(`${name}: no SillokError`, { found: String(error) })
    return
  }
  t.match(
    { code: error.code, outcome: error.outcome, message: error.message },
    { code, outcome, message },
    name,
  )
}
