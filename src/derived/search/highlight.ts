/**
 * Where a text has what a question asks for, as ranges of the original text.
 *
 * Marked are words with a stem of the question, runs that contain one of the question's, with or without its
 * particles, what begins as a word that is being typed does, and quoted phrases as a whole: every document
 * that answers a question has a mark. What only adds to a score, a part of a run, is not marked. Ranges cover
 * whole characters of the original, however they were composed.
 *
 * What is looked for is kept by its first character, so the time grows with the text and not with the text
 * times the question.
 */
import { type AnalysisOptions, charactersOf, rankedLength, rankedStem, wordOf } from './analysis.js'
import { type CharacterClass, classes } from './characters.js'
import { type FoldedText, foldText } from './folded-text.js'
import type { MarkedRange } from './fragments.js'
import { isIdle, type QuestionRun, questionRuns, typedCharacter, typedForms } from './question.js'
import { eachRun } from './script-runs.js'

/** A run of the text. */
interface TextRun {
  readonly is: CharacterClass
  readonly from: number
  readonly to: number
  readonly text: string
  readonly touches: boolean
}

/** Takes a range of the folded text. */
type RangeTaker = (from: number, to: number) => void

/** The last character that is being typed: what stands before it, and what it may become. */
interface Typed {
  readonly head: string
  readonly least: string
  /** Undefined: only itself. */
  readonly above: string | undefined
}

/** How the question is meant: as in a `SearchQuery`. */
export interface HighlighterOptions extends AnalysisOptions {
  readonly match?: 'any' | 'all' | undefined
  readonly prefix?: boolean | undefined
}

/** What is to be marked for one question; made once, used for many texts. */
export class Highlighter {
  readonly #options: AnalysisOptions
  readonly #stems = new Set<string>()
  readonly #words = new Set<string>()
  /** By first unit: what words begin with. */
  readonly #beginnings = new Map<string, string[]>()
  /** By class and first unit: what stands anywhere in a run. */
  readonly #pieces = new Map<string, string[]>()
  /** By class: characters that ranking keeps alone of a run. */
  readonly #alone = new Set<string>()
  /** By class and first unit: what ends with a character that is being typed. */
  readonly #typed = new Map<string, Typed[]>()
  /** By class: such characters alone, as `typedName` names them. */
  readonly #typedAlone = new Set<string>()
  /** By the last unit of the first run: phrases of several runs, or of one word. */
  readonly #phrases = new Map<string, (readonly QuestionRun[])[]>()

  constructor(text: string, { match, prefix = false, ...options }: HighlighterOptions = {}) {
    this.#options = options
    const runs = questionRuns(text, prefix)
    const hasContent = runs.some(run => !isIdle(run, options))
    const isAnywhere = runs.length === 1 || match === 'all'
    for (const run of runs) {
      if (run.phrase > 0) continue
      if (isWordClass(run.is)) this.#addWord(run, hasContent)
      else this.#addRun(run, isAnywhere)
    }
    for (const phrase of phrasesOf(runs)) this.#addPhrase(phrase)
  }

  /** The ranges of a text, ascending; they do not touch. */
  ranges(original: string): MarkedRange[] {
    const folded = foldText(original)
    const runs: TextRun[] = []
    eachRun(folded.text, (is, from, to, touches) => {
      const text = isWordClass(is) ? wordOf(folded.text, from, to) : folded.text.slice(from, to)
      runs.push({ is, from, to, text, touches })
    })
    const found: MarkedRange[] = []
    const take: RangeTaker = (from, to) => void found.push(originalRange(folded, from, to))
    for (const [at, run] of runs.entries()) {
      if (isWordClass(run.is)) this.#markWord(run, take)
      else this.#markRun(run, take)
      for (const phrase of this.#phrases.get(run.text.slice(-1)) ?? []) markPhrase(phrase, runs, at, take)
    }
    return merged(found)
  }

  #addWord({ text, isPrefix }: QuestionRun, hasContent: boolean): void {
    const stem = rankedStem(text, this.#options)
    if (isPrefix) add(this.#beginnings, text.slice(0, 1), text)
    else if (stem !== undefined) this.#stems.add(stem)
    else if (!hasContent) this.#words.add(text)
  }

  #addRun({ is, text, isPrefix, touches }: QuestionRun, isAnywhere: boolean): void {
    const characters = charactersOf(text)
    if (isPrefix) {
      const last = characters[characters.length - 1] as string
      const [least, above] = typedCharacter(last)
      const head = text.slice(0, -last.length)
      if (head === '') this.#typedAlone.add(is + typedName(least, above))
      else add(this.#typed, is + head.charAt(0), { head, least, above })
      return
    }
    const ranked = rankedLength(text, characters.length, is === classes.hangul, touches)
    if (ranked === 0) return
    // In passing, one character is a word of its own.
    if (ranked === 1 && !isAnywhere) {
      this.#alone.add(`${is}${characters[0] as string}`)
      return
    }
    this.#addPiece(is, text)
    const stem = characters.slice(0, ranked)
    if (ranked < characters.length) this.#addPiece(is, typeof stem === 'string' ? stem : stem.join(''))
  }

  #addPhrase(phrase: readonly QuestionRun[]): void {
    const [first, ...others] = phrase
    if (first === undefined) return
    if (others.length === 0 && !isWordClass(first.is)) this.#addPiece(first.is, first.text)
    else add(this.#phrases, first.text.slice(-1), phrase)
  }

  #addPiece(is: CharacterClass, text: string): void {
    add(this.#pieces, is + text.slice(0, 1), text)
  }

  #markWord({ text, from, to }: TextRun, take: RangeTaker): void {
    const stem = rankedStem(text, this.#options)
    const isAsked =
      (stem !== undefined && this.#stems.has(stem)) ||
      this.#words.has(text) ||
      (this.#beginnings.get(text.slice(0, 1)) ?? []).some(beginning => text.startsWith(beginning))
    if (isAsked) take(from, to)
  }

  #markRun(run: TextRun, take: RangeTaker): void {
    const { is, text, from } = run
    if (this.#alone.size > 0) this.#markAlone(run, take)
    if (this.#pieces.size > 0) {
      for (let at = 0; at < text.length; at++) {
        for (const piece of this.#pieces.get(is + text.charAt(at)) ?? []) {
          if (text.startsWith(piece, at)) take(from + at, from + at + piece.length)
        }
      }
    }
    if (this.#typedAlone.size > 0) this.#markTypedAlone(run, take)
    if (this.#typed.size > 0) {
      for (let at = 0; at < text.length; at++) {
        for (const typed of this.#typed.get(is + text.charAt(at)) ?? []) markTyped(typed, run, at, take)
      }
    }
  }

  #markTypedAlone({ is, text, from }: TextRun, take: RangeTaker): void {
    for (let at = 0; at < text.length; ) {
      const next = characterAt(text, at)
      const isAsked = typedForms(next).some(form => this.#typedAlone.has(is + typedName(...form)))
      if (isAsked) take(from + at, from + at + next.length)
      at += next.length
    }
  }

  #markAlone({ is, text, from, touches }: TextRun, take: RangeTaker): void {
    const characters = charactersOf(text)
    const first = characters[0] as string
    if (!this.#alone.has(is + first)) return
    const ranked = rankedLength(text, characters.length, is === classes.hangul, touches)
    if (ranked === 1) take(from, from + first.length)
  }
}

function phrasesOf(runs: readonly QuestionRun[]): QuestionRun[][] {
  const phrases: QuestionRun[][] = []
  for (const run of runs) {
    if (run.phrase === 0) continue
    const phrase = phrases[run.phrase - 1]
    if (phrase === undefined) phrases[run.phrase - 1] = [run]
    else phrase.push(run)
  }
  // What is quoted may hold no run at all.
  return Object.values(phrases)
}

function add<T>(lists: Map<string, T[]>, name: string, one: T): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [one])
  else if (!list.includes(one)) list.push(one)
}

function isWordClass(is: CharacterClass): boolean {
  return is === classes.latin || is === classes.other
}

function typedName(least: string, above: string | undefined): string {
  return above === undefined ? least : least + above
}

function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0)
}

/** A piece whose last character is what is typed so far, or what it may become. */
function markTyped({ head, least, above }: Typed, run: TextRun, at: number, take: RangeTaker): void {
  const place = at + head.length
  if (place >= run.text.length || !run.text.startsWith(head, at)) return
  const next = characterAt(run.text, place)
  if (next === least || (above !== undefined && next >= least && next < above)) {
    take(run.from + at, run.from + place + next.length)
  }
}

/** The phrase's runs side by side from that run on; the first may end a run, the last may begin one. */
function markPhrase(
  phrase: readonly QuestionRun[],
  runs: readonly TextRun[],
  at: number,
  take: RangeTaker,
): void {
  const isThere = phrase.every((asked, n) => {
    const run = runs[at + n]
    if (run?.is !== asked.is) return false
    if (isWordClass(asked.is)) return run.text === asked.text
    if (n === 0) return run.text.endsWith(asked.text)
    return n === phrase.length - 1 ? run.text.startsWith(asked.text) : run.text === asked.text
  })
  const [first, last] = [runs[at], runs[at + phrase.length - 1]]
  const [begins, ends] = [phrase[0], phrase.at(-1)]
  if (!isThere || first === undefined || last === undefined || begins === undefined || ends === undefined)
    return
  const start = isWordClass(begins.is) ? first.from : first.to - begins.text.length
  take(start, isWordClass(ends.is) ? last.to : last.from + ends.text.length)
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
