/**
 * Bad input: each is refused by a code, with its outcome and a message that names what was wrong, and the
 * store goes on as if it had not been asked.
 */
import t from 'tap'
import { type Code, type Collection, limits, open, type Store } from '../../../src/index.js'
import { refused } from './refused.js'

interface Loose {
  readonly id: unknown
  readonly [field: string]: unknown
}

const store = await open({ memory: true })
t.teardown(() => store.close())
await store.define('things', {
  key: 'id',
  unique: { tag: { fields: ['tag'], normalize: ['trim', 'fold'] }, pair: { fields: ['a', 'b'] } },
})
const things = store.collection<Loose>('things')

t.afterEach(async t => {
  const id = `still ${t.name}`
  await things.put({ id, tag: id })
  const found = await things.getBy('tag', id)
  if (found?.id !== id) throw new Error(`the store does not work any more after: ${t.name}`)
})

t.test('a document that gives another key each time it is asked is refused', async t => {
  let asked = 0
  const moving = {
    get id() {
      return `k${asked++}`
    },
  }
  await refused(t, () => things.put(moving), 'INVALID', /another value each time/, 'put')
  t.equal(await things.count({ prefix: 'k' }), 0)
})

t.test('a key is a non-empty, well-formed text of at most 1 KiB, or a safe integer', async t => {
  const keys: [unknown, Code, RegExp][] = [
    ['', 'INVALID', /key is not empty/],
    [true, 'INVALID', /text or a safe integer, not boolean/],
    [{}, 'INVALID', /text or a safe integer, not object/],
    [1n, 'INVALID', /./],
    [1.5, 'INVALID', /safe integer, not 1.5/],
    [2 ** 53, 'INVALID', /safe integer, not 9007199254740992/],
    [Number.NaN, 'INVALID', /NaN/],
    [Number.POSITIVE_INFINITY, 'INVALID', /Infinity/],
    ['\ud800', 'INVALID', /ill-formed|well-formed/],
    ['x'.repeat(1023), 'TOO_LARGE', /1025 bytes; at most 1024/],
    ['실'.repeat(400), 'TOO_LARGE', /at most 1024/],
  ]
  for (const [key, code, message] of keys) {
    const name = `${typeof key} ${String(key).slice(0, 10)}`
    const id = key as string
    await refused(t, () => things.insert({ id }), code, message, `insert ${name}`)
    await refused(t, () => things.put({ id }), code, message, `put ${name}`)
    await refused(t, () => things.get(id), code, message, `get ${name}`)
    await refused(t, () => things.has(id), code, message, `has ${name}`)
    await refused(t, () => things.getMany(['u', id]), code, message, `getMany ${name}`)
    await refused(t, () => things.delete(id), code, message, `delete ${name}`)
    await refused(t, () => things.update(id, document => document), code, message, `update ${name}`)
    await refused(t, () => things.count({ gte: id }), code, message, `scan from ${name}`)
    await refused(t, () => store.batch([{ delete: id, in: 'things' }]), code, message, `batch ${name}`)
  }
  await refused(
    t,
    () => things.insert({ tag: 'x' } as never),
    'INVALID',
    /needs its key in the field id/,
    'no key',
  )
  await refused(
    t,
    () => things.insert({ id: null }),
    'INVALID',
    /needs its key in the field id/,
    'null as a key',
  )
})

t.test('a document holds only what comes back equal, and the path of anything else is named', async t => {
  class Point {
    x = 1
  }
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  let deep: unknown = 1
  for (let i = 0; i < limits.documentDepthMax; i++) deep = [deep]
  const values: [unknown, Code, RegExp][] = [
    [Number.NaN, 'INVALID', /\$\.v.*NaN cannot be stored/],
    [undefined, 'INVALID', /\$\.v.*undefined cannot be stored: leave the field out/],
    [() => 1, 'INVALID', /\$\.v.*function cannot be stored/],
    [1n, 'INVALID', /\$\.v.*bigint cannot be stored/],
    [Symbol('s'), 'INVALID', /\$\.v.*symbol cannot be stored/],
    [new Point(), 'INVALID', /\$\.v.*instance of Point/],
    [new Map(), 'INVALID', /\$\.v.*instance of Map/],
    [new Date(Number.NaN), 'INVALID', /invalid date/],
    ['\udc00', 'INVALID', /ill-formed text/],
    [{ list: [1, { bad: Number.NaN }] }, 'INVALID', /\$\.v\.list\[1\]\.bad/],
    [cycle, 'INVALID', /contains itself/],
    [deep, 'INVALID', /nested deeper than 64/],
    [JSON.parse('{"__proto__": 1}'), 'INVALID', /no field may be named __proto__/],
    ['x'.repeat(limits.documentBytesMax), 'TOO_LARGE', /1048576/],
    [new Array(limits.documentElementsMax + 1).fill(0), 'INVALID', /more than 100000 values/],
  ]
  for (const [v, code, message] of values) {
    const name = message.source
    await refused(t, () => things.insert({ id: 'v', v }), code, message, `insert: ${name}`)
    await refused(t, () => things.put({ id: 'v', v }), code, message, `put: ${name}`)
    await refused(t, () => things.update('v', () => ({ id: 'v', v })), code, message, `update: ${name}`)
    await refused(
      t,
      () => store.batch([{ put: { id: 'v', v }, in: 'things' }]),
      code,
      message,
      `batch: ${name}`,
    )
  }
  for (const no of [null, 5, 'text', [1], new Point(), undefined]) {
    await refused(
      t,
      () => things.insert(no as never),
      'INVALID',
      /a document is a plain object/,
      `${String(no)}`,
    )
  }
  t.equal(await things.get('v'), undefined)
})

t.test('a unique value is a scalar of at most 4 KiB', async t => {
  for (const tag of [{}, [1], { a: 1 }]) {
    await refused(
      t,
      () => things.insert({ id: 'w', tag }),
      'INVALID',
      /constraint tag: field tag must be/,
      'a container',
    )
    await refused(
      t,
      () => things.getBy('tag', [tag]),
      'INVALID',
      /constraint tag: field tag must be/,
      'asked for',
    )
  }
  const long = 'x'.repeat(limits.uniqueValueBytesMax)
  await refused(
    t,
    () => things.insert({ id: 'w', tag: long }),
    'TOO_LARGE',
    /constraint tag: 4\d+ bytes, 4096/,
    'long',
  )
  await refused(t, () => things.getBy('tag', long), 'TOO_LARGE', /constraint tag/, 'a long one asked for')
  await refused(t, () => things.getBy('tag', null), 'INVALID', /null is no unique value/, 'null')
  await refused(t, () => things.getBy('pair', 1), 'INVALID', /pair takes 2 values: a, b/, 'one value of two')
  await refused(
    t,
    () => things.getBy('nope', 1),
    'NOT_FOUND',
    /no unique constraint nope/,
    'unknown constraint',
  )
})

t.test('an unknown collection is named', async t => {
  const nope = store.collection('nope')
  const message = /"nope" is not defined/
  await refused(t, () => nope.insert({ id: 1 }), 'NOT_FOUND', message, 'insert')
  await refused(t, () => nope.get(1), 'NOT_FOUND', message, 'get')
  await refused(t, () => nope.update(1, one => one), 'NOT_FOUND', message, 'update')
  await refused(t, () => nope.count(), 'NOT_FOUND', message, 'count')
  await refused(t, () => nope.getBy('a', 1), 'NOT_FOUND', message, 'getBy')
  await refused(t, () => store.batch([{ delete: 1, in: 'nope' }]), 'NOT_FOUND', message, 'batch')
  await refused(
    t,
    () => store.batch([{ delete: 1 } as never]),
    'INVALID',
    /step 0.*in/,
    'a step without a collection',
  )
})

t.test('options are checked, also those that would silently change what is done', async t => {
  const calls: [string, object][] = [
    ['deadlineMs', { deadlineMs: -1 }],
    ['deadlineMs', { deadlineMs: 0 }],
    ['deadlineMs', { deadlineMs: Number.NaN }],
    ['deadlineMs', { deadlineMs: 'soon' }],
    ['deadlineMs', { deadlineMs: Number.POSITIVE_INFINITY }],
    ['signal', { signal: 'stop' }],
  ]
  for (const [field, options] of calls) {
    const name = JSON.stringify(options)
    const message = new RegExp(field)
    await refused(t, () => things.put({ id: 'o' }, options), 'INVALID', message, `put ${name}`)
    await refused(t, () => things.get('o', options), 'INVALID', message, `get ${name}`)
    await refused(
      t,
      () => things.get('o', { ...options, level: 'stale' }),
      'INVALID',
      message,
      `stale get ${name}`,
    )
    await refused(t, () => things.count(options), 'INVALID', message, `count ${name}`)
  }
  await refused(
    t,
    () => things.get('o', { level: 'eventual' as never }),
    'INVALID',
    /level.*linearizable/,
    'level',
  )
  for (const ifVersion of [1.5, '1', Number.NaN, -1]) {
    const options = { ifVersion: ifVersion as number }
    await refused(
      t,
      () => things.put({ id: 'o' }, options),
      'INVALID',
      /ifVersion must be/,
      `ifVersion ${ifVersion}`,
    )
  }
  await refused(
    t,
    () => things.put({ id: 'o' }, { sequence: 1 }),
    'INVALID',
    /sequence: only/,
    'sequence without session',
  )
  t.equal(await things.get('o'), undefined)
})

t.test('a range says one thing', async t => {
  const ranges: [object, RegExp][] = [
    [{ limit: -1 }, /limit/],
    [{ limit: 1.5 }, /limit/],
    [{ limit: Number.NaN }, /limit/],
    [{ limit: '3' }, /limit/],
    [{ prefix: 'a', gte: 'a' }, /prefix goes without/],
    [{ prefix: 5 }, /prefix/],
    [{ prefix: '\ud800' }, /prefix|ill-formed|well-formed/],
    [{ gte: 1, gt: 1 }, /gte or gt/],
    [{ lt: 1, lte: 1 }, /lt or lte/],
    [{ gte: Number.NaN }, /NaN/],
    [{ reverse: 'yes' }, /reverse/],
  ]
  for (const [range, message] of ranges) {
    await refused(t, () => things.count(range), 'INVALID', message, `count ${JSON.stringify(range)}`)
    await refused(t, () => things.scan(range).next(), 'INVALID', message, `scan ${JSON.stringify(range)}`)
  }
})

t.test('a batch is refused whole for what one step says', async t => {
  const good = { put: { id: 'b1' }, in: 'things' }
  const many = Array.from({ length: limits.batchCommandsMax + 1 }, (_, i) => ({ delete: i, in: 'things' }))
  const heavy = Array.from({ length: 4 }, (_, i) => ({
    put: { id: i, v: 'x'.repeat(900_000) },
    in: 'things',
  }))
  const batches: [unknown, Code, RegExp][] = [
    [[], 'INVALID', /at least one step/],
    ['no', 'INVALID', /at least one step/],
    [undefined, 'INVALID', /at least one step/],
    [many, 'TOO_LARGE', /10001 steps, 10000 allowed/],
    [heavy, 'TOO_LARGE', /3145728 allowed/],
    [[good, null], 'INVALID', /step 1/],
    [[good, 'x'], 'INVALID', /step 1/],
    [[good, { in: 'things' }], 'INVALID', /step 1.*insert, put, delete or check/],
    [[good, { upsert: { id: 1 }, in: 'things' }], 'INVALID', /step 1/],
    [[good, { put: { id: 2 }, delete: 3, in: 'things' }], 'INVALID', /step 1/],
    [[good, { insert: { id: 2 }, ifVersion: 3, in: 'things' }], 'INVALID', /step 1.*ifVersion/],
    [[good, { check: 'b1', in: 'things' }], 'INVALID', /step 1.*ifVersion/],
    [[good, { put: { id: 2 }, ifversion: 3, in: 'things' }], 'INVALID', /step 1.*ifversion/],
  ]
  for (const [steps, code, message] of batches) {
    await refused(t, () => store.batch(steps as never), code, message, message.source)
  }
  t.equal(await things.get('b1'), undefined)
})

t.test('a definition names what it does not know', async t => {
  const definitions: [unknown, unknown, RegExp][] = [
    ['', { key: 'id' }, /collection must have a name/],
    [5, { key: 'id' }, /collection must have a name/],
    ['a\0b', { key: 'id' }, /collection must have a name/],
    ['x'.repeat(129), { key: 'id' }, /longer than 128 bytes/],
    ['d', undefined, /must be an object/],
    ['d', { key: '__proto__' }, /a name other than __proto__/],
    ['d', { key: 'id', indexes: JSON.parse('{"__proto__":{"type":"search"}}') }, /other than __proto__/],
    ['d', { key: 'id', indexes: new Map() }, /indexes must be an object by name/],
    ['d', { key: 'id', unique: new Map() }, /unique must be an object by name/],
    ['d', {}, /key must have a name/],
    ['d', { key: 'id', index: {} }, /unknown "index"; allowed: key, unique, indexes/],
    ['d', { key: 'id', unique: [] }, /unique must be an object/],
    ['d', { key: 'id', unique: { u: {} } }, /unique\.u: fields must name at least one field/],
    ['d', { key: 'id', unique: { u: { fields: [] } } }, /at least one field/],
    [
      'd',
      { key: 'id', unique: { u: { fields: ['a'], normalise: [] } } },
      /unknown "normalise"; allowed: fields/,
    ],
    [
      'd',
      { key: 'id', unique: { u: { fields: ['a'], normalize: ['lower'] } } },
      /no step is named "lower"; there are trim/,
    ],
    ['d', { key: 'id', unique: { u: { fields: ['a'], normalize: ['nfc', 'nfc'] } } }, /nfc is given twice/],
    ['d', { key: 'id', unique: { u: { fields: [{ field: 'a', fold: true }] } } }, /unknown "fold"/],
    [
      'd',
      { key: 'id', unique: { u: { fields: new Array(1000).fill('field') } } },
      /unique\.u: at most \d+ fields/,
    ],
    [
      'd',
      {
        key: 'id',
        unique: Object.fromEntries(new Array(33).fill(0).map((_, i) => [`c${i}`, { fields: ['a'] }])),
      },
      /at most 32/,
    ],
  ]
  for (const [name, definition, message] of definitions) {
    await refused(
      t,
      () => store.define(name as string, definition as never),
      'INVALID',
      message,
      message.source,
    )
  }
  await refused(
    t,
    () => store.define('things', { key: 'key' }),
    'INVALID',
    /its key is id; it cannot change/,
    'another key',
  )
  await refused(
    t,
    () => store.define('things', { key: 'id' }),
    'INVALID',
    /lacks the constraint tag, pair: removing one needs/,
    'others',
  )
})

t.test('session options are checked', async t => {
  const sessions: [unknown, Code, RegExp][] = [
    [{ name: '' }, 'INVALID', /non-empty/],
    [{ name: 5 }, 'INVALID', /non-empty/],
    [{ name: '\ud800' }, 'INVALID', /well-formed/],
    [{ name: 'x'.repeat(257) }, 'TOO_LARGE', /at most 256 bytes/],
    [{ numbering: 'mine' }, 'INVALID', /'library' or 'caller', not "mine"/],
    [{ input: 'digest' }, 'INVALID', /caller-numbered/],
    [{ numbering: 'caller', input: 5 }, 'INVALID', /input/],
    [{ numbering: 'caller', input: 'x'.repeat(5_000_000) }, 'TOO_LARGE', /input/],
  ]
  for (const [options, code, message] of sessions) {
    await refused(t, () => store.session(options as never), code, message, message.source)
  }
  const library = await store.session()
  const caller = await store.session({ numbering: 'caller' })
  await refused(
    t,
    () => library.collection('things').put({ id: 's' }, { sequence: 1 }),
    'INVALID',
    /library/,
    'library',
  )
  for (const sequence of [undefined, 0, -1, 1.5, 'a']) {
    const options = { sequence } as never
    const message = /needs a sequence from 1/
    await refused(
      t,
      () => caller.collection('things').put({ id: 's' }, options),
      'INVALID',
      message,
      `${sequence}`,
    )
  }
  t.throws(() => library.release(1), { code: 'INVALID' })
  t.throws(() => caller.release(-1), { code: 'INVALID' })
  t.throws(() => caller.release(Number.NaN), { code: 'INVALID' })
  await library.close()
  await refused(
    t,
    () => library.collection('things').put({ id: 's' }),
    'CLOSED',
    /session is closed/,
    'closed',
  )
})

t.test('open needs to know where', async t => {
  for (const options of [
    undefined,
    {},
    { dir: '' },
    { dir: 'a\0b' },
    { dir: 5 },
    { memory: false },
    'here',
  ]) {
    await refused(
      t,
      () => open(options as never),
      'INVALID',
      /dir: folder/,
      JSON.stringify(options) ?? 'nothing',
    )
  }
})

t.test('a closed store says so', async t => {
  const closed: Store = await open({ memory: true })
  await closed.define('things', { key: 'id' })
  const old: Collection<Loose> = closed.collection<Loose>('things')
  const session = await closed.session()
  const inSession = session.collection('things')
  await old.put({ id: 1 })
  await closed.close()
  await closed.close()
  const calls: Record<string, () => unknown> = {
    insert: () => old.insert({ id: 1 }),
    put: () => old.put({ id: 1 }),
    delete: () => old.delete(1),
    get: () => old.get(1),
    staleGet: () => old.get(1, { level: 'stale' }),
    getMany: () => old.getMany([1]),
    has: () => old.has(1),
    update: () => old.update(1, one => one),
    count: () => old.count(),
    scan: () => old.scan().next(),
    define: () => closed.define('x', { key: 'id' }),
    batch: () => closed.batch([{ delete: 1, in: 'things' }]),
    session: () => closed.session(),
    scrub: () => closed.scrub(),
    inSession: () => inSession.put({ id: 1 }),
  }
  for (const [name, call] of Object.entries(calls)) await refused(t, call, 'CLOSED', /closed/, name)
  t.throws(() => closed.collection('things'), { code: 'CLOSED' })
  t.throws(() => closed.digest(), { code: 'CLOSED' })
  t.equal(closed.status().state, 'closed')
  await session[Symbol.asyncDispose]()
})
