/**
 * Cuts the bytes of CSV into records (RFC 4180): a line feed ends one, unless it stands in a quoted field. A
 * carriage return before it belongs to the end of the line. Chunks may end anywhere; memory is bounded by the
 * longest record.
 *
 * Cutting does not parse. A quote opens a field only at its beginning, so a stray one in a bare field, or
 * text behind a closing one, costs its own record and nothing after it. One that is never closed takes the
 * records up to the next quote with it.
 */
import { RowParts } from './row-parts.js'
import { lateSplitter, type RawRow, rowBytesMax, type Splitter } from './row-splitter.js'

const lineFeed = 0x0a
const carriageReturn = 0x0d
const quote = 0x22

/** Where in a record a byte stands: what it may mean depends on that alone. */
const fieldStart = 0
const bare = 1
const quoted = 2
/** Behind a quote in a quoted field: it ends the field, unless another one follows. */
const maybeEnd = 3

/** A splitter of CSV with fields between `delimiter`, one byte; the first record may be a header. */
export function csvSplitter(delimiter: number, hasHeader: boolean, bytesMax = rowBytesMax): Splitter {
  return lateSplitter((_held, start) => new CsvSplitter({ delimiter, hasHeader, bytesMax }, start))
}

class CsvSplitter implements Splitter {
  readonly #delimiter: number
  readonly #parts: RowParts
  #awaitsHeader: boolean
  #header: RawRow | undefined
  #skip: number
  #offset = 0
  #state: number = fieldStart
  /** Where the record begins, and where the next byte stands. */
  #recordLine = 1
  #line = 1
  #row = 0

  constructor(options: { delimiter: number; hasHeader: boolean; bytesMax: number }, skip: number) {
    this.#delimiter = options.delimiter
    this.#awaitsHeader = options.hasHeader
    this.#parts = new RowParts(options.bytesMax)
    this.#skip = skip
  }

  push(chunk: Buffer): RawRow[] {
    const rows: RawRow[] = []
    const delimiter = this.#delimiter
    let start = this.#skip
    this.#skip = 0
    let state = this.#state
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (byte === lineFeed) this.#line += 1
      if (state === quoted) {
        if (byte === quote) state = maybeEnd
      } else if (byte === lineFeed) {
        state = fieldStart
        this.#take(chunk.subarray(start, at), start, rows)
        start = at + 1
      } else if (byte === delimiter) state = fieldStart
      else if (byte === quote && state !== bare) state = quoted
      else state = bare
    }
    this.#state = state
    this.#parts.add(chunk.subarray(start), this.#offset + start)
    this.#offset += chunk.length
    return rows
  }

  end(): RawRow[] {
    const rows: RawRow[] = []
    this.#take(Buffer.alloc(0), 0, rows)
    return rows
  }

  placeName(): 'line' {
    return 'line'
  }

  header(): RawRow | undefined {
    return this.#header
  }

  #take(last: Buffer, start: number, rows: RawRow[]): void {
    const { bytes, offset, fault } = this.#parts.take(last, this.#offset + start)
    const place = this.#recordLine
    this.#recordLine = this.#line
    const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length
    // A blank line is no record, also where there is one column only: a missing value there is `""`.
    if (end === 0 && fault === undefined) return
    const row = { place, offset, bytes: bytes.subarray(0, end), ...(fault === undefined ? {} : { fault }) }
    if (this.#awaitsHeader) this.#header = { row: 0, ...row }
    else rows.push({ row: ++this.#row, ...row })
    this.#awaitsHeader = false
  }
}
