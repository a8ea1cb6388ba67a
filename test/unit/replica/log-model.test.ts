/** The state as the log says it: what the log may not say is named, and what a store may lack is known. */
import t from 'tap'
import { type Entry, entryHeadBytes, entryKinds, sealEntry } from '../../../src/base/entry.js'
import { Findings } from '../../../src/base/finding.js'
import { encodeFacts, type Fact } from '../../../src/codec/facts.js'
import { makeRow, type RowKey } from '../../../src/codec/row.js'
import { type Claim, claimOf, encodeClaim } from '../../../src/machine/claims.js'
import { encodeDocumentRow } from '../../../src/machine/documents.js'
import {
  documentKey,
  openedKey,
  replyKey,
  requestCountKey,
  requestKey,
  schemaKey,
} from '../../../src/machine/keys.js'
import { encodeRequestCount } from '../../../src/machine/requests.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import { LogModel } from '../../../src/replica/log-model.js'
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
