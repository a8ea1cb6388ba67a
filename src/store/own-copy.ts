/**
 * A question as it is at the call. What is asked is looked at again after waiting, and the caller may have
 * changed its objects by then: the answer, and the cursor with it, must be of what was asked.
 */
import { isPlainObject } from '../codec/value.js'

/** What is nested deeper stays as it is: no value that a question may hold is. */
const depthMax = 16

/** A copy of plain objects, arrays, dates and bytes; everything else as it is. */
export function ownCopy<T>(value: T, depth = 0): T {
  return copyOf(value, depth) as T
}

function copyOf(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > depthMax) return value
  if (Array.isArray(value)) return value.map(one => copyOf(one, depth + 1))
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, copyOf(one, depth + 1)]))
}
