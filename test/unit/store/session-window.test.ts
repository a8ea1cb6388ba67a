/** What a session tells the partition of its answers: those below the low water are never asked for again. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { limits } from '../../../src/base/limits.js'
import type { SessionMark } from '../../../src/machine/command.js'
import type { Ticket } from '../../../src/replica/admission.js'
import type { Partition } from '../../../src/replica/partition.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { Asking } from '../../../src/store/asking.js'
import { Deadlines } from '../../../src/store/deadlines.js'
import type { CallOptions } from '../../../src/store/options.js'
import { Session, type SessionParts } from '../../../src/store/session.js'

/** A session whose requests wait in `tickets` for their answers. */
class Held {
  readonly tickets: Ticket[] = []
  readonly session: Session

  constructor() {
    const partition = { submit: (ticket: Ticket) => this.tickets.push(ticket) } as unknown as Partition
    const asking = new Asking(partition, new Deadlines(new SimClock(), 1000), undefined, () => {})
    const parts = { asking, handle: { session: 7, epoch: 1 } } as unknown as SessionParts
    this.session = new Session({}, parts)
  }

  write(options: CallOptions = {}): Promise<unknown> {
    return this.session.write([{ op: 'delete', collection: 1, key: 'a' }], options, done => done, undefined)
  }

  answer(at: number): void {
    must(this.tickets[at], 'a ticket').answer({ ok: true, version: 1, value: null })
  }

  get marks(): { sequence: number; lowWater: number }[] {
    return this.tickets.map(({ command }) => {
      const { sequence, lowWater } = must((command as { mark?: SessionMark }).mark, 'a mark')
      return { sequence, lowWater }
    })
  }
}

t.test('a number counts as answered when all before it are', async t => {
  const held = new Held()
  for (let n = 0; n < 3; n++) void held.write()
  held.answer(1)
  void held.write()
  held.answer(0)
  void held.write()
  held.answer(4)
  held.answer(2)
  void held.write()
  t.strictSame(held.marks, [
    { sequence: 1, lowWater: 1 },
    { sequence: 2, lowWater: 1 },
    { sequence: 3, lowWater: 1 },
    { sequence: 4, lowWater: 1 },
    { sequence: 5, lowWater: 3 },
    { sequence: 6, lowWater: 4 },
  ])
})

t.test('a write whose caller gave up before there was room is never sent, and leaves no hole', async t => {
  const held = new Held()
  for (let n = 0; n < limits.sessionWindow; n++) void held.write()
  const stop = new AbortController()
  const given = held.write({ signal: stop.signal })
  void held.write()
  t.equal(held.tickets.length, limits.sessionWindow, 'the window is full')
  stop.abort()
  await t.rejects(given, { code: 'ABORTED', outcome: 'not-applied' })
  held.answer(0)
  held.answer(1)
  t.strictSame(held.marks.slice(limits.sessionWindow), [{ sequence: limits.sessionWindow + 1, lowWater: 2 }])
})
