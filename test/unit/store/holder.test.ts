/** The holder of a unique value is found by two reads, between which the value may move. */
import t from 'tap'
import { encodeKey } from '../../../src/base/tuple.js'
import { encodeDocument } from '../../../src/codec/document.js'
import { makeRow, type Row } from '../../../src/codec/row.js'
import { type Claim, claimsOf, encodeClaim } from '../../../src/machine/claims.js'
import { type ConstraintState, encodeConstraintState } from '../../../src/machine/constraint-state.js'
import { encodeDocumentRow } from '../../../src/machine/documents.js'
import { compileDefinition } from '../../../src/machine/schema.js'
import { Collection, type CollectionParts } from '../../../src/store/collection.js'
import { holderOf } from '../../../src/store/holder.js'

const definition = { key: 'id', unique: { email: { fields: ['email'] } } }
const schema = compileDefinition(1, 'users', definition, 1, 1)

/** The rows of a document that holds the value: its claim, and itself. */
function rows(id: string, email: string): { readonly claim: Row; readonly document: Row } {
  const claims = claimsOf(schema, { id, email })
  const [first] = claims as [Claim]
  const make = (value: Buffer): Row => makeRow('d', 1, value)
  return {
    claim: make(encodeClaim(first, encodeKey(id).toString('latin1'))),
    document: make(encodeDocumentRow(claims, encodeDocument({ id, email }))),
  }
}

const claim = claimsOf(schema, { email: 'x' })[0] as Claim

/** Answers reads in this order; those of one moment from the second list. */
function scripted(script: (Row | null)[], ofOneMoment: (Row | null)[] = []) {
  return {
    row: () => script.shift() ?? null,
    ofOneMoment: async <R>(reading: (view: { getMany(): Promise<(Row | null)[]> }) => Promise<R>) =>
      reading({ getMany: async () => [ofOneMoment.shift() ?? null] }),
  }
}

// The claim is read, then the value moves from a to b, then the document of a is read.
const moved = [rows('a', 'x').claim, rows('a', 'y').document]
const [a, b] = [rows('a', 'x'), rows('b', 'x')]

t.test('both rows are read again when the holder gave the value up between the two reads', async t => {
  const script = [...moved, b.claim, b.document]
  t.equal(await holderOf(scripted(script), schema, claim), b.document)
  t.equal(script.length, 0)
  t.equal(await holderOf(scripted([...moved, null]), schema, claim), null, 'it may be free by then')
})

t.test('where the value moves all the time, both rows are read as of one moment', async t => {
  const moving = [...moved, ...moved, ...moved]
  t.equal(await holderOf(scripted([...moving], [a.claim, a.document]), schema, claim), a.document)
  t.equal(await holderOf(scripted([...moving], [null]), schema, claim), null)
  await t.rejects(holderOf(scripted([...moving], [...moved]), schema, claim), { code: 'DAMAGED' })
  await t.rejects(holderOf(scripted([...moving], [a.claim, null]), schema, claim), { code: 'DAMAGED' })
})

t.test(
  'what counts is the state after the wait: another replica may have taken the place of one',
  async t => {
    const built = { name: 'email', state: 'backfill', documents: 1 } as unknown as ConstraintState
    const building = { lookup: () => ({ value: encodeConstraintState(built) }) }
    let state: { lookup(): unknown } = { lookup: () => null }
    const reader = {
      read: async <R>(_: unknown, reading: () => R): Promise<R> => {
        state = building
        return reading()
      },
      row: () => null,
    }
    const parts = {
      schema: () => schema,
      reader,
      get state() {
        return state
      },
    }
    const users = new Collection('users', parts as unknown as CollectionParts)
    await t.rejects(users.getBy('email', 'x'), { code: 'INDEX_BEHIND' })
  },
)
