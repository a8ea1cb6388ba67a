/**
 * The API of an embedded store, in memory and in a real folder: each promise of its methods, from outside.
 */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import {
  type Collection,
  limits,
  open,
  type SillokError,
  type Store,
  type Versioned,
} from '../../../src/index.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)

interface User {
  readonly id: string
  readonly email?: string
  readonly age: number
}

const definition = {
  key: 'id',
  unique: { email: { fields: ['email'], normalize: ['trim', 'nfc', 'fold'] } },
} as const

/** Runs the law in memory and in a folder. */
function law(title: string, run: (t: Test, store: Store, users: Collection<User>) => Promise<void>): void {
  for (const where of ['memory', 'folder'] as const) {
    t.test(`${title} (${where})`, async t => {
      const dir = where === 'folder' ? mkdtempSync(join(tmpdir(), 'sillok-')) : undefined
      const store = await open(dir === undefined ? { memory: true } : { dir })
      try {
        await store.define('users', definition)
        await run(t, store, store.collection<User>('users'))
        t.strictSame(await store.scrub(), [], 'digests fit the rows')
      } finally {
        await store.close()
        if (dir !== undefined) await rm(dir, { recursive: true })
      }
    })
  }
}

/** Compiles only if both types are the same. */
function same<A, B>(
  ..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]
): void {}

t.test('the document type flows from the collection into every result', async t => {
  type C = Collection<User>
  same<Awaited<ReturnType<C['get']>>, User | undefined>()
  same<Awaited<ReturnType<C['getBy']>>, User | undefined>()
  same<Awaited<ReturnType<C['getMany']>>, (User | undefined)[]>()
  same<Awaited<ReturnType<C['getVersioned']>>, Versioned<User> | undefined>()
  same<Awaited<ReturnType<C['update']>>, Versioned<User> | undefined>()
  same<ReturnType<C['scan']>, AsyncGenerator<User, void, undefined>>()
  same<Parameters<C['insert']>[0], User>()
  const untyped = (store: Store) => store.collection('users')
  same<Awaited<ReturnType<ReturnType<typeof untyped>['get']>>, Record<string, unknown> | undefined>()
  t.type(untyped, 'function', 'it compiles')
})

law('insert, put and delete do what they say, and versions only grow', async (t, _, users) => {
  const a = await users.insert({ id: 'a', age: 1 })
  t.equal(await codeOf(users.insert({ id: 'a', age: 2 })), 'EXISTS')
  const b = await users.put({ id: 'a', age: 3 })
  t.equal(b.existed, true)
  t.ok(b.version > a.version)
  t.strictSame(await users.getVersioned('a'), { document: { id: 'a', age: 3 }, version: b.version })
  t.equal((await users.put({ id: 'b', age: 1 })).existed, false)
  t.strictSame(await users.getMany(['b', 'none', 'a']), [{ id: 'b', age: 1 }, undefined, { id: 'a', age: 3 }])
  const gone = await users.delete('a')
  t.equal(gone.existed, true)
  t.equal((await users.delete('a')).existed, false)
  t.equal(await users.has('a'), false)
  const again = await users.insert({ id: 'a', age: 4 })
  t.ok(again.version > gone.version, 'a key that returns does not return to an old version')
})

law('a condition holds at the moment of the write', async (t, _, users) => {
  const { version } = await users.insert({ id: 'a', age: 1 })
  t.equal(await codeOf(users.put({ id: 'a', age: 2 }, { ifVersion: version + 1 })), 'CONFLICT')
  t.equal(await codeOf(users.put({ id: 'a', age: 2 }, { ifVersion: null })), 'CONFLICT')
  t.equal(await codeOf(users.delete('b', { ifVersion: version })), 'CONFLICT')
  const two = await users.put({ id: 'a', age: 2 }, { ifVersion: version })
  t.equal(await codeOf(users.delete('a', { ifVersion: version })), 'CONFLICT')
  await t.rejects(users.put({ id: 'a', age: 3 }, { ifVersion: version }), {
    code: 'CONFLICT',
    details: { key: 'a', version: two.version },
    outcome: 'not-applied',
  })
  t.equal(await codeOf(users.delete('a', { ifVersion: two.version })), 'done')
  const racers = Array.from({ length: 50 }, (_, age) =>
    codeOf(users.put({ id: 'r', age }, { ifVersion: null })),
  )
  t.equal((await Promise.all(racers)).filter(code => code === 'done').length, 1, 'one of many wins')
})

law('a unique value has one holder, under any spelling', async (t, store, users) => {
  const spellings: [string, string[]][] = [
    ['straße', ['STRASSE', 'Straße', 'STRAẞE', ' strasse ']],
    ['İst', ['i\u0307st', 'I\u0307ST']],
    ['Σίσυφος', ['ΣΊΣΥΦΟΣ', 'σίσυφοσ', 'σίσυφος']],
    ['kelvin', ['\u212aELVIN', 'KELVIN']],
    ['한글', ['\u1112\u1161\u11ab\u1100\u1173\u11af', '\u3000한글\u00a0']],
    ['ｋｉｍ', ['ＫＩＭ']],
  ]
  for (const [email, others] of spellings) {
    const { version } = await users.insert({ id: email, email, age: 1 })
    for (const other of others) {
      await t.rejects(users.insert({ id: 'other', email: other, age: 2 }), {
        code: 'UNIQUE_TAKEN',
        outcome: 'not-applied',
        details: { constraint: 'email', holder: email, version },
      })
      t.equal((await users.getBy('email', other))?.id, email, `${email} by ${other}`)
    }
  }
  t.equal(await users.getBy('email', 'kim'), undefined, 'half-width and full-width differ without nfkc')
  await users.insert({ id: 'wide', email: 'kim', age: 1 })
  const { version } = await users.put({ id: 'kelvin', email: 'KELVIN', age: 2 })
  t.equal(
    await codeOf(users.insert({ id: 'x', email: 'kelvin', age: 1 })),
    'UNIQUE_TAKEN',
    'own change of case keeps it',
  )
  t.equal((await users.getVersioned('kelvin'))?.version, version)
  await users.put({ id: 'kelvin', email: 'joule', age: 2 })
  t.equal(await codeOf(users.insert({ id: 'x', email: 'kelvin', age: 1 })), 'done', 'released by an update')
  await users.delete('straße')
  t.equal(await codeOf(users.insert({ id: 'y', email: 'strasse', age: 1 })), 'done', 'released by a delete')
  t.equal(
    (
      await users.insertMany([
        { id: 'n1', age: 1 },
        { id: 'n2', age: 1 },
      ])
    ).filter(({ ok }) => ok).length,
    2,
    'none',
  )
  await store.define('pairs', {
    key: 'id',
    unique: { pair: { fields: ['a', { field: 'b', normalize: ['fold'] }] } },
  })
  const pairs = store.collection('pairs')
  await pairs.insert({ id: 1, a: 'X', b: 'Y' })
  t.equal(await codeOf(pairs.insert({ id: 2, a: 'x', b: 'Y' })), 'done', 'a is not folded')
  t.equal(await codeOf(pairs.insert({ id: 3, a: 'X', b: 'y' })), 'UNIQUE_TAKEN')
  t.equal(await codeOf(pairs.insert({ id: 4, a: 'X' })), 'done', 'a missing field claims nothing')
  t.match(await pairs.getBy('pair', ['X', 'y']), { id: 1 })
})

law('many who want one value at once: one holds it, the others are told whom', async (t, _, users) => {
  const results = await users.insertMany(
    Array.from({ length: 200 }, (_, i) => ({ id: `${i}`, email: 'One', age: i })),
  )
  const holder = await users.getBy('email', 'one')
  t.equal(results.filter(({ ok }) => ok).length, 1)
  for (const result of results) {
    if (!result.ok) t.match(result.error, { code: 'UNIQUE_TAKEN', details: { holder: holder?.id } })
  }
  t.equal(await users.count(), 1)
})

law('a batch takes effect whole, its steps in order, or not at all', async (t, store, users) => {
  const steps = [
    { insert: { id: 'a', email: 'a', age: 1 }, in: 'users' },
    { delete: 'a', in: 'users' },
    { insert: { id: 'b', email: 'A', age: 1 }, in: 'users' },
    { put: { id: 'b', email: 'b', age: 2 }, in: 'users' },
    { insert: { id: 'c', email: 'a', age: 1 }, in: 'users' },
    { check: 'a', ifVersion: null, in: 'users' },
  ]
  const { version } = await store.batch(steps)
  t.strictSame(await users.getMany(['a', 'b', 'c']), [
    undefined,
    { id: 'b', email: 'b', age: 2 },
    { id: 'c', email: 'a', age: 1 },
  ])
  t.equal((await users.getVersioned('b'))?.version, version, 'one version for all')
  const bad = [...steps.slice(2), { check: 'c', ifVersion: 1, in: 'users' }]
  const before = store.digest()
  t.equal(await codeOf(store.batch(bad)), 'EXISTS')
  t.equal(
    await codeOf(
      store.batch([
        { delete: 'b', in: 'users' },
        { check: 'c', ifVersion: 1, in: 'users' },
      ]),
    ),
    'CONFLICT',
  )
  t.equal(store.digest(), before)
  const swap = [
    { put: { id: 'b', email: 'x', age: 1 }, in: 'users' },
    { put: { id: 'c', email: 'b', age: 1 }, in: 'users' },
    { put: { id: 'b', email: 'a', age: 1 }, in: 'users' },
  ]
  t.equal(await codeOf(store.batch(swap)), 'done', 'values can be exchanged')
  t.match([await users.getBy('email', 'a'), await users.getBy('email', 'b')], [{ id: 'b' }, { id: 'c' }])
})

law('updates of one key wait for each other, and lose nothing', async (t, store, users) => {
  await users.insert({ id: 'n', age: 0 })
  const other = store.collection<User>('users')
  const add = (collection: Collection<User>) =>
    collection.update('n', async user => {
      await new Promise(setImmediate)
      return { id: 'n', age: (user?.age ?? 0) + 1 }
    })
  await Promise.all(Array.from({ length: 60 }, (_, i) => add(i % 2 ? users : other)))
  t.equal((await users.get('n'))?.age, 60)
  t.equal(await users.update('none', user => user), undefined, 'undefined writes nothing')
  t.equal(await users.has('none'), false)
  t.match(await users.update('new', user => ({ id: 'new', age: user === undefined ? 7 : 8 })), {
    document: { age: 7 },
  })
  t.equal(await codeOf(users.update('n', () => ({ id: 'm', age: 1 }))), 'INVALID')
  await t.rejects(
    users.update('n', () => Promise.reject(new Error('mine'))),
    { message: 'mine' },
  )
  t.equal(
    (await users.update('n', user => user && { ...user, age: 1 }))?.document.age,
    1,
    'a failed one holds up nobody',
  )
})

law('an update tries again when somebody else wrote, at most ten times', async (t, _, users) => {
  await users.insert({ id: 'n', age: 0 })
  let tries = 0
  const disturbed = (times: number) =>
    users.update('n', async user => {
      if (++tries <= times) await users.put({ id: 'n', age: 100 * tries })
      return { id: 'n', age: (user?.age ?? 0) + 1 }
    })
  await disturbed(9)
  t.equal(tries, 10)
  t.equal((await users.get('n'))?.age, 901)
  tries = 0
  t.equal(await codeOf(disturbed(1000)), 'CONFLICT')
  t.equal(tries, limits.updateTriesMax)
})

law('a scan equals the sorted list of what is there, whatever is asked for', async (t, _, users) => {
  const random = new Random(seed)
  const things = users as unknown as Collection<{ id: string | number }>
  const keys: (string | number)[] = []
  for (let i = 0; i < 150; i++)
    keys.push(random.below(400) - 200, random.pick(['a', 'ab', '가', '\0', '\u{10000}']) + random.below(20))
  for (const id of new Set(keys)) await things.put({ id })
  const order = (a: string | number, b: string | number): number => {
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1
    return typeof a === 'number'
      ? a - (b as number)
      : Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  }
  const sorted = [...new Set(keys)].sort(order)
  for (let i = 0; i < 60; i++) {
    const low = random.chance(0.6) ? { [random.pick(['gt', 'gte'])]: random.pick(keys) } : {}
    const high = random.chance(0.6) ? { [random.pick(['lt', 'lte'])]: random.pick(keys) } : {}
    const prefix = random.chance(0.2) ? random.pick(['', 'a', 'ab1', '가', 'none']) : undefined
    const bounds: { gt?: number; gte?: number; lt?: number; lte?: number; prefix?: string } =
      prefix === undefined ? { ...low, ...high } : { prefix }
    const options = {
      ...bounds,
      reverse: random.chance(0.5),
      ...(random.chance(0.4) && { limit: random.below(30) }),
    }
    let expected = sorted.filter(key => {
      const { gt, gte, lt, lte } = bounds
      if (prefix !== undefined) return typeof key === 'string' && key.startsWith(prefix)
      return (
        (gt === undefined || order(key, gt) > 0) &&
        (gte === undefined || order(key, gte) >= 0) &&
        (lt === undefined || order(key, lt) < 0) &&
        (lte === undefined || order(key, lte) <= 0)
      )
    })
    if (options.reverse) expected = expected.toReversed()
    expected = expected.slice(0, options.limit)
    const found: (string | number)[] = []
    for await (const { id } of things.scan(options)) found.push(id)
    t.strictSame(found, expected, JSON.stringify(options))
    if (i % 10 === 0) t.equal(await things.count(options), expected.length)
  }
})

law('a scan shows one moment, while writes go on', async (t, store, users) => {
  // Two rows always add up to 100, before and after each batch.
  const rows = Array.from({ length: 2500 }, (_, i) => ({ id: `k${String(i).padStart(5, '0')}`, age: 50 }))
  await users.insertMany(rows)
  let stop = false
  const writing = (async () => {
    for (let n = 0; !stop; n = (n + 7) % 1000) {
      const [a, b] = [rows[n]?.id ?? '', rows[2499 - n]?.id ?? '']
      await store.batch([
        { put: { id: a, age: n % 100 }, in: 'users' },
        { put: { id: b, age: 100 - (n % 100) }, in: 'users' },
      ])
    }
  })()
  for (let i = 0; i < 8; i++) {
    let sum = 0
    let count = 0
    for await (const { age } of users.scan({ reverse: i % 2 === 0 })) {
      sum += age
      if (++count % 700 === 0) await new Promise(resolve => setTimeout(resolve, 3))
    }
    t.equal(count, 2500)
    t.equal(sum, 125_000, 'no half of a batch is seen')
  }
  stop = true
  await writing
})

law(
  'a scan that the closing of the store cuts short does not pass for the whole',
  async (t, store, users) => {
    await users.insertMany(Array.from({ length: 3000 }, (_, i) => ({ id: `${i}`, age: i })))
    const scan = users.scan()
    await scan.next()
    const closing = store.close()
    t.equal(
      await codeOf(
        (async () => {
          for await (const _ of scan);
        })(),
      ),
      'CLOSED',
    )
    await closing
    store.scrub = async () => []
  },
)

law('getBy finds the holder while values move between documents', async (t, store, users) => {
  await users.insertMany([
    { id: 'a', email: 'x', age: 1 },
    { id: 'b', email: 'y', age: 1 },
  ])
  let stop = false
  const moving = (async () => {
    for (let n = 0; !stop; n++) {
      const [from, to] = n % 2 === 0 ? ['a', 'b'] : ['b', 'a']
      await store.batch([
        { put: { id: from, email: 'free', age: n }, in: 'users' },
        { put: { id: to, email: 'x', age: n }, in: 'users' },
        { put: { id: from, email: 'y', age: n }, in: 'users' },
      ])
    }
  })()
  let wrong = 0
  for (let i = 0; i < 400; i++) {
    const found = await users.getBy('email', 'X', { level: i % 2 ? 'stale' : 'linearizable' })
    if (found?.email !== 'x') wrong += 1
  }
  stop = true
  await moving
  t.equal(wrong, 0)
})

law('insertMany answers each row in order, and stops at none', async (t, _, users) => {
  const rows = Array.from({ length: 3000 }, (_, i) => ({ id: `${i % 2000}`, email: `e${i % 1500}`, age: i }))
  const results = await users.insertMany(rows)
  const codes = results.map(result => (result.ok ? 'done' : result.error.code))
  const expected = rows.map((_, i) =>
    i < 1500 ? 'done' : i < 2000 ? 'UNIQUE_TAKEN' : i < 3000 ? 'EXISTS' : '',
  )
  for (let i = 2000; i < 3000; i++) if (i % 2000 >= 1500) expected[i] = 'UNIQUE_TAKEN'
  t.strictSame(codes, expected)
  t.equal(await users.count(), 1500)
  t.strictSame(await users.insertMany([]), [])
})

law('a definition that says the same makes no entry', async (t, store) => {
  const { fields, normalize } = definition.unique.email
  const index = store.status().partitions[0]?.lastIndex
  await store.define('users', definition)
  await store.define('users', {
    key: 'id',
    unique: { email: { fields: [...fields], normalize: [...normalize] } },
  })
  t.equal(store.status().partitions[0]?.lastIndex, index)
  t.equal(await codeOf(store.define('users', { key: 'id' })), 'INVALID')
  t.equal(await codeOf(store.define('users', { key: 'other', unique: definition.unique })), 'INVALID')
  const twice = { key: 'k', unique: { u: { fields: ['a'] }, v: { fields: ['b'] } } }
  await Promise.all([store.define('t', twice), store.define('t', twice)])
  const after = store.status().partitions[0]?.lastIndex
  await store.define('t', { key: 'k', unique: { v: { fields: ['b'] }, u: { fields: [{ field: 'a' }] } } })
  t.equal(store.status().partitions[0]?.lastIndex, after, 'the order of constraints means nothing')
  t.strictSame(store.status().collections, ['t', 'users'])
})

law('deadline and signal end the waiting, not the write', async (t, _, users) => {
  const aborted = AbortSignal.abort(new Error('why'))
  await t.rejects(users.insert({ id: 'a', age: 1 }, { signal: aborted }), {
    code: 'ABORTED',
    outcome: 'not-applied',
    cause: { message: 'why' },
  })
  t.equal(await users.has('a'), false)
  const controller = new AbortController()
  const stopped = users.insert({ id: 'b', age: 1 }, { signal: controller.signal })
  controller.abort()
  await t.rejects(stopped, { code: 'ABORTED', outcome: 'unknown' })
  const late = Array.from({ length: 500 }, (_, i) =>
    users.insert({ id: `l${i}`, age: i }, { deadlineMs: 1e-6 }),
  )
  const answers = await Promise.allSettled(late)
  const errors = answers.flatMap(answer =>
    answer.status === 'rejected' ? [answer.reason as SillokError] : [],
  )
  t.ok(errors.length > 0, 'five hundred writes take longer than that')
  t.strictSame(
    new Set(errors.map(({ code, outcome }) => `${code} ${outcome}`)),
    new Set(['TIMED_OUT unknown']),
  )
  await users.put({ id: 'z', age: 1 })
  t.equal(await users.count({ prefix: 'l' }), 500, 'they took effect all the same')
  t.equal(await users.has('b'), true)
  t.equal(await codeOf(users.get('b', { signal: aborted })), 'ABORTED')
  t.equal(await codeOf(users.count({ signal: aborted })), 'ABORTED')
  const scanning = new AbortController()
  const scan = users.scan({ signal: scanning.signal })
  await scan.next()
  scanning.abort()
  t.equal(await codeOf(scan.next()), 'ABORTED', 'at the next document')
})

law('linearizable reads leave writes their turn', async (t, _, users) => {
  let reading = true
  const reader = async (): Promise<number> => {
    let reads = 0
    for (; reading; reads++) await users.get('a')
    return reads
  }
  const readers = [reader(), reader()]
  // Were a turn spent for each read, turns would double in number, and this would not end.
  for (let n = 0; n < 300; n++) await users.put({ id: 'a', age: n })
  reading = false
  for (const reads of await Promise.all(readers)) t.ok(reads > 0)
})

t.test('await using closes the store, and what it showed is there when it is opened again', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sillok-'))
  t.teardown(() => rm(dir, { recursive: true }))
  let digest: string
  {
    await using store = await open({ dir })
    await store.define('users', definition)
    await store.collection<User>('users').insert({ id: 'a', email: 'x', age: 1 })
    digest = store.digest()
  }
  await using store = await open({ dir })
  t.equal(store.digest(), digest)
  t.match(await store.collection<User>('users').getBy('email', 'X'), { id: 'a' })
  t.equal(
    await codeOf(store.collection<User>('users').insert({ id: 'b', email: 'X', age: 1 })),
    'UNIQUE_TAKEN',
  )
})
