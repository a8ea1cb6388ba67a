/** What is done again and again: once for each time, never for those that were missed, and late with care. */
import t from 'tap'
import { Ticker } from '../../../src/replica/ticker.js'
import { SimClock } from '../../../src/sim/sim-clock.js'

t.test('calls come as often as was said, each of its own, and none after the stop', async t => {
  const clock = new SimClock()
  const ticker = new Ticker(clock)
  const calls: string[] = []
  ticker.every(100, () => calls.push(`a ${clock.monotonicMs()}`))
  ticker.every(250, () => calls.push(`b ${clock.monotonicMs()}`))
  await clock.runFor(520)
  t.strictSame(calls.splice(0), ['a 100', 'a 200', 'b 250', 'a 300', 'a 400', 'b 500', 'a 500'])
  ticker.stop()
  ticker.every(10, () => calls.push('c'))
  await clock.runFor(1000)
  t.strictSame(calls, [])
})

t.test('a call may stop the ticker', async t => {
  const clock = new SimClock()
  const ticker = new Ticker(clock)
  let calls = 0
  ticker.every(100, () => {
    calls += 1
    ticker.stop()
  })
  await clock.runFor(1000)
  t.equal(calls, 1)
})

t.test('after a stall there is one call, behind what has arrived meanwhile', async t => {
  for (const phase of ['timers', 'poll', 'check'] as const) {
    const clock = new SimClock()
    const own = clock.process()
    const ticker = new Ticker(own)
    const calls: string[] = []
    ticker.every(100, () => calls.push('tick'))
    await clock.runFor(150)
    t.strictSame(calls.splice(0), ['tick'])
    own.stall(2000, phase)
    await clock.runFor(1000)
    own.arrive(() => calls.push('heartbeat'))
    await clock.runFor(1010)
    t.strictSame(calls.splice(0), ['heartbeat', 'tick'], phase)
    await clock.runFor(200)
    t.strictSame(calls, ['tick', 'tick'], 'and then as before')
  }
})

t.test('a ticker that is stopped between the end of a stall and its call makes none', async t => {
  const clock = new SimClock()
  const own = clock.process()
  const ticker = new Ticker(own)
  let calls = 0
  ticker.every(100, () => {
    calls += 1
  })
  own.stall(500, 'poll')
  await clock.runFor(300)
  own.arrive(() => ticker.stop())
  await clock.runFor(1000)
  t.equal(calls, 0)
})
