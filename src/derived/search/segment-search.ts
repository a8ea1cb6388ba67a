/**
 * A question to one segment: documents that match are scored, and the best offered to the top hits.
 *
 * Without required clauses the lists of terms are walked side by side. Terms whose scores together cannot
 * reach the worst of the top hits bring no candidates (MaxScore), and blocks whose bounds cannot are stepped
 * over. What is left out could not have been among the top hits, so the answer is the same as without. A
 * score is always summed in the order of the terms, however it was found.
 */
import { type Bm25, roundingSlack } from './bm25.js'
import type { Matcher } from './matcher.js'
import { noOrdinal, type PostingCursor } from './posting-cursor.js'
import type { SegmentReader } from './segment-reader.js'
import type { Pause } from './sorted-texts.js'
import type { TopHits } from './top-hits.js'

/** A list that ranks, and what its term is worth. */
export interface RankedList {
  readonly cursor: PostingCursor
  readonly worth: number
}

/** What is asked of one segment. */
export interface SegmentQuestion {
  readonly reader: SegmentReader
  readonly bm25: Bm25
  /** In the order in which scores are summed. */
  readonly lists: readonly RankedList[]
  /** All must match. */
  readonly required: readonly Matcher[]
  /** Where none is required: one of these must; undefined: each document of a list does. */
  readonly optional: readonly Matcher[] | undefined
  /** By ordinal: false for documents that do not count. */
  readonly counts: (ordinal: number) => boolean
}

/** Documents, or steps to the next one, between two looks at the clock. */
export const seenPerLook = 256

/** Offers all documents that match and may be among the best. */
export async function searchSegment(question: SegmentQuestion, top: TopHits, pause: Pause): Promise<void> {
  if (question.required.length > 0) await searchRequired(question, top, pause)
  else if (question.lists.length > 0) await new MaxScore(question, top, pause).run()
}

/** True if a document matches all required clauses, of which there is one at least, and counts. */
export async function hasRequired(question: SegmentQuestion, pause: Pause): Promise<boolean> {
  let isThere = false
  await eachRequired(question, pause, () => {
    isThere = true
    return false
  })
  return isThere
}

async function searchRequired(question: SegmentQuestion, top: TopHits, pause: Pause): Promise<void> {
  const { reader, bm25, lists } = question
  const { lengths } = reader.documents
  await eachRequired(question, pause, ordinal => {
    let score = 0
    for (const { cursor, worth } of lists) {
      if (cursor.seek(ordinal) === ordinal) score += bm25.score(worth, cursor.weighted(bm25, lengths))
    }
    top.offer(score, reader, ordinal)
    return true
  })
}

/** Hands out the documents that match all required clauses and count, until `take` says false. */
async function eachRequired(
  { required, counts }: SegmentQuestion,
  pause: Pause,
  take: (ordinal: number) => boolean,
): Promise<void> {
  const [first] = required
  let ordinal = first?.candidate(0) ?? noOrdinal
  for (let seen = 1; ordinal !== noOrdinal; seen++) {
    if (counts(ordinal) && required.every(matcher => matcher.matches(ordinal)) && !take(ordinal)) return
    const late = seen % seenPerLook === 0 ? pause() : undefined
    if (late !== undefined) await late
    ordinal = first?.candidate(ordinal + 1) ?? noOrdinal
  }
}

class MaxScore {
  readonly #question: SegmentQuestion
  readonly #top: TopHits
  readonly #pause: Pause
  readonly #lengths: Uint32Array
  /** Places in `lists`, by what they can give at most; the least first. */
  readonly #order: readonly number[]
  /** What the lists of `order` up to there can give together at most. */
  readonly #sums: Float64Array
  readonly #parts: Float64Array
  /** From here on in `order`, lists bring candidates. */
  #first = 0

  constructor(question: SegmentQuestion, top: TopHits, pause: Pause) {
    this.#question = question
    this.#pause = pause
    this.#top = top
    this.#lengths = question.reader.documents.lengths
    const most = question.lists.map(({ cursor, worth }) =>
      question.bm25.score(worth, cursor.boundOfAll(question.bm25, this.#lengths)),
    )
    this.#order = most.map((_, at) => at).sort((a, b) => (most[a] as number) - (most[b] as number) || a - b)
    this.#sums = new Float64Array(most.length)
    this.#parts = new Float64Array(most.length)
    let sum = 0
    for (const [n, at] of this.#order.entries()) {
      sum += most[at] as number
      this.#sums[n] = sum * roundingSlack
    }
  }

  async run(): Promise<void> {
    let target = 0
    let windowEnd = -1
    for (let seen = 1; ; seen++) {
      const late = seen % seenPerLook === 0 ? this.#pause() : undefined
      if (late !== undefined) await late
      this.#leaveOut()
      if (this.#first >= this.#order.length) return
      if (target > windowEnd) {
        const { end, bound } = this.#window(target)
        windowEnd = end
        if (bound < this.#top.threshold) {
          if (end === noOrdinal) return
          target = end + 1
          continue
        }
      }
      const ordinal = this.#candidate(target)
      if (ordinal === noOrdinal) return
      if (ordinal > windowEnd) {
        target = ordinal
        continue
      }
      if (this.#question.counts(ordinal)) this.#try(ordinal)
      target = ordinal + 1
    }
  }

  /** Lists that cannot reach the top hits by themselves bring no candidates. */
  #leaveOut(): void {
    const { threshold } = this.#top
    while (this.#first < this.#order.length && (this.#sums[this.#first] as number) < threshold) this.#first++
  }

  /** As far as no list goes on to its next block, and what any document there can reach. */
  #window(target: number): { end: number; bound: number } {
    const { lists, bm25 } = this.#question
    let end = noOrdinal
    let bound = this.#first === 0 ? 0 : (this.#sums[this.#first - 1] as number)
    for (let n = this.#first; n < this.#order.length; n++) {
      const { cursor, worth } = lists[this.#order[n] as number] as RankedList
      const block = cursor.blockOf(target)
      const last = cursor.lastOf(block)
      if (last < end) end = last
      bound += bm25.score(worth, cursor.bound(block, bm25, this.#lengths))
    }
    return { end, bound: bound * roundingSlack }
  }

  #candidate(target: number): number {
    let ordinal = noOrdinal
    for (let n = this.#first; n < this.#order.length; n++) {
      const { cursor } = this.#question.lists[this.#order[n] as number] as RankedList
      const found = cursor.seek(target)
      if (found < ordinal) ordinal = found
    }
    return ordinal
  }

  #try(ordinal: number): void {
    const { lists, bm25, optional, reader } = this.#question
    const parts = this.#parts.fill(0)
    let sum = 0
    for (let n = this.#order.length - 1; n >= 0; n--) {
      if (n < this.#first && (sum + (this.#sums[n] as number)) * roundingSlack < this.#top.threshold) return
      const at = this.#order[n] as number
      const { cursor, worth } = lists[at] as RankedList
      if (cursor.seek(ordinal) !== ordinal) continue
      const part = bm25.score(worth, cursor.weighted(bm25, this.#lengths))
      parts[at] = part
      sum += part
    }
    let score = 0
    for (const part of parts) score += part
    if (score < this.#top.threshold) return
    if (optional?.some(matcher => matcher.matches(ordinal)) === false) return
    this.#top.offer(score, reader, ordinal)
  }
}
