/**
 * What the documents of one batch say: which term, in which document and field, at which place.
 *
 * Each stands in columns of numbers, in the order in which it came: so by ascending ordinals and places.
 */
import { assert } from '../../base/assert.js'
import { type AnalysisOptions, eachTerm, rankedStem, type TermTaker, termKinds, wordOf } from './analysis.js'
import { isSyllable, SyllableIds } from './syllable-ids.js'
import { grown, WordIds } from './word-ids.js'

/** In a number of `from`: above these bits the ordinal; the bits are the field, and whether it is ranked. */
export const ordinalBits = 9
/** Set for what ranking counts; the field stands below it. */
export const rankedFlag = 0x100
const ordinalsMax = 2 ** (31 - ordinalBits)

const noStem = -1

/** Takes documents apart. */
export class SaidTerms implements TermTaker {
  readonly #fieldCount: number
  readonly #options: AnalysisOptions
  /** Terms that are no grams of syllables. */
  readonly texts = new Map<string, number>()
  readonly syllables = new SyllableIds()
  readonly #words = new WordIds()
  /** By number of the word: the ids of the word and of its stem. */
  #wordTerms = new Int32Array(1 << 11)
  #stemTerms = new Int32Array(1 << 11)
  /** Ids given so far. */
  idCount = 0
  /** By id: documents of other segments that went and had the term. */
  went = new Int32Array(1 << 12)
  /** One of each for every time a term was said. */
  terms = new Int32Array(1 << 15)
  from = new Int32Array(1 << 15)
  places = new Int32Array(1 << 15)
  size = 0
  /** Above the bits of a field. */
  #ordinal = 0
  #field = 0
  #lengths: number[] = []
  /** While a document that goes is taken apart: its terms. */
  #going: Set<number> | undefined

  constructor(fieldCount: number, options: AnalysisOptions) {
    this.#fieldCount = fieldCount
    this.#options = options
  }

  /**
   * Takes a document's texts, and returns its length in each field; undefined if it has no term: then
   * nothing is taken.
   */
  add(ordinal: number, texts: readonly (readonly string[])[]): readonly number[] | undefined {
    const before = this.size
    assert(ordinal < ordinalsMax, () => `${ordinal} documents in one batch of a search index`)
    this.#ordinal = ordinal << ordinalBits
    const lengths = this.#analyse(texts)
    return this.size === before ? undefined : lengths
  }

  /** A document of another segment goes; returns the length that it had in each field. */
  remove(texts: readonly (readonly string[])[]): readonly number[] {
    const going = new Set<number>()
    this.#going = going
    try {
      const lengths = this.#analyse(texts)
      for (const id of going) this.went[id] = (this.went[id] as number) + 1
      return lengths
    } finally {
      this.#going = undefined
    }
  }

  take(term: string, place: number, ranked: boolean): void {
    this.#say(this.#idOf(term), place, ranked, ranked && term.charCodeAt(0) !== wordCode)
  }

  takeWord(folded: string, from: number, to: number, place: number): void {
    const words = this.#words
    const known = words.count
    const word = words.idOf(folded, from, to)
    if (word === known) this.#learn(word, wordOf(folded, from, to))
    this.#say(this.#wordTerms[word] as number, place, true, false)
    const stem = this.#stemTerms[word] as number
    if (stem !== noStem) this.#say(stem, -1, true, true)
  }

  takeSyllables(first: number, second: number, place: number, ranked: boolean): void {
    this.#say(this.#idOfSyllables(first, second), place, ranked, ranked)
  }

  #analyse(texts: readonly (readonly string[])[]): readonly number[] {
    const lengths = new Array<number>(this.#fieldCount).fill(0)
    this.#lengths = lengths
    let place = 0
    for (let field = 0; field < texts.length; field++) {
      this.#field = field
      for (const text of texts[field] as readonly string[]) {
        place = eachTerm(text, place, this, this.#options)
      }
    }
    return lengths
  }

  /** `counted`: it makes the text longer to ranking. */
  #say(id: number, place: number, ranked: boolean, counted: boolean): void {
    const field = this.#field
    if (counted) this.#lengths[field] = (this.#lengths[field] as number) + 1
    if (this.#going !== undefined) {
      this.#going.add(id)
      return
    }
    if (this.size === this.terms.length) this.#grow()
    const at = this.size++
    this.terms[at] = id
    this.from[at] = this.#ordinal | (ranked ? field | rankedFlag : field)
    this.places[at] = place
  }

  #learn(number: number, word: string): void {
    if (number === this.#wordTerms.length) {
      this.#wordTerms = grown(this.#wordTerms)
      this.#stemTerms = grown(this.#stemTerms)
    }
    const stem = rankedStem(word, this.#options)
    this.#wordTerms[number] = this.#idOf(termKinds.word + word)
    this.#stemTerms[number] = stem === undefined ? noStem : this.#idOf(termKinds.stem + stem)
  }

  #idOf(term: string): number {
    if (term.charCodeAt(0) === gramCode && term.length <= 3) {
      const first = term.charCodeAt(1)
      const second = term.length === 2 ? 0 : term.charCodeAt(2)
      if (isSyllable(first) && (second === 0 || isSyllable(second))) return this.#idOfSyllables(first, second)
    }
    const known = this.texts.get(term)
    if (known !== undefined) return known
    this.texts.set(term, this.idCount)
    return this.#newId()
  }

  #idOfSyllables(first: number, second: number): number {
    const id = this.syllables.idOf(first, second, this.idCount)
    return id === this.idCount ? this.#newId() : id
  }

  #newId(): number {
    if (this.idCount === this.went.length) this.went = grown(this.went)
    return this.idCount++
  }

  #grow(): void {
    this.terms = grown(this.terms)
    this.from = grown(this.from)
    this.places = grown(this.places)
  }
}

const wordCode = termKinds.word.charCodeAt(0)
const gramCode = termKinds.gram.charCodeAt(0)
