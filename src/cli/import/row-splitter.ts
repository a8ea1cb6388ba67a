/**
 * Cuts the bytes of an input into rows: the lines of NDJSON, or the elements of one JSON array.
 *
 * Which of them it is says the first byte that is no white space: `[` begins an array. Chunks may end
 * anywhere, an array may be one huge line; memory is bounded by the longest row, and a row over the limit is
 * passed over, not held. Cutting does not parse: an element ends at the comma or bracket that belongs to the
 * array, found by matching brackets outside strings. A closing bracket closes what was left open inside it,
 * and a line feed ends a string, which JSON never holds raw: so a row that is not JSON mostly costs itself
 * and nothing after it.
 */

import { type CutRow, isBlank, RowParts, trimmed } from './row-parts.js'

/** One row as it stands in the input. Blank lines are no rows. */
export interface RawRow {
  /** Number of the row, from 1. */
  readonly row: number
  /** Its line, or its element of the array, from 1. */
  readonly place: number
  /** Where its first byte stands in the input. */
  readonly offset: number
  readonly bytes: Buffer
  /** Why it cannot be read, if cutting has shown it. */
  readonly fault?: string
}

/** Longest row that is read: JSON takes six characters for a byte at most, and a document has 1 MiB. */
export const rowBytesMax = 8 * 1024 * 1024

const lineFeed = 0x0a
const comma = 0x2c
const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const mark = [0xef, 0xbb, 0xbf]

/** What cuts: give it all chunks in order, then the end. */
export interface Splitter {
  /** The rows that end in this chunk. They may share its memory. */
  push(chunk: Buffer): RawRow[]
  /** The rows that end with the input. */
  end(): RawRow[]
  /** What a place is called, as far as is known by now. */
  placeName(): 'line' | 'element'
  /** What stands before the rows and names their columns, if the input has that and it has come. */
  header?(): RawRow | undefined
}

/** A splitter of JSON, which finds out from the first bytes what it has to cut. */
export function rowSplitter(bytesMax = rowBytesMax): Splitter {
  return lateSplitter((held, start) => {
    let at = start
    while (at < held.length && isBlank(held[at])) at++
    if (at === held.length) return undefined
    return held[at] === openBracket ? new ArraySplitter(at + 1, bytesMax) : new LineSplitter(start, bytesMax)
  })
}

/**
 * A splitter that is chosen when the first bytes are there: `choose` is told where they begin behind a byte
 * order mark, and answers undefined while it needs more.
 */
export function lateSplitter(choose: (held: Buffer, start: number) => Splitter | undefined): Splitter {
  let chosen: Splitter | undefined
  let held: Buffer = Buffer.alloc(0)
  const look = (): Splitter | undefined => {
    const hasMark = held[0] === mark[0] && held[1] === mark[1] && held[2] === mark[2]
    return choose(held, hasMark ? mark.length : 0)
  }
  return {
    push(chunk) {
      if (chosen !== undefined) return chosen.push(chunk)
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      // Two bytes may be the beginning of a byte order mark.
      if (held.length < mark.length) return []
      chosen = look()
      return chosen?.push(held) ?? []
    },
    end() {
      if (chosen !== undefined) return chosen.end()
      chosen = look()
      return chosen === undefined ? [] : [...chosen.push(held), ...chosen.end()]
    },
    placeName: () => chosen?.placeName() ?? 'line',
    header: () => chosen?.header?.(),
  }
}

function numbered({ bytes, offset, fault }: CutRow, row: number, place: number): RawRow {
  return fault === undefined ? { row, place, offset, bytes } : { row, place, offset, bytes, fault }
}

class LineSplitter implements Splitter {
  readonly #parts: RowParts
  #skip: number
  #offset = 0
  #line = 1
  #row = 0

  constructor(skip: number, bytesMax: number) {
    this.#skip = skip
    this.#parts = new RowParts(bytesMax)
  }

  push(chunk: Buffer): RawRow[] {
    const rows: RawRow[] = []
    let start = this.#skip
    this.#skip = 0
    for (let end = chunk.indexOf(lineFeed, start); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      this.#take(chunk.subarray(start, end), start, rows)
      this.#line += 1
      start = end + 1
    }
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

  #take(last: Buffer, start: number, rows: RawRow[]): void {
    const taken = trimmed(this.#parts.take(last, this.#offset + start))
    if (taken !== undefined) rows.push(numbered(taken, ++this.#row, this.#line))
  }
}

class ArraySplitter implements Splitter {
  readonly #parts: RowParts
  #skip: number
  #offset = 0
  #row = 0
  #depth = 0
  /** Brackets that are open, as far down as anything looks; deeper ones are only counted. */
  readonly #opened = new Uint8Array(1024)
  #inString = false
  #escaped = false
  #ended = false
  #afterComma = false
  #trailing: number | undefined

  constructor(skip: number, bytesMax: number) {
    this.#skip = skip
    this.#parts = new RowParts(bytesMax)
  }

  push(chunk: Buffer): RawRow[] {
    const rows: RawRow[] = []
    let start = this.#skip
    this.#skip = 0
    for (let at = start; at < chunk.length && !this.#ended; at++) {
      if (!this.#endsElement(chunk[at] ?? 0)) continue
      this.#ended = chunk[at] === closeBracket
      this.#take(chunk.subarray(start, at), start, rows)
      this.#afterComma = !this.#ended
      start = at + 1
    }
    if (this.#ended) this.#lookBehind(chunk, start)
    else this.#parts.add(chunk.subarray(start), this.#offset + start)
    this.#offset += chunk.length
    return rows
  }

  end(): RawRow[] {
    const rows: RawRow[] = []
    if (this.#ended) {
      if (this.#trailing !== undefined)
        rows.push(this.#faulty(this.#trailing, 'something stands after the array'))
      return rows
    }
    const { isEmpty } = this.#parts
    if (!isEmpty) this.#take(Buffer.alloc(0), this.#offset, rows)
    rows.push(this.#faulty(this.#offset, 'the input ends inside the array'))
    return rows
  }

  placeName(): 'element' {
    return 'element'
  }

  /** Takes the next byte; true if it is the comma or bracket that ends an element of the array itself. */
  #endsElement(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (byte === backslash) this.#escaped = true
      else if (byte === quote || byte === lineFeed) this.#inString = false
      return false
    }
    if (byte === quote) this.#inString = true
    else if (byte === openBrace || byte === openBracket) this.#open(byte)
    else if (byte === closeBrace) this.#close(openBrace)
    else if (byte === closeBracket) {
      if (this.#depth === 0) return true
      this.#close(openBracket)
    } else if (byte === comma) return this.#depth === 0
    return false
  }

  #open(byte: number): void {
    if (this.#depth < this.#opened.length) this.#opened[this.#depth] = byte
    this.#depth += 1
  }

  /** Closes down to the bracket that fits; a closing one that fits none is passed over. */
  #close(opening: number): void {
    let at = this.#depth - 1
    if (at < this.#opened.length) while (at >= 0 && this.#opened[at] !== opening) at--
    if (at >= 0) this.#depth = at
  }

  #take(last: Buffer, start: number, rows: RawRow[]): void {
    const offset = this.#offset + start
    const taken = trimmed(this.#parts.take(last, offset))
    if (taken !== undefined) {
      this.#row += 1
      rows.push(numbered(taken, this.#row, this.#row))
    } else if (!this.#ended || this.#afterComma) rows.push(this.#faulty(offset, 'an element is missing'))
  }

  #lookBehind(chunk: Buffer, from: number): void {
    for (let at = from; at < chunk.length && this.#trailing === undefined; at++) {
      if (!isBlank(chunk[at])) this.#trailing = this.#offset + at
    }
  }

  #faulty(offset: number, fault: string): RawRow {
    this.#row += 1
    return { row: this.#row, place: this.#row, offset, bytes: Buffer.alloc(0), fault }
  }
}
