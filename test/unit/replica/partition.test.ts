/** A partition is whichever replica is here now: it outlives who leads, and what takes its place. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import type { Reply } from '../../../src/machine/reply.js'
import type { Ticket } from '../../../src/replica/admission.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { Partition } from '../../../src/replica/partition.js'
import type { AskedTicket } from '../../../src/replica/resending.js'
import { SimClock } from '../../../src/sim/sim-clock.js'

const done: Reply = { ok: true, version: 5, value: 'done' }
const notLeader = new SillokError('NOT_LEADER', 'no')
const asked = { type: 'unsubscribe', name: 'x' } as const
const own = { type: 'dropRequests', keys: [] } as const

/** A replica that notes what it is given; reads pass, or fail with `refusal`. */
class Held {
  readonly tickets: Ticket[] = []
  refusal: SillokError | undefined
  reads = 0
  changes = 0
  isReplaced = false
  readonly opened: OpenedReplica

  constructor(applied: number) {
    const replica = {
      leads: true,
      submit: (ticket: Ticket) => this.tickets.push(ticket),
      readBarrier: (passed: (error?: SillokError) => void) => {
        this.reads += 1
        passed(this.refusal)
      },
      fail: (error: SillokError) => {
        this.refusal = error
      },
      get isReplaced() {
        return held.isReplaced
      },
    }
    const held = this
    const state = { applied, partitionChanges: () => this.changes }
    this.opened = { replica, state } as unknown as OpenedReplica
  }
}

function told(what: string[], name: string) {
  return (result: Reply | SillokError) =>
    what.push(`${name} ${result instanceof SillokError ? result.code : 'ok'}`)
}

t.test('before a replica is here nothing is applied and nobody leads', async t => {
  const partition = new Partition({ id: 1, clock: new SimClock() })
  t.equal(partition.isHere, false)
  t.equal(partition.applied, 0)
  t.equal(partition.leads, false)
  t.throws(() => partition.replica, { name: 'InvariantError' })
})

t.test(
  'each question goes to the replica of now, and a change of replica is a change of all rows',
  async t => {
    const partition = new Partition({ id: 1, clock: new SimClock() })
    const [first, second] = [new Held(7), new Held(9)]
    partition.take(first.opened)
    t.equal(partition.applied, 7)
    t.ok(partition.leads)
    const seen = [partition.changes('x')]
    first.changes = 3
    seen.push(partition.changes('x'))
    first.isReplaced = true
    t.ok(partition.isMoving)
    partition.take(second.opened)
    t.notOk(partition.isMoving)
    seen.push(partition.changes('x'))
    t.equal(new Set(seen).size, 3)
    t.equal(partition.applied, 9)
  },
)

t.test('alone, every command is decided here', async t => {
  const partition = new Partition({ id: 1, clock: new SimClock() })
  const held = new Held(1)
  partition.take(held.opened)
  const answers: string[] = []
  for (const command of [asked, own])
    partition.submit({ command, sender: {}, bytes: 1, answer: told(answers, command.type) })
  t.strictSame(
    held.tickets.map(({ command }) => command),
    [asked, own],
  )
  for (const ticket of held.tickets) ticket.answer(notLeader)
  t.strictSame(answers, ['unsubscribe NOT_LEADER', 'dropRequests NOT_LEADER'], 'and nothing is sent again')
})

t.test('in a cluster a command goes to who leads, and again; what only a leader does stays here', async t => {
  const clock = new SimClock()
  const sent: AskedTicket[] = []
  const partition = new Partition({ id: 1, clock, send: ticket => sent.push(ticket) })
  const held = new Held(1)
  partition.take(held.opened)
  const call = partition.call(asked, {})
  sent.shift()?.answer(notLeader)
  await clock.runFor(60)
  sent.shift()?.answer(done)
  t.match(await call, { value: 'done' })
  const refused = partition.call(own, {})
  held.tickets[0]?.answer(notLeader)
  await t.rejects(refused, { code: 'NOT_LEADER' })
  t.strictSame(sent, [])
})

t.test('a read is tried until somebody leads, until nobody waits, or until the node closes', async t => {
  const clock = new SimClock()
  const partition = new Partition({ id: 1, clock, send: () => {} })
  const held = new Held(1)
  partition.take(held.opened)
  for (const code of ['NOT_LEADER', 'LEADERSHIP_LOST'] as const) {
    held.refusal = new SillokError(code, 'no')
    let isRead = false
    const read = partition.readable().then(() => {
      isRead = true
    })
    await clock.runFor(500)
    t.notOk(isRead, `${code} is of the moment`)
    held.refusal = undefined
    await clock.runFor(100)
    await read
  }
  held.refusal = new SillokError('STOPPED', 'broken')
  await t.rejects(partition.readable(), { code: 'STOPPED' })
  held.refusal = notLeader
  const ends: string[] = []
  let isForgotten = false
  partition.readBarrier(
    error => ends.push(error?.code ?? 'read'),
    () => isForgotten,
  )
  await clock.runFor(200)
  isForgotten = true
  await clock.runFor(100)
  t.strictSame(ends, ['NOT_LEADER'], 'nobody waits')
  const reading = t.rejects(partition.readable(), { code: 'CLOSED' })
  partition.close(new SillokError('CLOSED', 'closed'))
  await clock.runFor(100)
  await reading
})

t.test('a read goes on at the replica that takes the place of one that was replaced', async t => {
  const clock = new SimClock()
  const partition = new Partition({ id: 1, clock, send: () => {} })
  const [first, second] = [new Held(1), new Held(2)]
  partition.take(first.opened)
  first.refusal = new SillokError('LEADERSHIP_LOST', 'a snapshot takes its place')
  const read = partition.readable()
  await clock.runFor(100)
  partition.take(second.opened)
  const { reads } = first
  await clock.runFor(100)
  await read
  t.equal(first.reads, reads)
  t.equal(second.reads, 1)
})

t.test('alone, a read that is refused is refused', async t => {
  const partition = new Partition({ id: 1, clock: new SimClock() })
  const held = new Held(1)
  held.refusal = notLeader
  partition.take(held.opened)
  await t.rejects(partition.readable(), { code: 'NOT_LEADER' })
})

t.test('what waits for a leader when the node closes is answered', async t => {
  const clock = new SimClock()
  const sent: AskedTicket[] = []
  const partition = new Partition({ id: 1, clock, send: ticket => sent.push(ticket) })
  partition.take(new Held(1).opened)
  const call = partition.call(asked, {})
  sent.shift()?.answer(notLeader)
  partition.close(new SillokError('CLOSED', 'closed'))
  await t.rejects(call, { code: 'CLOSED' })
})

t.test('a replica that arrives after the node stopped answers as the node does', async t => {
  const partition = new Partition({ id: 1, clock: new SimClock(), send: () => {} })
  partition.take(new Held(1).opened)
  partition.close(new SillokError('DISK_FAILED', 'the node has stopped'))
  partition.take(new Held(2).opened)
  await t.rejects(partition.readable(), { code: 'DISK_FAILED' })
})

t.test('who waits for another replica, or a leader, at a node that ends is told that it ends', async t => {
  const clock = new SimClock()
  const partition = new Partition({ id: 1, clock, send: () => {} })
  const held = new Held(7)
  held.refusal = new SillokError('LEADERSHIP_LOST', 'a snapshot takes its place')
  partition.take(held.opened)
  await clock.run(async () => {
    const read = partition.readable()
    clock.after(100, () => partition.close(new SillokError('DISK_FAILED', 'the node has stopped')))
    await t.rejects(read, { code: 'DISK_FAILED' })
  })
})
