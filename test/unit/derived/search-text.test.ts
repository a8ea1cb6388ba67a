/** Laws of the texts of search: analysis, questions, definitions, and marks in the original. */
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import { eachTerm } from '../../../src/derived/search/analysis.js'
import { classes, classOf } from '../../../src/derived/search/characters.js'
import { configureSearch } from '../../../src/derived/search/config.js'
import { foldText } from '../../../src/derived/search/folded-text.js'
import { Highlighter } from '../../../src/derived/search/highlight.js'
import { stemLength } from '../../../src/derived/search/korean.js'
import { parseQuestion } from '../../../src/derived/search/question.js'
import { search } from '../../../src/derived/search/search.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'
import { generate, unicodeDataFile } from '../../fixtures/generate-word-characters.js'
import { RowMap } from './row-map.js'

const { SEED } = process.env
const seed = Number(SEED ?? Date.now() % 2 ** 31)
t.comment(`SEED=${seed}`)

/** Terms with their places; a minus for those that ranking does not count. */
function terms(text: string): string {
  const said: string[] = []
  eachTerm(text, 0, {
    take: (term, place, ranked) => {
      said.push(`${term}${place < 0 ? '' : `@${place}`}${ranked ? '' : '-'}`)
    },
  })
  return said.join(' ')
}

t.test('a text has these terms', async t => {
  const cases: [string, string][] = [
    ['', ''],
    ['😀 … ! \u0301', ''],
    ['Running', 'wrunning@0 srun'],
    ['the flows', 'wthe@0 wflows@2 sflow'],
    ['Straße', 'wstrasse@0 sstrass'],
    ['STRAẞE', 'wstrasse@0 sstrass'],
    ['İstanbul', 'wistanbul@0 sistanbul'],
    ['\u212aelvin', 'wkelvin@0 skelvin'],
    ['ＡＢＣ１', 'wabc1@0 sabc1'],
    ['ｶﾞｽ', 'gガス@0 gス@1-'],
    ['e\u0301a', 'wéa@0 séa'],
    ['don’t', "wdon't@0 sdon't"],
    ["'x'", 'wx@0 sx'],
    ['서울', 'g서울@0 g울@1-'],
    ['서울'.normalize('NFD'), 'g서울@0 g울@1-'],
    ['서울에서', 'g서울@0 g울에@1- g에서@2- g서@3-'],
    ['꿀', 'g꿀@0'],
    ['Kafka를', 'wkafka@0 skafka g를@2-'],
    ['를 Kafka', 'g를@0 wkafka@2 skafka'],
    ['3시간', 'w3@0 s3 g시간@2 g간@3-'],
    ['ㅋㅋ', 'gㅋㅋ@0 gㅋ@1-'],
    ['東京タワー', 'g東京@0 g京@1- gタワ@3 gワー@4 gー@5-'],
    ['𠮷野', 'g𠮷野@0 g野@1-'],
    ['привет мир', 'wпривет@0 sпривет wмир@2 sмир'],
    ['a\u{1f600}b', 'wa@0 wb@2 sb'],
    [`b${'𐌰'.repeat(40)}`, `wb@0 sb w${'𐌰'.repeat(32)}@2 s${'𐌰'.repeat(32)}`],
    [`1я${'𐌰'.repeat(40)}`, `w1@0 s1 wя${'𐌰'.repeat(31)}@2 sя${'𐌰'.repeat(31)}`],
    [`${'x'.repeat(70)}`, `w${'x'.repeat(64)}@0 s${'x'.repeat(64)}`],
  ]
  for (const [text, said] of cases) t.equal(terms(text), said, JSON.stringify(text))
})

t.test('folding a text, or composing it, changes none of its terms', async t => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), text => {
      const said = terms(text)
      return terms(text.normalize('NFD')) === said && terms(text.normalize('NFC')) === said
    }),
    { seed, numRuns: 2000 },
  )
  t.pass()
})

t.test('each unit of a folded text has its place in the original', async t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), original => {
      const { text, starts, ends } = foldText(original)
      if (starts === undefined || ends === undefined) return text.length === original.length
      let last = 0
      for (let at = 0; at < text.length; at++) {
        const [start = -1, end = -1] = [starts[at], ends[at]]
        if (start < last || end <= start || end > original.length) return false
        last = start
      }
      return true
    }),
    { seed, numRuns: 2000 },
  )
  t.pass()
})

t.test('letters, numbers and marks are those of one version of Unicode', async t => {
  t.equal(classOf(0x41), classes.latin)
  t.equal(classOf(0x3042), classes.kana)
  t.equal(classOf(0x301), classes.mark)
  t.equal(classOf(0xd800), classes.none)
  t.equal(classOf(0x1f600), classes.none)
  if (!existsSync(unicodeDataFile)) return t.comment(`${unicodeDataFile} is not there`)
  const table = readFileSync('src/derived/search/word-characters.ts', 'utf8')
  t.equal(generate(unicodeDataFile), table, 'the table in src is what the generator makes')
})

t.test('particles and endings leave the word', async t => {
  const forms: [string, string][] = [
    [
      '서울',
      '서울 서울에서 서울에서는 서울은 서울의 서울로 서울까지 서울이다 서울이었다 서울입니다 서울에서도 서울부터',
    ],
    ['공부', '공부 공부하다 공부하는 공부했다 공부했습니다 공부합니다 공부하고 공부를 공부하여 공부할까요'],
    ['대한민국', '대한민국 대한민국에서 대한민국의 대한민국으로 대한민국에서의'],
    ['선생님', '선생님 선생님께 선생님께서 선생님들은 선생님이라고'],
    ['재미있', '재미있는 재미있었다 재미있습니다 재미있고 재미있어요'],
    ['시작', '시작되었다 시작된 시작되는 시작됐다 시작됩니다 시작되었나요'],
  ]
  for (const [stem, written] of forms) {
    for (const form of written.split(' ')) t.equal(form.slice(0, stemLength(form)), stem, form)
  }
  for (const short of ['회의', '지도', '나라', '이', '에서', '바다'])
    t.equal(stemLength(short), short.length, short)
})

t.test('a question ranks the same with other particles and endings', async t => {
  const nouns =
    `서울 영화 감독 배우 대한민국 컴퓨터 프로그램 도서관 선생님 자동차 비행기 음악 역사 정치 사람들 고양이 어머니 세종대왕
    인터넷 대학교 독립운동 한국어 전쟁 사랑 경제`.split(/\s+/)
  const forms = [
    ['이', '에서'],
    ['은', '의'],
    ['에서는', '을'],
    ['으로', '까지'],
    ['도', '에게'],
    ['와', '처럼'],
    ['부터', '입니까'],
    ['이란', '이었다'],
  ]
  let asked = 0
  for (const [n, noun] of nouns.entries()) {
    const other = nouns[(n + 7) % nouns.length] ?? ''
    const plain = parseQuestion(`${noun} ${other}`, { match: 'any', prefix: false })
    for (const [one, two] of forms) {
      const text = `${noun}${one} ${other}${two}`
      t.same(parseQuestion(text, { match: 'any', prefix: false }), plain, text)
      asked++
    }
  }
  t.equal(asked, 200)
})

/** What a question asks for, in short. */
function asked(text: string, match?: 'any' | 'all', prefix = false): string {
  const { required, optional, ranking, otherwise } = parseQuestion(text, { match, prefix })
  const clauses = (of: typeof required): string =>
    of
      .map(({ terms, open, ranked }) => {
        const own = terms.map(({ term, offset }) => `${term}${offset}`).join('+')
        const ends = open?.ranges.map(({ from, to }) => `${from}..${to}`).join('|') ?? ''
        return own + (open === undefined ? '' : `[${ends}]${open.offset}`) + (ranked === true ? '!' : '')
      })
      .join(', ')
  const ranks = [...ranking].map(([term, times]) => (times === 1 ? term : `${term}*${times}`)).join(' ')
  const rest = otherwise === undefined ? '' : ` else ${clauses(otherwise.required)}`
  return `${clauses(required)} / ${clauses(optional)} / ${ranks}${rest}`
}

t.test('a question asks for this', async t => {
  t.equal(asked('서울'), 'g서울0 /  / g서울')
  t.equal(asked('서울에서'), 'g서울0+g울에1+g에서2 /  / g서울 else g서울0')
  t.equal(asked('서울에서', 'any'), ' / g서울0 / g서울')
  t.equal(asked('서울에서', 'all'), 'g서울0 /  / g서울')
  t.equal(asked('꿀', 'any'), ' / [g꿀..g꿀\uffff]0 / g꿀')
  t.equal(asked('꿀'), '[g꿀..g꿀\uffff]0 /  / ')
  t.equal(asked('서울에서 맛집을'), ' / g서울0, g맛집0 / g서울 g맛집')
  t.equal(asked('서울 꿀'), ' / g서울0, g꿀0! / g서울 g꿀')
  t.equal(asked('서울 꿀', 'all'), 'g서울0, [g꿀..g꿀\uffff]0 /  / g서울 g꿀')
  t.equal(asked('대한민국 flows flow'), ' / g대한0+g한민1+g민국2, sflow0, sflow0 / g대한 g한민 g민국 sflow*2')
  t.equal(asked('the flows'), ' / sflow0 / sflow')
  t.equal(asked('the who'), ' / wthe0, wwho0 / wthe wwho')
  t.equal(asked('Kafka를'), ' / skafka0 / skafka')
  t.equal(asked('"the flows" x'), 'wthe0+wflows2 / sx0 / sx sflow')
  t.equal(asked('"서울에서 온"'), 'g서울0+g울에1+g에서2[g온..g온\uffff]5 /  / g서울 g온')
  t.equal(asked('half "quote'), ' / shalf0, squot0 / shalf squot')
  t.equal(asked('kaf*'), ' / [wkaf..wkaf\uffff]0 / ')
  t.equal(asked('a kaf', 'any', true), ' / [wkaf..wkaf\uffff]0 / ')
  t.equal(asked('서우', 'any', true), ' / [g서우..g서워]0 / ')
  t.equal(asked('서울', 'any', true), ' / [g서울..g서울\0]0 / ')
  t.equal(asked('서ㅇ', 'any', true), ' / [g서아..g서자]0 / ')
  t.equal(asked('…'), ' /  / ')
})

t.test('a definition has one normal form, and what is wrong is named', async t => {
  t.same(configureSearch({ fields: ['name', { field: 'bio', weight: 2 }] }), {
    fields: [
      { field: 'name', weight: 1 },
      { field: 'bio', weight: 2 },
    ],
    filters: [],
  })
  const normal = configureSearch({ fields: ['a.b'], filters: ['c'] })
  t.same(configureSearch({ ...normal }), normal)
  const bad: [Record<string, unknown>, RegExp][] = [
    [{}, /fields must be a list/],
    [{ fields: [] }, /fields must be a list/],
    [{ fields: [5] }, /a field must be text, or/],
    [{ fields: ['a', 'a'] }, /"a" is named twice/],
    [{ fields: ['a..b'] }, /names no field/],
    [{ fields: [{ field: 'a', weight: 0 }] }, /a weight must be/],
    [{ fields: [{ field: 'a', boost: 1 }] }, /unknown "boost"/],
    [{ fields: ['a'], filters: 'b' }, /filters must be/],
    [{ fields: ['a'], language: 'ko' }, /unknown "language"; allowed are fields, filters/],
  ]
  for (const [definition, message] of bad) {
    t.throws(() => configureSearch(definition), { code: 'INVALID', message }, JSON.stringify(definition))
  }
})

t.test('a question of the wrong shape is refused', async t => {
  const index = search.open(search.configure({ fields: ['a'], filters: ['c'] }))
  const bad: [unknown, RegExp][] = [
    ['서울', /a query is an object/],
    [{}, /text must be/],
    [{ text: '\ud800' }, /well-formed/],
    [{ text: 'x'.repeat(4097) }, /at most 4096/],
    [{ text: 'a', fuzzy: 1 }, /unknown "fuzzy"/],
    [{ text: 'a', match: 'most' }, /any or all/],
    [{ text: 'a', prefix: 1 }, /prefix must be/],
    [{ text: 'a', limit: 0 }, /limit must be/],
    [{ text: 'a', limit: null }, /limit is null/],
    [{ text: 'a', after: 'x' }, /after must be/],
    [{ text: 'a', after: Buffer.from('x') }, /after must be the row/],
    [{ text: 'a', filter: [] }, /filter must be an object/],
    [{ text: 'a', filter: { d: 1 } }, /"d" is no filter; the index has c/],
    [{ text: 'a', filter: { c: { from: 1 } } }, /unknown "from"/],
    [{ text: 'a', filter: { c: {} } }, /name a value/],
    [{ text: 'a', filter: { c: Number.NaN } }, /filter.c/],
  ]
  for (const [query, message] of bad) {
    t.throws(() => index.query(query as SearchQuery, new RowMap()), { code: 'INVALID', message })
  }
})

t.test('a document with too much text, or too long a value, is refused', async t => {
  const index = search.open(search.configure({ fields: ['a'], filters: ['c'] }))
  const refused = (document: Record<string, unknown>): unknown => {
    try {
      index.check?.({ key: 'k', document })
      return undefined
    } catch (error) {
      return isSillokError(error) ? error.code : error
    }
  }
  t.equal(refused({ a: 'x'.repeat(1_000_000), c: 'x' }), undefined)
  t.equal(refused({ a: 'x'.repeat(1 << 20) }), 'TOO_LARGE')
  t.equal(refused({ c: 'x'.repeat(1030) }), 'TOO_LARGE')
  t.equal(refused({ c: Array.from({ length: 100 }, (_, n) => `${n}${'x'.repeat(1000)}`) }), 'TOO_LARGE')
  const rows = new RowMap()
  const texts = ['a '.repeat(500_000), '아'.repeat(340_000), 'x'.repeat(1_000_000)]
  await rows.tell(index, new Map(texts.map((a, n) => [n, { a }])))
  for (const row of rows.rows.values()) t.ok(row.length < 1 << 20, 'rows keep to their limit')
  await rows.tell(index, new Map(texts.map((_, n) => [n, undefined])))
  t.equal(rows.notes.size, 0)
})

t.test('marks stand in the original, and everything else is escaped', async t => {
  const cases: [query: string, text: string, html: string][] = [
    [
      'flow',
      'The <flows> & "flowing"',
      'The &lt;<mark>flows</mark>&gt; &amp; &quot;<mark>flowing</mark>&quot;',
    ],
    ['서울', '서울에서 남서울까지', '<mark>서울</mark>에서 남<mark>서울</mark>까지'],
    ['서울에서', '서울에서, 서울은', '<mark>서울에서</mark>, <mark>서울</mark>은'],
    [
      '서울',
      '서울에서'.normalize('NFD'),
      `<mark>${'서울'.normalize('NFD')}</mark>${'에서'.normalize('NFD')}`,
    ],
    ['strasse', 'Die Straße.', 'Die <mark>Straße</mark>.'],
    ['istanbul', 'İstanbul!', '<mark>İstanbul</mark>!'],
    ['i\u0307stanbul', 'İstanbul!', '<mark>İstanbul</mark>!'],
    ['résumé', 're\u0301sume\u0301 😀', '<mark>re\u0301sume\u0301</mark> 😀'],
    ['kafka', '😀Kafka를', '😀<mark>Kafka</mark>를'],
    ['"big cat"', 'cat, big cat, big', 'cat, <mark>big cat</mark>, big'],
    ['"울에서 온"', '서울에서 온다', '서<mark>울에서 온</mark>다'],
    ['kaf*', 'Kafka kaf ka', '<mark>Kafka</mark> <mark>kaf</mark> ka'],
    ['서우*', '서울 서쪽', '<mark>서울</mark> 서쪽'],
    ['the', 'the other', '<mark>the</mark> other'],
    ['the cat', 'the cat', 'the <mark>cat</mark>'],
    ['東京', '東京都', '<mark>東京</mark>都'],
    ['x', 'y', 'y'],
  ]
  for (const [query, text, html] of cases)
    t.equal(new Highlighter(query).html(text), html, `${query}: ${text}`)
  const long = `${'앞 '.repeat(50)}서울 ${'뒤 '.repeat(50)}`
  const snippet = new Highlighter('서울').html(long, { open: '[', close: ']', snippetUnits: 20 })
  t.equal(snippet, '… 앞 앞 [서울] 뒤 뒤 뒤 뒤 뒤 뒤 …')
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.string({ unit: 'grapheme' }),
      (query, text) => {
        const html = new Highlighter(query).html(text, { open: '', close: '' })
        const plain = html.replace(/&(amp|lt|gt|quot|#39);/g, entity => unescapes[entity] ?? '')
        return plain === text
      },
    ),
    { seed, numRuns: 1000 },
  )
})

const unescapes: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
}
