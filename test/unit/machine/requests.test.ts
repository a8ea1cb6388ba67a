/** Request ids: what is kept, what a retry gets, in which order is looked, what fits, what is forgotten. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { checkRequestId, issueTimeOf, makeRequestId } from '../../../src/base/request-id.js'
import { encodeDocument } from '../../../src/codec/document.js'
import type { RowKey } from '../../../src/codec/row.js'
import type {
  AskOutcome,
  Command,
  Decision,
  Operation,
  RequestMark,
  SessionMark,
  Write,
} from '../../../src/machine/command.js'
import {
  documentKey,
  openedKey,
  requestCountKey,
  requestKey,
  requestPrefix,
  schemaKey,
} from '../../../src/machine/keys.js'
import { missingRows } from '../../../src/machine/read-set.js'
import { decodeRequestCount } from '../../../src/machine/requests.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import { seed } from '../../seed.js'
import { addFacts, apply, digestOf, Rows } from './rows.js'

const schema = compileDefinition(1, 'rows', { key: 'id', unique: { tag: { fields: ['tag'] } } }, 1, 1)
const slot = 7

function begin(): Rows {
  const rows = new Rows()
  rows.run({ type: 'metaFeed', through: 1, schemas: [[schemaKey(1), encodeSchema(schema)]], ended: [] })
  return rows
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, 16)
}

function put(document: { id: string; tag?: string; n?: number }, op: 'put' | 'insert' = 'put'): Operation {
  return { op, collection: 1, key: documentKey(1, document.id), document: encodeDocument(document) }
}

function request(id: string, hash: string, more: Partial<RequestMark> = {}): RequestMark {
  return { id, slot, hash: hashOf(hash), ...more }
}

function write(operations: readonly Operation[], mark: RequestMark, session?: SessionMark): Write {
  return { type: 'write', operations, mark: session, request: mark }
}

function outcome(id: string, more: Partial<AskOutcome> = {}): AskOutcome {
  return { type: 'outcome', id, slot, fence: true, ...more }
}

function mark(sequence: number, more: Partial<SessionMark> = {}): SessionMark {
  const hash = hashOf('in the session')
  return { session: 5, epoch: 2, sequence, lowWater: 1, numbering: 'library', slot, hash, ...more }
}

/** The decision in a word or two: its type, then version or code or state. */
function told(decision: Decision): string {
  if (!('reply' in decision)) return decision.type
  const { type, reply } = decision
  if (!reply.ok) return `${type} ${reply.code}`
  const state = (reply.value as { state?: string } | null)?.state
  return `${type} ${state ?? reply.version}`
}

function countIn(rows: Rows): { ids: number; bytes: number } | undefined {
  const row = rows.rows.get(requestCountKey(slot))
  return row && decodeRequestCount(row.value)
}

/** The counts as the rows themselves say them. */
function counted(rows: Rows): { ids: number; bytes: number } | undefined {
  const own = [...rows.rows].filter(([key]) => key.startsWith(requestPrefix))
  if (own.length === 0) return undefined
  return { ids: own.length, bytes: own.reduce((sum, [key, { value }]) => sum + key.length + value.length, 0) }
}

t.test('an id says when it was made, or it is a bare text that does not look like one', async t => {
  const made = makeRequestId(1_700_000_000_123, new Random('id'))
  t.match(made, /^rq_018bcfe5687b[0-9a-f]{20}$/)
  t.equal(issueTimeOf(made), 1_700_000_000_123)
  t.not(makeRequestId(1, new Random('a')), makeRequestId(1, new Random('b')))
  t.equal(checkRequestId(made), made)
  for (const bare of ['a', 'é'.repeat(128), 'rq-1', 'RQ_1']) {
    t.equal(checkRequestId(bare), bare)
    t.equal(issueTimeOf(bare), undefined)
  }
  for (const bad of [
    '',
    'rq_',
    'rq_1',
    `${made}0`,
    made.toUpperCase().replace('RQ', 'rq'),
    '\ud800',
    5,
    null,
  ]) {
    t.throws(() => checkRequestId(bad), { code: 'INVALID' }, JSON.stringify(bad))
  }
  t.throws(() => checkRequestId('é'.repeat(129)), { code: 'TOO_LARGE' })
})

t.test(
  'a request that comes again gets its first answer, success or refusal, and executes nothing',
  async t => {
    const rows = begin()
    const first = write([put({ id: 'a', tag: 'x' }, 'insert')], request('one', 'a'))
    t.equal(told(rows.run(first)), 'entry 2')
    const taken = write([put({ id: 'b', tag: 'x' })], request('two', 'b'))
    const refused = rows.run(taken)
    t.equal(told(refused), 'entry UNIQUE_TAKEN', 'a refusal is kept, too')
    rows.run({
      type: 'write',
      operations: [{ op: 'delete', collection: 1, key: documentKey(1, 'a') }],
      mark: undefined,
    })
    const again = rows.decide(taken)
    t.equal(told(again), 'replay UNIQUE_TAKEN', 'though it would be granted now')
    t.strictSame('reply' in again && again.reply, 'reply' in refused && refused.reply, 'whole')
    const value = { type: 'replay', reply: { ok: true, version: 2, value: { existed: [false] } } }
    t.strictSame(rows.decide(first), value)
    t.equal(told(rows.decide(write([put({ id: 'c' })], request('one', 'other')))), 'answer REQUEST_ID_REUSED')
    t.equal(told(rows.decide(write([put({ id: 'c' })], request('two', 'other')))), 'answer REQUEST_ID_REUSED')
    t.equal(
      told(rows.run(write([], request('none', 'n')))),
      'entry 5',
      'a request without any effect is kept',
    )
    t.equal(told(rows.decide(write([], request('none', 'n')))), 'replay 5')
    t.equal(
      told(rows.decide(write([], request('one', 'a', { slot: 8 })))),
      'entry 6',
      'slots know nothing of each other',
    )
  },
)

t.test('a copy of a request in flight latches on to it; another request does not', async t => {
  const rows = begin()
  rows.run(write([put({ id: 'a' })], request('one', 'a')))
  rows.proposed.set(requestKey(slot, 'one'), 2)
  t.strictSame(rows.decide(write([put({ id: 'a' })], request('one', 'a'))), { type: 'latch', index: 2 })
  t.equal(told(rows.decide(write([put({ id: 'b' })], request('one', 'b')))), 'answer REQUEST_ID_REUSED')
  t.equal(told(rows.decide(outcome('one'))), 'answer committed', 'said when its entry is committed')
  rows.run(outcome('two'))
  rows.proposed.set(requestKey(slot, 'two'), 3)
  const late = rows.decide(write([put({ id: 'a' })], request('two', 'a')))
  t.equal(told(late), 'answer REQUEST_FENCED', 'the entry of a fence does not answer a write')
  t.equal(told(rows.decide(outcome('two'))), 'answer fenced')
})

t.test('the age of an id counts when nothing is kept, and only then', async t => {
  const rows = begin()
  const issued = 1_700_000_000_000
  const id = makeRequestId(issued, new Random('age'))
  const age = limits.requestIdAgeMsMax
  const ask = outcome(id, { fence: false })
  const at: [number, string, string][] = [
    [issued + age, 'entry 2', 'answer unknown'],
    [issued + age + 1, 'answer REQUEST_ID_EXPIRED', 'answer REQUEST_ID_EXPIRED'],
    [issued - age, 'entry 2', 'answer unknown'],
    [issued - age - 1, 'answer INVALID', 'answer INVALID'],
  ]
  const request_ = write([put({ id: 'a' })], request(id, 'a'))
  for (const [wallMs, written, asked] of at) {
    rows.wallMs = wallMs
    t.equal(told(rows.decide(request_)), written, `${wallMs - issued} ms`)
    t.equal(told(rows.decide(ask)), asked)
  }
  rows.wallMs = issued
  rows.run(request_)
  rows.wallMs = issued + 3 * age
  t.equal(told(rows.decide(request_)), 'replay 2')
  t.equal(told(rows.decide(outcome(id))), 'replay committed')
  t.equal(told(rows.decide(write([], request(id, 'b')))), 'answer REQUEST_ID_REUSED')
  t.equal(told(rows.decide(write([], request('bare', 'b')))), 'entry 3', 'a bare text has no age')
})

t.test('an outcome that is asked for is certain from then on', async t => {
  const rows = begin()
  rows.run(write([put({ id: 'a', tag: 'x' })], request('done', 'a')))
  rows.run(write([put({ id: 'b', tag: 'x' })], request('refused', 'b')))
  t.strictSame(rows.decide(outcome('done')), {
    type: 'replay',
    reply: { ok: true, version: 4, value: { state: 'committed', version: 2, value: { existed: [false] } } },
  })
  t.match(rows.decide(outcome('refused')), {
    type: 'replay',
    reply: {
      ok: true,
      value: { state: 'refused', code: 'UNIQUE_TAKEN', details: { holder: 'a', version: 2 } },
    },
  })
  t.equal(told(rows.decide(outcome('done', { hash: hashOf('a') }))), 'replay committed')
  t.equal(told(rows.decide(outcome('done', { hash: hashOf('b') }))), 'replay REQUEST_ID_REUSED')
  t.equal(told(rows.decide(outcome('never', { fence: false }))), 'answer unknown')
  t.equal(told(rows.run(outcome('never'))), 'entry fenced')
  t.equal(told(rows.decide(outcome('never'))), 'replay fenced')
  t.equal(told(rows.decide(outcome('never', { hash: hashOf('any') }))), 'replay fenced')
  for (const hash of ['a', 'b']) {
    const late = rows.decide(write([put({ id: 'c' })], request('never', hash)))
    t.equal(told(late), 'answer REQUEST_FENCED', 'whatever it was')
  }
  t.equal(countIn(rows)?.ids, 3, 'a fence counts')
})

t.test('of a write in a session the request id decides; both are kept in one entry', async t => {
  const rows = begin()
  const own = (id: string, sequence: number, more: Partial<SessionMark> = {}): Write =>
    write([put({ id: 'a' })], request(id, 'a'), mark(sequence, more))
  t.equal(told(rows.decide(own('one', 1))), 'openFirst')
  const old = makeRequestId(rows.wallMs - limits.requestIdAgeMsMax - 1, new Random('old'))
  t.equal(told(rows.decide(own(old, 1))), 'answer REQUEST_ID_EXPIRED', 'age before the session')
  rows.run({ type: 'openSession', session: 5, epoch: 2, numbering: 'library', metaIndex: 1 })
  t.ok(rows.rows.has(openedKey(5)))
  t.equal(told(rows.run(own('one', 1))), 'entry 3')
  t.equal(told(rows.decide(own('one', 2))), 'replay 3', 'under another number')
  t.equal(told(rows.decide(own('one', 2, { epoch: 1 }))), 'replay 3', 'by a holder that is fenced')
  t.equal(told(rows.decide(own('two', 2, { epoch: 1 }))), 'answer FENCED', 'a new one is not executed')
  t.equal(told(rows.decide(own('two', 1))), 'replay 3', 'the number has its answer')
  t.equal(told(rows.decide(own('two', 1, { hash: hashOf('other') }))), 'answer SEQUENCE_REUSED')
  t.equal(told(rows.decide(own('two', 2000))), 'answer WINDOW_FULL')
  t.equal(told(rows.decide(own('two', 2, { lowWater: 3 }))), 'answer ALREADY_ACKNOWLEDGED')
  rows.limits = { ...limits, requestIdsPerSlotMax: 1 }
  t.equal(told(rows.decide(own('two', 1))), 'replay 3', 'also at the limit')
  t.equal(told(rows.decide(own('two', 2))), 'answer REQUEST_IDS_FULL')
})

t.test('a CONFLICT of a request that is computed anew is not its answer', async t => {
  const rows = begin()
  rows.run(write([put({ id: 'a' })], request('one', 'u')))
  const operation = { ...put({ id: 'a', n: 2 }), ifVersion: 1 }
  const open = write([operation], request('two', 'u', { isRetriedOnConflict: true }))
  t.equal(told(rows.run(open)), 'answer CONFLICT')
  t.equal(told(rows.run(write([{ ...operation, ifVersion: 2 }], request('two', 'u')))), 'entry 3')
  t.equal(told(rows.run(write([operation], request('three', 'u')))), 'entry CONFLICT', 'else it is')
  t.equal(told(rows.decide(write([operation], request('three', 'u')))), 'replay CONFLICT')
  const taken = write([put({ id: 'a', tag: 'x' })], request('four', 'u', { isRetriedOnConflict: true }))
  rows.run(write([put({ id: 'b', tag: 'x' })], request('five', 'u')))
  t.equal(told(rows.run(taken)), 'entry UNIQUE_TAKEN', 'other refusals are answers')
})

t.test('at the limit of ids, and of bytes, a new id is refused and a kept one is answered', async t => {
  for (const [name, small] of [
    ['ids', { requestIdsPerSlotMax: 3 }],
    ['bytes', { requestIdBytesPerSlotMax: 130 }],
  ] as const) {
    const rows = begin()
    rows.limits = { ...limits, ...small }
    const ids = ['id 1', 'id 2', 'id 3']
    for (const id of ids) t.match(told(rows.run(write([put({ id: 'a' })], request(id, 'a')))), /^entry \d/)
    const more = write([put({ id: 'a', n: 9 })], request('id 4', 'a'))
    t.equal(told(rows.run(more)), 'answer REQUEST_IDS_FULL', name)
    t.equal(told(rows.run(outcome('id 4'))), 'answer REQUEST_IDS_FULL', 'a fence needs room, too')
    t.match(told(rows.run(write([put({ id: 'a' })], request('id 1', 'a')))), /^replay/)
    t.equal(told(rows.run(outcome('id 2'))), 'replay committed')
    t.match(
      told(rows.decide(write([], request('id 4', 'a', { slot: 9 })))),
      /^entry/,
      'another slot has room',
    )
    t.strictSame(countIn(rows), counted(rows))
    rows.time += limits.requestIdLifeMs
    rows.run({ type: 'dropRequests', keys: ids.map(id => requestKey(slot, id)) })
    t.equal(countIn(rows), undefined, 'the count of none is no row')
    t.match(told(rows.run(more)), /^entry \d/)
  }
})

t.test('an id goes when its life in log time is over, not before, and is a new one then', async t => {
  const rows = begin()
  const began = rows.time
  const life = limits.requestIdLifeMs
  const first = write([put({ id: 'a' })], request('one', 'a'))
  rows.run(first)
  rows.time = began + 5
  rows.run(outcome('fence'))
  const keys = ['one', 'fence', 'never was', 'one'].map(id => requestKey(slot, id))
  const drop: Command = { type: 'dropRequests', keys }
  rows.time = began + life - 1
  t.equal(told(rows.run(drop)), 'answer 4', 'nothing to log')
  rows.time = began + life
  t.equal(told(rows.run(drop)), 'entry 4')
  t.notOk(rows.rows.has(requestKey(slot, 'one')))
  t.ok(rows.rows.has(requestKey(slot, 'fence')))
  t.strictSame(countIn(rows), counted(rows))
  t.equal(told(rows.run(first)), 'entry 5', 'unknown: executed')
  rows.time += 5
  t.equal(told(rows.run(drop)), 'entry 6')
  t.ok(rows.rows.has(requestKey(slot, 'one')), 'the new one stays')
  t.strictSame(countIn(rows), counted(rows))
})

t.test('rows of request ids are loaded when memory does not have them', async t => {
  const rows = begin()
  const first = write([put({ id: 'a' })], request('one', 'a'))
  const isRequest = (key: RowKey): boolean => key.startsWith(requestPrefix)
  t.equal(told(rows.decideInRounds(first, isRequest).decision), 'entry 2')
  rows.run(first)
  for (const [command, expected] of [
    [first, 'replay 2'],
    [outcome('one'), 'replay committed'],
    [outcome('two'), 'entry fenced'],
    [{ type: 'dropRequests', keys: [requestKey(slot, 'one')] }, 'answer 3'],
  ] as const) {
    const { decision, rounds } = rows.decideInRounds(command, isRequest)
    t.equal(told(decision), expected)
    t.equal(rounds, 2, 'it had to be loaded')
    const named: RowKey[] = []
    missingRows(command, key => (isRequest(key) ? undefined : null), named)
    t.equal(named.length, 1, 'and is named ahead')
  }
})

t.test(
  'facts name what they replace: digests from facts alone fit, and replay over newer rows converges',
  async t => {
    const random = new Random(seed)
    const rows = begin()
    const sums = new Uint32Array(digestOf(new Map()).length)
    for (let step = 0; step < 600; step++) {
      const id = `id ${random.below(40)}`
      rows.time += random.below(limits.requestIdLifeMs / 20)
      const document = { id: random.pick(['a', 'b', 'c']), tag: `t${random.below(2)}` }
      const kind = random.below(5)
      if (kind === 0) rows.run(outcome(id))
      else if (kind === 1) {
        const keys = [...rows.rows.keys()].filter(key => key.startsWith(requestPrefix))
        rows.run({ type: 'dropRequests', keys })
      } else rows.run(write([put(document)], request(id, id)))
      if (JSON.stringify(countIn(rows)) !== JSON.stringify(counted(rows))) t.fail(`counts at ${step}`)
    }
    for (const { index, facts } of rows.log) addFacts(sums, index, facts)
    t.strictSame(sums, digestOf(rows.rows))
    const newer = new Map(rows.rows)
    for (const { index, facts } of rows.log.slice(200)) apply(newer, index, facts)
    t.strictSame(digestOf(newer), digestOf(rows.rows))
  },
)
