/** What is committed is applied in order, from wherever it is stored, and nothing behind a replica's end. */
import t from 'tap'
import { type Entry, encodeEntry, entryKinds } from '../../../src/base/entry.js'
import { Application } from '../../../src/replica/application.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { PartitionTail } from '../../../src/wal/tail.js'
import { Usage } from '../../../src/wal/usage.js'

const entryOf = (index: number): Entry =>
  encodeEntry({ partition: 1, index, term: 1, kind: entryKinds.empty }, Buffer.alloc(6))

/** A log of twelve entries, of which the first nine are in segments alone. */
class Beside {
  readonly clock = new SimClock()
  readonly applied: number[] = []
  readonly failures: unknown[] = []
  /** Nothing may be applied behind that. */
  stopsAt = 100
  /** No piece from that entry on can be read. */
  breaksAt = 100
  readonly application: Application

  constructor() {
    const tail = new PartitionTail(new Usage())
    for (let index = 1; index <= 12; index++) tail.push(entryOf(index))
    for (let index = 1; index <= 9; index++) tail.written(entryOf(index), 1)
    tail.truncate(9, true)
    const beside = this
    this.application = new Application({
      clock: this.clock,
      tail,
      segments: {
        lastIndex: 12,
        append: () => {},
        async *chunks(from, through = 12) {
          for (let at = from; at <= through; at += 3) {
            if (at >= beside.breaksAt) throw new Error(`no entry ${at}`)
            yield [at, at + 1, at + 2].filter(index => index <= through).map(entryOf)
          }
        },
      },
      applied: () => this.applied.length,
      apply: ({ index }) => this.applied.push(index),
      progressed: () => {},
      stopped: () => this.applied.length >= this.stopsAt,
      failed: error => this.failures.push(error),
    })
  }

  /** Applies so many entries, as far as it comes. */
  async run(through: number): Promise<void> {
    await this.clock.run(async () => {
      this.application.goOn(through)
      await new Promise<void>(resolve => this.clock.after(100, resolve))
    })
  }
}

t.test('older entries come from the segments, newer ones from the tail, as far as they may', async t => {
  const beside = new Beside()
  await beside.run(5)
  t.strictSame(beside.applied, [1, 2, 3, 4, 5])
  await beside.run(11)
  t.strictSame(beside.applied, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  t.strictSame(beside.failures, [])
})

t.test('a replica that ends in the middle of old entries applies no more of them', async t => {
  const beside = new Beside()
  beside.stopsAt = 3
  await beside.run(12)
  t.strictSame(beside.applied, [1, 2, 3])
})

t.test('entries that cannot be read end the replica, unless it has ended already', async t => {
  const beside = new Beside()
  beside.breaksAt = 4
  await beside.run(12)
  t.match(beside.failures, [{ message: 'no entry 4' }])
  const ended = new Beside()
  ended.stopsAt = 3
  ended.breaksAt = 4
  await ended.run(12)
  t.strictSame(ended.failures, [])
})
