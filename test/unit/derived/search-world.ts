/** Random documents and questions for a search index, and what it answers. */
import type { Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import type { DocumentKey } from '../../../src/base/tuple.js'
import type { SearchHit } from '../../../src/derived/search/ask.js'
import type { SearchFilter } from '../../../src/derived/search/filter.js'
import { type SearchIndex, search } from '../../../src/derived/search/search.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'
import { seedNumber as seed } from '../../seed.js'
import type { RowMap } from './row-map.js'
import { answer, type Documents } from './search-oracle.js'

export const random = new Random(seed)

export const config = search.configure({
  fields: ['title', { field: 'body', weight: 0.5 }],
  filters: ['country', 'year'],
})

const words = 'flow flows flowing the of wing kafka résumé 3 東京 東京都 ㅋㅋ x don’t 𐌰𐌱 ﺍﺏ'.split(' ')
const syllables = [...'서울에가는영화한']
export function randomText(): string {
  return Array.from({ length: random.below(9) }, () => {
    if (random.chance(0.45)) return random.pick(words)
    const run = Array.from({ length: 1 + random.below(4) }, () => random.pick(syllables)).join('')
    return random.chance(0.1) ? `kafka${run}` : random.chance(0.1) ? run.normalize('NFD') : run
  }).join(random.chance(0.1) ? '' : ' ')
}

export function randomDocument(): Record<string, unknown> {
  return {
    title: randomText(),
    body: random.chance(0.3) ? [randomText(), 5, randomText()] : randomText(),
    ...(random.chance(0.8) ? { country: random.pick(['KR', 'JP']) } : {}),
    year: random.chance(0.2) ? [random.below(9), random.below(9)] : random.below(9),
  }
}

export function randomQuery(): SearchQuery {
  const text = random.chance(0.3) ? (randomText().split(' ')[0] ?? '') : randomText()
  const filters: SearchFilter[] = [
    { country: 'KR' },
    { country: null },
    { year: { gte: 3, lt: 7 } },
    { country: ['KR', 'JP'], year: { lt: 4 } },
  ]
  return {
    text: random.chance(0.15) ? `${text} "${randomText()}"` : random.chance(0.1) ? `${text}*` : text,
    ...(random.chance(0.4) ? { match: random.pick(['any', 'all'] as const) } : {}),
    ...(random.chance(0.3) ? { prefix: true } : {}),
    ...(random.chance(0.3) ? { where: random.pick(filters) } : {}),
  }
}

export type Told = Map<DocumentKey, Record<string, unknown> | undefined>

/** A random batch; what it leaves is in `documents`. */
export function randomBatch(
  documents: Map<DocumentKey, Record<string, unknown>>,
  size: number,
  keys: number,
): Told {
  const told: Told = new Map()
  for (let n = 0; n < size; n++) {
    const key = random.chance(0.2) ? `k${random.below(keys)}` : random.below(keys)
    const document = random.chance(0.25) ? undefined : randomDocument()
    told.set(key, document)
    if (document === undefined) documents.delete(key)
    else documents.set(key, document)
  }
  return told
}

export async function hitsOf(index: SearchIndex, query: SearchQuery, rows: RowMap): Promise<SearchHit[]> {
  const hits: SearchHit[] = []
  for await (const page of index.query(query, rows)) hits.push(...page)
  return hits
}

export async function checkAnswers(
  t: Test,
  index: SearchIndex,
  rows: RowMap,
  documents: Documents,
  count: number,
): Promise<void> {
  for (let n = 0; n < count; n++) {
    const query = randomQuery()
    const expected = answer(config, query, documents)
    const all = await hitsOf(index, query, rows)
    const told = all.map(({ key, score }) => ({ key, score }))
    t.same(told, expected, `all hits of ${JSON.stringify(query)}`)
    const limit = 1 + random.below(5)
    const first = await hitsOf(index, { ...query, limit }, rows)
    t.same(first, all.slice(0, limit), `the first ${limit} of ${JSON.stringify(query)}`)
    const at = random.below(Math.max(1, all.length))
    const after = all[at]?.row
    if (after === undefined) continue
    const next = await hitsOf(index, { ...query, limit, after }, rows)
    t.same(next, all.slice(at + 1, at + 1 + limit), `what follows ${at} of ${JSON.stringify(query)}`)
  }
}

/** What the rows mean, in lines. */
export async function meaning(index: SearchIndex, rows: RowMap): Promise<string[]> {
  const all: string[] = []
  for await (const page of index.canonical(rows)) {
    for (const [key, value] of page) all.push(`${key.toString('latin1')} ${value.toString('hex')}`)
  }
  return all
}
