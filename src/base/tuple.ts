/**
 * Tuples of values as bytes that compare, byte by byte, as the values do.
 *
 * The order: null < false < true < numbers < dates < text < bytes < arrays. Numbers by value (integers and
 * fractions mixed), dates by time, text by code point (not by UTF-16 unit as JavaScript does), bytes as
 * bytes, arrays element by element, and a value that is a prefix of another comes before it.
 *
 *   01 null   02 false   03 true
 *   20 number   8 bytes: the IEEE double, big-endian, sign bit flipped; all bits flipped if negative
 *   30 date     its milliseconds, in the same form
 *   40 text     UTF-8, each 00 written as 00 FF, then 00
 *   50 bytes    each 00 written as 00 FF, then 00
 *   60 array    its elements, then 00
 *
 * No type code is 00 or FF, so an end sorts before whatever could follow. One value has one form: -0 is 0;
 * NaN, infinities and ill-formed text are refused (INVALID). After the tuple layer of FoundationDB.
 */
import { SillokError } from './errors.js'
import { limits } from './limits.js'
import { isWellFormed } from './text.js'

/** What a tuple may hold. */
export type TupleValue = null | boolean | number | string | Date | Uint8Array | readonly TupleValue[]

/** A document's key. */
export type DocumentKey = string | number

const codeNull = 0x01
const codeFalse = 0x02
const codeTrue = 0x03
const codeNumber = 0x20
const codeDate = 0x30
const codeText = 0x40
const codeBytes = 0x50
const codeArray = 0x60
const end = 0x00
// After a 00 that belongs to the text or bytes.
const zeroMark = 0xff

const depthMax = limits.documentDepthMax
const scratchBytes = 16 * 1024

// One writer at a time: encoding is synchronous and calls nobody.
let scratch = Buffer.allocUnsafeSlow(scratchBytes)
let at = 0

/**
 * The bytes of the tuple: they compare, byte by byte, as the values do, element by element, and what begins
 * with these elements begins with these bytes. INVALID for what has no place in the order: undefined, NaN,
 * infinities, invalid dates, ill-formed text, objects.
 */
export function encodeTuple(values: readonly TupleValue[]): Buffer {
  if (!Array.isArray(values)) throw new SillokError('INVALID', `a tuple is a list, not ${typeof values}`)
  at = 0
  for (let i = 0; i < values.length; i++) write(values[i], 1)
  return taken()
}

/**
 * The bytes with which every tuple begins that holds these values and then a text that begins with `text`: an
 * unterminated text. For a range scan together with `tuplePrefixEnd`.
 */
export function encodeTextPrefix(values: readonly TupleValue[], text: string): Buffer {
  at = 0
  for (let i = 0; i < values.length; i++) write(values[i], 1)
  writeText(text)
  at--
  return taken()
}

/** The smallest bytes above every tuple that begins with `prefix`; of nothing: above every tuple. */
export function tuplePrefixEnd(prefix: Uint8Array): Buffer {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  if (length === 0) return Buffer.from([0xff])
  const bytes = Buffer.from(prefix.subarray(0, length))
  bytes[length - 1] = (bytes[length - 1] ?? 0) + 1
  return bytes
}

/**
 * The values of a tuple that `encodeTuple` made; bytes come back as a Uint8Array. Other bytes are DAMAGED.
 * The bytes of a key (`encodeKey`) are a tuple of one.
 */
export function decodeTuple(bytes: Uint8Array): TupleValue[] {
  return new TupleReader(bytes).list(bytes.length, 1)
}

/**
 * A document's key as one tuple element. A key is a text (not empty, well-formed) or a safe integer, else
 * INVALID; encoded at most `limits.keyBytesMax` bytes, else TOO_LARGE.
 */
export function encodeKey(key: DocumentKey): Buffer {
  if (typeof key === 'string') {
    if (key.length === 0) throw new SillokError('INVALID', 'a key is not empty')
    if (key.length > limits.keyBytesMax) throw keyTooLarge(Buffer.byteLength(key) + 2)
  } else if (!Number.isSafeInteger(key)) {
    const what = typeof key === 'number' ? String(key) : key === null ? 'null' : typeof key
    throw new SillokError('INVALID', `a key is a text or a safe integer, not ${what}`)
  }
  at = 0
  write(key, 1)
  if (at > limits.keyBytesMax) throw keyTooLarge(at)
  return taken()
}

/** The same, one character per byte: most keys need no bytes for that. */
export function encodeKeyText(key: DocumentKey): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= shortText && isAsciiText(key)) {
    return `${textMark}${key}\0`
  }
  return encodeKey(key).toString('latin1')
}

/** The key that `encodeKey` wrote; anything else is DAMAGED. */
export function decodeKey(bytes: Uint8Array): DocumentKey {
  const values = decodeTuple(bytes)
  const key = values[0]
  if (values.length === 1 && typeof key === 'string' && key !== '') return key
  if (values.length === 1 && Number.isSafeInteger(key)) return key as number
  throw damaged('no document key', 0)
}

function keyTooLarge(bytes: number): SillokError {
  return new SillokError('TOO_LARGE', `a key of ${bytes} bytes; at most ${limits.keyBytesMax}, encoded`, {
    details: { bytes, limit: limits.keyBytesMax },
  })
}

function taken(): Buffer {
  const bytes = Buffer.allocUnsafe(at)
  if (at > shortText) scratch.copy(bytes, 0, 0, at)
  else for (let i = 0; i < at; i++) bytes[i] = scratch[i] as number
  if (scratch.length > scratchBytes) scratch = Buffer.allocUnsafeSlow(scratchBytes)
  return bytes
}

function room(bytes: number): void {
  if (at + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(at + bytes, scratch.length * 2))
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

function write(value: TupleValue | undefined, depth: number): void {
  room(16)
  if (typeof value === 'string') writeText(value)
  else if (typeof value === 'number') writeNumber(codeNumber, value)
  else if (typeof value === 'boolean') scratch[at++] = value ? codeTrue : codeFalse
  else if (value === null) scratch[at++] = codeNull
  else if (value instanceof Date) writeNumber(codeDate, value.getTime())
  else if (value instanceof Uint8Array) writeBytes(value)
  else if (Array.isArray(value)) {
    if (depth > depthMax) throw new SillokError('INVALID', `a tuple nested deeper than ${depthMax} levels`)
    scratch[at++] = codeArray
    for (let i = 0; i < value.length; i++) write(value[i], depth + 1)
    room(1)
    scratch[at++] = end
  } else {
    throw new SillokError('INVALID', `no place in the order of values: ${typeof value}`)
  }
}

function writeNumber(code: number, value: number): void {
  if (!Number.isFinite(value)) {
    const what = code === codeDate ? 'an invalid date' : String(value)
    throw new SillokError('INVALID', `no place in the order of values: ${what}`)
  }
  scratch[at++] = code
  scratch.writeDoubleBE(value + 0, at) // -0 + 0 is 0
  flip(scratch, at, ((scratch[at] ?? 0) & 0x80) !== 0)
  at += 8
}

function flip(bytes: Buffer, start: number, whole: boolean): void {
  if (!whole) bytes[start] = (bytes[start] ?? 0) ^ 0x80
  else for (let i = start; i < start + 8; i++) bytes[i] = ~(bytes[i] ?? 0)
}

const textMark = String.fromCharCode(codeText)

/** True if all characters are ASCII, and none is NUL. */
function isAsciiText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0 || unit > 127) return false
  }
  return true
}

/** Up to this length a loop beats the call into the engine. */
const shortText = 64

function writeText(text: string): void {
  if (text.length <= shortText && writeShortAscii(text)) return
  if (!isWellFormed(text)) {
    throw new SillokError('INVALID', 'ill-formed text: it holds half of a surrogate pair')
  }
  room(3 * text.length + 2)
  scratch[at++] = codeText
  const length = scratch.write(text, at, 'utf8')
  const own = scratch.subarray(at, at + length)
  if (own.indexOf(0) < 0) at += length
  else writeEscaped(Buffer.from(own))
  scratch[at++] = end
}

/** Writes a text of ASCII without NUL, as most are, directly. Otherwise false, and nothing is written. */
function writeShortAscii(text: string): boolean {
  const { length } = text
  room(length + 2)
  scratch[at] = codeText
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0 || unit > 127) return false
    scratch[at + 1 + i] = unit
  }
  scratch[at + 1 + length] = end
  at += length + 2
  return true
}

function writeBytes(bytes: Uint8Array): void {
  room(2 * bytes.length + 2)
  scratch[at++] = codeBytes
  writeEscaped(bytes)
  scratch[at++] = end
}

function writeEscaped(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    scratch[at++] = byte
    if (byte === 0) scratch[at++] = zeroMark
  }
}

function damaged(what: string, offset: number): SillokError {
  return new SillokError('DAMAGED', `${what} at byte ${offset} of a tuple`, { details: { offset } })
}

class TupleReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Elements up to `stop`, or, inside an array, up to its end mark. */
  list(stop: number, depth: number): TupleValue[] {
    const values: TupleValue[] = []
    while (this.#at < stop) {
      if (depth > 1 && this.#bytes[this.#at] === end) {
        this.#at++
        return values
      }
      values.push(this.#value(depth))
    }
    if (depth > 1) throw damaged('an array without end', this.#at)
    return values
  }

  #value(depth: number): TupleValue {
    const start = this.#at++
    switch (this.#bytes[start]) {
      case codeNull:
        return null
      case codeFalse:
        return false
      case codeTrue:
        return true
      case codeNumber:
        return this.#number()
      case codeDate:
        return this.#date()
      case codeText:
        return this.#text()
      case codeBytes:
        return Uint8Array.from(this.#escaped())
      case codeArray:
        if (depth > depthMax) throw damaged('too many levels', start)
        return this.list(this.#bytes.length, depth + 1)
      default:
        throw damaged(`unknown type code ${this.#bytes[start]}`, start)
    }
  }

  #number(): number {
    const start = this.#at
    if (start + 8 > this.#bytes.length) throw damaged('a number cut short', start)
    const own = Buffer.from(this.#bytes.subarray(start, start + 8))
    flip(own, 0, ((own[0] ?? 0) & 0x80) === 0)
    const value = own.readDoubleBE(0)
    if (!Number.isFinite(value) || Object.is(value, -0)) throw damaged(`the number ${value}`, start)
    this.#at += 8
    return value
  }

  #date(): Date {
    const start = this.#at
    const ms = this.#number()
    const date = new Date(ms)
    if (date.getTime() !== ms) throw damaged('a date out of range', start)
    return date
  }

  #text(): string {
    const start = this.#at
    const bytes = this.#escaped()
    const text = bytes.toString('utf8')
    // Ill-formed UTF-8 is decoded to U+FFFD, which has other bytes.
    if (Buffer.byteLength(text) !== bytes.length || text.includes('\ufffd')) {
      if (!Buffer.from(text).equals(bytes)) throw damaged('ill-formed UTF-8', start)
    }
    return text
  }

  /** The bytes up to the end mark, with 00 FF read as 00; a view if there is none. */
  #escaped(): Buffer {
    const bytes = this.#bytes
    const start = this.#at
    let stop = bytes.indexOf(end, start)
    if (stop >= 0 && bytes[stop + 1] !== zeroMark) {
      this.#at = stop + 1
      return bytes.subarray(start, stop)
    }
    const parts: Buffer[] = []
    let from = start
    while (stop >= 0 && bytes[stop + 1] === zeroMark) {
      parts.push(bytes.subarray(from, stop + 1))
      from = stop + 2
      stop = bytes.indexOf(end, from)
    }
    if (stop < 0) throw damaged('text or bytes without end', start)
    parts.push(bytes.subarray(from, stop))
    this.#at = stop + 1
    return Buffer.concat(parts)
  }
}
