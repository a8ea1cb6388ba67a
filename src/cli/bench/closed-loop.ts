/**
 * The load of a benchmark: so many loops, each waiting for its own operation before it begins the next.
 *
 * A warm-up comes first and is not counted; what is in flight when it ends counts for neither side. The loops
 * add a reading of the clock to each operation and nothing else.
 */
import { type Code, isSillokError } from '../../base/errors.js'
import type { Clock } from '../../env/clock.js'
import { Latencies } from './latencies.js'

/** What a run measured. */
export interface LoadResult {
  readonly opsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Failed operations by code; none is empty. */
  readonly errors: Readonly<Record<string, number>>
}

/** The load, and how long it lasts. */
export interface LoadOptions {
  readonly clock: Clock
  readonly concurrency: number
  readonly durationMs: number
  readonly warmUpMs: number
  /** One operation. */
  readonly operation: () => Promise<unknown>
}

/** Runs the load and answers what was measured. Rejects with the first failure that is no SillokError. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { clock, concurrency, durationMs, warmUpMs, operation } = options
  const latencies = new Latencies()
  const errors = new Map<Code, number>()
  const fromMs = clock.monotonicMs() + warmUpMs
  const untilMs = fromMs + durationMs
  const loop = async (): Promise<void> => {
    let startMs = clock.monotonicMs()
    while (startMs < untilMs) {
      try {
        await operation()
      } catch (error) {
        if (!isSillokError(error)) throw error
        errors.set(error.code, (errors.get(error.code) ?? 0) + 1)
      }
      const endMs = clock.monotonicMs()
      if (startMs >= fromMs && endMs <= untilMs) latencies.add(endMs - startMs)
      startMs = endMs
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  return {
    opsPerSecond: Math.round((latencies.count * 1000) / durationMs),
    p50Ms: latencies.percentile(0.5),
    p99Ms: latencies.percentile(0.99),
    errors: Object.fromEntries(errors),
  }
}
