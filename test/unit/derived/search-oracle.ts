/** Which documents answer a question in words, and with which score: said once more, document by document. */
import { type DocumentKey, encodeKey } from '../../../src/base/tuple.js'
import { eachTerm } from '../../../src/derived/search/analysis.js'
import type { SearchConfig } from '../../../src/derived/search/config.js'
import { type Clause, parseQuestion, type Question } from '../../../src/derived/search/question.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'

export type Documents = ReadonlyMap<DocumentKey, Record<string, unknown>>

export interface OracleHit {
  readonly key: DocumentKey
  readonly score: number
}

/** What a document has of a term. */
interface Had {
  readonly counts: number[]
  readonly places: number[]
}

interface Analysed {
  readonly key: DocumentKey
  readonly document: Record<string, unknown>
  readonly terms: Map<string, Had>
  readonly lengths: number[]
}

const known = new WeakMap<object, Analysed>()

/** The analysis of a document, which is done once: of one configuration in a process. */
function analysed(config: SearchConfig, key: DocumentKey, document: Record<string, unknown>): Analysed {
  const before = known.get(document)
  if (before !== undefined) return before
  const terms = new Map<string, Had>()
  const lengths = config.fields.map(() => 0)
  let place = 0
  for (const [n, { field }] of config.fields.entries()) {
    const value = document[field]
    const texts = (Array.isArray(value) ? value : [value]).filter(one => typeof one === 'string')
    for (const text of texts) {
      place = eachTerm(text as string, place, {
        take(term, at, ranked) {
          const had = terms.get(term) ?? { counts: config.fields.map(() => 0), places: [] }
          terms.set(term, had)
          if (ranked) had.counts[n] = (had.counts[n] ?? 0) + 1
          if (ranked && !term.startsWith('w')) lengths[n] = (lengths[n] ?? 0) + 1
          if (at >= 0) had.places.push(at)
        },
      })
    }
  }
  const one: Analysed = { key, document, terms, lengths }
  known.set(document, one)
  return one
}

function hasPhrase({ terms }: Analysed, phrase: Clause['terms']): boolean {
  const [first] = phrase
  if (first === undefined) return true
  if (phrase.length === 1) return terms.has(first.term)
  const starts = terms.get(first.term)?.places ?? []
  return starts.some(start =>
    phrase.every(({ term, offset }) => terms.get(term)?.places.includes(start - first.offset + offset)),
  )
}

/** The terms that end an open clause in this document. */
function openTerms(one: Analysed, { terms, open }: Clause): string[] {
  if (open === undefined) return []
  return [...one.terms.keys()].filter(
    term =>
      open.ranges.some(({ from, to }) => term >= from && term < to) &&
      hasPhrase(one, [...terms, { term, offset: open.offset }]),
  )
}

function matches(one: Analysed, clause: Clause): boolean {
  if (clause.open !== undefined) return openTerms(one, clause).length > 0
  return hasPhrase(one, clause.terms)
}

function answers(one: Analysed, { required, optional }: Question): boolean {
  if (required.length > 0) return required.every(clause => matches(one, clause))
  return optional.some(clause => matches(one, clause))
}

function passes(document: Record<string, unknown>, where: SearchQuery['where']): boolean {
  return Object.entries(where ?? {}).every(([field, condition]) => {
    const values = Array.isArray(document[field]) ? (document[field] as unknown[]) : [document[field] ?? null]
    return values.some(value => {
      if (typeof condition !== 'object' || condition === null) return value === condition
      if (Array.isArray(condition)) return condition.includes(value as never)
      const { gte, lt } = condition as { gte?: number; lt?: number }
      if (typeof value !== 'number') return false
      return (gte === undefined || value >= gte) && (lt === undefined || value < lt)
    })
  })
}

/** All hits in their order. */
export function answer(config: SearchConfig, query: SearchQuery, documents: Documents): OracleHit[] {
  const all = [...documents].map(([key, document]) => analysed(config, key, document))
  const some = all.filter(({ terms }) => terms.size > 0)
  let question = parseQuestion(query.text, { match: query.match, prefix: query.prefix ?? false })
  if (question.otherwise !== undefined && !some.some(one => answers(one, question))) {
    question = question.otherwise
  }
  const averages = config.fields.map((_, n) => {
    const total = some.reduce((sum, { lengths }) => sum + (lengths[n] ?? 0), 0)
    return total === 0 ? 1 : total / some.length
  })
  const scoreOf = (worth: number, counts: readonly number[], lengths: readonly number[]): number => {
    let weighted = 0
    for (const [n, { weight }] of config.fields.entries()) {
      const count = counts[n] ?? 0
      if (count > 0)
        weighted += (weight * count) / (1 - 0.75 + (0.75 * (lengths[n] ?? 0)) / (averages[n] ?? 1))
    }
    return (worth * (weighted * (1.2 + 1))) / (1.2 + weighted)
  }
  const worthOf = (withTerm: number): number =>
    Math.log(1 + (some.length - withTerm + 0.5) / (withTerm + 0.5))
  const hits: OracleHit[] = []
  const opened = [...question.required, ...question.optional].filter(({ open }) => open !== undefined)
  const openWorths = opened.map(clause => worthOf(some.filter(one => matches(one, clause)).length))
  const terms = [...question.ranking.keys()].sort()
  const worths = terms.map(
    term => (question.ranking.get(term) ?? 0) * worthOf(some.filter(one => one.terms.has(term)).length),
  )
  for (const one of some) {
    if (!answers(one, question) || !passes(one.document, query.where)) continue
    let score = 0
    for (const [n, term] of terms.entries()) {
      const had = one.terms.get(term)
      if (had !== undefined) score += scoreOf(worths[n] ?? 0, had.counts, one.lengths)
    }
    for (const [n, clause] of opened.entries()) {
      const counts = config.fields.map(() => 0)
      const open = openTerms(one, clause)
      for (const term of open) {
        for (const [f, count] of (one.terms.get(term)?.counts ?? []).entries())
          counts[f] = (counts[f] ?? 0) + count
      }
      if (open.length > 0) score += scoreOf(openWorths[n] ?? 0, counts, one.lengths)
    }
    hits.push({ key: one.key, score })
  }
  return hits.sort((a, b) => b.score - a.score || Buffer.compare(encodeKey(a.key), encodeKey(b.key)))
}
