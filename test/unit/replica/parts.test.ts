/** The parts of a replica, each alone: waiters, read barrier, log clock, and what a leader sees. */
import t from 'tap'
import { entryKinds, sealEntry } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { encodeFacts, type Fact } from '../../../src/codec/facts.js'
import { makeRow, type Row, type RowKey } from '../../../src/codec/row.js'
import { replyKey, schemaPrefix } from '../../../src/machine/keys.js'
import { encodeReply, lowWaterOf, type Reply } from '../../../src/machine/reply.js'
import { LeaderView } from '../../../src/replica/leader-view.js'
import { LogClock } from '../../../src/replica/log-time.js'
import { MetaFeed } from '../../../src/replica/meta-feed.js'
import { Overlay } from '../../../src/replica/overlay.js'
import type { Partition } from '../../../src/replica/partition.js'
import { ReadBarrier } from '../../../src/replica/read-barrier.js'
import { Waiters } from '../../../src/replica/waiters.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { State } from '../../../src/state/state.js'
import { SessionWindows } from '../../../src/state/windows.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

t.test(
  'a caller gets the reply of its own entry, not-applied for another term, unknown when nobody knows',
  async t => {
    const waiters = new Waiters()
    const told: string[] = []
    const asker = (name: string) => ({
      answer: (result: Reply | SillokError): void => {
        const failed = result instanceof SillokError && `${result.code} ${result.outcome}`
        told.push(`${name}: ${failed || (result as { version: number }).version}`)
      },
    })
    const reply = (version: number): Reply => ({ ok: true, version, value: null })
    waiters.add(5, 2, reply(5), asker('five'))
    waiters.add(6, 2, reply(6), asker('six'))
    waiters.add(8, 2, reply(8), asker('eight'))
    waiters.add(9, 2, reply(9), asker('nine'))
    waiters.add(12, 2, reply(12), asker('twelve'))
    waiters.latch(6, asker('copy of six'))
    t.throws(() => waiters.latch(7, asker('seven')), { message: /no request in flight at 7/ })
    t.throws(() => waiters.add(12, 2, reply(1), asker('again')), { name: 'InvariantError' })
    waiters.applied(4, 2)
    t.strictSame(told.splice(0), [])
    waiters.applied(5, 2)
    waiters.applied(6, 2)
    t.strictSame(told.splice(0), ['five: 5', 'six: 6', 'copy of six: 6'])
    waiters.applied(8, 3)
    t.strictSame(told.splice(0), ['eight: LEADERSHIP_LOST not-applied'], 'another term took the index')
    waiters.applied(10, 3)
    t.strictSame(told.splice(0), ['nine: LEADERSHIP_LOST unknown'], 'passed over: nobody knows')
    t.equal(waiters.isEmpty, false)
    waiters.fail(new SillokError('CLOSED_WHILE_WAITING', 'closed'))
    t.strictSame(told.splice(0), ['twelve: CLOSED_WHILE_WAITING unknown'])
    t.equal(waiters.isEmpty, true)
  },
)

t.test(
  'a read passes when its round is confirmed and that index, and the one it needs, are applied',
  async t => {
    const reads = new ReadBarrier()
    const told: string[] = []
    const ask = (name: string, atLeast: number): void => {
      reads.askDecided(atLeast, error => told.push(error === undefined ? name : `${name} ${error.code}`))
    }
    ask('a', 0)
    ask('b', 9)
    let rounds = 0
    reads.begin(() => ++rounds)
    reads.begin(() => ++rounds)
    t.equal(rounds, 1, 'one round for all who asked')
    ask('c', 0)
    reads.begin(() => ++rounds)
    reads.applied(100)
    t.strictSame(told, [], 'applied is not enough')
    reads.confirmed({ token: 1, index: 7 }, 6)
    t.strictSame(told, [])
    reads.applied(7)
    t.strictSame(told, ['a'])
    reads.confirmed({ token: 2, index: 8 }, 8)
    t.strictSame(told, ['a', 'c'])
    reads.applied(9)
    t.strictSame(told, ['a', 'c', 'b'])
    ask('d', 0)
    reads.begin(() => undefined)
    ask('e', 0)
    reads.begin(() => 3)
    ask('f', 0)
    reads.fail(new SillokError('DISK_FAILED', 'x'))
    reads.confirmed({ token: 3, index: 1 }, 100)
    t.strictSame(told.slice(3), ['d NOT_LEADER', 'f DISK_FAILED', 'e DISK_FAILED'])
  },
)

t.test(
  'log time never goes back, stands still without leadership, and a stall moves it one step',
  async t => {
    const clock = new SimClock()
    const time = new LogClock(clock)
    const pass = (ms: number): Promise<void> => clock.runFor(ms)
    time.observe(5000)
    await pass(1000)
    t.equal(time.stamp(), 5000, 'no leader: it stands')
    time.run(true)
    await pass(150)
    t.equal(time.stamp(), 5150)
    time.observe(4000)
    t.equal(time.stamp(), 5150, 'an older entry does not turn it back')
    await pass(3_600_000)
    t.equal(time.stamp(), 5350, 'an hour asleep is one step')
    for (let i = 0; i < 10; i++) {
      await pass(100)
      time.advance()
    }
    t.equal(time.stamp(), 6350)
    time.run(false)
    await pass(500)
    t.equal(time.stamp(), 6350)
    time.run(true)
    t.equal(time.stamp(), 6350, 'what passed without leadership is not made up for')
    time.observe(9000)
    await pass(1)
    t.equal(time.stamp(), 9001)
    t.equal(time.unloggedMs, 1)
  },
)

t.test('what a partition refused to take from meta is brought again, and nothing else is', async t => {
  const entryOf = (index: number, facts: readonly Fact[]) =>
    sealEntry(encodeFacts(0, facts), { partition: 0, index, term: 1, kind: entryKinds.facts })
  const schema: Fact = { op: 'put', key: `${schemaPrefix}x`, value: Buffer.from('v'), prev0: 0, prev1: 0 }
  const log = [entryOf(1, [schema]), entryOf(2, [])]
  const meta = { applied: 0 }
  const reads: string[] = []
  const taken: number[] = []
  let refusal: SillokError | undefined
  const target = {
    leads: true,
    replica: { term: 1 },
    readable: async () => {},
    state: { lookup: () => null, partitionRows: () => [] },
    call: async ({ through }: { through: number }) => {
      if (refusal !== undefined) throw refusal
      taken.push(through)
    },
  }
  const feed = new MetaFeed({
    meta: meta as Partition,
    target: target as unknown as Partition,
    background: run => void run.catch(() => {}),
    async *read(from, through) {
      reads.push(`${from}-${through}`)
      yield log.slice(from - 1, through)
    },
  })
  const soon = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  await feed.through(0)
  feed.notify()
  await soon()
  t.strictSame(reads, [], 'an empty log')
  refusal = new SillokError('DISK_FULL', 'no space left')
  meta.applied = 1
  feed.notify()
  await soon()
  feed.remind()
  await soon()
  t.strictSame(reads.splice(0), ['1-1', '1-1'], 'refused, and tried again')
  refusal = undefined
  feed.remind()
  await soon()
  t.strictSame([reads.splice(0), taken.splice(0)], [['1-1'], [1]])
  for (let i = 0; i < 5; i++) {
    feed.remind()
    await soon()
  }
  t.strictSame([reads, taken], [[], []], 'nothing is due')
  meta.applied = 2
  feed.remind()
  await soon()
  feed.remind()
  await soon()
  t.strictSame([reads, taken], [['2-2'], []], 'what concerns nobody here is passed over, once')
})

/** Proposals in flight beside the applied state, and what both together must look like. */
class Beside {
  readonly overlay = new Overlay()
  readonly windows = new SessionWindows()
  readonly #applied = new Map<RowKey, Row | null>()
  readonly state = { windows: this.windows, lookup: (key: RowKey) => this.#applied.get(key) ?? null }
  readonly view = new LeaderView(this.overlay, this.state as unknown as State)
  readonly model = new Map<RowKey, Row>()
  #applyNext = 1
  index = 0

  propose(facts: readonly Fact[]): void {
    const index = ++this.index
    const rows = this.overlay.add(index, 1, 0, facts, index)
    this.view.proposed(facts, rows)
    for (const fact of facts) {
      if (fact.op === 'put') this.model.set(fact.key, makeRow(fact.key, index, fact.value))
      else if (fact.op === 'delete') this.model.delete(fact.key)
      else for (const key of this.model.keys()) if (key >= fact.from && key < fact.to) this.model.delete(key)
    }
  }

  applyOne(): void {
    const entry = this.overlay.take(this.#applyNext, 1)
    if (entry === undefined) return
    let place = 0
    for (const fact of entry.facts) {
      if (fact.op === 'deleteRange') this.windows.deleteRange(fact.from, fact.to)
      else {
        const row = fact.op === 'put' ? (entry.rows[place++] as Row) : null
        if (fact.key.startsWith('s')) this.windows.set(fact.key, row)
        else this.#applied.set(fact.key, row)
      }
    }
    this.overlay.forget(entry)
    this.#applyNext += 1
  }

  get inFlight(): number {
    return this.index + 1 - this.#applyNext
  }
}

t.test('what is applied and what is in flight look to the leader as if all were applied', async t => {
  const random = new Random(seed)
  let inFlight = 0
  for (let round = 0; round < 150; round++) {
    const beside = new Beside()
    const { view, model } = beside
    const lowWaters = new Map<string, number>()
    for (let step = 0; step < 60; step++) {
      const [slot, session, epoch] = [random.below(2), 1 + random.below(2), random.below(2)]
      const facts: Fact[] = []
      const put = (key: RowKey, value: Buffer): void =>
        void facts.push({ op: 'put', key, value, prev0: 0, prev1: 0 })
      if (random.chance(0.3)) {
        const key = `d${random.below(4)}`
        if (random.chance(0.6)) put(key, random.bytes(3))
        else facts.push({ op: 'delete', key, prev0: 0, prev1: 0 })
      } else {
        const place = `${slot} ${session} ${epoch}`
        const lowWater = Math.max(lowWaters.get(place) ?? 1, random.below(step + 1))
        lowWaters.set(place, lowWater)
        const sequence = lowWater + random.below(6)
        const reply = encodeReply({ ok: true, version: 0, value: step }, Buffer.alloc(16), lowWater)
        if (model.has(replyKey(slot, session, epoch, sequence))) continue
        put(replyKey(slot, session, epoch, sequence), reply)
        const [from, to] = [replyKey(slot, session, epoch, 0), replyKey(slot, session, epoch, lowWater)]
        facts.push({ op: 'deleteRange', from, to, slot, sum0: 0, sum1: 0 })
      }
      beside.propose(facts)
      for (let i = random.below(3); i > 0; i--) beside.applyOne()
      inFlight = Math.max(inFlight, beside.inFlight)
      const found = view.sumReplies(
        slot,
        session,
        replyKey(slot, session, 0, 0),
        replyKey(slot, session, 2, 0),
      )
      const wanted = sumOf(model, slot, session)
      if (JSON.stringify(found) !== JSON.stringify(wanted))
        t.strictSame(found, wanted, `round ${round}, step ${step}`)
      const highest = Math.max(0, ...kept(model, slot, session, epoch).map(row => lowWaterOf(row)))
      const anew = new LeaderView(beside.overlay, beside.state as unknown as State)
      const lows = [view, anew].map(one => one.lowWater(slot, session, epoch))
      if (lows.some(low => low !== highest)) t.fail(`lowWater in round ${round}, step ${step}`)
      for (let sequence = 0; sequence < 70; sequence += 1 + random.below(4)) {
        const row = model.get(replyKey(slot, session, epoch, sequence))
        const own = view.reply(slot, session, epoch, sequence)
        // One that a proposal in flight drops may still be latched on to while it is in flight itself.
        if (
          row === undefined
            ? own !== undefined && own.pending === undefined
            : !own?.row.value.equals(row.value)
        ) {
          t.fail(`reply ${sequence} in round ${round}, step ${step}`)
        }
      }
      const key = `d${random.below(4)}`
      if (view.get(key)?.version !== model.get(key)?.version) t.fail(`${key} in round ${round}, step ${step}`)
    }
    while (beside.inFlight > 0) beside.applyOne()
    t.equal(beside.overlay.get('d0'), undefined, 'nothing stays behind')
  }
  t.ok(inFlight > 10)
})

t.test('when role or term changes, nothing of what was in flight is seen', async t => {
  const beside = new Beside()
  const key = replyKey(1, 1, 1, 5)
  const value = encodeReply({ ok: true, version: 0, value: null }, Buffer.alloc(16), 4)
  const facts: Fact[] = [
    { op: 'put', key: 'd1', value: Buffer.from('x'), prev0: 0, prev1: 0 },
    { op: 'put', key, value, prev0: 0, prev1: 0 },
  ]
  t.equal(beside.view.lowWater(1, 1, 1), 0)
  beside.propose(facts)
  t.equal(beside.view.lowWater(1, 1, 1), 4)
  t.ok(beside.view.get('d1'))
  beside.overlay.clear()
  beside.view.reset()
  t.equal(beside.view.get('d1'), null)
  t.equal(beside.view.reply(1, 1, 1, 5), undefined)
  t.equal(beside.view.lowWater(1, 1, 1), 0)
  t.equal(beside.overlay.take(1, 1), undefined, 'its entries are applied from their bytes')
})

function kept(model: ReadonlyMap<RowKey, Row>, slot: number, session: number, epoch: number): Row[] {
  const [from, to] = [replyKey(slot, session, epoch, 0), replyKey(slot, session, epoch + 1, 0)]
  return [...model].filter(([key]) => key >= from && key < to).map(([, row]) => row)
}

function sumOf(
  model: ReadonlyMap<RowKey, Row>,
  slot: number,
  session: number,
): { count: number; sum0: number; sum1: number } {
  const rows = [0, 1].flatMap(epoch => kept(model, slot, session, epoch))
  const sum = { count: rows.length, sum0: 0, sum1: 0 }
  for (const { hash0, hash1 } of rows) {
    sum.sum0 = (sum.sum0 + hash0) >>> 0
    sum.sum1 = (sum.sum1 + hash1) >>> 0
  }
  return sum
}
