/**
 * Numbers of words, found by their code units in the text that is taken apart: a word that came before is no
 * text of its own again.
 */

/** A table of open addressing, at most half full. */
export class WordIds {
  /** Numbers of words, from 1; 0: free. */
  #slots = new Int32Array(1 << 12)
  /** By number: the hash, and where the units end. */
  #hashes = new Int32Array(1 << 11)
  #ends = new Int32Array(1 << 11)
  #units = new Uint16Array(1 << 14)
  #count = 0

  /** Words so far. */
  get count(): number {
    return this.#count
  }

  /** The number of the word that stands there, from 0; a new word gets the next one. */
  idOf(text: string, from: number, to: number): number {
    let hash = to - from
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    hash ^= hash >>> 15
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (let found = this.#slots[slot] as number; found !== 0; found = this.#slots[slot] as number) {
      if (this.#hashes[found - 1] === hash && this.#is(found - 1, text, from, to)) return found - 1
      slot = (slot + 1) & mask
    }
    this.#slots[slot] = this.#count + 1
    return this.#add(hash, text, from, to)
  }

  #is(id: number, text: string, from: number, to: number): boolean {
    const start = id === 0 ? 0 : (this.#ends[id - 1] as number)
    if ((this.#ends[id] as number) - start !== to - from) return false
    for (let at = from; at < to; at++) {
      if (this.#units[start + at - from] !== text.charCodeAt(at)) return false
    }
    return true
  }

  #add(hash: number, text: string, from: number, to: number): number {
    const id = this.#count++
    const start = id === 0 ? 0 : (this.#ends[id - 1] as number)
    const end = start + to - from
    if (id === this.#ends.length) {
      this.#ends = grown(this.#ends)
      this.#hashes = grown(this.#hashes)
    }
    if (end > this.#units.length) {
      const units = new Uint16Array(2 * end)
      units.set(this.#units)
      this.#units = units
    }
    for (let at = from; at < to; at++) this.#units[start + at - from] = text.charCodeAt(at)
    this.#hashes[id] = hash
    this.#ends[id] = end
    if (2 * this.#count > this.#slots.length) this.#spread()
    return id
  }

  #spread(): void {
    const slots = new Int32Array(2 * this.#slots.length)
    const mask = slots.length - 1
    for (let id = 0; id < this.#count; id++) {
      let slot = (this.#hashes[id] as number) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = id + 1
    }
    this.#slots = slots
  }
}

/** Twice as long. */
export function grown(column: Int32Array, size = 2 * column.length): Int32Array<ArrayBuffer> {
  const more = new Int32Array(size)
  more.set(column)
  return more
}
