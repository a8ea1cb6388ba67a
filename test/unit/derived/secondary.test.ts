/** Laws of the secondary index, against documents sorted by an order that is written down without bytes. */
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { type DocumentKey, encodeTuple, type TupleValue } from '../../../src/base/tuple.js'
import { type CursorQuestion, decodeCursor, encodeCursor } from '../../../src/derived/cursor.js'
import type { SecondaryConfig, SecondaryDefinition } from '../../../src/derived/secondary/config.js'
import { orderedBytes } from '../../../src/derived/secondary/field.js'
import type { IndexQuery } from '../../../src/derived/secondary/index-query.js'
import { queryRange, type SecondaryQuery } from '../../../src/derived/secondary/query.js'
import { documentRows, indexShape } from '../../../src/derived/secondary/rows.js'
import {
  matches,
  queryIdentity,
  type SecondaryHit,
  secondary,
} from '../../../src/derived/secondary/secondary.js'
import { seed } from '../../seed.js'
import { RowMap } from './row-map.js'
import { answer, type Documents, orderValues, type Place, placeOf, rowsOf } from './secondary-oracle.js'

const dataSets = Number(process.env['COUNT'] ?? 10_000)
t.comment(`SEED=${seed} COUNT=${dataSets}`)
// Larger counts than the usual one take their time.
t.setTimeout(Math.max(30_000, dataSets * 6))

const secret = Buffer.from('a secret of this store')

const values: readonly TupleValue[] = [
  ...[null, false, true, 0, -0, 1, -1, 0.5, -0.5, 5e-324, -5e-324, 2 ** 53, -(2 ** 53), 1e300],
  ...['', 'a', 'a\0', 'a\0b', 'a\x01', 'ab', 'b', '가', '\uffff', '\u{10000}', 'a\uffff', 'a\u{1f600}'],
  ...[
    new Date(-1),
    new Date(0),
    new Date(1e12),
    Buffer.of(),
    Buffer.of(0),
    Buffer.of(0, 255),
    Buffer.of(255),
  ],
  ...[[], [null], ['a'], ['a', 1], ['a\0'], [[]], [Buffer.of(0), -1]],
]
const texts = values.filter(value => typeof value === 'string')
// Around the length at which values are cut: text that ends there, goes on, and goes on with 00.
const long = 'L'.repeat(limits.indexedValueBytesMax - 2)
const longValues: readonly TupleValue[] = [
  ...['', '\0', '\0z', '\0\0', 'L', 'Lé', 'a', 'z', 'zz', 'z\0'].map(end => long + end),
  ...[Buffer.from(`${long}\0`), Buffer.from(`${long}\0\xff`), [long], [long, 1], [long, 2], [`${long}\0`]],
]
const keys: readonly DocumentKey[] = [
  -1,
  0,
  1,
  10,
  2 ** 40,
  'a',
  'a\0',
  'b',
  '가',
  '\uffff',
  '\u{10000}',
  'k',
  'l',
]

function draw(random: Random, pool: readonly TupleValue[]): unknown {
  if (random.chance(0.04)) return random.pick([{ x: 1 }, [{ x: 1 }], [1, ['a', {}]]])
  return random.pick(pool)
}

function drawDocument(random: Random, pool: readonly TupleValue[]): Record<string, unknown> {
  const document: Record<string, unknown> = { other: random.below(3), 'c.d': 'a dot in a name' }
  if (random.chance(0.9)) document['a'] = draw(random, pool)
  if (random.chance(0.8)) document['b'] = draw(random, pool)
  if (random.chance(0.8)) document['c'] = random.chance(0.8) ? { d: draw(random, pool) } : draw(random, pool)
  if (random.chance(0.8)) {
    const many = Array.from({ length: random.below(5) }, () => draw(random, pool))
    document['tags'] = random.chance(0.8) ? many : draw(random, pool)
  }
  return document
}

function drawConfig(random: Random): SecondaryConfig {
  const left = ['a', 'b', 'c.d', 'tags']
  const fields: string[] = []
  const count = 1 + random.below(3)
  while (fields.length < count) fields.push(left.splice(random.below(left.length), 1)[0] ?? '')
  const each = fields.includes('tags') ? 'tags' : fields[0]
  const definition = { type: 'secondary', fields, ...(random.chance(0.5) ? { each } : {}) }
  return secondary.configure(random.chance(0.3) ? { ...definition, sparse: true } : definition)
}

type Draft = { -readonly [Name in keyof SecondaryQuery]: SecondaryQuery[Name] }

/** Values that some document has, more often than others. */
function drawQuery(
  random: Random,
  config: SecondaryConfig,
  documents: Documents,
  pool: readonly TupleValue[],
): SecondaryQuery {
  const rows = [...documents.values()].flatMap(document => rowsOf(config, document))
  const row = (): readonly TupleValue[] =>
    rows.length > 0 && random.chance(0.8) ? random.pick(rows) : config.fields.map(() => random.pick(pool))
  const query: Draft = {}
  if (random.chance(0.4)) query.reverse = true
  const fixed = random.chance(0.4) ? 0 : random.below(config.fields.length + 1)
  if (fixed > 0 || random.chance(0.2)) query.eq = row().slice(0, fixed)
  const free = config.fields.length - fixed
  if (free === 0) return query
  if (random.chance(0.2)) {
    const [next] = row().slice(fixed)
    const text = typeof next === 'string' ? next : (random.pick(texts) as string)
    query.prefix = [...text].slice(0, random.chance(0.7) ? 1 + random.below(2) : undefined).join('')
    return query
  }
  const bound = (): TupleValue => {
    const list = row().slice(fixed, fixed + 1 + random.below(free))
    return list.length === 1 && !Array.isArray(list[0]) && random.chance(0.5) ? (list[0] as TupleValue) : list
  }
  if (random.chance(0.6)) query[random.chance(0.5) ? 'gt' : 'gte'] = bound()
  if (random.chance(0.6)) query[random.chance(0.5) ? 'lt' : 'lte'] = bound()
  return query
}

/** Some hits from the beginning; all if `count` is undefined. Taken by `limit`, or by leaving the loop. */
async function take(
  rows: RowMap,
  config: SecondaryConfig,
  query: SecondaryQuery,
  count?: number,
): Promise<SecondaryHit[]> {
  const hits: SecondaryHit[] = []
  for await (const page of secondary.open(config).query(query, rows)) {
    if (page.length === 0) throw new Error('an empty page')
    hits.push(...page)
    if (hits.length > (query.limit ?? Number.POSITIVE_INFINITY)) throw new Error('more hits than the limit')
    if (count !== undefined && hits.length >= count) break
  }
  return hits.slice(0, count)
}

const question = (config: SecondaryConfig, query: SecondaryQuery): CursorQuestion => ({
  index: JSON.stringify(config),
  query: queryIdentity(config, query),
  reverse: query.reverse ?? false,
})

class World {
  readonly random: Random
  readonly config: SecondaryConfig
  readonly rows = new RowMap()
  readonly documents = new Map<DocumentKey, Record<string, unknown>>()
  readonly pool: readonly TupleValue[]

  constructor(random: Random, pool: readonly TupleValue[]) {
    this.random = random
    this.config = drawConfig(random)
    // Few values: so documents agree in them.
    this.pool = Array.from({ length: 3 + random.below(12) }, () => random.pick(pool))
    this.rows.pageRows = 1 + random.below(4)
  }

  async change(): Promise<void> {
    const batch = new Map<DocumentKey, Record<string, unknown> | undefined>()
    for (let i = 1 + this.random.below(8); i > 0; i--) {
      const key = this.random.pick(keys)
      const document = this.random.chance(0.25) ? undefined : drawDocument(this.random, this.pool)
      batch.set(key, document)
      if (document === undefined) this.documents.delete(key)
      else this.documents.set(key, document)
    }
    await this.rows.tell(secondary.open(this.config), batch)
  }

  /** Pages with cursors between them, and now and then changes. */
  async ask(): Promise<number> {
    const { random, config, documents } = this
    const query = drawQuery(random, config, documents, this.pool)
    let after: Buffer | undefined
    let place: Place | undefined
    let total = 0
    for (;;) {
      const expected = answer(config, query, documents, place)
      const count = random.chance(0.3) ? undefined : 1 + random.below(4)
      const asked = { ...query, ...(after && { after }) }
      const limit = count !== undefined && random.chance(0.5) ? { limit: count } : {}
      const hits = await take(this.rows, config, { ...asked, ...limit }, count)
      const wanted = expected.slice(0, count).map(one => one.key)
      if (
        !same(
          wanted,
          hits.map(hit => hit.key),
        ) ||
        hits.some(hit => !hit.exact)
      ) {
        throw new Error(this.told({ query, place, wanted, hits }))
      }
      total += hits.length
      const last = hits.at(-1)
      if (count === undefined || last === undefined || hits.length === expected.length) return total
      place = expected[hits.length - 1]
      const of = question(config, query)
      after = decodeCursor(encodeCursor(of, last.row, secret), of, secret)
      if (random.chance(0.3)) await this.change()
    }
  }

  /** Nothing is left of what was, and nothing is written for what is told again. */
  async settle(): Promise<void> {
    const count = [...this.documents.values()].flatMap(document => rowsOf(this.config, document)).length
    if (count !== this.rows.rows.size) throw new Error(this.told({ count, rows: this.rows.rows.size }))
    const again = await this.rows.tell(secondary.open(this.config), this.documents)
    if (again !== 0) throw new Error(this.told({ again }))
    const gone = new Map([...this.documents.keys()].map(key => [key, undefined]))
    await this.rows.tell(secondary.open(this.config), gone)
    if (this.rows.rows.size + this.rows.notes.size > 0)
      throw new Error(this.told({ left: this.rows.rows.size }))
  }

  told(what: object): string {
    return JSON.stringify({ ...what, config: this.config, documents: [...this.documents] })
  }
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i])
}

t.test('questions are answered as the documented order says, page by page, through changes', async t => {
  let hits = 0
  for (let i = 0; i < dataSets; i++) {
    const world = new World(new Random(`${seed}/${i}`), values)
    await world.change()
    if (i % 3 === 0) await world.change()
    for (let n = 0; n < 3; n++) {
      hits += await world.ask()
    }
    await world.settle()
  }
  t.ok(hits > dataSets, `${hits} hits in ${dataSets} data sets`)
})

t.test('what was cut is in doubt, and nothing else is; the document decides', async t => {
  const tries = Math.ceil(dataSets / 20)
  let doubts = 0
  for (let i = 0; i < tries; i++) {
    const world = new World(new Random(`${seed}/long/${i}`), [...longValues, ...longValues, ...values])
    const { config, documents } = world
    await world.change()
    await world.change()
    for (let n = 0; n < 6; n++) {
      const query = drawQuery(world.random, config, documents, world.pool)
      const hits = await take(world.rows, config, query)
      const found = new Set<DocumentKey>()
      for (const { key, exact } of hits) {
        const document = documents.get(key) ?? {}
        const right = placeOf(config, query, key, document) !== undefined
        if (matches(config, query, document) !== right || (exact && !right) || found.has(key)) {
          throw new Error(world.told({ query, key, exact, right }))
        }
        if (!exact) doubts++
        found.add(key)
      }
      for (const { key } of answer(config, query, documents)) {
        if (!found.has(key)) throw new Error(world.told({ query, missed: key }))
      }
    }
  }
  t.ok(doubts > tries / 10, `${doubts} hits in doubt`)
})

t.test('a cut anywhere keeps the order, and no range loses a document', async t => {
  const random = new Random(`${seed}/cut`)
  for (let i = 0; i < dataSets * 2; i++) {
    const [a, b, c, d] = [random.pick(values), random.pick(values), random.pick(values), random.pick(values)]
    const bytesMax = 1 + random.below(12)
    const order = Math.sign(orderValues(a, b))
    const [left, right] = [orderedBytes(a, bytesMax), orderedBytes(b, bytesMax)] as [Buffer, Buffer]
    if (!left.equals(right)) {
      const behind = Buffer.compare(
        Buffer.concat([left, encodeTuple([c])]),
        Buffer.concat([right, encodeTuple([d])]),
      )
      if (behind !== order) t.fail(`${JSON.stringify([a, b, c, d])} cut to ${bytesMax}`)
    }
    const config = drawConfig(random)
    const documents = new Map([[1, drawDocument(random, values)] as const])
    const document = documents.get(1) ?? {}
    const query = drawQuery(random, config, documents, values)
    const { gte, lt, doubtful } = queryRange(config, query, bytesMax)
    const rows = documentRows(indexShape(config), document, bytesMax)
    const hits = (rows?.elements ?? [])
      .map(element => Buffer.concat([rows?.head ?? gte, element, rows?.tail ?? gte, encodeTuple([1])]))
      .filter(row => row.compare(gte) >= 0 && row.compare(lt) < 0)
    const sure = hits.some(row => !doubtful.some(begin => row.subarray(0, begin.length).equals(begin)))
    const wanted = placeOf(config, query, 1, document) !== undefined
    if ((wanted && hits.length === 0) || (sure && !wanted)) {
      t.fail(`cut to ${bytesMax}: ${JSON.stringify({ config, query, document })}`)
    }
    if (matches(config, query, document) !== wanted) t.fail(JSON.stringify({ config, query, document }))
  }
  t.pass()
})

t.test('a definition comes out in one form, or is refused by name', async t => {
  t.same(secondary.configure({ fields: ['a', 'b.c'] }), { fields: ['a', 'b.c'], each: null, sparse: false })
  t.same(secondary.configure({ type: 'secondary', fields: ['a'], each: 'a', sparse: true }), {
    fields: ['a'],
    each: 'a',
    sparse: true,
  })
  const config = secondary.configure({ fields: ['a'] })
  t.same(secondary.configure({ ...config }), config, 'the normal form is its own')
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{}, /1 to 8 fields/],
    [{ fields: [] }, /1 to 8 fields/],
    [{ fields: Array.from({ length: 9 }, (_, i) => `f${i}`) }, /1 to 8 fields/],
    [{ fields: [1] }, /must be text/],
    [{ fields: ['a..b'] }, /names no field/],
    [{ fields: [''] }, /names no field/],
    [{ fields: ['a.__proto__'] }, /names no field/],
    [{ fields: ['\ud800'] }, /names no field/],
    [{ fields: ['x'.repeat(limits.nameBytesMax + 1)] }, /at most 128/],
    [{ fields: ['a', 'a'] }, /named twice/],
    [{ fields: ['a'], each: 'b' }, /one of the fields: a/],
    [{ fields: ['a'], sparse: 1 }, /sparse must be/],
    [{ fields: ['a'], unique: true }, /unknown "unique"; allowed are fields, each, sparse/],
  ]
  for (const [definition, message] of wrong) {
    t.throws(() => secondary.configure(definition), { code: 'INVALID', message })
  }
})

t.test('a question that the index does not know is refused before it is read', async t => {
  const config = secondary.configure({ fields: ['a', 'b'] })
  const wrong: [unknown, RegExp][] = [
    [null, /is an object/],
    [{ equal: [1] }, /unknown "equal"; allowed are eq, gt, gte, lt, lte, prefix, reverse, after, limit/],
    [{ eq: 'a' }, /eq must be a list/],
    [{ eq: null }, /eq is null/],
    [{ eq: [1, 2, 3] }, /eq has 3 values; the index has 2 fields: a, b/],
    [{ eq: [undefined] }, /eq\[0\]: .*undefined; allowed are null/],
    [{ eq: [{}] }, /eq\[0\]: .*object/],
    [{ gt: Number.NaN }, /gt: .*NaN/],
    [{ gt: 1, gte: 1 }, /gt or gte/],
    [{ lt: 1, lte: 1 }, /lt or lte/],
    [{ gte: [] }, /gte is an empty list/],
    [{ eq: ['x'], lt: [1, 2] }, /lt has 2 values; left of the fields: b/],
    [{ eq: ['x', 'y'], lt: 1 }, /left of the fields: none/],
    [{ eq: ['x', 'y'], prefix: 'z' }, /taken all fields/],
    [{ prefix: 'z', gt: 'z' }, /prefix goes without/],
    [{ prefix: 1 }, /prefix must be text/],
    [{ prefix: '\ud800' }, /prefix: .*text/],
    [{ reverse: 1 }, /reverse must be/],
    [{ after: 'row' }, /after must be/],
    [{ limit: 0 }, /limit must be/],
  ]
  for (const [query, message] of wrong) {
    const refusal = { code: 'INVALID', message }
    t.throws(() => secondary.open(config).query(query as SecondaryQuery, new RowMap()), refusal)
    t.throws(() => matches(config, query as SecondaryQuery, {}), refusal)
  }
  t.doesNotThrow(() => matches(config, { gt: undefined, eq: undefined } as unknown as SecondaryQuery, {}))
})

t.test('a document without order in a field is left out, and comes back when it has one', async t => {
  const config = secondary.configure({ fields: ['a'] })
  const index = secondary.open(config)
  const rows = new RowMap()
  await rows.tell(index, new Map([['k', { a: 1 }]]))
  t.equal(rows.rows.size, 1)
  await rows.tell(index, new Map([['k', { a: { b: 1 } }]]))
  t.equal(rows.rows.size + rows.notes.size, 0)
  await rows.tell(index, new Map([['k', {}]]))
  t.match(await take(rows, config, { eq: [null] }), [{ key: 'k', exact: true }], 'a missing field is null')
  t.equal(await rows.tell(index, new Map([['k', { a: null, other: 2 }]])), 0, 'other fields cost nothing')
})

t.test('a cursor goes on where it was given, and nowhere else', async t => {
  const of: CursorQuestion = { index: 'people/1', query: Buffer.from('q'), reverse: false }
  const row = Buffer.from('00ff4061', 'hex')
  const cursor = encodeCursor(of, row, secret)
  t.match(cursor, /^[\w-]+$/)
  t.ok(decodeCursor(cursor, of, secret).equals(row))
  t.ok(decodeCursor(encodeCursor(of, Buffer.alloc(0), secret), of, secret).equals(Buffer.alloc(0)))
  const bytes = Buffer.from(cursor, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const altered = Buffer.from(bytes)
    altered[i] = (altered[i] ?? 0) ^ 1
    t.throws(() => decodeCursor(altered.toString('base64url'), of, secret), {
      code: 'INVALID',
      details: { mismatch: 'store' },
    })
  }
  const wrong: [string, CursorQuestion, Buffer, string][] = [
    ['', of, secret, 'text'],
    ['abc', of, secret, 'text'],
    [`${cursor}=`, of, secret, 'text'],
    [cursor.slice(0, 40), of, secret, 'text'],
    [`${cursor}AA`, of, secret, 'store'],
    ['A'.repeat(100_000), of, secret, 'text'],
    [null as unknown as string, of, secret, 'text'],
    [cursor, of, Buffer.from('another secret'), 'store'],
    [cursor, { ...of, index: 'people/2' }, secret, 'index'],
    [cursor, { ...of, query: Buffer.from('p') }, secret, 'query'],
    [cursor, { ...of, reverse: true }, secret, 'direction'],
  ]
  for (const [text, asked, key, mismatch] of wrong) {
    t.throws(() => decodeCursor(text, asked, key), { code: 'INVALID', details: { mismatch } }, mismatch)
  }
  const config = secondary.configure({ fields: ['a', 'b'] })
  t.same(queryIdentity(config, { gte: 1, limit: 2 }), queryIdentity(config, { gte: [1], limit: 9 }))
  t.notSame(queryIdentity(config, { gt: 1 }), queryIdentity(config, { gte: 1 }))
  t.notSame(queryIdentity(config, { gt: `${long}a` }), queryIdentity(config, { gt: `${long}b` }))
})

interface Person {
  readonly country: 'kr' | 'de'
  readonly name: string
  readonly age?: number
  readonly tags: readonly string[]
  readonly address: { readonly city: string; readonly floor?: number } | null
}

type ByName = IndexQuery<Person, readonly ['country', 'name', 'age']>
type ByTag = IndexQuery<Person, readonly ['tags', 'country'], 'tags'>
type ByTags = IndexQuery<Person, readonly ['tags']>
type ByFloor = IndexQuery<Person, readonly ['address.city', 'address.floor']>

t.test('the type of a question follows the fields of the index', async t => {
  const right: ByName[] = [
    {},
    { eq: [], gte: 'de', reverse: true, limit: 1 },
    { eq: ['kr'], gt: 'Kim', lte: ['Lee', 30] },
    { eq: ['kr'], prefix: 'K' },
    { eq: ['kr', 'Kim'], gt: null, lt: 30 },
    { eq: ['kr', 'Kim', null] },
  ]
  const tags: ByTag[] = [{ eq: ['red'] }, { gt: ['red', 'kr'] }, { prefix: 'r' }]
  const lists: ByTags[] = [{ eq: [['red', 'blue']] }, { gt: [['red']] }]
  const floors: ByFloor[] = [{ eq: [null] }, { eq: ['Seoul'], gte: 3 }, { prefix: 'Se' }]
  const asked: SecondaryQuery[] = [...right, ...tags, ...lists, ...floors]
  const wrong: (ByName | ByTag | ByTags | ByFloor)[] = []
  const byName = (query: ByName): unknown => wrong.push(query)
  const byTag = (query: ByTag): unknown => wrong.push(query)
  const definition: SecondaryDefinition = { type: 'secondary', fields: ['country', 'name', 'age'] }
  // @ts-expect-error no such country
  byName({ eq: ['fr'] })
  // @ts-expect-error not in the order of the fields
  byName({ eq: ['Kim', 'kr'] })
  // @ts-expect-error the field after country is a text
  byName({ eq: ['kr'], gt: 5 })
  // @ts-expect-error a number has no prefix
  byName({ eq: ['kr', 'Kim'], prefix: '3' })
  // @ts-expect-error no field is left
  byName({ eq: ['kr', 'Kim', 3], gt: 3 })
  // @ts-expect-error more values than fields
  byName({ eq: ['kr', 'Kim', 3, 4] })
  // @ts-expect-error prefix goes without bounds
  byName({ eq: ['kr'], prefix: 'K', lt: 'L' })
  // @ts-expect-error a name cannot be absent
  byName({ eq: ['kr', null] })
  // @ts-expect-error an element, not the list
  byTag({ eq: [['red']] })
  // @ts-expect-error no such option
  byTag({ equals: ['red'] })
  // @ts-expect-error no such field
  const unknownField: IndexQuery<Person, readonly ['country', 'nom']> = {}
  // @ts-expect-error the address has no such field
  const unknownPath: IndexQuery<Person, readonly ['address.street']> = { eq: ['x'] }
  wrong.push(unknownField, unknownPath as unknown as ByName)
  t.doesNotThrow(() => {
    const config = secondary.configure({ ...definition })
    for (const query of asked.slice(0, right.length)) queryRange(config, query, 100)
  })
  t.equal(wrong.length, 12)
})
