/**
 * The forms of an input: how it is cut into rows, how a row is read, and what tells two imports of it apart.
 */
import { createHash } from 'node:crypto'
import { type CsvLayout, csvReader } from './csv-row.js'
import { csvSplitter } from './csv-splitter.js'
import { type ReadRow, readRow } from './row-document.js'
import { type RawRow, rowSplitter, type Splitter } from './row-splitter.js'

/** Makes a document of a row, or says why it is none. */
export type RowReader = (raw: RawRow) => ReadRow

/** One form of an input. */
export interface InputFormat {
  /** A new splitter, for one reading of the whole input. */
  splitter(): Splitter
  /** How rows are read, once a splitter saw the whole input. Throws INVALID if its header cannot be used. */
  reader(seen: Splitter): RowReader
  /**
   * What an import of the input with this SHA-256 is known by. The same bytes read in another way are another
   * import: their rows are other requests.
   */
  digest(sha256: string): string
}

/** NDJSON, or one JSON array: the input itself says which. */
export const jsonFormat: InputFormat = {
  splitter: () => rowSplitter(),
  reader: seen => {
    const placeName = seen.placeName()
    return raw => readRow(raw, placeName)
  },
  digest: sha256 => sha256,
}

/** CSV in that layout. */
export function csvFormat(layout: CsvLayout): InputFormat {
  const { delimiter, columns, hasHeader, types, nullWord } = layout
  const sorted = [...types].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const told = JSON.stringify([delimiter, columns ?? null, hasHeader, sorted, nullWord ?? null])
  return {
    splitter: () => csvSplitter(delimiter.charCodeAt(0), hasHeader),
    reader: seen => csvReader(layout, seen.header?.()),
    digest: sha256 => createHash('sha256').update(`csv ${sha256} ${told}`).digest('hex'),
  }
}
