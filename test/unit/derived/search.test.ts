/** Laws of the search index: its answers are those of a reading of all documents, however they came. */
import t from 'tap'
import type { SillokError } from '../../../src/base/errors.js'
import type { DocumentKey } from '../../../src/base/tuple.js'
import { DocumentHighlights } from '../../../src/derived/search/document-highlights.js'
import { decodeManifest, noRows } from '../../../src/derived/search/manifest.js'
import { withDueMerges } from '../../../src/derived/search/merge-policy.js'
import { SearchIndex, search } from '../../../src/derived/search/search.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'
import type { SegmentFacts } from '../../../src/derived/search/segment.js'
import { seedNumber as seed } from '../../seed.js'
import { RowMap } from './row-map.js'
import { answer } from './search-oracle.js'
import {
  checkAnswers,
  config,
  hitsOf,
  meaning,
  random,
  randomBatch,
  randomQuery,
  type Told,
} from './search-world.js'

t.comment(`SEED=${seed}`)

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
      ...(random.chance(0.2) ? { where: { year: { gte: 7 } } } : {}),
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

t.test('every document that answers has a mark', async t => {
  const index = new SearchIndex(config)
  const rows = new RowMap()
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  for (let batch = 0; batch < 4; batch++) await rows.tell(index, randomBatch(documents, 40, 100))
  let marked = 0
  for (let n = 0; n < 400; n++) {
    const query = randomQuery()
    const highlights = new DocumentHighlights(config, query.text, query)
    for await (const hits of index.query(query, rows)) {
      for (const { key } of hits) {
        const document = documents.get(key) ?? {}
        const fragments = [...highlights.of(document).values()].flat(2)
        if (fragments.some(({ isMarked }) => isMarked)) marked++
        else t.fail(`${JSON.stringify(query)}: ${JSON.stringify(document)}`)
      }
    }
  }
  t.ok(marked > 1000, `${marked} hits`)
})
