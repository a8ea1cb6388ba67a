/** The laws of a process's own clock and event loop. */
import t from 'tap'
import { FaultCounts } from '../../../src/sim/fault-counts.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { LoopPhase, SimProcessClock } from '../../../src/sim/sim-process-clock.js'

/** One process, and all that is called in it, in order. */
class Loop {
  readonly faults = new FaultCounts()
  readonly world = new SimClock(undefined, this.faults)
  readonly process: SimProcessClock
  readonly seen: string[] = []

  constructor(rate = 1) {
    this.process = this.world.process({ rate })
  }

  timer(ms: number, name: string): void {
    this.process.after(ms, () => this.seen.push(name))
  }

  /** Something comes from outside, after so long by the world's clock. */
  arrival(ms: number, name: string): void {
    this.world.after(ms, () => this.process.arrive(() => this.seen.push(name)))
  }

  immediate(ms: number, name: string): void {
    this.world.after(ms, () => this.process.soon(() => this.seen.push(name)))
  }
}

t.test('a fast or slow clock shows its own time, and calls timers by it, never early', async t => {
  for (const rate of [0.98, 1.02, 1 / 3 + 0.5]) {
    const loop = new Loop(rate)
    const late: number[] = []
    for (let ms = 1; ms < 400; ms += 0.7) {
      const dueMs = loop.process.monotonicMs() + ms
      loop.process.after(ms, () => late.push(loop.process.monotonicMs() - dueMs))
    }
    let endMs = 0
    loop.process.after(1000, () => {
      endMs = loop.world.monotonicMs()
    })
    await loop.world.runFor(3000)
    t.ok(Math.abs(endMs - 1000 / rate) < 0.001, `${endMs}`)
    t.ok(Math.min(...late) >= 0 && Math.max(...late) < 0.001, `${rate}: ${Math.min(...late)}`)
    t.equal(loop.process.monotonicMs(), 3000 * rate)
    t.equal(loop.faults.of('clock-drift'), late.length + 1)
  }
})

t.test('a clock whose pace changes goes on from where it is, and calls no timer early', async t => {
  const loop = new Loop()
  let firedMs = 0
  loop.process.after(1000, () => {
    firedMs = loop.process.monotonicMs()
  })
  await loop.world.runFor(500)
  loop.process.setRate(0.8)
  t.equal(loop.process.monotonicMs(), 500)
  await loop.world.runFor(500)
  t.equal(firedMs, 0)
  t.equal(loop.process.monotonicMs(), 900)
  await loop.world.runFor(126)
  t.ok(firedMs >= 1000 && firedMs < 1000.001, `${firedMs}`)
})

t.test('the wall clock of a process is ahead or behind, and jumps; the other one does not', async t => {
  const loop = new Loop()
  const process = loop.world.process({ wallSkewMs: -70 })
  t.equal(process.wallMs(), loop.world.wallMs() - 70)
  t.equal(process.wallMs(), loop.world.wallMs() - 70)
  process.jumpWall(5000)
  process.jumpWall(-6000)
  t.equal(loop.faults.of('wall-jump'), 0, 'nobody has looked')
  t.equal(process.wallMs(), loop.world.wallMs() - 1070)
  t.equal(process.monotonicMs(), 0)
  t.equal(loop.process.wallMs(), loop.world.wallMs())
  t.strictSame([loop.faults.of('wall-skew'), loop.faults.of('wall-jump')], [1, 1])
})

// As Node does, measured: see the head of sim-process-clock.ts.
const orders: readonly (readonly [LoopPhase, string])[] = [
  ['timers', 'io immediate timer1 timer2 of-timer'],
  ['poll', 'immediate timer1 timer2 io of-timer'],
  ['check', 'timer1 timer2 io immediate of-timer'],
]

for (const [phase, order] of orders) {
  t.test(`a process that stood still in '${phase}' goes on as Node does`, async t => {
    const loop = new Loop()
    loop.process.after(150, () => {
      loop.seen.push('timer2')
      loop.process.soon(() => loop.seen.push('of-timer'))
    })
    loop.timer(100, 'timer1')
    loop.world.after(10, () => loop.process.stall(300, phase))
    loop.arrival(120, 'io')
    loop.immediate(130, 'immediate')
    await loop.world.runFor(309)
    t.strictSame(loop.seen, [])
    t.equal(loop.process.monotonicMs(), 309, 'the clock runs on')
    t.ok(loop.process.isHeld)
    await loop.world.runFor(2)
    t.equal(loop.seen.join(' '), order)
    t.notOk(loop.process.isHeld)
    t.equal(loop.world.monotonicMs(), 311)
    t.equal(loop.faults.of(`stall-in-${phase}`), 1)
    t.equal(loop.faults.of('timer-before-arrival'), phase === 'timers' ? 0 : 1)
    loop.timer(5, 'later')
    loop.arrival(4, 'io2')
    await loop.world.runFor(6)
    t.equal(loop.seen.join(' '), `${order} io2 later`)
  })
}

t.test('a stopped process hears nothing until it goes on, as from a stall in poll', async t => {
  const loop = new Loop()
  loop.timer(100, 'timer')
  loop.process.pause()
  loop.arrival(50, 'io')
  loop.immediate(50, 'immediate')
  await loop.world.runFor(60_000)
  loop.process.stall(5)
  await loop.world.runFor(10)
  t.strictSame(loop.seen, [], 'a stall does not end a pause')
  loop.process.resume()
  await loop.world.runFor(1)
  t.equal(loop.seen.join(' '), 'immediate timer io')
  t.equal(loop.faults.of('pause'), 1)
})

t.test('a timer is called once, however late, and one that is stopped never', async t => {
  const loop = new Loop()
  let ticks = 0
  const tick = (): void => {
    ticks++
    loop.process.after(10, tick, { idle: true })
  }
  tick()
  const waiting = loop.process.after(5, () => loop.seen.push('stopped'))
  const other = loop.process.after(6, () => loop.seen.push('stopped by a timer'))
  loop.process.after(5.5, () => other.stop())
  loop.process.stall(1000)
  await loop.world.runFor(999)
  waiting.stop()
  await loop.world.runFor(6)
  t.equal(ticks, 2)
  t.strictSame(loop.seen, [])
  await loop.world.runFor(5)
  t.equal(ticks, 3)
})

t.test('promises go on between two calls, and what comes meanwhile comes behind', async t => {
  const loop = new Loop()
  const { process, seen } = loop
  const sleep = (ms: number): Promise<void> => new Promise(resolve => process.after(ms, resolve))
  void (async () => {
    await sleep(1)
    for (let i = 0; i < 20; i++) await Promise.resolve()
    seen.push('first')
    process.arrive(() => seen.push('arrived while calling'))
  })()
  void sleep(2).then(() => seen.push('second'))
  loop.arrival(3, 'io')
  process.stall(10)
  await loop.world.runFor(20)
  t.strictSame(seen, ['first', 'second', 'io', 'arrived while calling'])
})

t.test('stalls overlap, and one may begin while the last one is made good', async t => {
  const loop = new Loop()
  loop.process.stall(10)
  loop.world.after(5, () => loop.process.stall(2))
  loop.world.after(6, () => loop.process.stall(14))
  loop.process.after(1, () => {
    loop.seen.push('one')
    loop.process.stall(100, 'timers')
  })
  loop.timer(2, 'two')
  loop.arrival(3, 'io')
  await loop.world.runFor(19)
  t.strictSame(loop.seen, [])
  await loop.world.runFor(2)
  t.strictSame(loop.seen, ['one'])
  await loop.world.runFor(100)
  t.strictSame(loop.seen, ['one', 'io', 'two'])
})

t.test('nothing is called in a dead process, what was held back neither', async t => {
  for (const dies of ['during', 'after']) {
    const loop = new Loop()
    loop.process.after(1, () => {
      loop.seen.push('timer')
      if (dies === 'after') loop.process.kill()
    })
    loop.timer(2, 'other')
    loop.arrival(3, 'io')
    loop.arrival(30, 'late')
    loop.immediate(3, 'immediate')
    loop.process.stall(10, 'check')
    if (dies === 'during') loop.world.after(5, () => loop.process.kill())
    await loop.world.runFor(20)
    loop.process.stall(1)
    loop.process.pause()
    loop.process.resume()
    loop.process.soon(() => loop.seen.push('soon'))
    await loop.world.runFor(20)
    t.strictSame(loop.seen, dies === 'after' ? ['timer'] : [])
    t.notOk(loop.process.isHeld)
  }
})

t.test('a stall that holds nothing back is no fault', async t => {
  const loop = new Loop()
  loop.process.stall(10, 'timers')
  await loop.world.runFor(20)
  t.strictSame(loop.faults.missing(['stall-in-timers']), ['stall-in-timers'])
})
