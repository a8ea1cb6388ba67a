/**
 * Fields of fixed size, little-endian, one after the other: how the heads of messages between replicas are
 * written and read. What is read is checked: nothing outside of its range comes out, and nothing is left.
 */
import { assert } from '../base/assert.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'

/** Writes fields into room that was made for them. */
export class FieldWriter {
  readonly bytes: Buffer
  #at: number

  /** Begins at the offset. */
  constructor(bytes: Buffer, offset: number) {
    this.bytes = bytes
    this.#at = offset
  }

  /** u64, at most 2^53 - 1. */
  index(value: number): void {
    writeIndex(this.bytes, value, this.#at)
    this.#at += 8
  }

  /** u8, 0 or 1. */
  flag(value: boolean): void {
    this.#at = this.bytes.writeUInt8(value ? 1 : 0, this.#at)
  }

  /** u16 count, then a u64 for each. */
  indexes(values: readonly number[]): void {
    this.#at = this.bytes.writeUInt16LE(values.length, this.#at)
    for (const value of values) this.index(value)
  }

  /** The bytes as they are. */
  copy(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  /** All of the room must be filled. */
  end(): void {
    assert(this.#at === this.bytes.length, () => `${this.#at} of ${this.bytes.length} bytes are written`)
  }
}

/** Reads the same; what does not fit is INVALID. */
export class FieldReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** u64 from `min` (0 unless given) to 2^53 - 1. */
  index(min = 0): number {
    const value = readIndex(this.#bytes, this.#take(8))
    if (!Number.isSafeInteger(value) || value < min) throw invalid(`${value} is no number from ${min}`)
    return value
  }

  /** u8, 0 or 1. */
  flag(): boolean {
    const value = this.#bytes.readUInt8(this.#take(1))
    if (value > 1) throw invalid(`${value} is neither 0 nor 1`)
    return value === 1
  }

  /** At most so many numbers from 1, with their u16 count before them. */
  ids(countMax: number): number[] {
    const count = this.#bytes.readUInt16LE(this.#take(2))
    if (count > countMax) throw invalid(`a list of ${count}, at most ${countMax}`)
    const ids: number[] = []
    for (let i = 0; i < count; i++) ids.push(this.index(1))
    return ids
  }

  /** All that is left. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#take(this.#bytes.length - this.#at))
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#at < this.#bytes.length) throw invalid(`${this.#bytes.length - this.#at} bytes behind its end`)
  }

  #take(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) throw invalid(`it ends after ${this.#bytes.length} bytes`)
    this.#at = at + length
    return at
  }
}

function invalid(what: string): SillokError {
  return new SillokError('INVALID', `a message of a replica: ${what}`)
}
