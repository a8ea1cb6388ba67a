/**
 * The bytes of one row, collected over the chunks of an input. Memory is bounded: over the limit bytes are
 * only counted, and the row says so as its fault.
 */

/** A row that was cut out of the input. */
export interface CutRow {
  readonly bytes: Buffer
  /** Where its first byte stands in the input. */
  readonly offset: number
  /** Why it cannot be read: it is over the limit. */
  readonly fault?: string
}

/** True for space, tab, line feed and carriage return. */
export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** The row without white space around it; undefined if nothing is left. */
export function trimmed(cut: CutRow): CutRow | undefined {
  if (cut.fault !== undefined) return cut
  const { bytes, offset } = cut
  let start = 0
  let end = bytes.length
  while (start < end && isBlank(bytes[start])) start++
  while (end > start && isBlank(bytes[end - 1])) end--
  if (start === 0 && end === bytes.length && end > 0) return cut
  return start === end ? undefined : { bytes: bytes.subarray(start, end), offset: offset + start }
}

/** Collects the bytes of a row over chunks; over the limit it only counts. */
export class RowParts {
  readonly #bytesMax: number
  #parts: Buffer[] = []
  #length = 0
  #offset = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Nothing was added since the last row. */
  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Adds a part, and where it stands in the input. */
  add(part: Buffer, offset: number): void {
    if (part.length === 0) return
    if (this.#length === 0) this.#offset = offset
    this.#length += part.length
    if (this.#length > this.#bytesMax) this.#parts = []
    else this.#parts.push(part)
  }

  /** The row that ends with this part. */
  take(last: Buffer, offset: number): CutRow {
    const first = this.#length === 0 ? offset : this.#offset
    const length = this.#length + last.length
    const whole = this.#length === 0 ? last : Buffer.concat([...this.#parts, last])
    this.#parts = []
    this.#length = 0
    if (length <= this.#bytesMax) return { bytes: whole, offset: first }
    return { bytes: Buffer.alloc(0), offset: first, fault: `${length} bytes, ${this.#bytesMax} are read` }
  }
}
