/** Searching a collection: pages of hits with the documents of their moment, marks, and what is refused. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import { limits, open, type SearchOptions, type Store } from '../../../src/index.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)

interface Note {
  readonly id: string
  readonly title: string
  readonly body?: string
  readonly tags?: readonly string[]
  readonly year?: number
}

const notes = {
  key: 'id',
  indexes: {
    text: { type: 'search', fields: [{ field: 'title', weight: 2 }, 'body', 'tags'], filters: ['year'] },
    titles: { type: 'search', fields: ['title'] },
    byYear: { type: 'secondary', fields: ['year'] },
  },
} as const

function ownOf(store: Store) {
  return store.collection<Note, typeof notes>('notes')
}

async function world(t: Test): Promise<{ store: Store; own: ReturnType<typeof ownOf> }> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('notes', notes)
  return { store, own: ownOf(store) }
}

t.test('a search finds what was just written, the best first, with the document and its version', async t => {
  const { own } = await world(t)
  await own.put({ id: 'a', title: '김철수의 하루', body: '서울에서' })
  const { version } = await own.put({ id: 'b', title: '하루', body: '철수 철수 철수', year: 2020 })
  const page = await own.search('text', '철수', { limit: 10, highlight: true })
  t.equal(page.cursor, undefined)
  t.ok(page.position > 0)
  t.match(
    page.hits.map(({ key, version, document, highlights }) => ({ key, version, document, highlights })),
    [
      {
        key: 'b',
        version,
        document: { id: 'b', title: '하루', year: 2020 },
        highlights: { body: ['<mark>철수</mark> <mark>철수</mark> <mark>철수</mark>'] },
      },
      { key: 'a', highlights: { title: ['김<mark>철수</mark>의 하루'] } },
    ],
  )
  t.notOk('title' in (page.hits[0]?.highlights ?? {}), 'a field without a mark is left out')
  t.ok((page.hits[0]?.score ?? 0) > (page.hits[1]?.score ?? 0))
  t.notOk('highlights' in ((await own.search('text', '철수')).hits[0] ?? {}), 'none unless asked for')
  t.same(await own.search('text', ''), { hits: [], cursor: undefined, position: page.position })
  await own.delete('b')
  t.same(
    (await own.search('text', '철수')).hits.map(({ key }) => key),
    ['a'],
  )
  t.same(
    (await own.search('text', '철', { prefix: true })).hits.map(({ key }) => key),
    ['a'],
  )
  t.equal((await own.search('text', '하루 부산', { match: 'all' })).hits.length, 0)
  t.equal((await own.search('text', '하루 부산', { level: 'stale' })).hits.length, 1)
})

t.test('highlights are escaped HTML of the text as it was written', async t => {
  const { own } = await world(t)
  const title = `<script>alert("flow")</script> & 'flows'`
  const tags = ['x', 'the <b>flow</b>', 'flow 3', 'flow 4']
  await own.put({ id: 'a', title, tags, body: `${'앞 '.repeat(400)}flowing${' 뒤'.repeat(400)} flow` })
  const highlightsOf = async (highlight: SearchOptions['highlight']) =>
    (await own.search('text', 'flow', { highlight } as object)).hits[0]?.highlights
  t.same(await highlightsOf({ fields: ['tags', 'title'], fragments: 2 }), {
    title: [
      '&lt;script&gt;alert(&quot;<mark>flow</mark>&quot;)&lt;/script&gt; &amp; &#39;<mark>flows</mark>&#39;',
    ],
    tags: ['the &lt;b&gt;<mark>flow</mark>&lt;/b&gt;', '<mark>flow</mark> 3'],
  })
  t.match(await highlightsOf({ fields: ['body'], fragmentLength: 20 }), {
    body: ['…앞 앞 <mark>flowing</mark> 뒤 뒤 뒤 뒤…', '…뒤 뒤 뒤 뒤 뒤 뒤 뒤 뒤 <mark>flow</mark>'],
  })
  t.equal((await highlightsOf(true))?.['body']?.length, 2)
  t.equal((await highlightsOf({ fragments: undefined }))?.['tags']?.length, 3)
})

t.test('hits and documents are of one moment, whatever is written meanwhile', async t => {
  const { store, own } = await world(t)
  const count = 40
  const put = (word: string) =>
    store.batch(
      Array.from({ length: count }, (_, i) => ({ in: 'notes', put: { id: `k${i}`, title: `${word} ${i}` } })),
    )
  await put('one')
  let isOver = false
  const writer = (async () => {
    // Every document has the one word, then every one the other.
    for (let round = 0; !isOver; round++) await put(round % 2 === 0 ? 'two' : 'one')
  })()
  for (let n = 0; n < 60; n++) {
    const word = n % 2 === 0 ? 'one' : 'two'
    const { hits } = await own.search('text', word, { limit: count, highlight: true })
    t.ok(hits.length === 0 || hits.length === count, `${hits.length} hits`)
    const torn = hits.filter(({ document }) => !document.title.startsWith(word))
    t.strictSame(torn, [], 'each document has what was asked for')
    t.equal(new Set(hits.map(({ version }) => version)).size, Math.min(1, hits.length), 'of one batch')
    t.ok(hits.every(({ highlights }) => highlights?.['title']?.[0]?.startsWith(`<mark>${word}</mark>`)))
  }
  isOver = true
  await writer
})

t.test('pages go on where they ended, and a cursor fits its question only', async t => {
  const { store, own } = await world(t)
  const random = new Random(seed)
  for (let i = 0; i < 57; i++) {
    const title = Array.from({ length: 1 + random.below(6) }, () => random.pick(['flow', 'x', 'y'])).join(' ')
    await own.put({ id: `k${i}`, title: `${title} flow`, year: i % 3 })
  }
  const keys = async (options: Omit<SearchOptions, 'cursor'>, text = 'flow'): Promise<string> => {
    const found: unknown[] = []
    let cursor: string | undefined
    do {
      const page = await own.search('text', text, { ...options, cursor } as object)
      t.ok(page.hits.length <= (options.limit ?? 10))
      t.ok(page.hits.length > 0)
      found.push(...page.hits.map(({ key }) => key))
      cursor = page.cursor
    } while (cursor !== undefined)
    return found.join(' ')
  }
  const whole = await keys({ limit: 57 })
  t.equal(whole.split(' ').length, 57)
  for (const limit of [1, 7, 19, 56, 1000, undefined]) t.equal(await keys({ limit }), whole, `${limit}`)
  const where = { year: { gte: 1, lt: 2 } }
  t.equal((await keys({ limit: 4, where })).split(' ').length, 19)
  const { cursor } = await own.search('text', 'flow', { where, limit: 3 })
  const cases: [what: string, text: string, options: object, name?: 'titles'][] = [
    ['text', 'flow x', { where }],
    ['where', 'flow', {}],
    ['bound', 'flow', { where: { year: { gte: 1, lt: 3 } } }],
    ['kind of bound', 'flow', { where: { year: { gte: 1, lte: 2 } } }],
    ['value', 'flow', { where: { year: 1 } }],
    ['values', 'flow', { where: { year: [1] } }],
    ['match', 'flow', { where, match: 'all' }],
    ['prefix', 'flow', { where, prefix: true }],
  ]
  for (const [what, text, options] of cases) {
    const again = own.search('text', text, { ...options, cursor } as object)
    await t.rejects(again, { code: 'INVALID', details: { mismatch: 'query' } }, `another ${what}`)
  }
  const turned = { cursor, limit: 3, where: { year: { lt: 2, gte: 1 } } }
  t.equal((await own.search('text', 'flow', turned)).hits.length, 3, 'the same bounds in another order')
  const plain = await own.search('text', 'flow', { limit: 3 })
  const other = own.search('titles', 'flow', { cursor: plain.cursor })
  await t.rejects(other, { code: 'INVALID', details: { mismatch: 'index' } })
  const found = await own.findPage('byYear', {}, { limit: 3 })
  await t.rejects(own.search('text', 'flow', { cursor: found.cursor }), { code: 'INVALID' })
  const altered = `${plain.cursor?.slice(0, -2)}${plain.cursor?.endsWith('A') ? 'BB' : 'AA'}`
  await t.rejects(own.search('text', 'flow', { cursor: altered }), { code: 'INVALID' })
  t.equal(
    (await own.search('text', 'flow', { cursor: plain.cursor, limit: 5, prefix: false })).hits.length,
    5,
  )
  const elsewhere = await open({ memory: true })
  t.teardown(() => elsewhere.close())
  await elsewhere.define('notes', notes)
  const foreign = elsewhere.collection('notes').search('text', 'flow', { cursor: plain.cursor })
  await t.rejects(foreign, { code: 'INVALID', details: { mismatch: 'store' } })
  await store.close()
})

t.test('what is asked is what was asked at the call', async t => {
  const { own } = await world(t)
  for (const year of [2020, 2021]) await own.put({ id: `y${year}`, title: 'a word', year })
  const where = { year: [2020] }
  const searching = own.search('text', 'word', { where })
  where.year[0] = 2021
  t.strictSame(
    (await searching).hits.map(({ key }) => key),
    ['y2020'],
  )
  const query = { eq: [2020] as [number] }
  const finding = own.findPage('byYear', query)
  query.eq[0] = 2021
  t.strictSame(
    (await finding).documents.map(({ id }) => id),
    ['y2020'],
  )
})

t.test('what cannot be searched for is refused by its name', async t => {
  const { store, own } = await world(t)
  await own.put({ id: 'a', title: 'flow' })
  const cases: [options: unknown, message: RegExp][] = [
    [{ limit: 0 }, /search: limit must be a whole number from 1 to 1000, not 0/],
    [{ limit: limits.searchHitsMax + 1 }, /limit .* not 1001/],
    [{ limit: '5' }, /limit .* not "5"/],
    [{ cursor: 5 }, /cursor must be/],
    [{ cursor: 'abc' }, /this cursor is not the text of a cursor/],
    [{ match: 'most' }, /match must be any or all/],
    [{ match: null }, /match is null/],
    [{ prefix: 1 }, /prefix must be/],
    [{ where: 5 }, /where must be an object/],
    [{ where: { title: 'x' } }, /where: "title" is no filter; the index has year/],
    [{ where: { year: { from: 1 } } }, /where\.year: unknown "from"/],
    [{ where: { year: Number.NaN } }, /where\.year/],
    [{ highlight: 1 }, /highlight must be true, false, or an object/],
    [{ highlight: null }, /highlight must be/],
    [{ highlight: [] }, /highlight must be/],
    [
      { highlight: { length: 1 } },
      /unknown highlight\.length; allowed are fields, fragmentLength, fragments/,
    ],
    [{ highlight: { fields: [] } }, /highlight\.fields must be a list .*: title, body, tags/],
    [{ highlight: { fields: ['year'] } }, /highlight\.fields: "year" is no field .* title, body, tags/],
    [{ highlight: { fields: [undefined] } }, /highlight\.fields: undefined is no field/],
    [{ highlight: { fragmentLength: 19 } }, /highlight\.fragmentLength must be .* from 20 to 10000/],
    [{ highlight: { fragments: 101 } }, /highlight\.fragments must be .* from 1 to 100/],
    [{ offset: 1 }, /unknown option "offset"; allowed are .*limit, cursor, match, prefix, where, highlight/],
    [{ level: 'fresh' }, /level must be/],
    [{ onBehind: 'fail' }, /onBehind must be/],
    [null, /options must be an object/],
  ]
  for (const [options, message] of cases) {
    const refused = own.search('text', 'flow', options as object)
    await t.rejects(refused, { code: 'INVALID', outcome: 'not-applied', message }, JSON.stringify(options))
  }
  await t.rejects(own.search('text', 7 as never), { code: 'INVALID', message: /text must be/ })
  await t.rejects(own.search('text', '\ud800'), { code: 'INVALID', message: /well-formed/ })
  const untyped = store.collection('notes')
  await t.rejects(untyped.search('other', 'x'), { code: 'NOT_FOUND', message: /no index other; it has text/ })
  await t.rejects(untyped.search('byYear', 'x'), {
    code: 'INVALID',
    message: /secondary: ask it by find\(\)/,
  })
  await t.rejects(untyped.find('text').next(), { code: 'INVALID', message: /search: ask it by search\(\)/ })
  await t.rejects(store.collection('none').search('text', 'x'), { code: 'NOT_FOUND' })
  t.equal(await codeOf(own.search('text', 'x', { signal: AbortSignal.abort() })), 'ABORTED')
  t.equal((await own.search('text', 'flow', { where: { year: undefined }, limit: undefined })).hits.length, 1)
  await store.close()
  t.equal(await codeOf(own.search('text', 'x')), 'CLOSED')
})

t.test('a search is of use again when its rows were begun anew', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const store = await open({ dir })
  t.teardown(() => store.close())
  await store.define('notes', notes)
  const own = ownOf(store)
  for (let i = 0; i < 300; i++) await own.put({ id: `k${i}`, title: 'flow' })
  const folder = readdirSync(dir, { recursive: true, encoding: 'utf8' }).find(name => /indexes$/.test(name))
  rmSync(join(dir, folder ?? ''), { recursive: true })
  await own.put({ id: 'last', title: 'flow' })
  const { hits } = await own.search('text', 'flow', { limit: 1000 })
  t.equal(hits.length, 301)
})
