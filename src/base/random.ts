/**
 * Seeded chance: the same seed gives the same numbers, for ever.
 *
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand). `split(name)` makes an independent stream, so that one
 * more draw in one stream never shifts another.
 */

export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1
  readonly #seed: string

  /** The same seed gives the same draws. */
  constructor(seed: string | number) {
    this.#seed = String(seed)
    const [a, b, c] = words(this.#seed)
    this.#a = a
    this.#b = b
    this.#c = c
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** A stream of its own: a function of this one's seed and the name only. */
  split(name: string): Random {
    return new Random(`${this.#seed}/${name}`)
  }

  /** 0 … 2^32 - 1. */
  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }

  /** 0 <= number < 1. */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  /** 0 … limit - 1. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** True with that probability, 0 … 1. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** One of the items, of which there is at least one. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('pick from nothing')
    return item
  }

  /** That many bytes. */
  bytes(count: number): Buffer {
    const buffer = Buffer.allocUnsafe(count)
    for (let i = 0; i < count; i++) buffer[i] = this.uint32() & 0xff
    return buffer
  }
}

/** Three words made from a text: MurmurHash3's mixing over its code units. */
function words(text: string): [number, number, number] {
  const word = (start: number): number => {
    let h = start ^ text.length
    for (let i = 0; i < text.length; i++) {
      h = Math.imul(h ^ text.charCodeAt(i), 3432918353)
      h = (h << 13) | (h >>> 19)
    }
    h = Math.imul(h ^ (h >>> 16), 2246822507)
    h = Math.imul(h ^ (h >>> 13), 3266489909)
    return h ^ (h >>> 16)
  }
  return [word(1779033703), word(3144134277), word(1013904242)]
}
