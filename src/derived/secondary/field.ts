/**
 * The value of a field in a document, and its bytes in the order of tuples.
 *
 * Objects, and arrays that hold one, have no place in that order: such a value has no bytes.
 *
 * Long bytes are cut to a fixed length. That keeps the order, except that values become equal which agree up
 * to the cut: encoded values are no beginnings of each other, so they differ before it or both reach it. A 00
 * that belongs to text stays together with its FF, for alone it would be the text's end.
 */
import { encodeTuple, type TupleValue } from '../../base/tuple.js'
import { isPlainObject } from '../../codec/value.js'

/** The names that lead to a field. */
export type FieldPath = readonly string[]

/** The path that a definition writes with dots. */
export function fieldPath(field: string): FieldPath {
  return field.split('.')
}

/** The field's value; null where the document has no such field. */
export function fieldValue(document: Readonly<Record<string, unknown>>, path: FieldPath): unknown {
  let value: unknown = document
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !isPlainObject(value)) return null
    if (!Object.hasOwn(value, name)) return null
    value = value[name]
  }
  return value ?? null
}

/** The value's bytes, `bytesMax` of them at most (one more at a 00); undefined if it has no order. */
export function orderedBytes(value: unknown, bytesMax: number): Buffer | undefined {
  if (!hasOrder(value)) return undefined
  return cutBytes(encodeTuple([value]), bytesMax)
}

/** The same bytes, or their beginning. */
export function cutBytes(bytes: Buffer, bytesMax: number): Buffer {
  if (bytes.length <= bytesMax) return bytes
  const splits = bytes[bytesMax - 1] === 0x00 && bytes[bytesMax] === 0xff
  return bytes.subarray(0, splits ? bytesMax + 1 : bytesMax)
}

/** For values that a document can hold; whether a text is well-formed is not looked at. */
function hasOrder(value: unknown): value is TupleValue {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return true
  if (typeof value !== 'object') return false
  if (value === null || value instanceof Date || value instanceof Uint8Array) return true
  return Array.isArray(value) && value.every(hasOrder)
}
