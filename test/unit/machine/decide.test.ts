/** decide against an independent oracle, over random commands; what it logs converges, digests agree. */
import assert from 'node:assert'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { encodeKey } from '../../../src/base/tuple.js'
import { decodeDocument, encodeDocument } from '../../../src/codec/document.js'
import { encodeFacts } from '../../../src/codec/facts.js'
import { keyText, type Row, type RowKey, slotOfRow } from '../../../src/codec/row.js'
import type { Command, Decision, Write, WriteValue } from '../../../src/machine/command.js'
import { documentBytes } from '../../../src/machine/documents.js'
import { documentKey, documentPrefix, schemaKey, uint48FromText } from '../../../src/machine/keys.js'
import { lowWaterOf } from '../../../src/machine/reply.js'
import { compileDefinition, encodeSchema } from '../../../src/machine/schema.js'
import { seedNumber as seed } from '../../seed.js'
import { type Expected, type Mark, Oracle, type Place, type Step } from './oracle.js'
import { addFacts, apply, digestOf, Rows, rowText } from './rows.js'

t.comment(`SEED=${seed}`)

const schema = compileDefinition(
  1,
  'places',
  {
    key: 'id',
    unique: { tag: { fields: ['tag'], normalize: ['trim', 'fold'] }, pair: { fields: ['a', 'b'] } },
  },
  1,
  1,
)

function begin(): Rows {
  const rows = new Rows()
  rows.run({ type: 'metaFeed', through: 1, schemas: [[schemaKey(1), encodeSchema(schema)]], ended: [] })
  return rows
}

function operation({ op, document, ifVersion }: Step): Write['operations'][number] {
  return {
    op,
    collection: 1,
    key: documentPrefix(1) + keyText(encodeKey(document.id)),
    ...((op === 'insert' || op === 'put') && { document: encodeDocument(document) }),
    ...(ifVersion !== undefined && { ifVersion }),
  }
}

function command(steps: readonly Step[], mark: Mark | undefined): Write {
  const own = mark && {
    session: mark.session,
    epoch: mark.epoch,
    slot: mark.slot,
    sequence: mark.sequence,
    lowWater: mark.lowWater,
    numbering: mark.caller ? ('caller' as const) : ('library' as const),
    hash: createHash('sha256').update(mark.hash).digest().subarray(0, 16),
  }
  return { type: 'write', operations: steps.map(operation), mark: own }
}

/** The decision in the oracle's words. */
function told(decision: Decision): Expected | string {
  if (decision.type === 'openFirst') return { openFirst: decision.session }
  if (decision.type === 'need' || decision.type === 'latch') return decision.type
  const { reply } = decision
  if (!reply.ok) return { code: reply.code, details: reply.details }
  return { done: reply.version, ...(reply.value as { existed: boolean[] }) }
}

const place = fc.record(
  {
    id: fc.constantFrom('p', 'q', 'r', 's'),
    tag: fc.constantFrom('x', 'X ', ' y', 'Y', 'z'),
    a: fc.nat(1),
    b: fc.nat(1),
  },
  { requiredKeys: ['id'] },
)
const step = fc.record({
  op: fc.constantFrom('insert', 'put', 'put', 'delete', 'check'),
  document: place,
  condition: fc.constantFrom('none', 'none', 'none', 'absent', 'right', 'wrong'),
})
/** Of more documents and values, so that a batch changes more rows than are looked through. */
const wideStep = fc.record({
  op: fc.constantFrom('insert', 'insert', 'put', 'delete', 'check'),
  document: fc.record(
    {
      id: fc.constantFrom(...'pqrstuvwxyz'),
      tag: fc.constantFrom(...'abcdefgh'),
      a: fc.nat(3),
      b: fc.nat(3),
    },
    { requiredKeys: ['id'] },
  ),
  condition: fc.constantFrom('none', 'none', 'none', 'absent'),
})
const mark = fc.record({
  session: fc.constantFrom(11, 12),
  epoch: fc.constantFrom(0, 0, 0, 1, -1),
  sequence: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 9 }) },
    { weight: 1, arbitrary: fc.constant(1030) },
  ),
  lowWater: fc.nat(9),
})
const action = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('write' as const),
      steps: fc.array(step, { minLength: 1, maxLength: 3 }),
      mark: fc.option(mark),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('again' as const), which: fc.nat(5), lowWater: fc.nat(4) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('open' as const),
      session: fc.constantFrom(11, 12),
      epoch: fc.nat(2),
      late: fc.nat(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('feed' as const),
      ended: fc.subarray([11, 12]),
      skip: fc.integer({ min: -1, max: 2 }),
    }),
  },
)

interface Parsed {
  readonly op: Step['op']
  readonly document: Place
  readonly condition: string
}

type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

/** Both sides of one history. */
class Pair {
  readonly rows = begin()
  readonly oracle = new Oracle()
  readonly sums = digestOf(this.rows.rows)
  readonly #sent: { steps: Step[]; mark: Mark | undefined }[] = []
  /** Session numbers are never given out again. */
  readonly #generation = new Map<number, number>()
  readonly #hidden: (key: RowKey) => boolean
  /** How often each outcome was met. */
  readonly #codes: Record<string, number>

  constructor(salt: number, codes: Record<string, number>) {
    this.#codes = codes
    this.oracle.cursor = 1
    this.#hidden = key => ((createHash('md5').update(key).digest()[0] ?? 0) + salt) % 3 > 0
  }

  session(of: number): number {
    return of + 100 * (this.#generation.get(of) ?? 0)
  }

  do(one: Action): void {
    if (one.type === 'write') {
      const steps = one.steps.map(raw => this.#step(raw as Parsed))
      this.#write({ steps, mark: one.mark === null ? undefined : this.#mark(one.mark, steps) })
    } else if (one.type === 'again') {
      const sent = this.#sent.at(-1 - one.which)
      if (sent?.mark === undefined) return
      const lowWater = Math.min(sent.mark.lowWater + one.lowWater, sent.mark.sequence)
      this.#write({ ...sent, mark: { ...sent.mark, lowWater } })
    } else if (one.type === 'open') {
      const session = this.session(one.session)
      const epoch = Math.max(1, (this.oracle.opened.get(session) ?? 0) + one.epoch - 1)
      const metaIndex = this.oracle.cursor - one.late
      const caller = one.session === 12
      const expected = this.oracle.open(session, epoch, metaIndex, caller)
      const numbering = caller ? 'caller' : 'library'
      const decision = this.#both({ type: 'openSession', session, epoch, numbering, metaIndex })
      if (expected !== undefined) equal(told(decision), expected)
    } else {
      const ended = one.ended.map(of => this.session(of))
      const through = this.oracle.cursor + one.skip
      if (one.skip > 0)
        for (const of of one.ended) this.#generation.set(of, (this.#generation.get(of) ?? 0) + 1)
      this.oracle.feed(through, ended)
      this.#both({ type: 'metaFeed', through, schemas: [], ended })
    }
  }

  #step({ op, document, condition }: Parsed): Step {
    const version = this.oracle.documents.get(document.id)?.version ?? null
    const conditions: Record<string, number | null> = { absent: null, right: version, wrong: 1_000_000 }
    return { op, document, ifVersion: op === 'insert' ? undefined : conditions[condition] }
  }

  #mark(
    raw: { session: number; epoch: number; sequence: number; lowWater: number },
    steps: readonly Step[],
  ): Mark {
    const session = this.session(raw.session)
    const epoch = Math.max(1, (this.oracle.opened.get(session) ?? 1) + raw.epoch)
    const slot = slotOfRow(documentKey(1, steps[0]?.document.id ?? ''))
    const hash = JSON.stringify(steps)
    return { ...raw, session, epoch, slot, hash, caller: raw.session === 12 }
  }

  #write(sent: { steps: Step[]; mark: Mark | undefined }): void {
    const expected = this.oracle.write(sent.steps, sent.mark, this.rows.index + 1)
    const decision = this.#both(command(sent.steps, sent.mark), command(sent.steps, sent.mark))
    equal(told(decision), expected)
    this.#sent.push(sent)
  }

  /** Decides with all rows in memory and with some; the entry is taken. */
  #both(one: Command, copy: Command = one): Decision {
    const { decision } = this.rows.decideInRounds(copy, this.#hidden)
    const all = this.rows.run(one)
    equal(decision, all)
    const met =
      all.type === 'entry' || all.type === 'answer' ? (all.reply.ok ? all.type : all.reply.code) : all.type
    this.#codes[met] = (this.#codes[met] ?? 0) + 1
    if (all.type === 'entry') addFacts(this.sums, this.rows.index, all.facts)
    return all
  }

  /** The documents, the kept replies and the digests are what the oracle and the rows say. */
  compare(): void {
    const documents = new Map<string, unknown>()
    for (const [key, row] of this.rows.rows) {
      if (!key.startsWith('d')) continue
      const document = decodeDocument(documentBytes(row.value)) as unknown as Place
      documents.set(document.id, { document, version: row.version })
    }
    equal([...documents].sort(byKey), [...this.oracle.documents].sort(byKey))
    const { kept, stale } = countReplies(this.rows.rows)
    equal(kept, this.oracle.keptCount)
    if (stale > 7) throw new Error(`${stale} stale replies in one place`)
    equal([...this.sums], [...digestOf(this.rows.rows)])
  }

  /** Replays everything over a copy in which each row is of another age, or missing. */
  converge(salt: number): void {
    const ages: Map<RowKey, Row>[] = [new Map()]
    for (const { index, facts } of this.rows.log) {
      const next = new Map(ages.at(-1))
      apply(next, index, facts)
      ages.push(next)
    }
    const mixed = new Map<RowKey, Row>()
    for (const key of new Set(ages.flatMap(age => [...age.keys()]))) {
      const age = createHash('md5').update(`${salt} ${key}`).digest().readUInt32LE(0) % ages.length
      const row = ages[age]?.get(key)
      if (row !== undefined) mixed.set(key, row)
    }
    for (const { index, facts } of this.rows.log) apply(mixed, index, facts)
    equal([...mixed].map(rowText).sort(), [...this.rows.rows].map(rowText).sort())
  }
}

/** Replies from lowWater on, and the most below it that one epoch of a session has in a slot. */
function countReplies(rows: ReadonlyMap<RowKey, Row>): { kept: number; stale: number } {
  const places = new Map<string, { key: RowKey; lowWater: number }[]>()
  for (const [key, row] of rows) {
    if (!key.startsWith('s')) continue
    const place = places.get(key.slice(0, 12)) ?? []
    places.set(key.slice(0, 12), place)
    place.push({ key, lowWater: lowWaterOf(row) })
  }
  let kept = 0
  let stale = 0
  for (const place of places.values()) {
    const lowWater = Math.max(...place.map(one => one.lowWater))
    const fresh = place.filter(({ key }) => uint48FromText(key, 12) >= lowWater).length
    kept += fresh
    stale = Math.max(stale, place.length - fresh)
  }
  return { kept, stale }
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}

function equal(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`found ${a}, wanted ${b}`)
}

t.test(
  'decide answers what an independent model answers, and its facts are enough to rebuild everything',
  async t => {
    const codes: Record<string, number> = {}
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.nat(1000),
        (actions, salt) => {
          const pair = new Pair(salt, codes)
          pair.do({ type: 'open', session: 11, epoch: 1, late: 0 })
          pair.do({ type: 'open', session: 12, epoch: 1, late: 0 })
          for (const one of actions) pair.do(one)
          pair.compare()
          pair.converge(salt)
        },
      ),
      { seed, numRuns: 500, endOnFailure: false },
    )
    t.comment(JSON.stringify(codes))
    const met = [
      'ALREADY_ACKNOWLEDGED',
      'CONFLICT',
      'EXISTS',
      'FENCED',
      'SEQUENCE_REUSED',
      'UNAVAILABLE',
      'UNIQUE_TAKEN',
    ]
    for (const code of [...met, 'WINDOW_FULL', 'answer', 'entry', 'openFirst', 'replay']) {
      t.ok((codes[code] ?? 0) > 10, `${code} is met often enough`)
    }
  },
)

t.test('operations that stand each by themselves do what they would do one after the other', t => {
  let refusals = 0
  const each = (steps: readonly Step[]): Write => ({ ...command(steps, undefined), isEach: true })
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 6 }),
      fc.array(wideStep, { minLength: 1, maxLength: 30, size: 'max' }),
      fc.nat(1000),
      (before, drawn, salt) => {
        const [together, apart] = [begin(), begin()]
        for (const raw of before) {
          const write = (): Write => command([{ ...(raw as Parsed), ifVersion: undefined }], undefined)
          together.run(write())
          apart.run(write())
        }
        const steps = drawn.map(raw => {
          const { op, document, condition } = raw as Parsed
          return { op, document, ifVersion: op !== 'insert' && condition === 'absent' ? null : undefined }
        })
        const sums = digestOf(together.rows)
        const isHidden = (key: RowKey): boolean =>
          ((createHash('md5').update(key).digest()[0] ?? 0) + salt) % 3 > 0
        const { decision } = together.decideInRounds(each(steps), isHidden)
        equal(decision, together.run(each(steps)))
        if (decision.type === 'entry') addFacts(sums, together.index, decision.facts)
        const reply = decision.type === 'entry' || decision.type === 'answer' ? decision.reply : undefined
        assert(reply?.ok)
        const value = reply.value as WriteValue
        const expected = steps.map(one => {
          const single = apart.run(command([one], undefined))
          assert(single.type === 'entry' || single.type === 'answer')
          return single.reply
        })
        equal(
          value.existed.map((existed, at) => value.refused?.find(one => one.at === at)?.code ?? existed),
          expected.map(one => (one.ok ? (one.value as WriteValue).existed[0] : one.code)),
        )
        refusals += value.refused?.length ?? 0
        equal(together.contents(), apart.contents())
        equal([...sums], [...digestOf(together.rows)])
      },
    ),
    { seed, numRuns: 500, endOnFailure: false },
  )
  t.ok(refusals > 100, `${refusals} refusals`)
  t.end()
})

t.test('stale replies go by ranges, some at a time; a late copy of one that is still there is refused', t => {
  const rows = begin()
  rows.run({ type: 'openSession', session: 5, epoch: 1, numbering: 'library', metaIndex: 9 })
  const sums = digestOf(rows.rows)
  const own = { session: 5, epoch: 1, slot: 7, caller: false, hash: 'h' }
  let ranges = 0
  for (let sequence = 1; sequence <= 100; sequence++) {
    const decision = rows.run(command([], { ...own, sequence, lowWater: Math.max(1, sequence - 3) }))
    if (decision.type !== 'entry') throw new Error(`decided ${decision.type}`)
    addFacts(sums, rows.index, decision.facts)
    ranges += decision.facts.filter(({ op }) => op === 'deleteRange').length
    const { kept, stale } = countReplies(rows.rows)
    t.equal(kept, Math.min(sequence, 4))
    t.ok(stale < 8)
    const late = sequence - 4
    if (late < 1) continue
    const again = rows.decide(command([], { ...own, sequence: late, lowWater: 1 }))
    t.match(again, { type: 'answer', reply: { code: 'ALREADY_ACKNOWLEDGED' } })
  }
  t.equal(ranges, 12)
  t.strictSame([...sums], [...digestOf(rows.rows)])
  t.end()
})

t.test('a request in flight is latched on to, and a kept answer is given whole', async t => {
  const rows = begin()
  rows.run({ type: 'openSession', session: 5, epoch: 1, numbering: 'library', metaIndex: 9 })
  const steps: Step[] = [{ op: 'insert', document: { id: 'p', tag: 'x' }, ifVersion: undefined }]
  const own = { session: 5, epoch: 1, slot: 7, sequence: 1, lowWater: 1, caller: false, hash: 'h' }
  const first = rows.run(command(steps, own))
  const [key, row] = [...rows.rows].find(([one]) => one.startsWith('s')) ?? []
  if (key === undefined || row === undefined || first.type !== 'entry') throw new Error('no reply was kept')
  t.strictSame(rows.run(command(steps, own)), { type: 'replay', reply: first.reply })
  rows.pending.set(key, { row, pending: 42 })
  t.strictSame(rows.run(command(steps, own)), { type: 'latch', index: 42 })
  t.match(rows.run(command(steps, { ...own, hash: 'other' })), {
    type: 'answer',
    reply: { code: 'SEQUENCE_REUSED' },
  })
  rows.pending.clear()
  const refusal = rows.run(
    command([{ ...(steps[0] as Step), document: { id: 'q', tag: 'X' } }], { ...own, sequence: 2 }),
  )
  t.match(
    refusal,
    { type: 'entry', reply: { code: 'UNIQUE_TAKEN', details: { holder: 'p' } } },
    'a refusal is an entry',
  )
  rows.run(command([{ op: 'delete', document: { id: 'p' }, ifVersion: undefined }], undefined))
  const again = rows.run(
    command([{ ...(steps[0] as Step), document: { id: 'q', tag: 'X' } }], { ...own, sequence: 2 }),
  )
  t.strictSame(again, { type: 'replay', reply: (refusal as { reply: unknown }).reply })
})

t.test('what meta brings counts once, in order, and a session is not opened behind its end', async t => {
  const rows = begin()
  const feed = { type: 'metaFeed', through: 5, schemas: [], ended: [3] } as const
  rows.run({ type: 'openSession', session: 3, epoch: 1, numbering: 'library', metaIndex: 4 })
  rows.run(command([], { session: 3, epoch: 1, slot: 1, sequence: 1, lowWater: 1, caller: false, hash: 'h' }))
  t.equal([...rows.rows.keys()].filter(key => key.startsWith('s')).length, 1)
  t.equal(rows.run(feed).type, 'entry')
  t.equal([...rows.rows.keys()].filter(key => key.startsWith('s')).length, 0, 'its replies go with it')
  const before = digestOf(rows.rows)
  t.equal(rows.run(feed).type, 'answer', 'taking it twice changes nothing')
  t.equal(rows.run({ ...feed, through: 4, ended: [9] }).type, 'answer')
  const late = { type: 'openSession', session: 3, epoch: 1, numbering: 'library', metaIndex: 4 } as const
  t.match(rows.run(late), { type: 'answer', reply: { code: 'UNAVAILABLE' } })
  t.strictSame(digestOf(rows.rows), before)
  t.equal(rows.run({ ...late, session: 4, metaIndex: 5 }).type, 'entry')
})

t.test('a row is one fact, its last form, however often a batch of any size names it', async t => {
  for (let count = 1; count <= 20; count++) {
    const put = (n: number, a: number): Step => ({
      op: 'put',
      document: { id: `d${n}`, a },
      ifVersion: undefined,
    })
    const round = (a: number): Step[] => Array.from({ length: count }, (_, n) => put(n, a))
    const rows = begin()
    const decision = rows.decide(command([...round(0), ...round(1), put(0, 2)], undefined))
    assert(decision.type === 'entry', decision.type)
    const values = decision.facts.flatMap(fact => (fact.op === 'put' ? [fact.value] : []))
    const found = values.map(value => decodeDocument(documentBytes(value)))
    t.same(
      found,
      Array.from({ length: count }, (_, n) => ({ id: `d${n}`, a: n === 0 ? 2 : 1 })),
      `${count} documents`,
    )
    const existed = [...round(0).map(() => false), ...round(1).map(() => true), true]
    t.same(decision.reply, { ok: true, version: rows.index + 1, value: { existed } })
  }
})

t.test('an entry has room for the kept reply of a batch, or the batch is refused', async t => {
  const rows = begin()
  rows.run({ type: 'openSession', session: 11, epoch: 1, numbering: 'library', metaIndex: 1 })
  const checks: Step[] = Array.from({ length: limits.batchCommandsMax - 4 }, (_, n) => ({
    op: 'check',
    document: { id: `c${n}` },
    ifVersion: null,
  }))
  const mark = { session: 11, epoch: 1, sequence: 1, lowWater: 1, slot: 0, caller: false, hash: 'h' }
  const ends = new Set<string>()
  for (let less = 0; less < 12_000; less += 500) {
    const bytes = (limits.entryBytesMax - less) / 4 - 400
    const puts = Array.from({ length: 4 }, (_, n): Step => {
      const document = { id: `p${n}`, fill: 'x'.repeat(bytes) } as Place
      return { op: 'put', document, ifVersion: undefined }
    })
    const decision = rows.decide(command([...checks, ...puts], mark))
    if (decision.type !== 'entry') throw new Error(decision.type)
    ends.add(decision.reply.ok ? 'done' : decision.reply.code)
    const { length } = encodeFacts(rows.time, decision.facts)
    t.ok(length <= limits.entryBytesMax, `an entry of ${length} bytes`)
  }
  t.strictSame([...ends].sort(), ['TOO_LARGE', 'done'])
})
