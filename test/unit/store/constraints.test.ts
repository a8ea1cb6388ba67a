/** Unique constraints through the store: their rules, and how they come and go beside documents. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { verifyFolder } from '../../../src/cli/verify-folder.js'
import { type Definition, isSillokError, limits, open, type Store } from '../../../src/index.js'
import { codeOf } from './code-of.js'

interface User {
  readonly id: string
  readonly email?: string | null | object
  readonly emails?: readonly string[] | string
  readonly org?: string
  readonly state?: string
}

async function world(t: Test, unique?: NonNullable<Definition['unique']>): Promise<Store> {
  const store = await open({ memory: true })
  t.teardown(() => store.close())
  await define(store, unique)
  return store
}

function define(store: Store, unique?: Definition['unique'], drop = false): Promise<void> {
  return store.define('users', { key: 'id', ...(unique && { unique }) }, { drop })
}

function states(store: Store): string {
  return store
    .status()
    .constraints.map(({ id, name, state }) => `${id} ${name} ${state}`)
    .join(', ')
}

/** Until the background has nothing left to do. */
async function settled(store: Store, wanted: string): Promise<void> {
  for (let tries = 0; states(store) !== wanted; tries++) {
    if (tries > 10_000) throw new Error(`${states(store)}, never ${wanted}`)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

const folded = { fields: ['email'], normalize: ['trim', 'nfkc', 'fold'] } as const

t.test('a constraint with conditions holds for the documents that meet them', async t => {
  const store = await world(t, { live: { ...folded, where: { state: 'live', org: { exists: true } } } })
  const users = store.collection<User>('users')
  await users.insert({ id: 'a', email: 'x', state: 'live', org: 'o' })
  await users.insert({ id: 'b', email: 'x', state: 'gone', org: 'o' })
  await users.insert({ id: 'c', email: 'x', state: 'live' })
  const taken = await users
    .insert({ id: 'd', email: ' X', state: 'live', org: 'p' })
    .catch((error: unknown) => error)
  t.ok(isSillokError(taken, 'UNIQUE_TAKEN'))
  t.match(taken, { details: { constraint: 'live', holder: 'a' } })
  t.equal((await users.getBy('live', 'X'))?.id, 'a')
  await users.put({ id: 'a', email: 'x', state: 'gone', org: 'o' })
  t.equal(await users.getBy('live', 'x'), undefined, 'what moves out of the conditions lets go')
  await users.put({ id: 'b', email: 'x', state: 'live', org: 'o' })
  t.equal(await codeOf(users.put({ id: 'a', email: 'x', state: 'live', org: 'o' })), 'UNIQUE_TAKEN', 'and in')
})

t.test('with each, every distinct element is a value, and one of them finds the document', async t => {
  const store = await world(t, { mails: { fields: ['org', 'emails'], normalize: ['fold'], each: 'emails' } })
  const users = store.collection<User>('users')
  await users.insert({ id: 'a', org: 'o', emails: ['x', 'X', 'y'] })
  t.equal((await users.getBy('mails', ['O', 'Y']))?.id, 'a')
  t.equal(await codeOf(users.insert({ id: 'b', org: 'o', emails: ['z', 'Y'] })), 'UNIQUE_TAKEN')
  await users.insert({ id: 'b', org: 'p', emails: 'y' })
  t.equal((await users.getBy('mails', ['p', 'y']))?.id, 'b', 'what is no array is the only element')
  await users.put({ id: 'a', org: 'o', emails: [] })
  await users.insert({ id: 'c', org: 'o', emails: ['x'] })
  const many = Array.from({ length: limits.claimsPerConstraintMax + 1 }, (_, i) => `m${i}`)
  t.equal(await codeOf(users.insert({ id: 'd', org: 'o', emails: many })), 'TOO_LARGE')
  t.equal(
    await codeOf(
      users.insert({ id: 'd', org: 'o', emails: ['q'.repeat(limits.claimBytesPerConstraintMax)] }),
    ),
    'TOO_LARGE',
  )
})

t.test('nulls are distinct, or equal if that is said', async t => {
  const store = await world(t, { pair: { fields: ['org', 'email'], nulls: 'equal' }, email: folded })
  const users = store.collection<User>('users')
  await users.insert({ id: 'a', org: 'o' })
  t.equal(await codeOf(users.insert({ id: 'b', org: 'o', email: null })), 'UNIQUE_TAKEN')
  await users.insert({ id: 'b', org: 'p', email: null })
  t.equal((await users.getBy('pair', ['o', null]))?.id, 'a')
  t.equal(await codeOf(users.getBy('email', null)), 'INVALID')
})

t.test('nfkc unites what only looks different', async t => {
  const store = await world(t, { email: folded })
  const users = store.collection<User>('users')
  await users.insert({ id: 'a', email: 'ｋｉｍ①' })
  t.equal(await codeOf(users.insert({ id: 'b', email: 'KIM1' })), 'UNIQUE_TAKEN')
  t.equal((await users.getBy('email', 'Kim1'))?.id, 'a')
})

t.test('a constraint that finds every value once is enforced by itself', async t => {
  const store = await world(t)
  const users = store.collection<User>('users')
  await users.insertMany(Array.from({ length: 1000 }, (_, i) => ({ id: `u${i}`, email: `E${i}` })))
  await define(store, { email: folded })
  await store.enforced('users', 'email')
  const [status] = store.status().constraints
  t.match(status, { collection: 'users', name: 'email', state: 'enforced', documents: 1000, violations: 0 })
  t.equal((await users.getBy('email', 'e77'))?.id, 'u77', 'also of a document that was not written since')
  t.equal(await codeOf(users.insert({ id: 'x', email: 'e77' })), 'UNIQUE_TAKEN')
  await users.delete('u77')
  await users.insert({ id: 'x', email: 'e77' })
  t.strictSame(await store.scrub(), [])
  const { lastIndex } = store.status().partitions[1] ?? {}
  await define(store, { email: folded })
  t.equal(store.status().partitions[1]?.lastIndex, lastIndex, 'the same definition again does nothing')
})

t.test(
  'violations are listed in pages, and the constraint is enforced when the last one is gone',
  async t => {
    const store = await world(t)
    const users = store.collection<User>('users')
    for (let i = 0; i < 12; i++) await users.insert({ id: `u${i}`, email: `E${i % 4} ` })
    await users.insert({ id: 'odd', email: { no: 'value' } })
    await define(store, { email: folded })
    const refused = await store.enforced('users', 'email').catch((error: unknown) => error)
    t.ok(isSillokError(refused, 'UNIQUE_TAKEN'))
    t.match(refused, { details: { constraint: 'email', violations: 9, values: 5 } })
    const listed: string[] = []
    for (let after: string | undefined; ; ) {
      const page = await store.violations('users', 'email', { limit: 2, ...(after && { after }) })
      for (const { key, values, holder } of page.violations) listed.push(`${key} ${values} ${holder}`)
      after = page.after
      if (after === undefined) break
    }
    const sharing = [0, 1, 2, 3].map(n => [`u${n}`, `u${n + 4}`, `u${n + 8}`].sort())
    const expected = sharing.flatMap(([holder, ...others], n) => others.map(id => `${id} E${n}  ${holder}`))
    t.strictSame(
      listed.sort(),
      [...expected, 'odd  undefined'].sort(),
      'the first key of each value holds it',
    )
    await users.update('u5', user => user && { ...user, org: 'changed' })
    t.equal(await codeOf(users.put({ id: 'odd', email: { no: 'other' } })), 'INVALID')
    t.equal(await codeOf(store.violations('users', 'email', { after: 'x' })), 'INVALID')
    t.equal(await codeOf(store.violations('users', 'mail')), 'NOT_FOUND')
    t.equal(await codeOf(store.enforced('users', 'mail')), 'NOT_FOUND')
    await users.delete('odd')
    for (let i = 4; i < 12; i++) await users.put({ id: `u${i}`, email: `own ${i}` })
    await store.enforced('users', 'email')
    t.strictSame(await store.violations('users', 'email'), { violations: [], after: undefined })
    t.strictSame(await store.scrub(), [])
  },
)

t.test('values that were written at length hold up no build, and stop no store', async t => {
  const store = await world(t)
  const users = store.collection<User>('users')
  const emails = Array.from({ length: 200 }, (_, i) => `${i}`)
  for (const id of ['a', 'b', 'c', 'd']) {
    await users.insert({ id, org: `${' '.repeat(300_000)}x`, emails, email: `${' '.repeat(500_000)}y` })
  }
  await define(store, {
    each: { fields: ['org', 'emails'], normalize: ['trim'], each: 'emails' },
    one: { fields: ['email'], normalize: ['trim'] },
  })
  await settled(store, '1 each violated, 2 one violated')
  t.match(store.status().constraints, [{ violations: 600, reason: undefined }, { violations: 3 }])
  const { violations } = await store.violations('users', 'one')
  t.match(violations, [{ values: ['y'] }, { values: ['y'] }, { values: ['y'] }])
  for (const id of ['a', 'b', 'c']) await users.delete(id)
  await settled(store, '1 each enforced, 2 one enforced')
  await users.put({ id: 'd', org: `${' '.repeat(300_000)}x`, emails })
  const taken = users.put({ id: 'e', org: 'x', emails: ['7'] })
  t.equal(await codeOf(taken), 'UNIQUE_TAKEN')
})

t.test('a new rule takes the place of the old one when it is enforced, not before', async t => {
  const store = await world(t, { email: { fields: ['email'] } })
  const users = store.collection<User>('users')
  await users.insert({ id: 'a', email: 'x' })
  await users.insert({ id: 'b', email: 'X' })
  await define(store, { email: folded })
  await settled(store, '1 email enforced, 2 email violated')
  t.equal((await users.getBy('email', 'X'))?.id, 'b', 'the old rule answers')
  t.equal(await codeOf(users.insert({ id: 'c', email: 'x' })), 'UNIQUE_TAKEN')
  t.strictSame(store.definition('users')?.unique['email'], {
    fields: ['email'],
    normalize: ['trim', 'nfkc', 'fold'],
  })
  await users.delete('b')
  await store.enforced('users', 'email')
  await settled(store, '2 email enforced')
  t.equal((await users.getBy('email', ' X'))?.id, 'a', 'the new rule answers')
})

t.test('a dropped constraint leaves no claim, and what it forbade is allowed', async t => {
  const store = await world(t, { email: folded, org: { fields: ['org'] } })
  const users = store.collection<User>('users')
  await users.insertMany(
    Array.from({ length: 300 }, (_, i) => ({ id: `u${i}`, email: `e${i}`, org: `o${i}` })),
  )
  t.equal(await codeOf(define(store, { org: { fields: ['org'] } })), 'INVALID')
  await define(store, { org: { fields: ['org'] } }, true)
  await users.insert({ id: 'x', email: 'e1', org: 'x' })
  t.equal(await codeOf(users.getBy('email', 'e1')), 'NOT_FOUND')
  await settled(store, '2 org enforced')
  await users.put({ id: 'u1', email: 'e1', org: 'o1' })
  await define(store, { email: folded, org: { fields: ['org'] } })
  t.equal(await codeOf(store.enforced('users', 'email')), 'UNIQUE_TAKEN', 'again, under a number of its own')
  t.equal(states(store), '2 org enforced, 3 email violated')
})

t.test(
  'a build goes on where it was when the store is opened again, and verify finds it sound on the way',
  async t => {
    const dir = mkdtempSync(join(tmpdir(), 'sillok-constraint-'))
    t.teardown(() => rmSync(dir, { recursive: true, force: true }))
    let store = await open({ dir })
    await define(store)
    const some = Array.from({ length: 3000 }, (_, i) => ({
      id: `u${String(i).padStart(4, '0')}`,
      email: `E${i % 2990}`,
    }))
    await store.collection<User>('users').insertMany(some)
    await define(store, { email: folded })
    let looked = 0
    for (let opening = 0; opening < 2; opening++) {
      await store.close()
      t.strictSame((await verifyFolder(dir)).faults, [])
      store = await open({ dir })
      const documents = (): number => store.status().constraints[0]?.documents ?? 0
      t.ok(documents() >= looked, 'never begun anew')
      while (documents() <= looked && documents() < 3000) await new Promise(resolve => setTimeout(resolve, 1))
      looked = documents()
    }
    t.ok(looked > 0)
    const refused = await store.enforced('users', 'email').catch((error: unknown) => error)
    t.match(refused, { details: { violations: 10, values: 10 } })
    await store.collection<User>('users').put({ id: 'u0000', email: 'new' })
    await define(store, undefined, true)
    await settled(store, '')
    await store.close()
    t.strictSame((await verifyFolder(dir)).faults, [])
  },
)

t.test('who waits for a constraint ends by signal and deadline; the build goes on', async t => {
  const db = await open({ memory: true })
  t.teardown(() => db.close())
  await db.define('a', { key: 'id' })
  const documents = Array.from({ length: 3000 }, (_, id) => ({ id, n: id }))
  await db.collection('a').insertMany(documents)
  await db.define('a', { key: 'id', unique: { n: { fields: ['n'] } } })
  const controller = new AbortController()
  const stopped = db.enforced('a', 'n', { signal: controller.signal })
  const late = db.enforced('a', 'n', { deadlineMs: 1 })
  controller.abort()
  await t.rejects(stopped, { code: 'ABORTED', outcome: 'not-applied' })
  await t.rejects(late, { code: 'TIMED_OUT', outcome: 'not-applied' })
  await db.enforced('a', 'n')
  await t.rejects(db.collection('a').insert({ id: -1, n: 7 }), { code: 'UNIQUE_TAKEN' })
})
