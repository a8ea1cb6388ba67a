/**
 * Bytes of one file, in memory: grows and shrinks like a file, holes read as zeros and take no room.
 *
 * Kept in chunks; a clone shares chunks with its origin until one of them writes.
 */

const chunkBytes = 16 * 1024
const zeros = Buffer.alloc(chunkBytes)

/** The bytes of one file. Offsets and lengths are safe integers; memory is taken for written chunks only. */
export class MemoryBytes {
  #chunks: (Buffer | undefined)[] = []
  /** Chunks that no clone shares. */
  #own = new Set<number>()
  #size = 0

  /** Length in bytes. */
  get size(): number {
    return this.#size
  }

  /** A copy of the bytes from offset; fewer than asked for only at the end. */
  read(offset: number, length: number): Buffer {
    const end = Math.min(this.#size, offset + length)
    if (end <= offset) return Buffer.alloc(0)
    // Holes need no copying, and of fresh zeros the system makes only those that are looked at.
    const count = end - offset
    const bytes = this.#hasHole(offset, end) ? Buffer.alloc(count) : Buffer.allocUnsafe(count)
    this.#each(offset, end, (number, from, to, at) => {
      this.#chunks[number]?.copy(bytes, at, from, to)
    })
    return bytes
  }

  /** Behind the last chunk that was ever written with more than zeros. */
  get contentEnd(): number {
    let end = Math.ceil(this.#size / chunkBytes)
    while (end > 0 && this.#chunks[end - 1] === undefined) end--
    return Math.min(this.#size, end * chunkBytes)
  }

  /** Puts the bytes at offset; a gap before them reads as zeros. */
  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length
    this.#each(offset, end, (number, from, to, at) => {
      const part = bytes.subarray(at, at + to - from)
      if (this.#chunks[number] === undefined && zeros.compare(part, 0, part.length, 0, part.length) === 0) {
        return
      }
      this.#writable(number).set(part, from)
    })
    this.#size = Math.max(this.#size, end)
  }

  /** Cuts or extends (with zeros) to that length. */
  truncate(size: number): void {
    if (size < this.#size) {
      const kept = Math.ceil(size / chunkBytes)
      for (const number of this.#own) if (number >= kept) this.#own.delete(number)
      this.#chunks.length = Math.min(this.#chunks.length, kept)
      const tail = size % chunkBytes
      if (tail > 0 && this.#chunks[kept - 1] !== undefined) this.#writable(kept - 1).fill(0, tail)
    }
    this.#size = size
  }

  /** Turns one bit, counted from the start of the file; nothing happens beyond the end. */
  flip(bit: number): void {
    const offset = Math.floor(bit / 8)
    const byte = this.read(offset, 1)[0]
    if (byte !== undefined) this.write(Buffer.of(byte ^ (1 << (bit % 8))), offset)
  }

  /** The same bytes, independent from now on. */
  clone(): MemoryBytes {
    const copy = new MemoryBytes()
    copy.#chunks = this.#chunks.slice()
    copy.#size = this.#size
    this.#own.clear()
    return copy
  }

  #hasHole(start: number, end: number): boolean {
    for (let number = Math.floor(start / chunkBytes); number * chunkBytes < end; number++) {
      if (this.#chunks[number] === undefined) return true
    }
    return false
  }

  #writable(number: number): Buffer {
    const chunk = this.#chunks[number]
    if (chunk !== undefined && this.#own.has(number)) return chunk
    const own = Buffer.alloc(chunkBytes)
    if (chunk !== undefined) chunk.copy(own)
    this.#chunks[number] = own
    this.#own.add(number)
    return own
  }

  /** Walks a range chunk by chunk: chunk number, range inside it, position inside the whole range. */
  #each(
    start: number,
    end: number,
    call: (number: number, from: number, to: number, at: number) => void,
  ): void {
    for (let offset = start; offset < end; ) {
      const number = Math.floor(offset / chunkBytes)
      const from = offset - number * chunkBytes
      const to = Math.min(chunkBytes, from + end - offset)
      call(number, from, to, offset - start)
      offset += to - from
    }
  }
}
