/** Laws of how a search index works: what it may leave out, and that it lets others work in between. */
import t from 'tap'
import type { DocumentKey } from '../../../src/base/tuple.js'
import { decodeManifest } from '../../../src/derived/search/manifest.js'
import { SearchIndex, search } from '../../../src/derived/search/search.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'
import { seedNumber as seed } from '../../seed.js'
import { RowMap } from './row-map.js'
import { answer } from './search-oracle.js'
import {
  config,
  hitsOf,
  meaning,
  random,
  randomBatch,
  randomQuery,
  randomText,
  type Told,
} from './search-world.js'

t.comment(`SEED=${seed}`)

/** How many segments the index has: those that are being merged count one by one. */
function segmentsOf(rows: RowMap, fields: number): number {
  return decodeManifest(rows.rows.get('m') ?? Buffer.alloc(0), fields).segments.length
}

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
  for (let world = 0; world < 5; world++) {
    const documents = worldOfBlocks(900 + random.below(700))
    const rows = new RowMap()
    const index = new SearchIndex(own)
    await rows.tell(index, documents)
    for (const text of ['alpha beta', 'beta alpha alpha alpha', 'alpha beta gamma', 'alpha', 'alp be*']) {
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

t.test('a window ends where the first of its lists goes on to another block', async t => {
  const own = search.configure({ fields: ['title'] })
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  for (let n = 0; n < 8192; n++) {
    const words = `${n % 4 === 0 ? 'dense ' : ''}${n % 16 === 0 ? 'sparse ' : ''}`
    documents.set(n, { title: `${words}${'filler '.repeat(n % 4 === 0 ? 50 : 1)}` })
  }
  // 512 documents are a block of `dense`, 2048 one of `sparse`. Whatever stands between 512 and 4095 is poor,
  // but for one; and a good one at the end keeps `sparse` among the lists that bring candidates.
  for (const n of [20, 40]) documents.set(n, { title: `dense ${'filler '.repeat(9)}` })
  documents.set(3000, { title: `dense ${'filler '.repeat(6)}` })
  documents.set(8176, { title: 'sparse sparse filler' })
  const rows = new RowMap()
  const index = new SearchIndex(own)
  await rows.tell(index, documents)
  for (const text of ['dense dense dense sparse', 'dense sparse', 'sparse sparse dense']) {
    for (const limit of [1, 2, 4]) {
      const told = (await hitsOf(index, { text, limit }, rows)).map(({ key, score }) => ({ key, score }))
      t.same(told, answer(own, { text }, documents).slice(0, limit), `${text}, ${limit}`)
    }
  }
})

t.test('joined bounds of a block cover all of its documents', async t => {
  const own = search.configure({ fields: ['title'] })
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  const put = (n: number, count: number, length: number): void => {
    documents.set(n, { title: `${'dense '.repeat(count)}${'filler '.repeat(length - count)}` })
  }
  for (let n = 0; n < 768; n++) put(n, n % 2, 100)
  put(11, 4, 100)
  // No one of these is covered by another, so the last ones are joined; the sixth is the best of all.
  const uncovered = [
    [1, 10],
    [2, 50],
    [3, 90],
    [4, 130],
    [5, 150],
    [6, 152],
    [7, 3000],
  ] as const
  for (const [at, [count, length]] of uncovered.entries()) put(301 + 20 * at, count, length)
  const rows = new RowMap()
  const index = new SearchIndex(own)
  await rows.tell(index, documents)
  const [best] = answer(own, { text: 'dense' }, documents)
  t.equal(best?.key, 401, 'the sixth')
  t.same(
    (await hitsOf(index, { text: 'dense', limit: 1 }, rows)).map(({ key }) => key),
    [401],
  )
})

t.test('work that pauses gives the same rows and answers, also while others work', async t => {
  const documents = new Map<DocumentKey, Record<string, unknown>>()
  const rows = new RowMap()
  const straight = new RowMap()
  const options = { pageBytes: 100, mergeBytesMin: 100 }
  const index = new SearchIndex(config, options)
  let pauses = 0
  rows.pause = () => {
    pauses++
    return random.chance(0.3) ? Promise.resolve() : undefined
  }
  for (let batch = 0; batch < 40; batch++) {
    const before = new Map(documents)
    const told = randomBatch(documents, 12, 150)
    const asked = Array.from({ length: 4 }, randomQuery)
    // Who asks has the rows as they were.
    const held = new RowMap()
    for (const [key, row] of rows.rows) held.rows.set(key, row)
    held.pause = rows.pause
    const [, ...answers] = await Promise.all([
      rows.tell(index, told),
      ...asked.map(query => hitsOf(index, query, held)),
    ])
    for (const [n, hits] of answers.entries()) {
      const query = asked[n] as SearchQuery
      t.same(
        hits.map(({ key, score }) => ({ key, score })),
        answer(config, query, before),
        JSON.stringify(query),
      )
    }
    await straight.tell(new SearchIndex(config, options), told)
    t.same(rows.rows, straight.rows, 'the same rows without pauses')
  }
  t.ok(pauses > 500, `${pauses} looks at the clock`)
  t.ok(segmentsOf(rows, 2) <= 30, `${segmentsOf(rows, 2)} segments`)
})

t.test('between two looks at the clock a batch does little', async t => {
  const rows = new RowMap()
  const index = new SearchIndex(search.configure({ fields: ['title'] }))
  const documents: Told = new Map()
  let bytes = 0
  let most = 0
  rows.pause = () => {
    most = Math.max(most, bytes)
    bytes = 0
    return undefined
  }
  let written = 0
  for (let batch = 0; batch < 12; batch++) {
    const told: Told = new Map()
    for (let n = 0; n < 700; n++) {
      told.set(batch * 700 + n, { title: `${randomText()} word${random.below(5000)} all` })
    }
    for (const [key, document] of told) documents.set(key, document)
    await rows.tell(index, told, count => {
      bytes += count
      written += count
    })
  }
  t.ok(written > 500_000, `${written} bytes were written`)
  t.ok(most <= 64 * 1024, `${most} bytes between two looks`)
  // Terms of more than one entry were merged.
  t.ok(segmentsOf(rows, 1) < 12, `${segmentsOf(rows, 1)} segments`)
  const once = new RowMap()
  await once.tell(index, documents)
  t.same(await meaning(index, rows), await meaning(index, once))
})
