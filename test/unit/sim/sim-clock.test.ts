/** The laws of simulated time. */
import t from 'tap'
import { SimClock } from '../../../src/sim/sim-clock.js'

t.test('events fire by time, then by the order of the calls', async t => {
  const clock = new SimClock()
  const seen: string[] = []
  clock.after(5, () => seen.push('c'))
  clock.after(1, () => seen.push('a'))
  clock.after(5, () => seen.push('d'))
  clock.after(1, () => {
    seen.push('b')
    clock.soon(() => seen.push('soon'))
  })
  clock.after(2, () => seen.push('never')).stop()
  await clock.runFor(10)
  t.strictSame(seen, ['a', 'b', 'soon', 'c', 'd'])
  t.equal(clock.monotonicMs(), 10)
})

t.test('promises go on between two moments', async t => {
  const clock = new SimClock()
  const seen: string[] = []
  const sleep = (ms: number): Promise<void> => new Promise(resolve => clock.after(ms, resolve))
  const work = async (): Promise<string> => {
    await sleep(1)
    for (let i = 0; i < 20; i++) await Promise.resolve()
    seen.push(`work at ${clock.monotonicMs()}`)
    await sleep(1)
    return 'done'
  }
  clock.after(1.5, () => seen.push('timer'))
  t.equal(await clock.run(work), 'done')
  t.strictSame(seen, ['work at 1', 'timer'])
})

t.test('a world that waits for nothing is stuck, idle timers or not', async t => {
  const clock = new SimClock()
  const tick = (): void => {
    clock.after(10, tick, { idle: true })
  }
  tick()
  await t.rejects(clock.run(new Promise(() => {})), /stuck/)
  await clock.runFor(35)
  t.equal(clock.fired, 4, 'idle timers fire while something else is awaited')
})

t.test('what an event throws, or a promise rejects with, comes out of run', async t => {
  const clock = new SimClock()
  clock.after(1, () => {
    throw new Error('thrown in an event')
  })
  await t.rejects(clock.runFor(5), /thrown in an event/)
  await t.rejects(
    clock.run(() => Promise.reject(new Error('rejected'))),
    /rejected/,
  )
})

t.test('the timers of a killed process never fire', async t => {
  const clock = new SimClock()
  const one = clock.process(50)
  const seen: string[] = []
  one.after(1, () => seen.push('alive'))
  one.after(5, () => seen.push('dead'))
  t.equal(one.wallMs(), clock.wallMs() + 50)
  await clock.runFor(2)
  one.kill()
  one.after(1, () => seen.push('dead'))
  one.soon(() => seen.push('dead'))
  await clock.runFor(10)
  t.strictSame(seen, ['alive'])
})

t.test('stopped timers do not pile up, and ten thousand moments pass in a second', async t => {
  const clock = new SimClock()
  let left = 20_000
  const next = (): void => {
    clock.after(30_000, () => t.fail('stopped')).stop()
    if (--left > 0) clock.after(0.1, next)
  }
  next()
  const start = performance.now()
  await clock.runUntil(() => left === 0)
  const seconds = (performance.now() - start) / 1000
  t.comment(`${Math.round(20_000 / seconds)} moments/s`)
  t.ok(seconds < 2)
})
