/** Laws of a store: definitions, and the unique values that they ask for. */
import assert from 'node:assert/strict'
import type { Law } from './law.js'
import { freshCollection, freshName, listed, refused, type StoreLike } from './store-like.js'

const email = { fields: ['email'], normalize: ['trim', 'nfc', 'fold'] } as const

/** Of unique values. */
export const constraintLaws: readonly Law<StoreLike>[] = [
  {
    title: 'a unique value has one holder, and a refusal names it',
    async check(store) {
      const { rows } = await freshCollection(store, { unique: { email } })
      const { version } = await rows.insert({ id: 'kim', email: 'kim@example.com' })
      const details = { constraint: 'email', holder: 'kim', version }
      const twin = { id: 'lee', email: 'kim@example.com' }
      await refused(() => rows.insert(twin), 'UNIQUE_TAKEN', { details })
      await refused(() => rows.put(twin), 'UNIQUE_TAKEN', { details })
      await refused(() => rows.update('lee', () => twin), 'UNIQUE_TAKEN', { details })
      assert.equal(await rows.has('lee'), false)
      assert.equal((await rows.put({ id: 'kim', email: 'kim@example.com', n: 1 })).existed, true)
    },
  },
  {
    title: 'of many who ask for a unique value at once one gets it',
    async check(store) {
      const { rows } = await freshCollection(store, { unique: { email } })
      const tries = Array.from({ length: 20 }, (_, id) => rows.insert({ id, email: 'one@example.com' }))
      const won = (await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled')
      assert.equal(won.length, 1)
      const all = await listed(rows.scan())
      assert.equal(all.length, 1)
      assert.deepEqual(await rows.getBy('email', 'one@example.com'), all[0])
    },
  },
  {
    title: 'spellings that the rule makes equal are one value, for writes and for getBy',
    async check(store) {
      const { rows } = await freshCollection(store, { unique: { email } })
      await rows.insert({ id: 1, email: 'Straße@Example.com' })
      await rows.insert({ id: 2, email: '한글' })
      for (const [id, spelling] of [
        [1, ' STRASSE@EXAMPLE.COM '],
        [2, '\u1112\u1161\u11ab\u1100\u1173\u11af'],
      ] as const) {
        await refused(() => rows.insert({ id: 3, email: spelling }), 'UNIQUE_TAKEN')
        assert.equal((await rows.getBy('email', spelling))?.['id'], id)
      }
      assert.equal((await rows.get(1))?.['email'], 'Straße@Example.com', 'the document is as it was given')
      assert.equal(await rows.getBy('email', 'other@example.com'), undefined)
      await refused(() => rows.getBy('none', 'x'), 'NOT_FOUND')
    },
  },
  {
    title: 'a value that its holder gives up is free again',
    async check(store) {
      const { rows } = await freshCollection(store, { unique: { email } })
      await rows.insert({ id: 1, email: 'a' })
      await rows.put({ id: 1, email: 'b' })
      assert.equal(await rows.getBy('email', 'a'), undefined)
      await rows.insert({ id: 2, email: 'a' })
      await rows.delete(2)
      await rows.insert({ id: 3, email: 'a' })
      assert.deepEqual(await rows.getBy('email', 'a'), { id: 3, email: 'a' })
      assert.deepEqual(await rows.getBy('email', 'b'), { id: 1, email: 'b' })
    },
  },
  {
    title: 'documents without the value do not take it from each other',
    async check(store) {
      const { rows } = await freshCollection(store, { unique: { email } })
      await rows.insert({ id: 1 })
      await rows.insert({ id: 2 })
      await rows.insert({ id: 3, email: null })
      await rows.insert({ id: 4, email: null })
      assert.equal(await rows.count(), 4)
    },
  },
  {
    title: 'a constraint over several fields holds for all of them together',
    async check(store) {
      const { rows } = await freshCollection(store, { unique: { place: { fields: ['row', 'seat'] } } })
      await rows.insert({ id: 1, row: 1, seat: 1 })
      await rows.insert({ id: 2, row: 1, seat: 2 })
      await refused(() => rows.insert({ id: 3, row: 1, seat: 2 }), 'UNIQUE_TAKEN')
      assert.equal((await rows.getBy('place', [1, 2]))?.['id'], 2)
    },
  },
  {
    title: 'a constraint that is defined later is enforced once it is built from what is there',
    async check(store) {
      const { name, rows } = await freshCollection(store)
      await rows.insertMany(Array.from({ length: 20 }, (_, id) => ({ id, email: `m${id}` })))
      await store.define(name, { key: 'id', unique: { email } })
      await store.enforced(name, 'email')
      await refused(() => rows.insert({ id: 'x', email: 'M7' }), 'UNIQUE_TAKEN', { details: { holder: 7 } })
      assert.equal((await rows.getBy('email', 'm19'))?.['id'], 19)
    },
  },
]

/** Of define and definition. */
export const definitionLaws: readonly Law<StoreLike>[] = [
  {
    title: 'the same definition again changes nothing, and its normal form is the same definition',
    async check(store) {
      const { name, rows } = await freshCollection(store, {
        unique: { email },
        indexes: { byAge: { type: 'secondary', fields: ['age'] } },
      })
      await rows.insert({ id: 1, email: 'a', age: 5 })
      const shown = store.definition(name)
      assert.ok(shown)
      assert.equal(shown.key, 'id')
      assert.deepEqual(Object.keys(shown.unique), ['email'])
      assert.deepEqual(Object.keys(shown.indexes), ['byAge'])
      await store.define(name, shown)
      assert.deepEqual(store.definition(name), shown)
      assert.deepEqual(await listed(rows.find('byAge', { eq: [5] })), [{ id: 1, email: 'a', age: 5 }])
      await refused(() => rows.insert({ id: 2, email: 'a' }), 'UNIQUE_TAKEN')
    },
  },
  {
    title: 'another key of a collection is refused, and so is what only drop may take away',
    async check(store) {
      const { name, rows } = await freshCollection(store, { unique: { email } })
      await rows.insert({ id: 1, email: 'a' })
      await refused(() => store.define(name, { key: 'number', unique: { email } }), 'INVALID')
      await refused(() => store.define(name, { key: 'id' }), 'INVALID')
      await refused(() => rows.insert({ id: 2, email: 'a' }), 'UNIQUE_TAKEN')
      await store.define(name, { key: 'id' }, { drop: true })
      assert.deepEqual(store.definition(name)?.unique, {})
      await rows.insert({ id: 2, email: 'a' })
      assert.equal(await rows.count(), 2)
    },
  },
  {
    title: 'a collection that is not defined is NOT_FOUND until it is, also for objects made before',
    async check(store) {
      const name = freshName(store)
      const rows = store.collection(name)
      assert.equal(store.definition(name), undefined)
      await refused(() => rows.get('a'), 'NOT_FOUND')
      await refused(() => rows.put({ id: 'a' }), 'NOT_FOUND')
      await refused(() => listed(rows.scan()), 'NOT_FOUND')
      await refused(() => store.batch([{ delete: 'a', in: name }]), 'NOT_FOUND')
      await store.define(name, { key: 'id' })
      await rows.put({ id: 'a' })
      assert.equal(await rows.count(), 1)
    },
  },
  {
    title: 'what is no definition is INVALID, and defines nothing',
    async check(store) {
      const name = freshName(store)
      const wrong: unknown[] = [
        {},
        { key: '' },
        { key: 'id', uniqe: {} },
        { key: 'id', unique: { email: { fields: [] } } },
        { key: 'id', unique: { email: { fields: ['email'], normalize: ['shout'] } } },
        { key: 'id', indexes: { i: { type: 'none' } } },
        { key: 'id', indexes: { i: { type: 'secondary', fields: [] } } },
      ]
      for (const definition of wrong) await refused(() => store.define(name, definition as never), 'INVALID')
      assert.equal(store.definition(name), undefined)
    },
  },
]
