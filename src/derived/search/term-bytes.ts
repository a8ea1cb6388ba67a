/**
 * A term as bytes: its UTF-8, compared in the order of UTF-16 units, in which terms stand in segments.
 *
 * Both orders agree but for characters above U+FFFF, whose first bytes F0 to F4 stand before EE and EF.
 */
import { wordUnitsMax } from './analysis.js'

/** A kind, and `wordUnitsMax` units or two characters, in UTF-8. */
export const termBytesMax = 1 + 3 * wordUnitsMax

/** By byte: where it stands. */
const places = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === 0xee || byte === 0xef) return byte + 5
  return byte >= 0xf0 && byte <= 0xf4 ? byte - 2 : byte
})

/** A term that changes. */
export class TermBytes {
  readonly bytes = Buffer.alloc(termBytesMax)
  size = 0

  /** Takes a well-formed text of at most `termBytesMax` bytes. */
  set(term: string): void {
    const { bytes } = this
    const { length } = term
    let at = 0
    for (let i = 0; i < length; i++) {
      const unit = term.charCodeAt(i)
      if (unit < 0x80) bytes[at++] = unit
      else if (unit < 0x800) {
        bytes[at++] = 0xc0 | (unit >> 6)
        bytes[at++] = 0x80 | (unit & 0x3f)
      } else if (unit < 0xd800 || unit > 0xdfff) {
        bytes[at++] = 0xe0 | (unit >> 12)
        bytes[at++] = 0x80 | ((unit >> 6) & 0x3f)
        bytes[at++] = 0x80 | (unit & 0x3f)
      } else {
        this.size = bytes.write(term)
        return
      }
    }
    this.size = at
  }

  copyFrom(other: TermBytes): void {
    for (let at = 0; at < other.size; at++) this.bytes[at] = other.bytes[at] as number
    this.size = other.size
  }

  /** Below 0 if this one stands before the other, 0 if they are one, else above 0. */
  compare(other: TermBytes): number {
    const [ones, others] = [this.bytes, other.bytes]
    const most = Math.min(this.size, other.size)
    for (let at = 0; at < most; at++) {
      const one = ones[at] as number
      const two = others[at] as number
      if (one !== two) return (places[one] as number) - (places[two] as number)
    }
    return this.size - other.size
  }

  toString(): string {
    return this.bytes.toString('utf8', 0, this.size)
  }
}
