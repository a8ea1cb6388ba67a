/**
 * Which documents of one segment have what a clause asks for.
 */
import { must } from '../../base/assert.js'
import { noOrdinal, type PostingCursor } from './posting-cursor.js'

/** Documents that match, visited by ascending ordinals. */
export interface Matcher {
  /** The first one that may match, at or above `target`: none before it does. */
  candidate(target: number): number
  matches(ordinal: number): boolean
}

/** Documents that have a term. */
export class TermMatcher implements Matcher {
  readonly #cursor: PostingCursor

  constructor(cursor: PostingCursor) {
    this.#cursor = cursor
  }

  candidate(target: number): number {
    return this.#cursor.seek(target)
  }

  matches(ordinal: number): boolean {
    return this.#cursor.seek(ordinal) === ordinal
  }
}

/** Documents that have several terms, each so far behind the first. */
export class PhraseMatcher implements Matcher {
  readonly #cursors: readonly PostingCursor[]
  readonly #offsets: readonly number[]
  /** The document that was looked at last, for the places of one can be read once. */
  #looked = -1
  #matched = false

  constructor(cursors: readonly PostingCursor[], offsets: readonly number[]) {
    this.#cursors = cursors
    this.#offsets = offsets
  }

  /** The first document that has all terms. */
  candidate(target: number): number {
    let ordinal = target
    for (let agreed = 0, n = 0; agreed < this.#cursors.length; n = (n + 1) % this.#cursors.length) {
      const found = must(this.#cursors[n], 'a cursor').seek(ordinal)
      if (found === noOrdinal) return noOrdinal
      agreed = found === ordinal ? agreed + 1 : 1
      ordinal = found
    }
    return ordinal
  }

  matches(ordinal: number): boolean {
    for (const cursor of this.#cursors) if (cursor.seek(ordinal) !== ordinal) return false
    return this.#look(ordinal)
  }

  #look(ordinal: number): boolean {
    if (this.#looked === ordinal) return this.#matched
    this.#looked = ordinal
    let starts: number[] | undefined
    for (const [n, cursor] of this.#cursors.entries()) {
      const places = cursor.places()
      const offset = this.#offsets[n] as number
      starts = starts === undefined ? places.map(place => place - offset) : agreeing(starts, places, offset)
    }
    this.#matched = starts !== undefined && starts.length > 0
    return this.#matched
  }
}

/** Those starts that have a place so far behind them. Both ascend. */
function agreeing(starts: readonly number[], places: readonly number[], offset: number): number[] {
  const kept: number[] = []
  let at = 0
  for (const start of starts) {
    while (at < places.length && (places[at] as number) < start + offset) at++
    if (places[at] === start + offset) kept.push(start)
  }
  return kept
}
