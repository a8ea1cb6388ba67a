/**
 * English for ranking: words that say nothing of what a text is about, and stems by Porter2.
 *
 * The stems are those of `porter2`, whose exact version stands in package.json: another one is another
 * version of the index type. The stop words are those of Snowball's English list, without contracted forms.
 */
import { stem } from 'porter2'

const stopWords = new Set(
  `i me my myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
herself it its itself they them their theirs themselves what which who whom this that these those am is are
was were be been being have has had having do does did doing would shall should could can may might must will
ought a an the and but if or because as until while of at by for with about against between into through
during before after above below to from up down in out on off over under again further then once here there
when where why how all any both each few more most other some such no nor not only own same so than too
very`.split(/\s+/),
)

const stemsMax = 20_000
/** Known stems: what a word's stem is never changes. */
const stems = new Map<string, string>()

/** True for a folded word that ranking leaves out. */
export function isStopWord(word: string): boolean {
  return stopWords.has(word)
}

/** The stem of a folded word; what is not made of a to z is its own. */
export function stemOf(word: string): string {
  if (!/^[a-z']+$/.test(word)) return word
  const known = stems.get(word)
  if (known !== undefined) return known
  const made = stem(word)
  if (stems.size >= stemsMax) stems.clear()
  stems.set(word, made)
  return made
}
