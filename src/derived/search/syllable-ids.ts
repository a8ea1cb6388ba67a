/**
 * Ids of grams of Hangul syllables, found by their code units: most terms of Korean texts are such, and none
 * of them needs to be a text before it is written.
 */
import { termKinds } from './analysis.js'

const firstSyllable = 0xac00
const lastSyllable = 0xd7a3
/** Second syllables, and none. */
const seconds = lastSyllable - firstSyllable + 2

const kindCode = termKinds.gram.charCodeAt(0)

/** True for a syllable of Hangul. */
export function isSyllable(unit: number): boolean {
  return unit >= firstSyllable && unit <= lastSyllable
}

/** A table of open addressing, at most half full. */
export class SyllableIds {
  /** Places of syllables in their order, from 1; 0: free. */
  #keys = new Int32Array(1 << 12)
  #ids = new Int32Array(1 << 12)
  #size = 0

  /** The id of these two, or of the first alone (second 0); if there is none it is `id` from now on. */
  idOf(first: number, second: number, id: number): number {
    const key = (first - firstSyllable) * seconds + (second === 0 ? 0 : second - firstSyllable + 1) + 1
    const at = this.#placeOf(key)
    if (this.#keys[at] === key) return this.#ids[at] as number
    this.#keys[at] = key
    this.#ids[at] = id
    if (2 * ++this.#size > this.#keys.length) this.#grow()
    return id
  }

  /** All grams, in the order of texts: `gramOf` tells what they are, `idAt` their ids. */
  inOrder(): Int32Array {
    return this.#keys.filter(key => key !== 0).sort()
  }

  /** The id of a gram that `inOrder` told. */
  idAt(gram: number): number {
    return this.#ids[this.#placeOf(gram)] as number
  }

  #placeOf(key: number): number {
    const mask = this.#keys.length - 1
    let at = (Math.imul(key, 0x9e3779b1) >>> 8) & mask
    while (this.#keys[at] !== 0 && this.#keys[at] !== key) at = (at + 1) & mask
    return at
  }

  #grow(): void {
    const keys = this.#keys
    const ids = this.#ids
    this.#keys = new Int32Array(2 * keys.length)
    this.#ids = new Int32Array(2 * keys.length)
    for (let from = 0; from < keys.length; from++) {
      if (keys[from] === 0) continue
      const at = this.#placeOf(keys[from] as number)
      this.#keys[at] = keys[from] as number
      this.#ids[at] = ids[from] as number
    }
  }
}

/** The term of a gram that `inOrder` told. */
export function gramOf(gram: number): string {
  const first = firstSyllable + Math.floor((gram - 1) / seconds)
  const second = (gram - 1) % seconds
  return second === 0
    ? String.fromCharCode(kindCode, first)
    : String.fromCharCode(kindCode, first, firstSyllable + second - 1)
}
