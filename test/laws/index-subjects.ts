/** The types of index of this package, and two of users, as the laws want them. */
import type { Random } from '../../src/base/random.js'
import type { DocumentKey } from '../../src/base/tuple.js'
import type { SearchConfig } from '../../src/derived/search/config.js'
import { SearchIndex, search } from '../../src/derived/search/search.js'
import type { SecondaryConfig } from '../../src/derived/secondary/config.js'
import type { SecondaryQuery } from '../../src/derived/secondary/query.js'
import { type SecondaryHit, secondary } from '../../src/derived/secondary/secondary.js'
import type { IndexSubject } from '../../src/testing/index-subject.js'
import { domainIndex } from '../examples/domain-index.js'
import { answer as searchAnswer } from '../unit/derived/search-oracle.js'
import { randomQuery, randomDocument as searchDocument } from '../unit/derived/search-world.js'
import { answer as secondaryAnswer } from '../unit/derived/secondary-oracle.js'
import { tagAnswer, tagType } from './tag-type.js'

const values = [null, false, true, -1, 0, 0.5, 7, 'a', 'ab', 'b', '', '가', new Date(5), ['a'], { x: 1 }]

function secondaryQuery(random: Random): SecondaryQuery {
  const value = (): never => random.pick(values.slice(0, -2)) as never
  const reverse = random.chance(0.3)
  if (random.chance(0.3)) return { reverse }
  if (random.chance(0.3)) return { eq: [value()], reverse }
  if (random.chance(0.3)) return { prefix: random.pick(['a', 'ab', '', '가']), reverse }
  return { [random.pick(['gt', 'gte'])]: value(), [random.pick(['lt', 'lte'])]: value(), reverse }
}

const ofSecondary = (random: Random): IndexSubject<SecondaryConfig, SecondaryQuery, SecondaryHit> => ({
  type: secondary,
  random,
  definition(random) {
    const fields = random.pick([['a'], ['a', 'tags'], ['tags', 'b'], ['a', 'b', 'tags']])
    const each = fields.includes('tags') && random.chance(0.7) ? { each: 'tags' } : {}
    return { fields, ...each, ...(random.chance(0.4) ? { sparse: true } : {}) }
  },
  document(random) {
    const document: Record<string, unknown> = { b: random.pick(values), other: random.below(9) }
    if (random.chance(0.8)) document['a'] = random.pick(values)
    if (random.chance(0.8))
      document['tags'] = Array.from({ length: random.below(4) }, () => random.pick(values))
    return document
  },
  question: secondaryQuery,
  answer: (config, query, documents) => secondaryAnswer(config, query, documents).map(({ key }) => key),
  seen: ({ key }) => key,
  wrongDefinitions: [{}, { fields: [] }, { fields: ['a', 'a'] }, { fields: ['a'], each: 'b' }],
  wrongQuestions: [{ near: 1 }, { eq: [1, 2, 3, 4, 5] }, { gt: 1, gte: 1 }],
})

const searchDefinition = {
  fields: ['title', { field: 'body', weight: 0.5 }],
  filters: ['country', 'year'],
} as const

const ofSearch = (random: Random, options = {}): IndexSubject<SearchConfig, never, never> => {
  const subject: IndexSubject<
    SearchConfig,
    ReturnType<typeof randomQuery>,
    { key: DocumentKey; score: number }
  > = {
    type: { ...search, open: config => new SearchIndex(config, options) },
    random,
    definition: () => searchDefinition,
    document: searchDocument,
    question: randomQuery,
    answer: (config, query, documents) => searchAnswer(config, query, documents),
    seen: ({ key, score }) => ({ key, score }),
    wrongDefinitions: [{}, { fields: [] }, { fields: [{ field: 'a', weight: -1 }] }],
    wrongQuestions: [{}, { text: 5 }, { text: 'x', match: 'some' }, { text: 'x', near: true }],
  }
  return subject as unknown as IndexSubject<SearchConfig, never, never>
}

const ofDomain = (random: Random): IndexSubject<object, string, DocumentKey> => ({
  type: domainIndex,
  random,
  definition: () => ({}),
  document(random) {
    if (random.chance(0.2)) return { email: random.pick<unknown>([5, 'nobody', '']) }
    return { email: `someone@${random.pick(['a', 'b', 'a.b', ''])}` }
  },
  question: random => random.pick(['a', 'b', 'a.b', '', 'none']),
  answer(_, domain, documents) {
    const keys = [...documents].filter(([, { email }]) => String(email).split('@')[1] === domain)
    return keys.map(([key]) => key).sort(byKey)
  },
})

/** Numbers before texts. */
export function byKey(one: DocumentKey, other: DocumentKey): number {
  if (typeof one !== typeof other) return typeof one === 'number' ? -1 : 1
  return one < other ? -1 : 1
}

/** A type of a user's that counts: its rows depend on all documents of a tag. */
export const ofTags = (random: Random): IndexSubject => ({
  type: tagType,
  random,
  definition: random => ({ field: random.pick(['tags', 'labels']) }),
  document(random) {
    const tags = ['red', 'green', 'blue', 'black'].filter(() => random.chance(0.3))
    return { tags, labels: tags.slice(1), text: 'x'.repeat(random.below(9)) }
  },
  question: random => random.pick(['red', 'green', 'blue', 'black', 'none']),
  answer: tagAnswer,
  poison: () => ({ tags: ['t'.repeat(20_000)], labels: ['t'.repeat(20_000)] }),
  wrongDefinitions: [{}, { field: 5 }],
  wrongQuestions: [5, null],
})

/** By name. */
export const indexSubjects: Readonly<Record<string, (random: Random) => IndexSubject>> = {
  secondary: random => ofSecondary(random) as IndexSubject,
  search: random => ofSearch(random) as IndexSubject,
  'search, of small segments': random =>
    ofSearch(random, { pageBytes: 64, mergeBytesMin: 100 }) as IndexSubject,
  'the domains of the example': random => ofDomain(random) as IndexSubject,
  tags: ofTags,
}
