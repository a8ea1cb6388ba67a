/**
 * Whether a phrase in which a term comes more than once stands somewhere in a document: in one pass over the
 * places of its terms, whatever the phrase repeats. To look for one occurrence after the other takes places
 * times occurrences, and both may be many: a text of one syllable, asked for a piece of itself.
 *
 * A bit for each offset of the phrase says that all up to there agree with what stands before this place
 * (Baeza-Yates and Gonnet, "A New Approach to Text Searching", 1992).
 */
import { must } from '../../base/assert.js'

/** A term of a phrase in one document: where it stands there, and where the phrase has it. Both ascend. */
export interface RepeatingTerm {
  readonly places: readonly number[]
  readonly offsets: readonly number[]
}

/** True if somewhere each term stands at each of its offsets from there. */
export function standsSomewhere(terms: readonly RepeatingTerm[]): boolean {
  const first = Math.min(...terms.map(({ offsets }) => must(offsets[0], 'an offset')))
  const length = Math.max(...terms.map(({ offsets }) => must(offsets.at(-1), 'an offset'))) - first + 1
  const words = Math.ceil(length / 32)
  /** Offsets of no term: anything may stand there. */
  const free = new Int32Array(words).fill(-1)
  const masks = terms.map(({ offsets }) => {
    const mask = new Int32Array(words)
    for (const from of offsets) {
      const offset = from - first
      mask[offset >> 5] = (mask[offset >> 5] as number) | (1 << (offset & 31))
      free[offset >> 5] = (free[offset >> 5] as number) & ~(1 << (offset & 31))
    }
    return mask
  })
  const agreed = new Int32Array(words)
  const allowed = new Int32Array(words)
  let last = -1
  for (const [place, present] of byPlace(terms)) {
    for (let gap = Math.min(place - last - 1, length); gap > 0; gap--) if (!advance(agreed, free)) break
    last = place
    allowed.set(free)
    for (const term of present) {
      const mask = must(masks[term], 'a term')
      for (let n = 0; n < words; n++) allowed[n] = (allowed[n] as number) | (mask[n] as number)
    }
    advance(agreed, allowed)
    if (((agreed[(length - 1) >> 5] as number) & (1 << ((length - 1) & 31))) !== 0) return true
  }
  return false
}

/** One place further: false if nothing agrees any more. */
function advance(agreed: Int32Array, allowed: Int32Array): boolean {
  let carry = 1
  let any = 0
  for (let n = 0; n < agreed.length; n++) {
    const before = agreed[n] as number
    const after = ((before << 1) | carry) & (allowed[n] as number)
    carry = before >>> 31
    agreed[n] = after
    any |= after
  }
  return any !== 0
}

/** The places of all terms in order, each with the terms that stand there. */
function* byPlace(terms: readonly RepeatingTerm[]): Iterable<[place: number, present: readonly number[]]> {
  const count = terms.length
  const all = new Float64Array(terms.reduce((sum, { places }) => sum + places.length, 0))
  let at = 0
  for (const [term, { places }] of terms.entries())
    for (const place of places) all[at++] = place * count + term
  if (count > 1) all.sort()
  for (let from = 0; from < all.length; ) {
    const place = Math.floor((all[from] as number) / count)
    const present: number[] = []
    for (; from < all.length && Math.floor((all[from] as number) / count) === place; from++) {
      present.push((all[from] as number) % count)
    }
    yield [place, present]
  }
}
