/**
 * A row as a document: strict UTF-8, then JSON. What cannot be read says why, with row, line or element, and
 * byte offset.
 */
import { isUtf8 } from 'node:buffer'
import { parseExactJson } from '../exact-json.js'
import type { RawRow } from './row-splitter.js'

/** What a row holds, or why it cannot be read. */
export type ReadRow = { readonly document: object } | { readonly fault: string }

/**
 * The document in the row. Bytes that are no UTF-8 are a fault: the replacement characters that a lenient
 * decoder writes would be another text. So are a whole number that JavaScript rounds, and a field that stands
 * twice. What is JSON but no object passes; the store refuses it by name.
 */
export function readRow(raw: RawRow, placeName: 'line' | 'element'): ReadRow {
  const place = `${placeName} ${raw.place}`
  // Blank lines are no rows: the report counts rows, an editor lines.
  const where = `${raw.place === raw.row ? place : `row ${raw.row} (${place})`}, byte ${raw.offset}`
  if (raw.fault !== undefined) return { fault: `${where}: not JSON: ${raw.fault}` }
  if (!isUtf8(raw.bytes)) return { fault: `${where}: not UTF-8` }
  const read = parseExactJson(raw.bytes.toString('utf8'))
  return 'fault' in read ? { fault: `${where}: ${read.fault}` } : { document: read.value as object }
}
