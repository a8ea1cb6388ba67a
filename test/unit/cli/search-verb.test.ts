/** `sillok search`: what it prints, in which form, and what it refuses. */
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { markedText } from '../../../src/cli/found-text.js'
import { open } from '../../../src/index.js'
import { shell } from './shell.js'

t.setTimeout(60_000)

t.test('a search prints hits, their marks, and how the next page is asked for', async t => {
  const { sillok, folder } = shell(t)
  const store = await open({ dir: path.join(folder, 'store') })
  const text = { type: 'search', fields: ['title'], filters: ['year', 'by'] }
  const byYear = { type: 'secondary', fields: ['year'] }
  await store.define('notes', { key: 'id', indexes: { text, byYear } })
  for (const [id, title, year] of [
    ['a', '서울에서 <부산>까지\u001b[31m', 2023],
    ['b', '서울, 서울', 2024],
    ['c', '부산', 2024],
  ])
    await store.collection('notes').put({ id, title, year, by: 'Kim Lee' })
  await store.close()
  const found = await sillok('search', 'notes', 'text', '서울', '--highlight')
  t.match(found, { exit: 0, err: '' })
  const [first, second, ...others] = found.out.trim().split('\n')
  t.match(JSON.parse(first ?? ''), { key: 'b', document: { id: 'b' }, highlights: { title: [/<mark>서울/] } })
  t.match(JSON.parse(second ?? ''), { key: 'a', highlights: { title: [/^<mark>서울<\/mark>에서 &lt;부산/] } })
  t.same(others, [])
  const table = await sillok('search', 'notes', 'text', '서울', '--highlight', '-o', 'table')
  t.match(
    table.out,
    /^b {2}[\d.]+\n {2}title: ‹서울›, ‹서울›\na {2}[\d.]+\n {2}title: ‹서울›에서 <부산>까지\\x1b\[31m\n$/,
  )
  t.match(
    (await sillok('search', 'notes', 'text', '서울', '-o', 'table')).out,
    /^key +score +version +document\n/,
  )
  const page = await sillok('search', 'notes', 'text', '서울', '--limit', '1')
  t.match(page, { exit: 0, out: /^\{"key":"b",/, err: /^next page: --after [\w-]+\n$/ })
  const cursor = page.err.trim().split(' ').pop() ?? ''
  t.match(await sillok('search', 'notes', 'text', '서울', '--after', cursor), {
    out: /^\{"key":"a",/,
    err: '',
  })
  t.match(await sillok('search', 'notes', 'text', '부산', '--after', cursor), {
    exit: 1,
    err: /^INVALID: this cursor is of another query/,
  })
  const keys = async (...words: string[]): Promise<string> =>
    (await sillok('search', 'notes', 'text', '서울 부산', ...words)).out.match(/(?<="key":")\w/g)?.join('') ??
    ''
  t.equal((await keys()).length, 3)
  t.equal(await keys('--match', 'all'), 'a')
  t.equal(await keys('--where', 'year=2024'), 'bc')
  t.equal(await keys('--where', '{"year":{"lt":2024}}', '--where', 'by=Kim Lee'), 'a')
  const wrong: [string[], number, RegExp][] = [
    [['--match', 'most'], 2, /--match is any or all, not most/],
    [['--where', 'year'], 2, /--where is FIELD=VALUE/],
    [['--where', 'year=1', '--where', 'year=2'], 2, /--where names year twice/],
    [['--where', '{"year"'], 1, /^INVALID: --where: not JSON/],
    [['--where', 'title=x'], 1, /^INVALID: .*"title" is no filter; the index has year, by/],
    [['--where', '__proto__=x'], 1, /"__proto__" is no filter/],
    [['--limit', '0'], 2, /--limit is a whole number from 1/],
    [['--limit', '1001'], 1, /limit must be a whole number from 1 to 1000/],
  ]
  for (const [words, exit, err] of wrong)
    t.match(
      await sillok('search', 'notes', 'text', '서울', ...words),
      { exit, err, out: '' },
      words.join(' '),
    )
  t.match(await sillok('search', 'notes', 'byYear', 'x'), { exit: 1, err: /ask it by find/ })
  t.match(await sillok('search', 'notes', 'other', 'x'), { exit: 5, err: /no index other/ })
  const fragment = [
    { text: 'a\u001b', isMarked: false },
    { text: 'b\u001b', isMarked: true },
  ]
  t.equal(markedText(fragment, false), 'a\\x1b‹b\\x1b›')
  t.equal(stripVTControlCharacters(markedText(fragment, true)), 'a\\x1bb\\x1b')
})
