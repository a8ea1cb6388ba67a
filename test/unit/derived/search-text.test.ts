/** Laws of the texts of search: analysis, questions, definitions, and marks in the original. */
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import { eachTerm } from '../../../src/derived/search/analysis.js'
import { classes, classOf } from '../../../src/derived/search/characters.js'
import { configureSearch } from '../../../src/derived/search/config.js'
import { foldText } from '../../../src/derived/search/folded-text.js'
import { fragmentHtml, fragmentsOf } from '../../../src/derived/search/fragments.js'
import { Highlighter, type HighlighterOptions } from '../../../src/derived/search/highlight.js'
import { stemLength } from '../../../src/derived/search/korean.js'
import { parseQuestion, typedCharacter } from '../../../src/derived/search/question.js'
import { search } from '../../../src/derived/search/search.js'
import type { SearchQuery } from '../../../src/derived/search/search-query.js'
import { generate, unicodeDataFile } from '../../fixtures/generate-word-characters.js'
import { seedNumber as seed } from '../../seed.js'
import { anyCodePoint } from '../code-point.js'
import { RowMap } from './row-map.js'

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
    ['꿀', 'g꿀@0- s꿀'],
    ['산에서', 'g산에@0- g에서@1- g서@2- s산'],
    ['冊', 'g冊@0- s冊'],
    ['Kafka를', 'wkafka@0 skafka g를@2-'],
    ['를 Kafka', 'g를@0- s를 wkafka@2 skafka'],
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
    fc.property(fc.string({ unit: anyCodePoint, maxLength: 30 }), original => {
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

/** The noun with that form of the suffix which its last syllable asks for. */
function withSuffix(noun: string, suffix: string): string {
  const [behindConsonant = '', behindVowel = behindConsonant] = suffix.split('/')
  const final = (noun.charCodeAt(noun.length - 1) - 0xac00) % 28
  const isVowel = final === 0 || (final === 8 && behindVowel.startsWith('로'))
  return noun + (isVowel ? behindVowel : behindConsonant)
}

t.test('a suffix goes only from behind what may stand before it', async t => {
  const kept = '전문가 소설가 부작용 역효과 고양이는 바다 휴가 회의 지도 나라 차이다 지하 페이지 방법론 사랑'
  for (const word of kept.split(' ')) {
    const stem = word.slice(0, stemLength(word))
    t.equal(stem, word.replace(/는$/, '').replace('고양이', '고양').replace('차이다', '차이'), word)
  }
  const pairs: [string, string][] = [
    ['전문가', '전문가가 전문가는 전문가로서 전문가입니다 전문가였다 전문가에게서'],
    ['바다', '바다가 바다는 바다로 바다를 바다에서는 바다까지도 바다였다'],
    ['지하', '지하는 지하에 지하로 지하의'],
    ['아버지', '아버지만 아버지는 아버지께서 아버지의 아버지였다'],
    ['산', '산에 산에서 산은 산을 산이 산에서는 산으로 산까지 산입니다'],
    ['비', '비는 비를 비에 비까지 비처럼 비였다'],
    ['좋', '좋은 좋았다 좋습니다 좋았던 좋으면 좋지만 좋을까'],
    ['먹', '먹는 먹었다 먹습니다 먹는데 먹으면서'],
  ]
  for (const [stem, forms] of pairs) {
    for (const form of forms.split(' ')) t.equal(form.slice(0, stemLength(form)), stem, form)
  }
})

t.test('a question ranks the same with other particles and endings', async t => {
  const nouns =
    `서울 영화 감독 배우 대한민국 컴퓨터 프로그램 도서관 선생님 자동차 비행기 음악 역사 정치 사람들 고양이 어머니 세종대왕
    인터넷 대학교 독립운동 한국어 전쟁 바다 우리나라`.split(/\s+/)
  const forms = [
    ['이/가', '에서'],
    ['은/는', '의'],
    ['에서는', '을/를'],
    ['으로/로', '까지'],
    ['도', '에게'],
    ['과/와', '처럼'],
    ['부터', '입니까'],
    ['이란/란', '이었다/였다'],
  ]
  let asked = 0
  for (const [n, noun] of nouns.entries()) {
    const other = nouns[(n + 7) % nouns.length] ?? ''
    const plain = parseQuestion(`${noun} ${other}`, { match: 'any', prefix: false })
    for (const [one = '', two = ''] of forms) {
      const text = `${withSuffix(noun, one)} ${withSuffix(other, two)}`
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
      .map(({ terms, open }) => {
        const own = terms.map(({ term, offset }) => `${term}${offset}`).join('+')
        const ends = open?.ranges.map(({ from, to }) => `${from}..${to}`).join('|') ?? ''
        return own + (open === undefined ? '' : `[${ends}]${open.offset}`)
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
  t.equal(asked('꿀', 'any'), ' / [g꿀..g꿀\uffff]0 / s꿀')
  t.equal(asked('꿀'), '[g꿀..g꿀\uffff]0 /  / ')
  t.equal(asked('서울에서 맛집을'), ' / g서울0, g맛집0 / g서울 g맛집')
  t.equal(asked('서울 꿀'), ' / g서울0, s꿀0 / g서울 s꿀')
  t.equal(asked('서울 꿀', 'all'), 'g서울0, [g꿀..g꿀\uffff]0 /  / g서울 s꿀')
  t.equal(asked('대한민국 flows flow'), ' / g대한0+g한민1+g민국2, sflow0, sflow0 / g대한 g한민 g민국 sflow*2')
  t.equal(asked('the flows'), ' / sflow0 / sflow')
  t.equal(asked('the who'), ' / wthe0, wwho0 / wthe wwho')
  t.equal(asked('Kafka를'), ' / skafka0 / skafka')
  t.equal(asked('"the flows" x'), 'wthe0+wflows2 / sx0 / sx sflow')
  t.equal(asked('"서울에서 온"'), 'g서울0+g울에1+g에서2[g온..g온\uffff]5 /  / g서울 s온')
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
    [{ text: 'a', where: [] }, /where must be an object/],
    [{ text: 'a', where: { d: 1 } }, /"d" is no filter; the index has c/],
    [{ text: 'a', where: { c: { from: 1 } } }, /unknown "from"/],
    [{ text: 'a', where: { c: {} } }, /name a value/],
    [{ text: 'a', where: { c: Number.NaN } }, /where.c/],
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
  for (const [query, text, html] of cases) t.equal(marked(query, text), html, `${query}: ${text}`)
  t.equal(marked('꿀 밥', '꿀벌 밥'), '꿀벌 <mark>밥</mark>', 'in passing, one character is a word')
  t.equal(marked('산에서 밥을', '산은 산업 산책'), '<mark>산</mark>은 산업 산책', 'whatever its particle')
  t.equal(marked('꿀 밥', '꿀벌 밥', { match: 'all' }), '<mark>꿀</mark>벌 <mark>밥</mark>')
  t.equal(marked('서우', '서울 서쪽', { prefix: true }), '<mark>서울</mark> 서쪽')
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      fc.string({ unit: 'grapheme' }),
      (query, text) => {
        const html = marked(query, text)
        const plain = html.replace(/&(amp|lt|gt|quot|#39);|<\/?mark>/g, entity => unescapes[entity] ?? '')
        return plain === text
      },
    ),
    { seed, numRuns: 1000 },
  )
})

/** The whole text as HTML with marks. */
function marked(query: string, text: string, options: HighlighterOptions = {}): string {
  const ranges = new Highlighter(query, options).ranges(text)
  const [whole] = fragmentsOf(text, ranges, { count: 1, units: Math.max(1, text.length) })
  return fragmentHtml(whole ?? [{ text, isMarked: false }])
}

t.test(
  'fragments are of about the length, show the most marks, and cut no word that they need not',
  async t => {
    const pieces = (text: string, query: string, count: number, units: number): string[] => {
      const ranges = new Highlighter(query).ranges(text)
      return fragmentsOf(text, ranges, { count, units }).map(fragment =>
        fragment.map(({ text: part, isMarked }) => (isMarked ? `[${part}]` : part)).join(''),
      )
    }
    const long = `${'앞 '.repeat(50)}서울 ${'뒤 '.repeat(50)}`
    t.same(pieces(long, '서울', 3, 20), ['…앞 앞 [서울] 뒤 뒤 뒤 뒤 뒤 뒤 뒤…'])
    t.same(pieces('서울 뒤 뒤', '서울', 1, 5), ['[서울] 뒤…'])
    t.same(pieces('앞 앞 서울', '서울', 1, 5), ['…앞 [서울]'])
    const gap = 'x '.repeat(40)
    const two = `flow ${gap}flows and flowing ${gap}flow`
    t.same(pieces(two, 'flow', 1, 30), ['…x x x [flows] and [flowing] x x x…'])
    t.equal(pieces(two, 'flow', 9, 30).length, 3)
    t.same(pieces('😀'.repeat(20), '서울', 3, 20), [], 'nothing is marked, nothing is shown')
    t.same(pieces('서울'.repeat(20), '서울', 1, 20), [`[${'서울'.repeat(10)}]…`], 'a mark too long is cut')
    const composed = '각각서울각각'.repeat(3)
    fc.assert(
      fc.property(fc.nat(60), fc.constantFrom('NFC', 'NFD'), (units, form) => {
        const text = composed.normalize(form)
        for (const piece of pieces(text, '서울', 4, 1 + units)) {
          const bare = piece.replace(/[[\]…]/g, '')
          if (!text.includes(bare) || bare === '') return false
          // No half of a syllable: composing the piece gives a piece of the composed text.
          if (!composed.includes(bare.normalize('NFC'))) return false
        }
        return true
      }),
      { seed, numRuns: 500 },
    )
  },
)

t.test('looking for marks takes time by the text, not by the text times the question', async t => {
  const syllables = Array.from({ length: 1300 }, (_, n) => String.fromCharCode(0xac00 + 7 * n))
  const question = syllables.map((one, n) => one + (syllables[(n + 1) % 1300] ?? '')).join(' ')
  const text = `${syllables.join('')} word${' flow'.repeat(3)} `.repeat(100)
  const startMs = performance.now()
  t.equal(new Highlighter(`${question.slice(0, 3000)} flow`).ranges(text).length, 400)
  t.ok(performance.now() - startMs < 2000)
  const typed = syllables.map(one => `${one}*`).join(' ')
  const typedMs = performance.now()
  t.ok(new Highlighter(typed.slice(0, 4000)).ranges(text).length > 0)
  t.ok(performance.now() - typedMs < 2000, 'nor where each word is being typed')
})

t.test('what answers is marked also if a stop word stands beside a particle', async t => {
  for (const question of ['IT는', 'The은 ']) {
    const [first] = question.split(/[은는]/)
    t.same(new Highlighter(question).ranges(`${first} 산업`), [{ start: 0, end: first?.length }], question)
  }
})

t.test('folding takes time by the text, also if all of it are marks of one character', async t => {
  const beganMs = performance.now()
  const text = `a${'\u0301\u0323'.repeat(60_000)}`
  const { starts } = foldText(text)
  t.ok(performance.now() - beganMs < 1000, 'not by the square of the marks')
  t.equal(starts?.[1], 0, 'the first of them belong to the character')
})

t.test('marked is what a character that is being typed may become, alone and behind others', async t => {
  const text = '가각갛개거까ㄱ깋나힣하京都𠀀𠀁カ'
  for (const character of ['가', '각', 'ㄱ', 'ㅎ', '하', '힣', 'ㅏ', '京', '𠀀', 'カ']) {
    const [least, above] = typedCharacter(character)
    const isAsked = (one: string): boolean =>
      one === least || (above !== undefined && one >= least && one < above)
    const bare = [...text].filter(isAsked).join('')
    const found = marked(`${character}*`, text).matchAll(/(?<=<mark>)[^<]+/g)
    t.equal([...found].join(''), bare, `${character}*`)
    for (const one of text) {
      const isMarked = marked(`서${character}*`, `x 서${one}`).includes('<mark>')
      const isOne = !/[京都𠀀𠀁カ]/u.test(one + character)
      if (isOne) t.equal(isMarked, isAsked(one), `서${character}* in 서${one}`)
    }
  }
})

const unescapes: Record<string, string> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
}
