/**
 * Which documents of one segment have what a clause asks for.
 */
import { must } from '../../base/assert.js'
import { noOrdinal, type PostingCursor } from './posting-cursor.js'
import { type RepeatingTerm, standsSomewhere } from './repeating-phrase.js'

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

/** A term of a phrase, and how far behind the beginning of the phrase it stands: ascending. */
export interface PhraseTerm {
  readonly cursor: PostingCursor
  readonly offsets: readonly number[]
}

/** Documents that have several terms, each at its offsets from one place. */
export class PhraseMatcher implements Matcher {
  readonly #terms: readonly PhraseTerm[]
  /** The document that was looked at last, for the places of one can be read once. */
  #looked = -1
  #matched = false

  /** Each term once. */
  constructor(terms: readonly PhraseTerm[]) {
    this.#terms = terms
  }

  /** The first document that has all terms. */
  candidate(target: number): number {
    let ordinal = target
    for (let agreed = 0, n = 0; agreed < this.#terms.length; n = (n + 1) % this.#terms.length) {
      const found = must(this.#terms[n], 'a term').cursor.seek(ordinal)
      if (found === noOrdinal) return noOrdinal
      agreed = found === ordinal ? agreed + 1 : 1
      ordinal = found
    }
    return ordinal
  }

  matches(ordinal: number): boolean {
    for (const { cursor } of this.#terms) if (cursor.seek(ordinal) !== ordinal) return false
    return this.#look(ordinal)
  }

  #look(ordinal: number): boolean {
    if (this.#looked === ordinal) return this.#matched
    this.#looked = ordinal
    const isRepeating = this.#terms.some(({ offsets }) => offsets.length > 1)
    this.#matched = isRepeating ? standsSomewhere(this.#terms.map(placesOf)) : this.#standsOnce()
    return this.#matched
  }

  /** True if somewhere each term stands at its only offset. */
  #standsOnce(): boolean {
    let starts: number[] | undefined
    for (const { cursor, offsets } of this.#terms) {
      const places = cursor.places()
      const offset = must(offsets[0], 'an offset')
      starts = starts === undefined ? places.map(place => place - offset) : agreeing(starts, places, offset)
      if (starts.length === 0) return false
    }
    return true
  }
}

function placesOf({ cursor, offsets }: PhraseTerm): RepeatingTerm {
  return { places: cursor.places(), offsets }
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
