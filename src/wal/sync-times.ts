/** How long the last batches took to become durable: a ring of samples, quantiles on demand. */

const samplesMax = 1024

/** Milliseconds of the last batches, and how many there were in all. */
export interface SyncStatus {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** The last 1,024 samples. */
export class SyncTimes {
  readonly #samples: number[] = []
  #count = 0

  add(ms: number): void {
    this.#samples[this.#count % samplesMax] = ms
    this.#count++
  }

  /** Zeros if there was no batch. */
  status(): SyncStatus {
    const sorted = this.#samples.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
    return { count: this.#count, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }
}
