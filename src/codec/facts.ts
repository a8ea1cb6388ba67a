/**
 * The body of an entry of kind `facts`: what happened, as rows that change. Replaying it reads nothing.
 *
 *   u48 log time | varint count | facts
 *   put     1 | varint n | key | u32 prev0 | u32 prev1 | varint n | value
 *   delete  2 | varint n | key | u32 prev0 | u32 prev1
 *   range   3 | varint n | from | varint n | to | u16 slot | u32 sum0 | u32 sum1       kept replies only
 *
 * `prev` is the hash pair of the row that the fact replaces (zeros if there was none), known because decide
 * read it; a range removes the rows with from <= key < to and names the sums of their pairs. So
 * digests are updated without a read.
 */
import { assert } from '../base/assert.js'
import { entryHeadBytes } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogTime, SlotId } from '../base/ids.js'
import { keyText, type RowKey } from './row.js'

/** A row gets this value, whatever it was before. */
export interface PutFact {
  readonly op: 'put'
  readonly key: RowKey
  readonly value: Buffer
  readonly prev0: number
  readonly prev1: number
}

/** A row is gone. */
export interface DeleteFact {
  readonly op: 'delete'
  readonly key: RowKey
  readonly prev0: number
  readonly prev1: number
}

/** The rows with from <= key < to are gone: kept replies of one slot only. */
export interface DeleteRangeFact {
  readonly op: 'deleteRange'
  readonly from: RowKey
  readonly to: RowKey
  readonly slot: SlotId
  readonly sum0: number
  readonly sum1: number
}

/** One row, or one range of rows, that changes. */
export type Fact = PutFact | DeleteFact | DeleteRangeFact

/** A body, decoded: the log time of the decision and what changed, in order. */
export interface Facts {
  readonly time: LogTime
  readonly facts: readonly Fact[]
}

const opPut = 1
const opDelete = 2
const opRange = 3

/** Room for an entry's head, then the encoded facts: ready for `sealEntry`. */
export function encodeFacts(time: LogTime, facts: readonly Fact[]): Buffer {
  let size = entryHeadBytes + 6 + varintBytes(facts.length)
  for (const fact of facts) size += factBytes(fact)
  const bytes = Buffer.allocUnsafe(size)
  let at = bytes.writeUIntLE(time, entryHeadBytes, 6)
  at = writeVarint(bytes, facts.length, at)
  for (const fact of facts) at = writeFact(bytes, fact, at)
  assert(at === size, () => `facts: ${at} of ${size} bytes`)
  return bytes
}

/** Bytes that the fact takes in a body. */
export function factBytes(fact: Fact): number {
  if (fact.op === 'deleteRange') {
    return 1 + sized(fact.from.length) + sized(fact.to.length) + 10
  }
  return rowFactBytes(fact.key, fact.op === 'put' ? fact.value : null)
}

/** Bytes of an entry with these facts, at most. */
export function entryBytes(facts: readonly Fact[]): number {
  let bytes = entryHeadBytes + bodyHeadBytesMax
  for (const fact of facts) bytes += factBytes(fact)
  return bytes
}

/** Log time and count. */
const bodyHeadBytesMax = 6 + 5

/** Bytes that the change of one row takes in a body: to this value, or null if it goes. */
export function rowFactBytes(key: RowKey, value: Buffer | null): number {
  return 1 + sized(key.length) + 8 + (value === null ? 0 : sized(value.length))
}

function sized(length: number): number {
  return varintBytes(length) + length
}

function writeFact(bytes: Buffer, fact: Fact, start: number): number {
  if (fact.op === 'deleteRange') {
    let at = bytes.writeUInt8(opRange, start)
    at = writeText(bytes, fact.from, at)
    at = writeText(bytes, fact.to, at)
    at = bytes.writeUInt16LE(fact.slot, at)
    at = bytes.writeUInt32LE(fact.sum0, at)
    return bytes.writeUInt32LE(fact.sum1, at)
  }
  let at = bytes.writeUInt8(fact.op === 'put' ? opPut : opDelete, start)
  at = writeText(bytes, fact.key, at)
  at = bytes.writeUInt32LE(fact.prev0, at)
  at = bytes.writeUInt32LE(fact.prev1, at)
  if (fact.op === 'delete') return at
  at = writeVarint(bytes, fact.value.length, at)
  bytes.set(fact.value, at)
  return at + fact.value.length
}

function writeText(bytes: Buffer, text: RowKey, start: number): number {
  const at = writeVarint(bytes, text.length, start)
  bytes.write(text, at, 'latin1')
  return at + text.length
}

/**
 * Reads a body. Throws UPGRADE_REQUIRED for a fact kind that this release does not know: nothing is skipped.
 */
export function decodeFacts(body: Buffer): Facts {
  const reader = new Reader(body)
  const time = reader.uint(6)
  const count = reader.varint()
  const facts: Fact[] = []
  for (let i = 0; i < count; i++) facts.push(readFact(reader))
  assert(reader.at === body.length, () => `facts end at ${reader.at} of ${body.length} bytes`)
  return { time, facts }
}

function readFact(reader: Reader): Fact {
  const op = reader.uint(1)
  if (op === opRange) {
    const from = keyText(reader.sized())
    const to = keyText(reader.sized())
    return { op: 'deleteRange', from, to, slot: reader.uint(2), sum0: reader.uint(4), sum1: reader.uint(4) }
  }
  if (op !== opPut && op !== opDelete) {
    throw new SillokError('UPGRADE_REQUIRED', `the log holds a fact of kind ${op}, unknown to this release`)
  }
  const key = keyText(reader.sized())
  const prev0 = reader.uint(4)
  const prev1 = reader.uint(4)
  if (op === opDelete) return { op: 'delete', key, prev0, prev1 }
  return { op: 'put', key, value: reader.sized(), prev0, prev1 }
}

class Reader {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  uint(size: number): number {
    const value = this.#bytes.readUIntLE(this.at, size)
    this.at += size
    return value
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.uint(1)
      value += (byte & 127) * scale
      if (byte < 128) return value
      assert(scale < 2 ** 35, 'varint too long')
    }
  }

  sized(): Buffer {
    const length = this.varint()
    const end = this.at + length
    assert(end <= this.#bytes.length, () => `fact of ${length} bytes ends beyond its body`)
    const view = this.#bytes.subarray(this.at, end)
    this.at = end
    return view
  }
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : value < 268435456 ? 4 : 5
}

function writeVarint(bytes: Buffer, value: number, start: number): number {
  let at = start
  let rest = value
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128
    rest = Math.floor(rest / 128)
  }
  bytes[at++] = rest
  return at
}
