/**
 * Analysis: the terms that a text has. The same for documents and questions; a question is taken apart by the
 * same runs (question.ts).
 *
 * Three kinds of terms:
 *
 *   word   a run of Latin letters and digits, or of another alphabet, as it stands (folded); with its place
 *   stem   what ranking counts of a word: its English stem, unless it is a stop word; and of a run of one
 *          character, without particles and endings, that character. Without place
 *   gram   two neighbours of a run of Hangul, Han or kana, and its last character alone; with its place.
 *          Ranking counts those of the run without particles and endings
 *
 * So a run contains a piece of two or more characters where its grams stand side by side, and a single
 * character where a gram begins with it. Between runs one place is free, so nothing is found across them.
 */
import { classes } from './characters.js'
import { isStopWord, stemOf } from './english.js'
import { foldText } from './folded-text.js'
import { isParticle, stemLength } from './korean.js'
import { eachRun } from './script-runs.js'

/** Number of what all this means; part of the index type's version. */
export const analysisVersion = 3

/** The first character of a term says of which kind it is. */
export const termKinds = { gram: 'g', stem: 's', word: 'w' } as const

/** Units of a word that count: words that agree so far are one. */
export const wordUnitsMax = 64

/** A gap that no phrase spans, between two texts of one document. */
const textGap = 8

/** Takes terms. Places ascend from call to call, except that a stem has none: -1. */
export interface TermTaker {
  /** `ranked`: ranking counts it. */
  take(term: string, place: number, ranked: boolean): void
  /**
   * Takes a gram of two syllables of Hangul, by their code units, or of the last one of a run alone: 0
   * follows it. Without it `take` gets these too.
   */
  takeSyllables?(first: number, second: number, place: number, ranked: boolean): void
  /**
   * Takes a word as it stands in a folded text, ranked, and its stem if it has one. Without it `take` gets
   * both.
   */
  takeWord?(folded: string, from: number, to: number, place: number): void
}

/** What analysis is done without, to measure what it is worth. */
export interface AnalysisOptions {
  /** No stop words and no English stems. */
  readonly plain?: boolean
}

/**
 * Hands out the terms of a text, the first at `place` or after it; returns the place where the next text of
 * the document may begin.
 */
export function eachTerm(
  text: string,
  place: number,
  taker: TermTaker,
  options: AnalysisOptions = {},
): number {
  const folded = foldText(text).text
  let at = place
  eachRun(folded, (is, from, to, touches) => {
    if (is === classes.latin || is === classes.other) {
      const end = wordEnd(folded, from, to)
      if (taker.takeWord !== undefined) {
        taker.takeWord(folded, from, end, at)
        at += 2
        return
      }
      const word = wordOf(folded, from, end)
      taker.take(termKinds.word + word, at, true)
      const stem = rankedStem(word, options)
      if (stem !== undefined) taker.take(termKinds.stem + stem, -1, true)
      at += 2
      return
    }
    const run = folded.slice(from, to)
    if (is === classes.hangul && taker.takeSyllables !== undefined && isSyllables(run)) {
      takeSyllables(run, rankedLength(run, run.length, true, touches), at, taker)
      at += run.length + 1
      return
    }
    const characters = charactersOf(run)
    const ranked = rankedLength(run, characters.length, is === classes.hangul, touches)
    takeGrams(characters, ranked, at, taker)
    at += characters.length + 1
  })
  return at + textGap
}

/** The word of a run: with plain apostrophes, cut to `wordUnitsMax`. */
export function wordOf(folded: string, from: number, to: number): string {
  const word = folded.slice(from, wordEnd(folded, from, to))
  return word.includes('\u2019') ? word.replaceAll('\u2019', "'") : word
}

/** Where a word is cut: never inside a character. */
function wordEnd(folded: string, from: number, to: number): number {
  const end = from + wordUnitsMax
  if (end >= to) return to
  return isHighSurrogate(folded.charCodeAt(end - 1)) ? end - 1 : end
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** What ranking counts of a word; undefined for a stop word. */
export function rankedStem(word: string, { plain = false }: AnalysisOptions = {}): string | undefined {
  if (plain) return word
  return isStopWord(word) ? undefined : stemOf(word)
}

/** The characters of a run, each a code point. */
export function charactersOf(run: string): string | readonly string[] {
  for (let at = 0; at < run.length; at++) {
    if (isHighSurrogate(run.charCodeAt(at))) return [...run]
  }
  return run
}

/** How many of the first characters of a run ranking counts. */
export function rankedLength(run: string, length: number, isHangul: boolean, touches: boolean): number {
  if (!isHangul) return length
  return touches && isParticle(run) ? 0 : stemLength(run)
}

function takeGrams(
  characters: string | readonly string[],
  ranked: number,
  place: number,
  taker: TermTaker,
): void {
  const { length } = characters
  for (let at = 0; at + 1 < length; at++) {
    const gram = termKinds.gram + (characters[at] as string) + (characters[at + 1] as string)
    taker.take(gram, place + at, at + 2 <= ranked)
  }
  taker.take(termKinds.gram + (characters[length - 1] as string), place + length - 1, false)
  if (ranked === 1) taker.take(termKinds.stem + (characters[0] as string), -1, true)
}

function isSyllables(run: string): boolean {
  for (let at = 0; at < run.length; at++) {
    const unit = run.charCodeAt(at)
    if (unit < 0xac00 || unit > 0xd7a3) return false
  }
  return true
}

function takeSyllables(run: string, ranked: number, place: number, taker: TermTaker): void {
  const last = run.length - 1
  for (let at = 0; at < last; at++) {
    taker.takeSyllables?.(run.charCodeAt(at), run.charCodeAt(at + 1), place + at, at + 2 <= ranked)
  }
  taker.takeSyllables?.(run.charCodeAt(last), 0, place + last, false)
  if (ranked === 1) taker.take(termKinds.stem + run.charAt(0), -1, true)
}
