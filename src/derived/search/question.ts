/**
 * The text of a question, taken apart.
 *
 * What a document must have to be a hit:
 *
 *   "two words"   in quotes: exactly these words, side by side, as they are written. Each such phrase is
 *                 required; other words then only rank. Of Hangul, Han and kana the first run may begin
 *                 before it, and the last one end behind it
 *   word          one of its forms: a word with the same English stem. Words that say nothing (the, of) count
 *                 only where there are no others
 *   한글          a run of Hangul, Han or kana is an ordered phrase: its characters side by side in one run of
 *                 the text, whatever stands before or after them. Particles and endings do not count: 서울에서
 *                 is 서울
 *   word*         a word or run that begins so; also the last word, if it is still being typed
 *
 * A question that is one run of Hangul and nothing else is taken as it is written: exactly the documents that
 * contain it answer. Only if none does, particles and endings are left off: 대한민국에서 finds 대한민국. Where the
 * question says `match`, they are left off at once: it is asked for words then, not for pieces of text. Of
 * several words one is enough (`match: 'any'`), or each is required ('all').
 *
 * Ranking adds up what the words' terms are worth: stems, and the grams of runs without particles and
 * endings, those of incomplete matches too. So a question ranks the same with other particles.
 */
import {
  type AnalysisOptions,
  charactersOf,
  rankedLength,
  rankedStem,
  termKinds,
  wordOf,
} from './analysis.js'
import { type CharacterClass, classes } from './characters.js'
import { isStopWord } from './english.js'
import { foldText } from './folded-text.js'
import { eachRun } from './script-runs.js'
import type { TermRange } from './term-lookup.js'

/** A term, and how far it stands behind the first of its clause. */
export interface PlacedTerm {
  readonly term: string
  readonly offset: number
}

/** What a document may be required to have: all terms in their places, and then one of a range. */
export interface Clause {
  readonly terms: readonly PlacedTerm[]
  /** Any term of these ranges, at that offset. */
  readonly open?: { readonly ranges: readonly TermRange[]; readonly offset: number }
}

/** A question, ready to be asked. */
export interface Question {
  readonly required: readonly Clause[]
  /** Without required ones: one of these at least. */
  readonly optional: readonly Clause[]
  /** What ranks, and how often the question says it. */
  readonly ranking: ReadonlyMap<string, number>
  /** Asked instead if no document answers this one. */
  readonly otherwise?: Question
}

/** How a question is meant. */
export interface QuestionOptions extends AnalysisOptions {
  /** Undefined: any, and a single run of Hangul as it is written. */
  readonly match: 'any' | 'all' | undefined
  /** The last word is being typed. */
  readonly prefix: boolean
}

/** A run of the question. */
export interface QuestionRun {
  readonly is: CharacterClass
  readonly text: string
  /** Number of the quoted phrase that it stands in, from 1; 0: none. */
  readonly phrase: number
  readonly isPrefix: boolean
  readonly touches: boolean
}

const quotes = /["\u201c\u201d\u201e\u201f]/
/** Above every second character of a gram. */
const highest = '\uffff'

/** The question that the text asks. */
export function parseQuestion(text: string, options: QuestionOptions): Question {
  const runs = questionRuns(text, options.prefix)
  const ranking = new Map<string, number>()
  const rank = (term: string): void => void ranking.set(term, (ranking.get(term) ?? 0) + 1)
  const [only] = runs
  const isAlone = runs.length === 1
  if (options.match === undefined && isAlone && only?.is === classes.hangul && isPlain(only)) {
    return singleRun(only)
  }
  const required: Clause[] = []
  const optional: Clause[] = []
  const words = options.match === 'all' ? required : optional
  const hasContent = runs.some(run => !isIdle(run, options))
  for (const run of runs) {
    if (run.phrase === 0) addWord(run, { options, hasContent, isAlone, words, rank })
  }
  for (let phrase = 1; phrase <= Math.max(0, ...runs.map(run => run.phrase)); phrase++) {
    const quoted = runs.filter(run => run.phrase === phrase)
    if (quoted.length === 0) continue
    required.push(phraseClause(quoted))
    for (const run of quoted) for (const term of rankedTerms(run, options)) rank(term)
  }
  return { required, optional, ranking }
}

/** The runs of the question in their order. */
export function questionRuns(text: string, prefix: boolean): QuestionRun[] {
  const runs: QuestionRun[] = []
  const parts = text.split(quotes)
  for (const [n, part] of parts.entries()) {
    // An opening quote without a closing one quotes nothing.
    const isQuoted = n % 2 === 1 && n < parts.length - 1
    const folded = foldText(part).text
    eachRun(folded, (is, from, to, touches) => {
      const isTyped = prefix && n === parts.length - 1 && to === folded.length
      runs.push({
        is,
        text:
          is === classes.latin || is === classes.other ? wordOf(folded, from, to) : folded.slice(from, to),
        phrase: isQuoted ? (n + 1) / 2 : 0,
        isPrefix: !isQuoted && (isTyped || folded[to] === '*'),
        touches,
      })
    })
  }
  return runs
}

/** Neither quoted nor being typed. */
function isPlain({ phrase, isPrefix }: QuestionRun): boolean {
  return phrase === 0 && !isPrefix
}

function isWord({ is }: QuestionRun): boolean {
  return is === classes.latin || is === classes.other
}

/** True for what says nothing beside other words. */
export function isIdle(run: QuestionRun, { plain = false }: AnalysisOptions): boolean {
  if (run.isPrefix) return false
  if (isWord(run)) return !plain && isStopWord(run.text)
  return rankedCharacters(run).length === 0
}

function rankedCharacters(run: QuestionRun): string | readonly string[] {
  const characters = charactersOf(run.text)
  return characters.slice(
    0,
    rankedLength(run.text, characters.length, run.is === classes.hangul, run.touches),
  )
}

/** What ranking counts of a run that is not being typed. */
function rankedTerms(run: QuestionRun, options: AnalysisOptions): string[] {
  if (!isWord(run)) return rankedGrams(rankedCharacters(run))
  const stem = rankedStem(run.text, options)
  return stem === undefined ? [] : [termKinds.stem + stem]
}

/** What ranking counts of a run that has these characters left. */
function rankedGrams(characters: string | readonly string[]): string[] {
  return characters.length === 1 ? [termKinds.stem + (characters[0] as string)] : gramsOf(characters)
}

/** Of one character the gram that ends its run. */
function gramsOf(characters: string | readonly string[]): string[] {
  if (characters.length === 1) return [termKinds.gram + (characters[0] as string)]
  const grams: string[] = []
  for (let at = 0; at + 1 < characters.length; at++) {
    grams.push(termKinds.gram + (characters[at] as string) + (characters[at + 1] as string))
  }
  return grams
}

function singleRun(run: QuestionRun): Question {
  const written = charactersOf(run.text)
  const ranked = rankedCharacters(run)
  const ranking = new Map<string, number>()
  if (written.length > 1)
    for (const term of rankedGrams(ranked)) ranking.set(term, (ranking.get(term) ?? 0) + 1)
  const question = { required: [runClause(written, 0)], optional: [], ranking }
  if (ranked.length === written.length) return question
  return { ...question, otherwise: { ...question, required: [runClause(ranked, 0)] } }
}

/** The run's characters side by side in one run. */
function runClause(characters: string | readonly string[], offset: number): Clause {
  if (characters.length > 1) {
    return { terms: gramsOf(characters).map((term, at) => ({ term, offset: offset + at })) }
  }
  const from = termKinds.gram + (characters[0] as string)
  return { terms: [], open: { ranges: [{ from, to: from + highest }], offset } }
}

interface WordContext {
  readonly options: QuestionOptions
  readonly hasContent: boolean
  readonly isAlone: boolean
  readonly words: Clause[]
  readonly rank: (term: string) => void
}

function addWord(run: QuestionRun, { options, hasContent, isAlone, words, rank }: WordContext): void {
  if (run.isPrefix) {
    words.push(prefixClause(run))
    // The last gram may still change.
    if (!isWord(run)) for (const gram of gramsOf(charactersOf(run.text)).slice(0, -1)) rank(gram)
    return
  }
  if (isIdle(run, options)) {
    if (hasContent || !isWord(run)) return
    words.push({ terms: [{ term: termKinds.word + run.text, offset: 0 }] })
    rank(termKinds.word + run.text)
    return
  }
  const terms = rankedTerms(run, options)
  for (const term of terms) rank(term)
  const [first] = terms
  if (isWord(run) && first !== undefined) words.push({ terms: [{ term: first, offset: 0 }] })
  else if (first?.startsWith(termKinds.stem) && options.match !== 'all' && !isAlone) {
    // In passing, one character is a word of its own: it stands in too many runs.
    words.push({ terms: [{ term: first, offset: 0 }] })
  } else words.push(runClause(rankedCharacters(run), 0))
}

function prefixClause(run: QuestionRun): Clause {
  if (isWord(run)) {
    const from = termKinds.word + run.text
    return { terms: [], open: { ranges: [{ from, to: from + highest }], offset: 0 } }
  }
  const characters = charactersOf(run.text)
  const last = characters.length - 1
  const [least, above] = typedCharacter(characters[last] as string)
  if (last === 0) {
    const to = above ?? (characters[0] as string) + highest
    return {
      terms: [],
      open: { ranges: [{ from: termKinds.gram + least, to: termKinds.gram + to }], offset: 0 },
    }
  }
  const head = termKinds.gram + (characters[last - 1] as string)
  const grams = gramsOf(characters).slice(0, -1)
  return {
    terms: grams.map((term, offset) => ({ term, offset })),
    open: { ranges: [{ from: head + least, to: head + (above ?? `${least}\0`) }], offset: last - 1 },
  }
}

const initials = 'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ'
const firstSyllable = 0xac00
const lastSyllable = 0xd7a3
const perInitial = 588
const perVowel = 28

/** What a character that is being typed may become: from, and before; without the latter only itself. */
export function typedCharacter(character: string): [from: string, before: string | undefined] {
  const code = character.charCodeAt(0)
  const initial = initials.indexOf(character)
  if (initial >= 0) {
    const from = firstSyllable + perInitial * initial
    return [String.fromCharCode(from), String.fromCharCode(from + perInitial)]
  }
  if (code >= firstSyllable && code <= lastSyllable && (code - firstSyllable) % perVowel === 0) {
    return [character, String.fromCharCode(code + perVowel)]
  }
  return [character, undefined]
}

/** As which a character may have been typed so far: what `typedCharacter` gives for each. */
export function typedForms(character: string): (readonly [from: string, before: string | undefined])[] {
  const forms: [string, string | undefined][] = [[character, undefined]]
  const at = character.charCodeAt(0) - firstSyllable
  if (at < 0 || at > lastSyllable - firstSyllable) return forms
  forms.push(typedCharacter(String.fromCharCode(firstSyllable + at - (at % perVowel))))
  forms.push(typedCharacter(initials.charAt(Math.floor(at / perInitial))))
  return forms
}

/** The runs side by side, the last one also as the beginning of a longer run. */
function phraseClause(runs: readonly QuestionRun[]): Clause {
  const terms: PlacedTerm[] = []
  let offset = 0
  for (const [n, run] of runs.entries()) {
    if (isWord(run)) {
      terms.push({ term: termKinds.word + run.text, offset })
      offset += 2
      continue
    }
    const characters = charactersOf(run.text)
    if (n === runs.length - 1 && characters.length === 1) return { terms, ...openAt(characters, offset) }
    for (const [at, term] of gramsOf(characters).entries()) terms.push({ term, offset: offset + at })
    offset += characters.length + 1
  }
  return { terms }
}

function openAt(characters: string | readonly string[], offset: number): Pick<Clause, 'open'> {
  const { open } = runClause(characters, offset)
  return open === undefined ? {} : { open }
}
