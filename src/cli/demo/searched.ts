/**
 * What the demo shows of search: the places of a country found by its Korean name, with and without a
 * particle; and sentences, told by a feed of changes while they come in, then found with their marks.
 */
import type { DocumentKey } from '../../base/tuple.js'
import type { Clock } from '../../env/clock.js'
import type { SearchOptions } from '../../store/search-types.js'
import type { Store } from '../../store/store.js'
import type { Sink } from '../output.js'
import type { Claims } from './claims.js'
import type { IndexFigures } from './indexed.js'
import { type Place, placesDefinition } from './places.js'
import { type Sentence, sentences } from './sentences.js'

const country = { code: 'KR', name: '대한민국', places: 306 } as const
const withParticle = `${country.name}에서`

/** Builds a search index over the places beside their other indexes, and finds a country by it. */
export async function checkSearch(
  store: Store,
  clock: Clock,
  places: readonly Place[],
  rejected: readonly number[],
  claims: Claims,
): Promise<IndexFigures> {
  const startMs = clock.monotonicMs()
  const text = { type: 'search', fields: ['region', 'name'] }
  const { indexes } = store.definition('places') ?? placesDefinition
  await store.define('places', { ...placesDefinition, indexes: { ...indexes, text } })
  // Waits until the index is there.
  await store.collection('places').search('text', country.name, { limit: 1, deadlineMs: 120_000 })
  const buildMs = clock.monotonicMs() - startMs
  const isRejected = new Set(rejected)
  const all = places.filter(place => place.country === country.code)
  const kept = all.filter(({ id }) => !isRejected.has(Number(id)))
  claims.equal(`places of ${country.code} in the input`, all.length, country.places)
  const ids = kept.map(({ id }) => id).join(' ')
  for (const asked of [country.name, withParticle]) {
    const found = await allKeys(store, 'places', asked)
    claims.equal(`${asked} finds those, less ${all.length - kept.length} rejected`, found.length, kept.length)
    claims.equal('they are exactly these', found.sort().join(' ') === ids, true)
  }
  return { buildMs, documents: places.length - rejected.length }
}

/** Follows the changes while sentences come in, then searches them; shows both if there is where to. */
export async function checkSentences(store: Store, claims: Claims, out: Sink | undefined): Promise<void> {
  await store.define('sentences', {
    key: 'id',
    indexes: { text: { type: 'search', fields: ['text'], filters: ['topic'] } },
  })
  await out?.write(`${sentences.length} sentences, as the feed of changes tells them:\n`)
  const told = await follow(store, out)
  const sent = sentences.map(({ id, text }) => [id, text])
  claims.equal('changes told of sentences, each once, in order', told.length, sentences.length)
  claims.equal('each with its document', JSON.stringify(told) === JSON.stringify(sent), true)

  const city = '서울'
  const holding = sentences.filter(({ text }) => text.includes(city)).map(({ id }) => id)
  const found = (await allKeys(store, 'sentences', city)).sort((a, b) => Number(a) - Number(b))
  claims.equal(`sentences that a search for ${city} finds`, found, holding)

  const question = '서울에서 기차를 타고 바다까지'
  const bare = '서울 기차 타고 바다'
  const top = (await allKeys(store, 'sentences', question)).slice(0, 10)
  const topBare = (await allKeys(store, 'sentences', bare)).slice(0, 10)
  claims.equal(`first ten: ${question}`, top, topBare)
  await show(store, question, out)
}

/** Inserts all sentences; what the feed told of meanwhile. */
async function follow(store: Store, out: Sink | undefined): Promise<(readonly [DocumentKey, string])[]> {
  const changes = store.changes<Sentence>({ collection: 'sentences' })
  const told: (readonly [DocumentKey, string])[] = []
  const listening = (async () => {
    let topic = ''
    for await (const { key, document } of changes) {
      told.push([key, document?.text ?? ''])
      if (document !== undefined && document.topic !== topic) {
        topic = document.topic
        await out?.write(`  + ${key} ${topic}: ${document.text}\n`)
      }
      if (told.length === sentences.length) return
    }
  })()
  const own = store.collection<Sentence>('sentences')
  const inserting = (async () => {
    for (const sentence of sentences) await own.insert(sentence)
  })()
  await Promise.all([listening, inserting])
  return told
}

async function show(store: Store, text: string, out: Sink | undefined): Promise<void> {
  if (out === undefined) return
  const { hits } = await store.collection('sentences').search('text', text, { limit: 3 })
  await out.write(`search: ${text}\n`)
  const { highlightsOf, writeFragments } = await import('../found-text.js')
  const highlights = highlightsOf(store, { collection: 'sentences', index: 'text', text })
  for (const { document } of hits) await writeFragments(highlights, document, out)
}

/** Keys of all hits, page by page, the best first. */
async function allKeys(store: Store, collection: string, text: string): Promise<DocumentKey[]> {
  const keys: DocumentKey[] = []
  let cursor: SearchOptions['cursor']
  do {
    const page = await store.collection(collection).search('text', text, { limit: 100, cursor })
    keys.push(...page.hits.map(({ key }) => key))
    cursor = page.cursor
  } while (cursor !== undefined)
  return keys
}
