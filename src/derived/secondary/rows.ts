/**
 * The rows of one document in a secondary index, and the note that says which they are.
 *
 *   row key   the fields' values (each at most `limits.indexedValueBytesMax` bytes and one), document key
 *   value     2 bytes: where in the row key the document key begins; and if the document has more rows:
 *             2 bytes each: where the element begins, its length, the length of the element before it;
 *             the document's element before this one (none: no bytes), the one after it (none: no bytes)
 *   note      a tuple of bytes: what precedes the element, what follows it, the elements
 *
 * Rows of one document differ in the element only and stand in its order. So a row with its neighbours tells
 * whether it is the document's first one in a range, without a memory of what was seen.
 */
import { type DocumentKey, decodeKey, decodeTuple, encodeTuple } from '../../base/tuple.js'
import type { IndexRow } from '../contract.js'
import type { SecondaryConfig } from './config.js'
import { type FieldPath, fieldPath, fieldValue, orderedBytes } from './field.js'

/** A definition with its paths taken apart. */
export interface IndexShape {
  readonly paths: readonly FieldPath[]
  /** Which of the paths has many values; -1 if none. */
  readonly each: number
  readonly sparse: boolean
}

/** What one document has in an index: rows `head ‖ element ‖ tail ‖ document key`. */
export interface DocumentRows {
  readonly head: Buffer
  readonly tail: Buffer
  /** In order, each once, none empty; one empty element if the index has no field with many values. */
  readonly elements: readonly Buffer[]
}

const nothing = Buffer.alloc(0)

/** The shape that the definition describes. */
export function indexShape(config: SecondaryConfig): IndexShape {
  const each = config.each === null ? -1 : config.fields.indexOf(config.each)
  return { paths: config.fields.map(fieldPath), each, sparse: config.sparse }
}

/** What the document has in the index; undefined if nothing. Values are cut to `bytesMax`. */
export function documentRows(
  shape: IndexShape,
  document: Readonly<Record<string, unknown>>,
  bytesMax: number,
): DocumentRows | undefined {
  const head: Buffer[] = []
  const tail: Buffer[] = []
  let elements: readonly Buffer[] = [nothing]
  for (let i = 0; i < shape.paths.length; i++) {
    const value = fieldValue(document, shape.paths[i] ?? [])
    if (i === shape.each) {
      elements = elementBytes(Array.isArray(value) ? value : [value], shape.sparse, bytesMax)
      continue
    }
    if (value === null && shape.sparse) return undefined
    const bytes = orderedBytes(value, bytesMax)
    if (bytes === undefined) return undefined
    if (shape.each < 0 || i < shape.each) head.push(bytes)
    else tail.push(bytes)
  }
  if (elements.length === 0) return undefined
  return { head: joined(head), tail: joined(tail), elements }
}

/** Most indexes have few fields: what needs no copy gets none. */
function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts
  if (first === undefined) return nothing
  return parts.length === 1 ? first : Buffer.concat(parts)
}

function elementBytes(values: readonly unknown[], sparse: boolean, bytesMax: number): Buffer[] {
  const all: Buffer[] = []
  for (const value of values) {
    if (value === null && sparse) continue
    const bytes = orderedBytes(value, bytesMax)
    if (bytes !== undefined) all.push(bytes)
  }
  all.sort(Buffer.compare)
  return all.filter((bytes, i) => i === 0 || !bytes.equals(all[i - 1] ?? nothing))
}

/** Bytes of the keys of the rows, if the document has this key, encoded. */
export function rowKeysBytes({ head, tail, elements }: DocumentRows, keyBytes: Buffer): number {
  const each = head.length + tail.length + keyBytes.length
  return elements.reduce((sum, { length }) => sum + length, each * elements.length)
}

/** The rows as they are stored, in order, for the document with this key, encoded. */
export function storedRows({ head, tail, elements }: DocumentRows, keyBytes: Buffer): IndexRow[] {
  return elements.map((element, i) => {
    const keyStart = head.length + element.length + tail.length
    const row = Buffer.allocUnsafe(keyStart + keyBytes.length)
    row.set(head, 0)
    row.set(element, head.length)
    row.set(tail, head.length + element.length)
    row.set(keyBytes, keyStart)
    if (elements.length === 1) {
      const place = Buffer.allocUnsafe(2)
      place.writeUInt16BE(keyStart, 0)
      return [row, place]
    }
    const before = elements[i - 1] ?? nothing
    const after = elements[i + 1] ?? nothing
    const places = Buffer.allocUnsafe(8)
    places.writeUInt16BE(keyStart, 0)
    places.writeUInt16BE(head.length, 2)
    places.writeUInt16BE(element.length, 4)
    places.writeUInt16BE(before.length, 6)
    return [row, Buffer.concat([places, before, after])]
  })
}

/** The document that a stored row stands for. */
export function rowDocument([row, value]: IndexRow): DocumentKey {
  return decodeKey(row.subarray(value.readUInt16BE(0)))
}

/** The key of the document's row before this one (or after it); undefined if there is none. */
export function neighbour([row, value]: IndexRow, side: 'before' | 'after'): Buffer | undefined {
  if (value.length === 2) return undefined
  const start = value.readUInt16BE(2)
  const middle = 8 + value.readUInt16BE(6)
  const element = side === 'before' ? value.subarray(8, middle) : value.subarray(middle)
  if (element.length === 0) return undefined
  return Buffer.concat([row.subarray(0, start), element, row.subarray(start + value.readUInt16BE(4))])
}

/** The note with which `notedRows` knows the rows again. */
export function rowsNote(rows: DocumentRows): Buffer {
  return encodeTuple([rows.head, rows.tail, ...rows.elements])
}

/** The rows of a note. */
export function notedRows(note: Buffer): DocumentRows {
  const [head, tail, ...elements] = (decodeTuple(note) as Uint8Array[]).map(bytes => Buffer.from(bytes))
  return { head: head ?? nothing, tail: tail ?? nothing, elements }
}
