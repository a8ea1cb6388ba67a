/** What the demo says of search, on a few of its places; the whole of it runs by `npm run demo`. */
import t from 'tap'
import { Claims } from '../../../src/cli/demo/claims.js'
import { placesDefinition, readPlaces } from '../../../src/cli/demo/places.js'
import { checkSearch, checkSentences } from '../../../src/cli/demo/searched.js'
import { sentences } from '../../../src/cli/demo/sentences.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { open } from '../../../src/index.js'

t.test('places have the Korean name of their country, and are found by it', async t => {
  const all = await readPlaces()
  t.match(all[0], { id: '000001', country: 'AD', region: '안도라' })
  t.ok(all.every(({ region }) => region !== ''))
  const places = all.filter(({ country, id }) => country === 'KR' || country === 'KP' || Number(id) < 100)
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('places', placesDefinition)
  const results = await store.collection('places').insertMany(places)
  const rejected = places.filter((_, i) => results[i]?.ok !== true).map(({ id }) => Number(id))
  const claims = new Claims()
  const { documents } = await checkSearch(store, new RealClock(), places, rejected, claims)
  t.equal(documents, await store.collection('places').count())
  t.ok(claims.hold, JSON.stringify(claims.all.filter(({ holds }) => !holds)))
  t.match(claims.all[0], { expected: '306' })
  t.match(claims.all[1], { claim: /^대한민국 finds those, less 3 rejected/, found: '303' })
  t.match(claims.all[3], { claim: /^대한민국에서 finds those/, found: '303' })
})

t.test('sentences are told by the feed, found, and shown with marks', async t => {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  const claims = new Claims()
  let out = ''
  await checkSentences(store, claims, {
    isTerminal: false,
    width: Number.POSITIVE_INFINITY,
    write: async text => {
      out += text
    },
  })
  t.ok(claims.hold, JSON.stringify(claims.all.filter(({ holds }) => !holds)))
  t.equal(claims.all.length, 4)
  t.match(out, /^120 sentences, .*\n {2}\+ 1 도시: 서울에서 부산까지/)
  t.match(out, /\nsearch: 서울에서 기차를 타고 바다까지\n {2}text: ‹서울에서› 출발한 ‹기차›가/)
  t.equal(new Set(sentences.map(({ text }) => text)).size, 120)
})
