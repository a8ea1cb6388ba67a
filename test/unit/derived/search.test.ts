/** Laws of the search index: its answers are those of a reading of all documents, however they came. */
import t, { type Test } from 'tap'
import type { SillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import type { DocumentKey } from '../../../src/base/tuple.js'
import type { SearchHit } from '../../../src/derived/search/ask.js'
import type { SearchFilter } from '../../../src/derived/search/filter.js'
import { decodeManifest, noRows } from '../../../src/derived/search/manifest.js'
import { withDueMerges } from '../../../src/derived/search/merge-policy.js'
import { SearchIndex, search } from '../../../src/derived/search/search.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'
import type { SegmentFacts } from '../../../src/derived/search/segment.js'
import { RowMap } from './row-map.js'
import { answer, type Documents } from './search-oracle.js'

const { SEED } = process.env
const seed = Number(SEED ?? Date.now() % 2 ** 31)
t.comment(`SEED=${seed}`)

const config = search.configure({
  fields: ['title', { field: 'body', weight: 0.5 }],
  filters: ['country', 'year'],
})

const words = 'flow flows flowing the of wing kafka résumé 3 東京 東京都 ㅋㅋ x don’t 𐌰𐌱 ﺍﺏ'.split(' ')
const syllables = [...'서울에가는영화한']
const random = new Random(seed)

function randomText(): string {
  return Array.from({ length: random.below(9) }, () => {
    if (random.chance(0.45)) return random.pick(words)
    const run = Array.from({ length: 1 + random.below(4) }, () => random.pick(syllables)).join('')
    return random.chance(0.1) ? `kafka${run}` : random.chance(0.1) ? run.normalize('NFD') : run
  }).join(random.chance(0.1) ? '' : ' ')
}

function randomDocument(): Record<string, unknown> {
  return {
    title: randomText(),
    body: random.chance(0.3) ? [randomText(), 5, randomText()] : randomText(),
    ...(random.chance(0.8) ? { country: random.pick(['KR', 'JP']) } : {}),
    year: random.chance(0.2) ? [random.below(9), random.below(9)] : random.below(9),
  }
}

function randomQuery(): SearchQuery {
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
    ...(random.chance(0.3) ? { filter: random.pick(filters) } : {}),
  }
}

type Told = Map<DocumentKey, Record<string, unknown> | undefined>

/** A random batch; what it leaves is in `documents`. */
function randomBatch(documents: Map<DocumentKey, Record<string, unknown>>, size: number, keys: number): Told {
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

async function hitsOf(index: SearchIndex, query: SearchQuery, rows: RowMap): Promise<SearchHit[]> {
  const hits: SearchHit[] = []
  for await (const page of index.query(query, rows)) hits.push(...page)
  return hits
}

async function checkAnswers(
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

t.test('answers are those of a reading of all documents, whatever batches they came in', async t => {
  for (const options of [{ pageBytes: 64, mergeBytesMin: 200 }, {}, { pageBytes: 1000, mergeBytesMin: 0 }]) {
    const rows = new RowMap()
    const index = new SearchIndex(config, options)
    const documents = new Map<DocumentKey, Record<string, unknown>>()
    for (let batch = 0; batch < 40; batch++) {
      await rows.tell(index, randomBatch(documents, 1 + random.below(random.chance(0.2) ? 60 : 6), 150))
      await checkAnswers(t, index, rows, documents, 2)
    }
    await checkAnswers(t, index, rows, documents, 40)
    // What is kept in memory changes no answer.
    await checkAnswers(t, new SearchIndex(config), rows, documents, 15)
    const once = new RowMap()
    await once.tell(index, documents)
    await checkAnswers(t, index, once, documents, 15)
    // All go, and nothing is left of them but what is still to be merged.
    await rows.tell(index, new Map([...documents.keys()].map(key => [key, undefined])))
    t.equal(rows.notes.size, 0)
    t.same(await hitsOf(index, { text: 'flow 서울 kafka 東京' }, rows), [])
  }
})

async function meaning(index: SearchIndex, rows: RowMap): Promise<string[]> {
  const all: string[] = []
  for await (const page of index.canonical(rows)) {
    for (const [key, value] of page) all.push(`${key.toString('latin1')} ${value.toString('hex')}`)
  }
  return all
}

t.test('what rows mean does not depend on batches, and a lost row is damage or another meaning', async t => {
  const rows = new RowMap()
  const index = new SearchIndex(config, { pageBytes: 300 })
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  for (let batch = 0; batch < 30; batch++) await rows.tell(index, randomBatch(documents, 4, 60))
  const once = new RowMap()
  await once.tell(index, documents)
  const means = await meaning(index, rows)
  t.same(means, await meaning(new SearchIndex(config), once))
  t.ok(means.length > documents.size)
  const notes = (one: RowMap): unknown =>
    [...one.notes].map(([key, note]) => [key, Buffer.from(index.canonicalNote(note)).toString('hex')]).sort()
  t.same(notes(rows), notes(once))
  for (const [key, value] of [...rows.rows]) {
    rows.rows.delete(key)
    const found = await meaning(new SearchIndex(config), rows).catch(error => error as SillokError)
    if (Array.isArray(found)) t.notSame(found, means, `without ${Buffer.from(key, 'latin1').toString('hex')}`)
    else t.match(found, { code: 'DAMAGED' })
    rows.rows.set(key, value)
  }
})

t.test('long lists are walked by their bounds, and nothing is missed', async t => {
  const common = ['all', 'flow', '영화', 'kafka', 'wing', 'x', '서울', 'sea']
  const text = (): string => {
    const words = Array.from(
      { length: 1 + random.below(7) },
      () => common[Math.floor(8 ** random.fraction()) - 1],
    )
    return words.join(' ')
  }
  const short = (n: number): Record<string, unknown> => {
    return { title: n % 9 === 0 ? `all ${text()}` : 'all', body: text(), year: random.below(9) }
  }
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  for (let key = 0; key < 4500; key++) documents.set(key, short(key))
  const rows = new RowMap()
  const index = new SearchIndex(config)
  await rows.tell(index, documents)
  for (let batch = 0; batch < 40; batch++) {
    const told: Told = new Map()
    for (let n = 0; n < 30; n++) {
      const key = random.below(4700)
      const document = random.chance(0.3) ? undefined : short(random.below(9))
      told.set(key, document)
      if (document === undefined) documents.delete(key)
      else documents.set(key, document)
    }
    await rows.tell(index, told)
  }
  for (let n = 0; n < 150; n++) {
    const limit = 1 + random.below(12)
    const asked = Array.from({ length: 1 + random.below(4) }, () => random.pick(common))
    const quoted = random.chance(0.2) ? `"${asked.join(' ')}"` : asked.join(' ')
    const query: SearchQuery = {
      text: quoted,
      ...(random.chance(0.2) ? { prefix: true } : {}),
      ...(random.chance(0.2) ? { filter: { year: { gte: 7 } } } : {}),
    }
    const expected = answer(config, query, documents)
    const from = random.chance(0.5) ? 0 : random.below(Math.max(1, Math.min(300, expected.length)))
    const skipped = from === 0 ? [] : await hitsOf(index, { ...query, limit: from }, rows)
    const after = skipped.at(-1)?.row
    const hits = await hitsOf(index, { ...query, limit, ...(after === undefined ? {} : { after }) }, rows)
    const told = [...skipped, ...hits].map(({ key, score }) => ({ key, score }))
    t.same(told, expected.slice(0, from + limit), JSON.stringify({ ...query, limit, from }))
  }
})

t.test('segments stay few, and a large one is not written again for some small ones', async t => {
  for (const base of [0, 50_000_000]) {
    const bytes = 20_000
    const facts = (id: number, size: number): SegmentFacts => {
      return { id, digest: '', first: id, end: id, documents: 0, went: 0, rows: noRows, bytes: size }
    }
    let manifest = decodeManifest(Buffer.alloc(0), 1)
    let id = 0
    let merged = 0
    if (base > 0) manifest = { ...manifest, segments: [facts(id++, base)] }
    const batches = 4096
    for (let n = 0; n < batches; n++) {
      manifest = withDueMerges({ ...manifest, segments: [...manifest.segments, facts(id++, bytes)] })
      for (const { inputs } of manifest.merges) {
        const at = manifest.segments.findIndex(segment => segment.id === inputs[0])
        const made = manifest.segments.slice(at, at + inputs.length)
        const size = made.reduce((sum, segment) => sum + segment.bytes, 0)
        merged += size
        const segments = [...manifest.segments]
        segments.splice(at, inputs.length, facts(id++, size))
        manifest = { ...manifest, segments, merges: [] }
      }
      if (manifest.segments.length > 40) t.fail(`${manifest.segments.length} segments`)
    }
    t.ok(merged <= 5 * batches * bytes + 2 * base, `${merged} bytes were merged, of ${batches * bytes}`)
  }
})

t.test('a document behind the end of one block and inside another is found', async t => {
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  for (let key = 0; key < 1200; key++) {
    const words = `${key % 2 === 0 ? 'half' : ''} ${key % 3 === 0 ? 'third' : ''}`
    documents.set(key, { title: `${words} ${'filler '.repeat(20)}` })
  }
  documents.set(0, { title: `half third ${'filler '.repeat(19)}` })
  documents.set(1199, { title: 'third '.repeat(12) })
  // In a block of `half` that begins inside one of `third`.
  documents.set(601, { title: 'half '.repeat(12) })
  const rows = new RowMap()
  const index = new SearchIndex(search.configure({ fields: ['title'] }))
  await rows.tell(index, documents)
  const own = search.configure({ fields: ['title'] })
  for (const text of ['half '.repeat(6) + 'third '.repeat(4), 'half', 'half third']) {
    for (const limit of [1, 2, 3]) {
      const told = (await hitsOf(index, { text, limit }, rows)).map(({ key, score }) => ({ key, score }))
      t.same(
        told,
        answer(own, { text }, new Map([...documents].map(([key, one]) => [key, { ...one }]))).slice(0, limit),
      )
    }
  }
})

/**
 * Documents in which two or three terms stand at their own distances, most of them too long to be good, and
 * a few good ones at the edges of blocks, where a bound of the wrong block leaves them out.
 */
function worldOfBlocks(count: number): Map<DocumentKey, Record<string, unknown>> {
  const terms = ['alpha', 'beta', 'gamma'].slice(0, 2 + random.below(2))
  const every = terms.map(() => 1 + random.below(3))
  const seen = terms.map(() => 0)
  const filler = 'filler '.repeat(10 + random.below(10))
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  for (let n = 0; n < count; n++) {
    const here: string[] = []
    let isEdge = false
    for (const [at, term] of terms.entries()) {
      if (n % (every[at] as number) !== 0) continue
      const place = (seen[at] as number) % 128
      seen[at] = (seen[at] as number) + 1
      here.push(term)
      if (place === 0 || place === 127) isEdge = true
    }
    const isGood = random.chance(isEdge ? 0.15 : 0.003)
    const said = isGood ? here.flatMap(term => new Array<string>(1 + random.below(3)).fill(term)) : here
    const text = `${said.join(' ')} ${isGood ? 'filler '.repeat(random.below(4)) : filler}`
    // The best of equals came last.
    documents.set(count - n, { title: text })
  }
  return documents
}

t.test('no window is left out that holds a better document, wherever it stands in its block', async t => {
  const own = search.configure({ fields: ['title'] })
  for (let world = 0; world < 8; world++) {
    const documents = worldOfBlocks(900 + random.below(700))
    const rows = new RowMap()
    const index = new SearchIndex(own)
    await rows.tell(index, documents)
    for (const text of ['alpha beta', 'beta alpha alpha', 'alpha beta gamma', 'alpha', 'alp be*']) {
      const query = { text, prefix: text === 'alpha' }
      const expected = answer(own, query, documents)
      for (const limit of [1, 2, 7]) {
        const told = (await hitsOf(index, { ...query, limit }, rows)).map(({ key, score }) => ({
          key,
          score,
        }))
        t.same(told, expected.slice(0, limit), JSON.stringify({ world, text, limit }))
      }
      const from = 1 + random.below(5)
      const skipped = await hitsOf(index, { ...query, limit: from }, rows)
      const after = skipped.at(-1)?.row
      if (after === undefined) continue
      const next = await hitsOf(index, { ...query, limit: 3, after }, rows)
      const told = next.map(({ key, score }) => ({ key, score }))
      t.same(told, expected.slice(from, from + 3), JSON.stringify({ world, text, from }))
    }
  }
})

t.test('work that pauses gives the same rows and answers, also while others work', async t => {
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  const rows = new RowMap()
  const straight = new RowMap()
  const index = new SearchIndex(config, { mergeBytesMin: 2000 })
  let pauses = 0
  rows.pause = () => {
    pauses++
    return random.chance(0.3) ? Promise.resolve() : undefined
  }
  for (let batch = 0; batch < 60; batch++) {
    const before = new Map(documents)
    const told = randomBatch(documents, 12, 150)
    const asked = Array.from({ length: 4 }, randomQuery)
    const [, ...answers] = await Promise.all([
      rows.tell(index, told),
      ...asked.map(query => hitsOf(index, query, rows)),
    ])
    for (const [n, hits] of answers.entries()) {
      const query = asked[n] as SearchQuery
      t.same(
        hits.map(({ key, score }) => ({ key, score })),
        answer(config, query, before),
        JSON.stringify(query),
      )
    }
    await straight.tell(new SearchIndex(config, { mergeBytesMin: 2000 }), told)
    t.same(rows.rows, straight.rows, 'the same rows without pauses')
  }
  t.ok(pauses > 1000, `${pauses} looks at the clock`)
})

t.test('between two looks at the clock a batch does little', async t => {
  const rows = new RowMap()
  const index = new SearchIndex(search.configure({ fields: ['title'] }))
  let bytes = 0
  let most = 0
  rows.pause = () => {
    most = Math.max(most, bytes)
    bytes = 0
    return undefined
  }
  let written = 0
  for (let batch = 0; batch < 9; batch++) {
    const told: Told = new Map()
    for (let n = 0; n < 2000; n++) {
      told.set(batch * 2000 + n, { title: `${randomText()} word${random.below(5000)} all` })
    }
    await rows.tell(index, told, count => {
      bytes += count
      written += count
    })
  }
  t.ok(written > 1_000_000, `${written} bytes were written`)
  t.ok(most <= 64 * 1024, `${most} bytes between two looks`)
})
