/** Spans of simulated time. */
import type { Random } from '../base/random.js'

/** Milliseconds: at least, at most. */
export type Span = readonly [number, number]

/** A time of the span, mostly near its beginning. */
export function drawMs(random: Random, [from, to]: Span): number {
  return from + (to - from) * random.fraction() ** 3
}
