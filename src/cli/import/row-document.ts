/**
 * A row as a document: strict UTF-8, then JSON. What cannot be read says why, with line or element and byte
 * offset.
 */
import { isUtf8 } from 'node:buffer'
import type { RawRow } from './row-splitter.js'

/** What a row holds, or why it cannot be read. */
export type ReadRow = { readonly document: object } | { readonly fault: string }

/**
 * The document in the row. Bytes that are no UTF-8 are a fault: the replacement characters that a lenient
 * decoder writes would be another text. So is a whole number that JavaScript rounds. What is JSON but no
 * object passes; the store refuses it by name.
 */
export function readRow(raw: RawRow, placeName: 'line' | 'element'): ReadRow {
  const where = `${placeName} ${raw.place}, byte ${raw.offset}`
  if (raw.fault !== undefined) return { fault: `${where}: not JSON: ${raw.fault}` }
  if (!isUtf8(raw.bytes)) return { fault: `${where}: not UTF-8` }
  const text = raw.bytes.toString('utf8')
  try {
    const document = JSON.parse(text) as object
    const lost = lostInteger(text)
    return lost === undefined
      ? { document }
      : { fault: `${where}: ${lost} cannot be held exactly as a number` }
  } catch (error) {
    return { fault: `${where}: not JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** A whole number in the JSON text that JavaScript would round; undefined if there is none. */
function lostInteger(text: string): string | undefined {
  if (!/\d{16}/.test(text)) return undefined
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  return bare
    .match(/(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g)
    ?.find(word => BigInt(word) !== BigInt(Number(word)))
}
