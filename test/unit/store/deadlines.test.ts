/** Deadlines of calls: each call ends at its own, whichever were answered before. */
import t from 'tap'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { Deadlines, type Waiting } from '../../../src/store/deadlines.js'

const deadlineMs = 1000

/** Calls under one default deadline, and when each ended. */
class Calls {
  readonly clock = new SimClock()
  readonly deadlines = new Deadlines(this.clock, deadlineMs)
  readonly ended = new Map<string, number>()

  begin(name: string, ms?: number): Waiting {
    const end = (): void => void this.ended.set(name, this.clock.monotonicMs())
    const waiting = { at: 0, settled: false, expired: end, closed: end }
    this.deadlines.begin(waiting, ms)
    return waiting
  }

  pass(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }
}

t.test('each ends at its own deadline, though one before it was answered and none came after', async t => {
  const calls = new Calls()
  await calls.clock.run(async () => {
    const first = calls.begin('first')
    await calls.pass(300)
    calls.begin('second')
    await calls.pass(300)
    calls.begin('third')
    calls.begin('own', 200)
    calls.deadlines.settle(first)
    await calls.pass(3 * deadlineMs)
    t.strictSame(
      [...calls.ended],
      [
        ['own', 800],
        ['second', 1300],
        ['third', 1600],
      ],
    )
    t.equal(calls.deadlines.timeouts, 3)
  })
})

t.test('who was answered hears nothing more, and no timer runs when nobody waits', async t => {
  const calls = new Calls()
  await calls.clock.run(async () => {
    const all = Array.from({ length: 3000 }, (_, n) => calls.begin(`${n}`))
    t.ok(all.every(one => calls.deadlines.settle(one)))
    t.notOk(all.some(one => calls.deadlines.settle(one)))
    await calls.pass(2 * deadlineMs)
    t.equal(calls.ended.size, 0)
    calls.begin('late')
    calls.begin('own', 5000)
    calls.deadlines.close()
    t.strictSame([...calls.ended.values()], [2 * deadlineMs, 2 * deadlineMs], 'closing ends the waits')
    t.equal(calls.deadlines.timeouts, 0)
  })
})
