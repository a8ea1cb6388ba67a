/**
 * The best documents so far: by score, the highest first, then by key.
 *
 * A hit's row is where it stands in that order: 8 bytes score (a double, big-endian) · encoded key.
 */
import { invalid } from './config.js'
import type { SegmentReader } from './segment-reader.js'

/** A document and its score. */
export interface ScoredDocument {
  readonly score: number
  readonly key: Buffer
}

/** The row of a hit. */
export function hitRow({ score, key }: ScoredDocument): Buffer {
  const row = Buffer.allocUnsafe(8 + key.length)
  row.writeDoubleBE(score)
  key.copy(row, 8)
  return row
}

/** Where that row stands. INVALID if it is no row of a hit. */
export function readHitRow(row: Uint8Array): ScoredDocument {
  const bytes = Buffer.from(row)
  const score = bytes.length > 8 ? bytes.readDoubleBE() : Number.NaN
  if (!Number.isFinite(score)) throw invalid('after must be the row of a hit, as bytes')
  return { score, key: bytes.subarray(8) }
}

/** A heap of at most so many documents, the worst on top. */
export class TopHits {
  readonly #size: number
  readonly #after: ScoredDocument | undefined
  readonly #scores: number[] = []
  readonly #keys: Buffer[] = []
  /** What does not reach this score is not among the best; what equals it may be, by its key. */
  threshold = Number.NEGATIVE_INFINITY

  /** Only documents behind `after` count. */
  constructor(size: number, after: ScoredDocument | undefined) {
    this.#size = size
    this.#after = after
  }

  offer(score: number, segment: SegmentReader, ordinal: number): void {
    if (score < this.threshold) return
    const after = this.#after
    if (after !== undefined && score > after.score) return
    const key = segment.keyOf(ordinal)
    if (after !== undefined && score === after.score && key.compare(after.key) <= 0) return
    if (this.#scores.length < this.#size) {
      this.#scores.push(score)
      this.#keys.push(key)
      this.#up(this.#scores.length - 1)
    } else {
      if (score === this.threshold && key.compare(this.#keys[0] as Buffer) > 0) return
      this.#scores[0] = score
      this.#keys[0] = key
      this.#down()
    }
    if (this.#scores.length === this.#size) this.threshold = this.#scores[0] as number
  }

  /** The best first. */
  sorted(): ScoredDocument[] {
    const hits = this.#scores.map((score, at) => ({ score, key: this.#keys[at] as Buffer }))
    return hits.sort((a, b) => b.score - a.score || a.key.compare(b.key))
  }

  #isWorse(a: number, b: number): boolean {
    const [one, other] = [this.#scores[a] as number, this.#scores[b] as number]
    if (one !== other) return one < other
    return (this.#keys[a] as Buffer).compare(this.#keys[b] as Buffer) > 0
  }

  #up(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#isWorse(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #down(): void {
    for (let at = 0; ; ) {
      let worst = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#scores.length && this.#isWorse(child, worst)) worst = child
      }
      if (worst === at) return
      this.#swap(at, worst)
      at = worst
    }
  }

  #swap(a: number, b: number): void {
    const [score, key] = [this.#scores[a] as number, this.#keys[a] as Buffer]
    this.#scores[a] = this.#scores[b] as number
    this.#keys[a] = this.#keys[b] as Buffer
    this.#scores[b] = score
    this.#keys[b] = key
  }
}
