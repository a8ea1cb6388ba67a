/** The pace of builds, with time and turns of the event loop in the hand of the test. */
import t from 'tap'
import { BackgroundPace } from '../../../src/derived/background-pace.js'

function world() {
  const own = { nowMs: 0, writes: 0, rests: [] as number[], turns: [] as (() => void)[] }
  const timers: (() => void)[] = []
  const clock = {
    monotonicMs: () => own.nowMs,
    soon: (call: () => void) => void own.turns.push(call),
    after: (ms: number, call: () => void) => {
      own.rests.push(ms)
      timers.push(call)
      return { stop() {} }
    },
  }
  /** The event loop turns: what was to be called soon is called, and a rest is over. */
  const turn = async (): Promise<void> => {
    for (const call of own.turns.splice(0)) call()
    for (const call of timers.splice(0)) call()
    await new Promise(resolve => setImmediate(resolve))
  }
  return { own, turn, pace: new BackgroundPace(clock, 5, () => own.writes) }
}

t.test('while others write a slice is short, and the rest after it is longer', async t => {
  const { own, turn, pace } = world()
  own.writes = 1
  t.equal(pace.pause(), undefined)
  own.nowMs += 0.9
  t.equal(pace.pause(), undefined)
  own.nowMs += 0.2
  const late = pace.pause()
  t.ok(late !== undefined)
  t.equal(pace.pause(), late, 'who works beside it rests too')
  t.equal(pace.turn(), late)
  t.equal(own.rests.length, 1)
  t.ok(Math.abs((own.rests[0] ?? 0) - 11) < 1e-9, `${own.rests}`)
  await turn()
  await late
  own.nowMs += 10
  t.equal(pace.pause(), undefined, 'what passed between two turns was no work')
})

t.test('work in several turns adds up', async t => {
  const { own, turn, pace } = world()
  for (let n = 0; n < 3; n++) {
    own.writes += 1
    t.equal(pace.pause(), undefined)
    own.nowMs += 0.4
    const late = pace.pause()
    t.equal(late !== undefined, n === 2, `turn ${n}`)
    await turn()
    own.nowMs += 3
  }
})

t.test('alone it works as others do, and rests not at all', async t => {
  const { own, turn, pace } = world()
  t.equal(pace.pause(), undefined)
  own.nowMs += 4
  t.equal(pace.pause(), undefined)
  own.nowMs += 2
  const late = pace.pause()
  t.ok(late !== undefined, 'the slice of five milliseconds is over')
  for (let n = 0; n < 3; n++) await turn()
  await late
  await pace.rest(100)
  t.equal(pace.atATime(2000), 2000)
  own.writes = 1
  t.ok(pace.othersWrite())
  t.equal(pace.atATime(2000), 64)
  t.equal(pace.atATime(7), 7)
  t.equal(pace.atATime(2000, 500), 1000)
  t.equal(pace.atATime(2000, 5000), 2000)
  own.nowMs += 25
  t.notOk(pace.othersWrite(), 'who wrote last some time ago does not write')
  t.strictSame(own.rests, [])
})

t.test('a rest has an end, however long the work took', async t => {
  const { own, turn, pace } = world()
  own.writes = 1
  const rest = pace.rest(10_000)
  t.strictSame(own.rests, [40])
  await Promise.all([turn(), rest])
})

t.test('entries of its own are no writes of others', async t => {
  const { own, turn, pace } = world()
  own.nowMs = 100
  pace.ownWrites += 1
  t.notOk(pace.othersWrite(), 'on its way')
  own.writes += 1
  t.notOk(pace.othersWrite(), 'written')
  pace.ownWrites += 1
  pace.ownWrites -= 1
  t.notOk(pace.othersWrite(), 'one that wrote nothing')
  own.writes += 1
  t.ok(pace.othersWrite(), 'one of others')
  await turn()
})

t.test('what was worked while another one rested is made up for by the next rest', async t => {
  const { own, turn, pace } = world()
  own.writes = 1
  const [one, other] = [pace.rest(1), pace.rest(2)]
  t.equal(other, one)
  await turn()
  await one
  const late = pace.rest(0)
  t.strictSame(own.rests, [10, 20])
  await Promise.all([turn(), late])
})
