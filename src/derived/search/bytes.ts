/**
 * Writing and reading of the bytes that rows of a search index are made of: numbers as LEB128 (seven bits a
 * byte, the low ones first; the high bit says that more follow), texts and bytes behind their length.
 */
import type { SillokError } from '../../base/errors.js'
import { misfit } from './damage.js'

const startBytes = 1024

/** Bytes that grow. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(startBytes)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** A whole number from 0. */
  number(value: number): void {
    if (this.#size + 8 > this.#bytes.length) this.#grow(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#size++] = (rest % 0x80) | 0x80
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80)
    }
    this.#bytes[this.#size++] = rest
  }

  bytes(source: Uint8Array, from = 0, to: number = source.length): void {
    const count = to - from
    if (this.#size + count > this.#bytes.length) this.#grow(count)
    if (count > 128) this.#bytes.set(source.subarray(from, to), this.#size)
    else for (let i = 0; i < count; i++) this.#bytes[this.#size + i] = source[from + i] as number
    this.#size += count
  }

  /** What another one wrote, from there to before there. */
  copy(other: ByteWriter, from = 0, to: number = other.#size): void {
    this.bytes(other.#bytes, from, to)
  }

  /** Bytes behind their length. */
  block(source: Uint8Array): void {
    this.number(source.length)
    this.bytes(source)
  }

  /** UTF-8 behind its length. */
  text(source: string): void {
    const count = Buffer.byteLength(source)
    this.number(count)
    if (this.#size + count > this.#bytes.length) this.#grow(count)
    this.#size += this.#bytes.write(source, this.#size)
  }

  /** What was written; only until the next call of anything. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#size)
  }

  /** A copy of what was written; then it begins anew. */
  taken(): Buffer {
    const copy = Buffer.from(this.view())
    this.#size = 0
    return copy
  }

  clear(): void {
    this.#size = 0
  }

  #grow(count: number): void {
    const more = Buffer.allocUnsafe(2 * this.#bytes.length + count)
    this.#bytes.copy(more, 0, 0, this.#size)
    this.#bytes = more
  }
}

/** Reads what `ByteWriter` wrote. Bytes that end too soon are DAMAGED. */
export class ByteReader {
  readonly source: Buffer
  at: number

  constructor(source: Buffer, at = 0) {
    this.source = source
    this.at = at
  }

  get isAtEnd(): boolean {
    return this.at >= this.source.length
  }

  number(): number {
    const { source } = this
    let byte = source[this.at++] as number
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 0x80
    do {
      if (this.at >= source.length) throw cutOff()
      byte = source[this.at++] as number
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }

  /** Steps over so many numbers. */
  skipNumbers(count: number): void {
    const { source } = this
    for (let left = count; left > 0; ) if ((source[this.at++] as number) < 0x80) left--
  }

  block(): Buffer {
    const count = this.number()
    this.at += count
    if (this.at > this.source.length) throw cutOff()
    return this.source.subarray(this.at - count, this.at)
  }

  text(): string {
    const count = this.number()
    this.at += count
    return this.source.toString('utf8', this.at - count, this.at)
  }
}

function cutOff(): SillokError {
  return misfit('one ends too soon')
}
