/**
 * Invariants, checked in production too.
 *
 * A broken invariant is a bug of ours, or damage that no check saw: the store stops instead of going on in a
 * state that nobody has reasoned about. Never catch it to ignore it.
 */

/** Something that must always hold did not. The message carries the numbers. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** Throws InvariantError unless the condition holds. Build costly messages lazily: pass a function. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof message === 'string' ? message : message())
}

/** For the default branch of an exhaustive switch: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`)
}

/** The value, which must be there; `what` names it in the error. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new InvariantError(`missing: ${what}`)
  return value
}
