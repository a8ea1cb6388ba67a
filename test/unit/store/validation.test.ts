/** A schema sees every document before it is sent, and what it makes of it is stored. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { type CallOptions, type DocumentSchema, open, SillokError, type Store } from '../../../src/index.js'

const user = z.object({
  id: z.string(),
  email: z.string().trim().toLowerCase().email(),
  age: z.coerce.number().int().min(0).optional(),
})

/** The same, but it takes its time. */
const slowUser = user.refine(async () => {
  await new Promise(resolve => setTimeout(resolve, 1))
  return true
})

interface Doc {
  readonly id: string
  readonly n?: number
}

/** A schema that answers what the function says. */
function schemaOf(validate: (value: unknown) => unknown): StandardSchemaV1<Doc, Doc> {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } }
}

const never = schemaOf(() => new Promise(() => {}))

async function world(t: Test): Promise<Store> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await store.define('users', { key: 'id', unique: { email: { fields: ['email'] } } })
  return store
}

/** How often anything was proposed in the documents' partition. */
function entries(store: Store): number {
  return store.status().partitions[1]?.lastIndex ?? -1
}

async function errorOf(call: Promise<unknown>): Promise<SillokError> {
  try {
    await call
  } catch (error) {
    if (error instanceof SillokError) return error
    throw error
  }
  throw new Error('it did not fail')
}

for (const [kind, schema] of Object.entries({ sync: user, async: slowUser })) {
  t.test(`what a ${kind} schema makes of a document is what is stored, by every kind of write`, async t => {
    const store = await world(t)
    const users = store.collection('users', { validate: schema })
    await users.insert({ id: 'a', email: ' A@Example.com ', age: '7' })
    await users.put({ id: 'b', email: 'B@example.com' })
    const { document } = (await users.update('b', was => ({ ...was, id: 'b', email: 'NEW@b.org' }))) ?? {}
    t.strictSame(document, { id: 'b', email: 'new@b.org' }, 'update answers what is stored')
    const many = await users.insertMany([{ id: 'c', email: 'C@x.org' }])
    t.match(many, [{ ok: true }])
    await store.batch([
      { insert: { id: 'd', email: 'D@x.org' }, in: users },
      { put: { id: 'e', email: 'E@x.org' }, in: users },
      { check: 'zz', ifVersion: null, in: users },
      { delete: 'c', in: users },
    ])
    const session = await store.session()
    await session.collection('users', { validate: schema }).put({ id: 'f', email: 'F@x.org' })
    await session.batch([{ put: { id: 'g', email: 'G@x.org' }, in: users }])
    const stored: unknown[] = []
    for await (const one of store.collection('users').scan()) stored.push(one)
    t.strictSame(stored, [
      { id: 'a', email: 'a@example.com', age: 7 },
      { id: 'b', email: 'new@b.org' },
      { id: 'd', email: 'd@x.org' },
      { id: 'e', email: 'e@x.org' },
      { id: 'f', email: 'f@x.org' },
      { id: 'g', email: 'g@x.org' },
    ])
  })

  t.test(`what a ${kind} schema refuses is not sent by any kind of write`, async t => {
    const store = await world(t)
    const users = store.collection('users', { validate: schema })
    const bad = { id: 'a', email: 'no', age: -1 }
    const before = entries(store)
    const ways: Record<string, () => Promise<unknown>> = {
      insert: () => users.insert(bad),
      put: () => users.put(bad, { ifVersion: null }),
      update: () => users.update('a', () => bad),
      batch: () =>
        store.batch([
          { put: { id: 'ok', email: 'ok@x.org' }, in: users },
          { put: bad, in: users },
        ]),
    }
    for (const [name, way] of Object.entries(ways)) {
      const { code, outcome, details, message } = await errorOf(way())
      t.strictSame([code, outcome], ['VALIDATION_FAILED', 'not-applied'], name)
      const issues = details['issues'] as readonly { readonly message: string; readonly path: unknown }[]
      t.strictSame(
        issues.map(({ path }) => path),
        [['email'], ['age']],
      )
      t.match(message, /not one of users: email: /, name)
      t.equal(details['step'], name === 'batch' ? 1 : undefined)
    }
    const rows = await users.insertMany([bad, { id: 'b', email: 'b@x.org' }])
    t.match(rows, [{ ok: false, error: { code: 'VALIDATION_FAILED' } }, { ok: true }])
    t.equal(entries(store), before + 1, 'only the good row of insertMany is in the log')
    t.notOk(await users.has('ok'), 'a batch with one refused document does nothing')
  })
}

t.test('the schema belongs to the object, and reads are not shown to it', async t => {
  const store = await world(t)
  const users = store.collection('users', { validate: user })
  const free = store.collection('users')
  await free.put({ id: 'x', any: 1 })
  await store.batch([{ put: { id: 'y', any: 2 }, in: 'users' }])
  t.strictSame(await users.getMany(['x', 'y']), [
    { id: 'x', any: 1 },
    { id: 'y', any: 2 },
  ])
  const other = await world(t)
  await t.rejects(other.batch([{ put: { id: 'y', email: 'y@x.org' }, in: users }]), {
    code: 'INVALID',
    message: /step 0 of the batch: in must name its collection, or be a collection of this store/,
  })
})

t.test('a schema that throws or answers nonsense refuses the document, and says so', async t => {
  const store = await world(t)
  const cause = new Error('of the schema')
  const tries: [string, unknown, RegExp][] = [
    [
      'throws',
      schemaOf(() => {
        throw cause
      }),
      /the schema failed: of the schema/,
    ],
    ['rejects', schemaOf(() => Promise.reject(cause)), /the schema failed: of the schema/],
    ['undefined', schemaOf(() => undefined), /gave no result of a Standard Schema, but undefined/],
    ['text', schemaOf(() => Promise.resolve('ok')), /gave no result of a Standard Schema, but "ok"/],
    ['neither', schemaOf(() => ({})), /neither value nor issues/],
    ['no list', schemaOf(() => ({ issues: 'bad' })), /issues that are "bad"/],
    [
      'bare issues',
      schemaOf(() => ({ issues: [null, { path: [{ key: 'a' }, Symbol('b')] }] })),
      /not acceptable; a.Symbol\(b\): not/,
    ],
  ]
  for (const [name, validate, message] of tries) {
    const things = store.collection('users', { validate: validate as DocumentSchema })
    const error = await errorOf(things.put({ id: 'a' }))
    t.strictSame([error.code, error.outcome], ['VALIDATION_FAILED', 'not-applied'], name)
    t.match(error.message, message, name)
    if (name === 'throws' || name === 'rejects') t.equal(error.cause, cause)
    const batch = await errorOf(store.batch([{ put: { id: 'a' }, in: things }]))
    t.match(batch.message, message)
  }
  const wrong = store.collection('users', { validate: schemaOf(() => ({ value: 5 })) })
  await t.rejects(wrong.put({ id: 'a' }), { code: 'INVALID' }, 'what it gives must be a document')
  t.notOk(await store.collection('users').has('a'))
  for (const validate of [null, 5, {}, { '~standard': { version: 2, validate: () => ({}) } }, () => true]) {
    t.throws(() => store.collection('users', { validate } as never), {
      code: 'INVALID',
      message: /validate must be a schema that follows Standard Schema, version 1/,
    })
  }
  t.throws(() => store.collection('users', { schema: user } as never), { message: /option "schema"/ })
})

t.test('a schema that never answers ends by deadline, signal or close, and nothing is sent', async t => {
  const store = await open({ memory: true })
  await store.define('users', { key: 'id' })
  const things = store.collection('users', { validate: never })
  const before = entries(store)
  const ways: Record<string, (options: CallOptions) => Promise<unknown>> = {
    insert: options => things.insert({ id: 'a' }, options),
    put: options => things.put({ id: 'a' }, options),
    batch: options => store.batch([{ put: { id: 'a' }, in: things }], options),
  }
  for (const [name, way] of Object.entries(ways)) {
    const late = await errorOf(way({ deadlineMs: 5 }))
    t.strictSame([late.code, late.outcome], ['TIMED_OUT', 'not-applied'], name)
    const stop = new AbortController()
    const stopped = errorOf(way({ signal: stop.signal }))
    stop.abort()
    t.strictSame([(await stopped).code, (await stopped).outcome], ['ABORTED', 'not-applied'], name)
    const retry = await errorOf(way({ deadlineMs: 5, requestId: 'mine' } as CallOptions))
    t.strictSame([retry.code, retry.outcome], ['TIMED_OUT', 'unknown'], 'an earlier attempt may have come')
  }
  const update = await errorOf(things.update('a', () => ({ id: 'a' }), { deadlineMs: 5 }))
  t.equal(update.code, 'TIMED_OUT')
  const [row] = await things.insertMany([{ id: 'a' }], { deadlineMs: 5 })
  t.match(row, { ok: false, error: { code: 'TIMED_OUT', outcome: 'not-applied' } })
  t.equal(entries(store), before)
  const closed = errorOf(things.put({ id: 'a' }))
  await store.close()
  t.strictSame([(await closed).code, (await closed).outcome], ['CLOSED', 'not-applied'])
})

t.test('options count as they were at the call, whatever an async schema waits for', async t => {
  const store = await world(t)
  const slow = schemaOf(async value => {
    await new Promise(resolve => setTimeout(resolve, 1))
    return { value }
  })
  const users = store.collection('users', { validate: slow })
  const { version } = await users.put({ id: 'a', n: 0 })
  const conditional: { ifVersion?: number } = { ifVersion: version - 1 }
  const refused = errorOf(users.put({ id: 'a', n: 1 }, conditional))
  delete conditional.ifVersion
  t.equal((await refused).code, 'CONFLICT')
  const named = { requestId: 'one' }
  const first = users.put({ id: 'b' }, named)
  named.requestId = 'two'
  await first
  const { state } = await store.outcome('one', { collection: 'users', key: 'b' })
  t.equal(state, 'committed')
  const session = await store.session({ numbering: 'caller' })
  const own = session.collection('users', { validate: slow })
  const numbered = { sequence: 1 }
  const both = [own.put({ id: 'c' }, numbered)]
  numbered.sequence = 2
  both.push(own.put({ id: 'd' }, numbered))
  await Promise.all(both)
  await session.batch([{ put: { id: 'e' }, in: own }], { sequence: 3 })
  t.equal(await users.count(), 5)
})

t.test('the signal of a write that an async schema has passed leaves the outcome unknown', async t => {
  const store = await world(t)
  const stop = new AbortController()
  let asked = 0
  const things = store.collection('users', {
    validate: schemaOf(async value => {
      asked += 1
      return { value }
    }),
  })
  const end = errorOf(things.put({ id: 'a' }, { signal: stop.signal }))
  // The schema has answered, and the write is on its way.
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  stop.abort()
  t.strictSame([(await end).code, (await end).outcome], ['ABORTED', 'unknown'])
  t.equal(asked, 1)
  t.ok(await things.has('a'), 'for it was applied')
})

t.test('a refusal by the schema says nothing about an earlier attempt of the same request', async t => {
  const store = await world(t)
  let isOpen = true
  const things = store.collection('users', {
    validate: schemaOf(value => (isOpen ? { value } : { issues: [{ message: 'closed' }] })),
  })
  await things.insert({ id: 'a' }, { requestId: 'r' })
  isOpen = false
  for (const call of [
    things.insert({ id: 'a' }, { requestId: 'r' }),
    store.batch([{ insert: { id: 'b' }, in: things }], { requestId: 'r2' }),
    things.update('b', () => ({ id: 'b' }), { requestId: 'r3' }),
  ]) {
    const { code, outcome } = await errorOf(call)
    t.strictSame([code, outcome], ['VALIDATION_FAILED', 'unknown'])
  }
  const own = (await store.session({ numbering: 'caller' })).collection('users', {
    validate: schemaOf(() => ({ issues: [] })),
  })
  t.equal((await errorOf(own.put({ id: 'q' }, { sequence: 1 }))).outcome, 'unknown')
})

t.test('of a batch the first refused step is told, and slow steps behind it are not waited for', async t => {
  const store = await world(t)
  const slow = store.collection('users', { validate: never })
  const bad = store.collection('users', {
    validate: schemaOf(async () => ({ issues: [{ message: 'late' }] })),
  })
  const thrown = store.collection('users', {
    validate: schemaOf(() => ({ issues: [{ message: 'at once' }] })),
  })
  const error = await errorOf(
    store.batch([
      { put: { id: 'a' }, in: 'users' },
      { put: { id: 'b' }, in: bad },
      { put: { id: 'c' }, in: thrown },
      { put: { id: 'd' }, in: slow },
    ]),
  )
  t.match(error.message, /^step 1 of the batch: .*late/)
  t.equal(error.details['step'], 1)
})

t.test('the types of a collection are those of its schema', async t => {
  const store = await world(t)
  const users = store.collection('users', { validate: user })
  await users.insert({ id: 'a', email: 'a@x.org', age: '5' })
  const age: number | undefined = (await users.get('a'))?.age
  t.equal(age, 5)
  const questions = async (): Promise<void> => {
    // @ts-expect-error the schema wants an email
    await users.insert({ id: 'a' })
    // @ts-expect-error what is stored is a number
    const text: string | undefined = (await users.get('a'))?.age
    void text
    const definition = { key: 'id', indexes: { byAge: { type: 'secondary', fields: ['age'] } } } as const
    const typed = store.collection<typeof user, typeof definition>('users', { validate: user })
    for await (const one of typed.find('byAge', { eq: [5] })) void one.email
    // @ts-expect-error there is no such index
    typed.find('byName')
  }
  t.type(questions, 'function')
})
