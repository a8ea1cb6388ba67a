/** What a store counts as it goes: numbers that only grow, an addition each; `metrics` reads them. */
import type { Code } from '../base/errors.js'

/** The counters of one store. */
export class Counts {
  /** Writes that took effect or found that nothing was to be done; a batch is one, a repetition one more. */
  writes = 0
  /** Reads that were begun: of one document or of many. */
  reads = 0
  /** Questions to indexes that were begun. */
  questions = 0
  /** Requests that the store refused, by code. */
  readonly refusals = new Map<Code, number>()

  refused(code: Code): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
  }
}
