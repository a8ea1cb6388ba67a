/**
 * Where a text has what a question asks for: ranges of the original text, and the text as HTML with marks.
 *
 * Marked are words with a stem of the question, runs that contain one of the question's, with or without its
 * particles, what begins as a word that is being typed does, and quoted phrases as a whole. What only adds
 * to a score, a part of a run, is not. Ranges cover whole characters of the original, however they were
 * composed.
 */
import { type AnalysisOptions, charactersOf, rankedLength, rankedStem, wordOf } from './analysis.js'
import { type CharacterClass, classes } from './characters.js'
import { isStopWord } from './english.js'
import { type FoldedText, foldText } from './folded-text.js'
import { type QuestionRun, questionRuns, typedCharacter } from './question.js'
import { eachRun } from './script-runs.js'

/** A range of UTF-16 units: from `start` to before `end`. */
export interface MarkedRange {
  readonly start: number
  readonly end: number
}

/** How marks are written; `snippetUnits`: the text is cut to about so many units around the first marks. */
export interface MarkOptions {
  readonly open?: string
  readonly close?: string
  readonly snippetUnits?: number
}

/** A run of the text. */
interface TextRun {
  readonly is: CharacterClass
  readonly from: number
  readonly to: number
  readonly text: string
}

/** Takes a range of the folded text. */
type RangeTaker = (from: number, to: number) => void

/** What is to be marked for one question; made once, used for many texts. */
export class Highlighter {
  readonly #runs: readonly QuestionRun[]
  readonly #phrases: readonly (readonly QuestionRun[])[]
  readonly #options: AnalysisOptions
  readonly #hasContent: boolean

  constructor(text: string, prefix = false, options: AnalysisOptions = {}) {
    const runs = questionRuns(text, prefix)
    this.#runs = runs.filter(({ phrase }) => phrase === 0)
    const count = Math.max(0, ...runs.map(({ phrase }) => phrase))
    const phrases = Array.from({ length: count }, (_, n) => runs.filter(({ phrase }) => phrase === n + 1))
    this.#phrases = phrases.filter(({ length }) => length > 0)
    this.#options = options
    this.#hasContent = runs.some(run => !isWordClass(run.is) || run.isPrefix || !isStopWord(run.text))
  }

  /** The ranges of a text, ascending; they do not touch. */
  ranges(original: string): MarkedRange[] {
    const folded = foldText(original)
    const runs: TextRun[] = []
    eachRun(folded.text, (is, from, to) => {
      const text = isWordClass(is) ? wordOf(folded.text, from, to) : folded.text.slice(from, to)
      runs.push({ is, from, to, text })
    })
    const found: MarkedRange[] = []
    const take: RangeTaker = (from, to) => void found.push(originalRange(folded, from, to))
    for (const asked of this.#runs) {
      for (const run of runs) {
        if (isWordClass(asked.is)) this.#markWord(asked, run, take)
        else if (asked.is === run.is) this.#markRun(asked, run, take)
      }
    }
    for (const phrase of this.#phrases) markPhrase(phrase, runs, take)
    return merged(found)
  }

  /** The text as HTML: everything escaped, ranges between the marks. */
  html(original: string, options: MarkOptions = {}): string {
    const { open = '<mark>', close = '</mark>', snippetUnits } = options
    const ranges = this.ranges(original)
    const { start, end } = snippetOf(original, ranges, snippetUnits)
    let html = start > 0 ? '…' : ''
    let at = start
    for (const range of ranges) {
      if (range.end <= start || range.start >= end) continue
      html += escaped(original.slice(at, range.start))
      html += open + escaped(original.slice(range.start, Math.min(end, range.end))) + close
      at = Math.min(end, range.end)
    }
    return html + escaped(original.slice(at, end)) + (end < original.length ? '…' : '')
  }

  #markWord(asked: QuestionRun, run: TextRun, take: RangeTaker): void {
    if (!isWordClass(run.is)) return
    if (asked.isPrefix) {
      if (run.text.startsWith(asked.text)) take(run.from, run.to)
      return
    }
    const stem = rankedStem(asked.text, this.#options)
    const isSame =
      stem === undefined
        ? !this.#hasContent && run.text === asked.text
        : rankedStem(run.text, this.#options) === stem
    if (isSame) take(run.from, run.to)
  }

  #markRun(asked: QuestionRun, run: TextRun, take: RangeTaker): void {
    const characters = charactersOf(asked.text)
    if (asked.isPrefix) {
      markTyped(characters, run, take)
      return
    }
    const isHangul = asked.is === classes.hangul
    const ranked = rankedLength(asked.text, characters.length, isHangul, asked.touches)
    if (ranked === 0) return
    // In passing, one character is a word of its own.
    if (characters.length === 1 && this.#runs.length > 1) {
      if (run.text === asked.text) take(run.from, run.to)
      return
    }
    markPieces(asked.text, run, take)
    if (ranked < characters.length) {
      const stem = characters.slice(0, ranked)
      markPieces(typeof stem === 'string' ? stem : stem.join(''), run, take)
    }
  }
}

function isWordClass(is: CharacterClass): boolean {
  return is === classes.latin || is === classes.other
}

function markPieces(piece: string, run: TextRun, take: RangeTaker): void {
  for (let at = run.text.indexOf(piece); at >= 0; at = run.text.indexOf(piece, at + 1)) {
    take(run.from + at, run.from + at + piece.length)
  }
}

/** Pieces whose last character is what is typed so far, or what it may become. */
function markTyped(characters: string | readonly string[], run: TextRun, take: RangeTaker): void {
  const all = [...characters]
  const last = all.pop() ?? ''
  const head = all.join('')
  const [least, above] = typedCharacter(last)
  for (let at = run.text.indexOf(head); at >= 0; at = run.text.indexOf(head, at + 1)) {
    const place = at + head.length
    if (place >= run.text.length) return
    const next = String.fromCodePoint(run.text.codePointAt(place) ?? 0)
    if (next === least || (above !== undefined && next >= least && next < above)) {
      take(run.from + at, run.from + place + next.length)
    }
  }
}

/**
 * The phrase's runs side by side; the first may end a run, the last may begin one, one alone stands anywhere.
 */
function markPhrase(phrase: readonly QuestionRun[], runs: readonly TextRun[], take: RangeTaker): void {
  const [only, ...others] = phrase
  if (only === undefined) return
  if (others.length === 0 && !isWordClass(only.is)) {
    for (const run of runs) if (run.is === only.is) markPieces(only.text, run, take)
    return
  }
  for (let at = 0; at + phrase.length <= runs.length; at++) {
    const isThere = phrase.every((asked, n) => {
      const run = runs[at + n] as TextRun
      if (run.is !== asked.is) return false
      if (isWordClass(asked.is)) return run.text === asked.text
      if (n === 0) return run.text.endsWith(asked.text)
      return n === phrase.length - 1 ? run.text.startsWith(asked.text) : run.text === asked.text
    })
    if (!isThere) continue
    const [first, last] = [runs[at] as TextRun, runs[at + phrase.length - 1] as TextRun]
    const asked = phrase.at(-1) as QuestionRun
    const start = isWordClass(only.is) ? first.from : first.to - only.text.length
    take(start, isWordClass(asked.is) ? last.to : last.from + asked.text.length)
  }
}

function originalRange({ starts, ends }: FoldedText, from: number, to: number): MarkedRange {
  if (starts === undefined || ends === undefined) return { start: from, end: to }
  return { start: starts[from] as number, end: ends[to - 1] as number }
}

function merged(ranges: readonly MarkedRange[]): MarkedRange[] {
  const all: { start: number; end: number }[] = []
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = all.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else all.push({ start, end })
  }
  return all
}

/** The part of the text to show: from a little before the first mark, and no half of a character. */
function snippetOf(text: string, ranges: readonly MarkedRange[], units: number | undefined): MarkedRange {
  if (units === undefined || text.length <= units) return { start: 0, end: text.length }
  const first = ranges[0]?.start ?? 0
  let start = Math.max(0, Math.min(first - Math.floor(units / 4), text.length - units))
  let end = Math.min(text.length, start + units)
  if (isSecondHalf(text, start)) start--
  if (isSecondHalf(text, end)) end--
  return { start, end }
}

function isSecondHalf(text: string, at: number): boolean {
  const unit = text.charCodeAt(at)
  return at > 0 && at < text.length && unit >= 0xdc00 && unit <= 0xdfff
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? character)
}
