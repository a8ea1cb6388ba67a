/**
 * Where each entry of one segment is in its file: from index to bytes.
 *
 * Always holds: offsets are relative to the end of the header, begin at 0 and grow by at least an entry's
 * head; the end of the last entry is known. Four bytes per entry, whether the segment is open (it grows) or
 * sealed (read from the footer).
 */
import { assert } from '../base/assert.js'
import { entryHeadBytes } from '../base/entry.js'
import type { LogIndex } from '../base/ids.js'
import { headerBytes } from './segment-header.js'

/** Where each entry of one segment begins. */
export class EntryOffsets {
  readonly firstIndex: LogIndex
  #starts: Uint32Array
  #count = 0
  #end = 0

  constructor(firstIndex: LogIndex, room = 1024) {
    this.firstIndex = firstIndex
    this.#starts = new Uint32Array(room)
  }

  /** Reads a table of `count` u32; undefined unless it can be one for that many bytes of entries. */
  static decode(firstIndex: LogIndex, table: Buffer, entryBytes: number): EntryOffsets | undefined {
    const count = table.length / 4
    const offsets = new EntryOffsets(firstIndex, count)
    for (let i = 0; i < count; i++) offsets.#starts[i] = table.readUInt32LE(i * 4)
    offsets.#count = count
    offsets.#end = entryBytes
    for (let i = 0; i < count; i++) {
      const before = i === 0 ? -entryHeadBytes : offsets.#at(i - 1)
      if (offsets.#at(i) - before < entryHeadBytes) return undefined
    }
    if (count > 0 && (offsets.#at(0) !== 0 || entryBytes - offsets.#at(count - 1) < entryHeadBytes)) {
      return undefined
    }
    return offsets
  }

  /** The table's bytes. */
  encode(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#count * 4)
    for (let i = 0; i < this.#count; i++) bytes.writeUInt32LE(this.#at(i), i * 4)
    return bytes
  }

  /** `firstIndex - 1` while there is no entry. */
  get lastIndex(): LogIndex {
    return this.firstIndex + this.#count - 1
  }

  get count(): number {
    return this.#count
  }

  /** Bytes of all entries. */
  get entryBytes(): number {
    return this.#end
  }

  /** The next entry, of that many bytes. */
  add(bytes: number): void {
    if (this.#count === this.#starts.length) {
      const wider = new Uint32Array(this.#count * 2)
      wider.set(this.#starts)
      this.#starts = wider
    }
    this.#starts[this.#count++] = this.#end
    this.#end += bytes
  }

  /** First byte of the entry, in the file. */
  start(index: LogIndex): number {
    return headerBytes + this.#at(index - this.firstIndex)
  }

  /** The byte after the entry, in the file. */
  end(index: LogIndex): number {
    return index === this.lastIndex ? headerBytes + this.#end : this.start(index + 1)
  }

  /**
   * The last entry up to `through` such that all from `from` fit into the bytes; `from - 1` if not even that
   * one.
   */
  lastWithin(from: LogIndex, through: LogIndex, bytesMax: number): LogIndex {
    const limit = this.start(from) + bytesMax
    let low = from - 1
    let high = Math.min(through, this.lastIndex)
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.end(middle) <= limit) low = middle
      else high = middle - 1
    }
    return low
  }

  #at(position: number): number {
    const start = this.#starts[position]
    assert(
      start !== undefined && position < this.#count,
      () => `no entry ${this.firstIndex + position} in a segment of ${this.firstIndex} to ${this.lastIndex}`,
    )
    return start
  }
}
