/** The state as the log says it: what the log may not say is named, and what a store may lack is known. */
import t from 'tap'
import { type Entry, entryHeadBytes, entryKinds, sealEntry } from '../../../src/base/entry.js'
import { Findings } from '../../../src/base/finding.js'
import { encodeDocument } from '../../../src/codec/document.js'
import { encodeFacts, type Fact } from '../../../src/codec/facts.js'
import { makeRow, type RowKey } from '../../../src/codec/row.js'
import { type Claim, claimOf, encodeClaim } from '../../../src/machine/claims.js'
import { type ConstraintState, encodeConstraintState } from '../../../src/machine/constraint-state.js'
import { encodeDocumentRow } from '../../../src/machine/documents.js'
import {
  constraintKey,
  documentKey,
  openedKey,
  replyKey,
  requestCountKey,
  requestKey,
  schemaKey,
  violationKey,
} from '../../../src/machine/keys.js'
import { encodeRequestCount } from '../../../src/machine/requests.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import { LogModel } from '../../../src/replica/log-model.js'
import { BuiltClaims } from '../../../src/replica/verify-claims.js'
import { emptyCheckpoint } from '../../../src/state/checkpoint.js'

const schema = compileDefinition(1, 'users', { key: 'id', unique: { email: { fields: ['email'] } } }, 5, 1)
const document = Buffer.from([0x80])

function claim(email: string): Claim {
  const [constraint] = schema.unique
  const made = constraint && claimOf(constraint, [email])
  if (!made) throw new Error('no claim')
  return made
}

function put(key: RowKey, value: Buffer): Fact {
  return { op: 'put', key, value, prev0: 0, prev1: 0 }
}

const user = (id: number): RowKey => documentKey(1, id)
const holder = (id: number): string => user(id).slice(5)

function entry(index: number, facts: readonly Fact[]): Entry {
  const bytes = encodeFacts(1000 + index, facts)
  if (bytes.length < entryHeadBytes) throw new Error('no head')
  return sealEntry(bytes, { partition: 1, index, term: 1, kind: entryKinds.facts })
}

/** What is found in a log of these entries, after one that defines the collection. */
function faultsOf(entries: readonly (readonly Fact[])[], checkpoint = emptyCheckpoint): string[] {
  const findings = new Findings()
  const model = new LogModel({ findings, file: 'log', checkpoint })
  model.apply(entry(1, [put(schemaKey(1), encodeSchema(schema))]))
  for (const [at, facts] of entries.entries()) model.apply(entry(at + 2, facts))
  model.checkWhole()
  return findings.faults.map(({ what }) => what)
}

t.test('a claim and its document need each other', async t => {
  const a = claim('a@x')
  const holds = put(user(1), encodeDocumentRow([a], document))
  const claims = put(a.key, encodeClaim(a, holder(1)))
  t.same(faultsOf([[holds, claims]]), [])
  t.match(faultsOf([[holds]]), [/holds a claim that is not there/])
  t.match(faultsOf([[claims]]), [/has no document/])
  t.match(faultsOf([[put(user(1), encodeDocumentRow([], document)), claims]]), [/has no document/])
  const other = put(a.key, encodeClaim(a, holder(2)))
  t.match(faultsOf([[holds, other]]), [/names another document/, /has no document/])
})

/** What is found of a constraint that was built on the collection, in a log of these rows. */
function builtFaultsOf(rows: readonly Fact[], state: Partial<ConstraintState> = {}): string[] {
  const findings = new Findings()
  const model = new LogModel({ findings, file: 'log' })
  const unique = schema.unique.map(one => ({ ...one, online: true }) as const)
  const begun = {
    collection: 1,
    of: 'users',
    name: 'email',
    state: 'violated',
    since: 3,
    after: null,
  } as const
  const built = { ...begun, documents: 0, violations: 0, values: 0, ...state }
  const entries = [
    entry(1, [put(schemaKey(1), encodeSchema({ ...schema, unique }))]),
    entry(2, [put(constraintKey(5), encodeConstraintState(built)), ...rows]),
  ]
  for (const one of entries) model.apply(one)
  model.checkWhole()
  const claims = new BuiltClaims(model, (_, what) => findings.fault('log', '', what))
  t.notOk(claims.isEmpty)
  for (const one of entries) claims.look(one)
  claims.finish()
  return findings.faults.map(({ what }) => what)
}

t.test('under a constraint that was built a document holds what it has, or violates it', async t => {
  const a = claim('a@x')
  const has = (id: number): Fact => put(user(id), encodeDocumentRow([], encodeDocument({ id, email: 'a@x' })))
  const holds = put(a.key, encodeClaim(a, holder(1)))
  const lists = (...ids: readonly number[]): Fact[] => {
    const rows: Fact[] = []
    for (const [i, id] of ids.entries()) {
      const [before, after] = [ids[i - 1], ids[i + 1]].map(one => (one === undefined ? '' : holder(one)))
      const texts = [before ?? '', after ?? ''].map(text => {
        const bytes = Buffer.from(`..${text}`, 'latin1')
        bytes.writeUInt16LE(text.length, 0)
        return bytes
      })
      rows.push(put(violationKey(5, a.value, holder(id)), Buffer.concat([...texts, a.raw])))
    }
    const count = Buffer.alloc(4)
    count.writeUInt32LE(ids.length, 0)
    const first = Buffer.from(holder(ids[0] ?? 0), 'latin1')
    return [...rows, put(violationKey(5, a.value, ''), Buffer.concat([count, first]))]
  }
  const two = { violations: 2, values: 1 }
  t.same(builtFaultsOf([has(1), has(2), has(3), holds, ...lists(2, 3)], two), [])
  t.same(builtFaultsOf([has(1), holds], { state: 'enforced' }), [])
  t.same(builtFaultsOf([has(1)], { state: 'backfill' }), [], 'a build has not come to it')
  t.match(builtFaultsOf([has(1)], { state: 'backfill', after: Buffer.from(holder(1), 'latin1') }), [
    /neither/,
  ])
  t.match(builtFaultsOf([has(1)]), [/neither holds nor violates/])
  t.match(builtFaultsOf([has(1), has(2), holds]), [/neither holds nor violates/])
  t.match(builtFaultsOf([has(1), has(2), holds, ...lists(2)]), [/counts 0 of 0, there are 1 violations of 1/])
  t.match(builtFaultsOf([has(1), has(2), holds, ...lists(2, 3)], two), [/violation names a document/])
  t.match(
    builtFaultsOf([has(1), has(2), holds, ...lists(2)], { state: 'enforced', violations: 1, values: 1 }),
    [/is enforced, with 1 violations/],
  )
  const other = put(user(1), encodeDocumentRow([], encodeDocument({ id: 1, email: 'b@x' })))
  t.match(builtFaultsOf([other, holds], { state: 'backfill' }), [/claim names a document that does not have/])
  const third = violationKey(5, a.value, holder(3))
  const unlinked = lists(2, 3).filter(fact => fact.op === 'deleteRange' || fact.key !== third)
  const broken = builtFaultsOf([has(1), has(2), holds, ...unlinked], { violations: 1, values: 1 })
  t.match(broken, [/counts 2 violations, its list has 1/])
})

t.test('a fact replaces the row that it names', async t => {
  const value = encodeDocumentRow([], document)
  const row = makeRow(user(1), 2, value)
  const again = { ...put(user(1), value), prev0: row.hash0, prev1: row.hash1 } as Fact
  t.same(faultsOf([[put(user(1), value)], [again]]), [])
  t.match(faultsOf([[put(user(1), value)], [put(user(1), value)]]), [/entry 3 .* another row/])
  const gone: Fact = { op: 'delete', key: user(1), prev0: 1, prev1: 2 }
  t.match(faultsOf([[gone]]), [/entry 2 .* another row/])
  t.match(faultsOf([[put(user(1), value)]], { ...emptyCheckpoint, index: 2 }), [/digests of 2 slots/])
})

t.test('a kept reply has an open session, and a range says what it removes', async t => {
  const reply = put(replyKey(3, 9, 0, 1), Buffer.alloc(30))
  const opened = put(openedKey(9), Buffer.from([0x80]))
  t.same(faultsOf([[reply, opened]]), [])
  t.match(faultsOf([[reply]]), [/session 9, which is not open/])
  const [from, to] = [replyKey(3, 9, 0, 0), replyKey(3, 9, 0, 2)]
  const { hash0, hash1 } = makeRow(replyKey(3, 9, 0, 1), 2, Buffer.alloc(30))
  const range = (sum0: number): Fact => ({ op: 'deleteRange', from, to, slot: 3, sum0, sum1: hash1 })
  t.same(faultsOf([[reply, opened], [range(hash0)]]), [])
  t.match(faultsOf([[reply, opened], [range(hash0 ^ 1)]]), [/removes other replies/])
})

t.test('request ids need no session, and are counted slot by slot', async t => {
  const [one, other] = ['one', 'other'].map(id => put(requestKey(3, id), Buffer.alloc(30)))
  if (one === undefined || other === undefined) throw new Error('no facts')
  const count = (ids: number, bytes: number): Fact =>
    put(requestCountKey(3), encodeRequestCount({ ids, bytes }))
  t.same(faultsOf([[one, other, count(2, 72)]]), [])
  t.match(faultsOf([[one, other]]), [/nothing counts the 2 request ids/])
  t.match(faultsOf([[one, count(2, 35)]]), [/counts 2 request ids of 35 bytes, there are 1 of 35/])
  t.match(faultsOf([[one, count(1, 36)]]), [/of 36 bytes, there are 1 of 35/])
  t.match(faultsOf([[count(1, 35)]]), [/there are 0 of 0/])
})

t.test('after its checkpoint a store may hold any form that a row had since, and no other', async t => {
  const findings = new Findings()
  const model = new LogModel({ findings, file: 'log', checkpoint: { ...emptyCheckpoint, index: 0 } })
  const values = [1, 2].map(n => encodeDocumentRow([], Buffer.from([n])))
  const rows = values.map((value, at) => makeRow(user(1), at + 1, value))
  const [first, second] = rows
  if (first === undefined || second === undefined) throw new Error('no rows')
  model.apply(entry(1, [put(user(1), first.value), put(user(2), first.value)]))
  model.apply(
    entry(2, [{ op: 'put', key: user(1), value: second.value, prev0: first.hash0, prev1: first.hash1 }]),
  )
  t.same(findings.faults, [])
  t.ok(model.takeStored(user(1), first))
  t.ok(model.takeStored(user(1), second))
  t.notOk(model.takeStored(user(1), makeRow(user(1), 1, second.value)))
  t.notOk(model.takeStored(user(3), makeRow(user(3), 1, first.value)))
  t.same([...model.missing()], [], 'rows that are newer than the checkpoint may not be there yet')
  const bare = new LogModel({ findings, file: 'log' })
  bare.apply(entry(1, [put(user(1), first.value)]))
  t.same([...bare.missing()], [user(1)])
  t.ok(bare.takeStored(user(1), first))
  t.same([...bare.missing()], [])
})
