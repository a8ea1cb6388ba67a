/** Phrases that repeat terms, compared with a look at every place. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { type RepeatingTerm, standsSomewhere } from '../../../src/derived/search/repeating-phrase.js'

/** The same, by trying every start. */
function standsByTrying(terms: readonly RepeatingTerm[]): boolean {
  const [first] = terms
  const sets = terms.map(({ places }) => new Set(places))
  const starts = first?.places.map(place => place - (first.offsets[0] ?? 0)) ?? []
  return starts.some(start =>
    terms.every(({ offsets }, n) => offsets.every(offset => sets[n]?.has(start + offset))),
  )
}

t.test('a phrase stands where each term stands at each of its offsets', t => {
  const random = new Random('repeating-phrase')
  const found = { true: 0, false: 0 }
  for (let n = 0; n < 4000; n++) {
    const count = 1 + random.below(3)
    const length = random.pick([3, 8, 31, 32, 33, 65])
    const taken = Array.from({ length }, () => random.below(count + (random.chance(0.5) ? 1 : 0)))
    const base = random.below(4)
    const offsets = Array.from({ length: count }, (_, term) =>
      taken.flatMap((one, at) => (one === term ? [base + at] : [])),
    )
    const places = Array.from({ length: count }, () => new Set<number>())
    for (let at = 0; at < 200; at++) if (random.chance(0.6)) places[random.below(count)]?.add(at)
    if (random.chance(0.6)) {
      const start = random.below(300)
      for (const [term, own] of offsets.entries()) for (const offset of own) places[term]?.add(start + offset)
      // Almost all of it: one place is missing.
      if (random.chance(0.3)) places[0]?.delete(start + (offsets[0]?.at(-1) ?? 0))
    }
    const terms = offsets
      .map((own, term) => ({ offsets: own, places: [...(places[term] ?? [])].sort((a, b) => a - b) }))
      .filter(({ offsets }) => offsets.length > 0)
    if (terms.length === 0) continue
    const expected = standsByTrying(terms)
    found[`${expected}`] += 1
    if (standsSomewhere(terms) !== expected) t.fail(JSON.stringify(terms))
  }
  t.ok(found.true > 500 && found.false > 500, JSON.stringify(found))
  t.end()
})

t.test('a long text of one syllable is asked for a long piece of itself in a moment', t => {
  const places = Array.from({ length: 300_000 }, (_, place) => place)
  const offsets = Array.from({ length: 4000 }, (_, offset) => offset)
  const beganMs = performance.now()
  t.notOk(standsSomewhere([{ places: places.filter(place => place % 3999 > 0), offsets }]))
  t.ok(standsSomewhere([{ places, offsets }]))
  const tookMs = performance.now() - beganMs
  t.ok(tookMs < 5000, `${tookMs} ms: one look after the other takes minutes`)
  t.end()
})
