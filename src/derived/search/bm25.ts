/**
 * BM25F: how well a document answers a term, over all fields at once.
 *
 *   weighted = sum over the fields in order of  weight * count / (1 - b + b * length / average length)
 *   score    = ln(1 + (N - n + 0.5) / (n + 0.5)) * weighted * (k1 + 1) / (k1 + weighted)
 *
 * N documents have a term at all, n have this one. Counts, lengths, N, n and the totals behind the averages
 * are whole numbers and exact, and sums are made in one order; so a score is the same to the last bit
 * however the documents came.
 */

const k1 = 1.2
const b = 0.75

/** Sums of numbers that are bounds may be rounded down: so much more is surely enough. */
export const roundingSlack = 1 + 1e-9

/** What a term is worth: `ln(1 + …)` above. */
export function termWorth(documents: number, withTerm: number): number {
  return Math.log(1 + (documents - withTerm + 0.5) / (withTerm + 0.5))
}

/** Scores for one state of an index. */
export class Bm25 {
  readonly #weights: Float64Array
  readonly #averages: Float64Array

  /** `totals`: the lengths of all documents together, by field. */
  constructor(documents: number, totals: readonly number[], weights: readonly number[]) {
    this.#weights = Float64Array.from(weights)
    this.#averages = Float64Array.from(totals, total => (total === 0 ? 1 : total / documents))
  }

  /**
   * `weighted` of the posting whose counts stand at `at`, of the document whose lengths stand at `lengthsAt`.
   */
  weighted(counts: Int32Array, at: number, lengths: Uint32Array, lengthsAt: number): number {
    let sum = 0
    for (let field = 0; field < this.#weights.length; field++) {
      const count = counts[at + field] as number
      if (count > 0) sum += this.#part(field, count, lengths[lengthsAt + field] as number)
    }
    return sum
  }

  /** What `weighted` is at most where these bounds hold (postings.ts). */
  weightedBound(bounds: readonly number[]): number {
    let sum = 0
    let at = 0
    for (let field = 0; field < this.#weights.length; field++) {
      let most = 0
      let left = bounds[at++] as number
      for (; left > 0; left--, at += 2) {
        const part = this.#part(field, bounds[at] as number, bounds[at + 1] as number)
        if (part > most) most = part
      }
      sum += most
    }
    return sum
  }

  /** The score of that much, for a term of that worth. Grows with `weighted`. */
  score(worth: number, weighted: number): number {
    return (worth * (weighted * (k1 + 1))) / (k1 + weighted)
  }

  #part(field: number, count: number, length: number): number {
    const average = this.#averages[field] as number
    return ((this.#weights[field] as number) * count) / (1 - b + (b * length) / average)
  }
}
