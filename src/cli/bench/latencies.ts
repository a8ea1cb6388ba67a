/** Latencies of many operations: all are kept, so that percentiles are exact. Eight bytes each. */

/** A growing list of milliseconds. */
export class Latencies {
  #values = new Float64Array(4096)
  #count = 0
  #isSorted = true

  /** How many there are. */
  get count(): number {
    return this.#count
  }

  add(ms: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.#count++] = ms
    this.#isSorted = false
  }

  /**
   * The smallest latency that at least this share (0 to 1) does not exceed, in microsecond steps; 0 if none.
   */
  percentile(share: number): number {
    if (!this.#isSorted) this.#values.subarray(0, this.#count).sort()
    this.#isSorted = true
    const place = Math.min(this.#count - 1, Math.max(0, Math.ceil(share * this.#count) - 1))
    return Math.round((this.#values[place] ?? 0) * 1000) / 1000
  }
}
