/**
 * A strict walk over MessagePack bytes, before any object is built from them: bytes of others cost no more
 * than their own length and cannot make anything but plain values.
 *
 * Accepted: nil, booleans, integers within 2^53, finite floats, UTF-8 text, bytes, arrays, maps with text
 * keys, each key once and none `__proto__`, and the timestamp (extension -1) in whole milliseconds. Refused:
 * every other type byte and extension, bytes that end early or late, and what is over a budget.
 */
import { isUtf8 } from 'node:buffer'
import { SillokError } from '../base/errors.js'
import { refusedFieldName, type ValueLimits } from './value.js'

const refusedKey = Buffer.from(refusedFieldName)
const dateMsMax = 8.64e15
// Up to here each key is compared with the others, by hash first; beyond it a Set is used.
const comparedKeysMax = 16

// The state of the one walk that runs; it calls nobody.
const nothing = new Uint8Array(0)
let bytes: Uint8Array = nothing
let at = 0
let elements = 0
let elementsMax = 0
let depthMax = 0
/** Hash, start and end of the keys of the maps around the place. */
const keys: number[] = []
let keyCount = 0

/**
 * Throws INVALID, with the offset, unless the bytes are exactly one acceptable value; TOO_LARGE if over
 * `bytesMax`.
 */
export function checkBytes(source: Uint8Array, budget: ValueLimits): void {
  if (source.length > budget.bytesMax) {
    throw new SillokError('TOO_LARGE', `a value of ${source.length} bytes; at most ${budget.bytesMax}`, {
      details: { bytes: source.length, limit: budget.bytesMax },
    })
  }
  bytes = source
  at = 0
  elements = 0
  keyCount = 0
  elementsMax = budget.elementsMax
  depthMax = budget.depthMax
  try {
    walk(0)
    if (at !== source.length) refuse(at, 'bytes after the end of the value')
  } finally {
    bytes = nothing
  }
}

function refuse(offset: number, why: string): never {
  throw new SillokError('INVALID', `${why}, at byte ${offset}`, { details: { offset } })
}

function walk(depth: number): void {
  const start = at
  if (++elements > elementsMax) refuse(start, `more than ${elementsMax} values in one`)
  const type = byte()
  if (type < 0x80 || type >= 0xe0) return
  if (type < 0x90) walkMap(start, type & 15, depth)
  else if (type < 0xa0) walkArray(start, type & 15, depth)
  else if (type < 0xc0) walkText(type & 31)
  else walkLong(start, type, depth)
}

function walkLong(start: number, type: number, depth: number): void {
  switch (type) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      break
    case 0xc4:
      skip(byte())
      break
    case 0xc5:
      skip(uint(2))
      break
    case 0xc6:
      skip(uint(4))
      break
    case 0xd9:
      walkText(byte())
      break
    case 0xda:
      walkText(uint(2))
      break
    case 0xdb:
      walkText(uint(4))
      break
    case 0xdc:
      walkArray(start, uint(2), depth)
      break
    case 0xdd:
      walkArray(start, uint(4), depth)
      break
    case 0xde:
      walkMap(start, uint(2), depth)
      break
    case 0xdf:
      walkMap(start, uint(4), depth)
      break
    default:
      walkNumber(start, type)
      break
  }
}

function walkNumber(start: number, type: number): void {
  switch (type) {
    case 0xca:
    case 0xcb: {
      const high = byte()
      const next = byte()
      const exponent = type === 0xca ? 0x80 : 0xf0
      if ((high & 0x7f) === 0x7f && (next & exponent) === exponent) refuse(start, 'NaN or an infinity')
      skip(type === 0xca ? 2 : 6)
      break
    }
    case 0xcc:
    case 0xd0:
      skip(1)
      break
    case 0xcd:
    case 0xd1:
      skip(2)
      break
    case 0xce:
    case 0xd2:
      skip(4)
      break
    case 0xcf:
      if (!Number.isSafeInteger(uint(4) * 2 ** 32 + uint(4))) refuse(start, 'an integer beyond 2^53 - 1')
      break
    case 0xd3:
      if (!Number.isSafeInteger((uint(4) | 0) * 2 ** 32 + uint(4)))
        refuse(start, 'an integer beyond 2^53 - 1')
      return
    case 0xd6:
    case 0xd7:
    case 0xc7:
      walkTimestamp(start, type)
      break
    default:
      refuse(start, `type byte 0x${type.toString(16)} is not accepted`)
  }
}

function walkTimestamp(start: number, type: number): void {
  const length = type === 0xd6 ? 4 : type === 0xd7 ? 8 : byte()
  if (byte() !== 0xff || (type === 0xc7 && length !== 12))
    refuse(start, 'an extension that is not a timestamp')
  if (length === 4) {
    skip(4)
    return
  }
  const first = uint(4)
  const nanoseconds = length === 8 ? first >>> 2 : first
  const seconds = length === 8 ? (first & 3) * 2 ** 32 + uint(4) : (uint(4) | 0) * 2 ** 32 + uint(4)
  if (nanoseconds >= 1e9 || nanoseconds % 1e6 !== 0) refuse(start, 'a timestamp not in whole milliseconds')
  if (Math.abs(seconds * 1000 + nanoseconds / 1e6) > dateMsMax) refuse(start, 'a timestamp out of range')
}

function walkArray(start: number, count: number, depth: number): void {
  enter(start, count, depth)
  for (let i = 0; i < count; i++) walk(depth + 1)
}

function walkMap(start: number, count: number, depth: number): void {
  enter(start, 2 * count, depth)
  const first = keyCount
  const seen = count > comparedKeysMax ? new Set<string>() : undefined
  for (let i = 0; i < count; i++) {
    walkKey(first, seen)
    walk(depth + 1)
  }
  keyCount = first
}

/** Before the first element: refuses a count that the remaining bytes, or the budget, cannot hold. */
function enter(start: number, atLeast: number, depth: number): void {
  if (depth >= depthMax) refuse(start, `nested deeper than ${depthMax} levels`)
  if (atLeast > bytes.length - at) refuse(start, 'a list longer than the bytes that follow')
}

function walkKey(first: number, seen: Set<string> | undefined): void {
  const start = at
  const type = byte()
  if (type >= 0xa0 && type < 0xc0) walkText(type & 31)
  else if (type === 0xd9) walkText(byte())
  else if (type === 0xda) walkText(uint(2))
  else if (type === 0xdb) walkText(uint(4))
  else refuse(start, 'a map key that is not text')
  const from = at - textLength
  if (textLength === refusedKey.length && sameBytes(refusedKey, 0, from)) {
    refuse(start, `no field may be named ${refusedFieldName}`)
  }
  if (seen === undefined) compareKey(start, from, first)
  else {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, textLength).toString('latin1')
    if (seen.has(text)) refuse(start, 'a map key given twice')
    seen.add(text)
  }
}

function compareKey(start: number, from: number, first: number): void {
  let hash = textLength
  for (let i = from; i < at; i++) hash = Math.imul(hash ^ (bytes[i] as number), 16777619)
  for (let k = first; k < keyCount; k++) {
    const other = keys[3 * k + 1] as number
    const same = keys[3 * k] === hash && keys[3 * k + 2] === textLength && sameBytes(bytes, other, from)
    if (same) refuse(start, 'a map key given twice')
  }
  keys[3 * keyCount] = hash
  keys[3 * keyCount + 1] = from
  keys[3 * keyCount + 2] = textLength
  keyCount++
}

function sameBytes(other: Uint8Array, otherFrom: number, from: number): boolean {
  for (let i = 0; i < textLength; i++) if (other[otherFrom + i] !== bytes[from + i]) return false
  return true
}

/** Length in bytes of the text that was walked last. */
let textLength = 0

function walkText(length: number): void {
  const start = at
  skip(length)
  textLength = length
  if (length > 64) {
    if (!isUtf8(bytes.subarray(start, at))) refuse(start, 'ill-formed UTF-8')
    return
  }
  for (let i = start; i < at; i++) {
    if ((bytes[i] as number) < 0x80) continue
    if (!isUtf8(bytes.subarray(i, at))) refuse(start, 'ill-formed UTF-8')
    return
  }
}

function byte(): number {
  const value = bytes[at]
  if (value === undefined) refuse(at, 'the value is cut short')
  at++
  return value
}

function uint(size: 2 | 4): number {
  if (at + size > bytes.length) refuse(at, 'the value is cut short')
  let value = 0
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at++] as number)
  return value
}

function skip(length: number): void {
  if (length > bytes.length - at) refuse(at, 'the value is cut short')
  at += length
}
