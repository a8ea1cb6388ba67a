/** What becomes of reads while a snapshot of another node puts another replica in the place of this one. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { documentKey } from '../../../src/machine/keys.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { Partition } from '../../../src/replica/partition.js'
import type { SimClock } from '../../../src/sim/sim-clock.js'
import type { State } from '../../../src/state/state.js'
import { Asking } from '../../../src/store/asking.js'
import { Deadlines } from '../../../src/store/deadlines.js'
import { Reader } from '../../../src/store/reader.js'
import { scrub } from '../../../src/store/replaced.js'
import { World } from '../state/world.js'

const rowsCount = 30

/** A replica, its state with so many rows as of that entry. */
interface Held {
  readonly opened: OpenedReplica
  readonly state: State
  /** Its state is closed as an installation begins: it makes room. */
  leave(): Promise<void>
}

async function held(world: World, index: number): Promise<Held> {
  await world.open()
  const { state } = world
  for (let n = 1; n <= index; n++) {
    const fact = { op: 'put', value: Buffer.alloc(1), prev0: 0, prev1: 0 } as const
    state.apply(n, [{ ...fact, key: documentKey(1, n % rowsCount) }], n)
  }
  const replica = {
    isReplaced: false,
    readBarrier: (passed: (error?: SillokError) => void) =>
      passed(replica.isReplaced ? new SillokError('LEADERSHIP_LOST', 'it makes room') : undefined),
  }
  const leave = async (): Promise<void> => {
    replica.isReplaced = true
    await state.close()
  }
  return { opened: { replica, state } as unknown as OpenedReplica, state, leave }
}

/** Reads at a partition whose first replica is here; the second one can take its place. */
async function reading(
  story: (own: {
    readonly clock: SimClock
    readonly partition: Partition
    readonly reader: Reader
    readonly first: Held
    readonly second: Held
  }) => Promise<void>,
): Promise<void> {
  const [one, other] = [new World('one'), new World('other')]
  await one.clock.run(async () => {
    const first = await held(one, rowsCount)
    const partition = new Partition({ id: 1, clock: one.clock, send: () => {} })
    partition.take(first.opened)
    const asking = new Asking(partition, new Deadlines(one.clock, 1000))
    const reader = new Reader(one.clock, partition, asking)
    await other.clock.run(async () => {
      const second = await held(other, 2 * rowsCount)
      await story({ clock: one.clock, partition, reader, first, second })
    })
  })
}

const replaced = { code: 'UNAVAILABLE', outcome: 'not-applied', retry: 'later' }

t.test('a scan whose rows are replaced on the way rejects, and says that it may begin anew', async t => {
  for (const isThere of [false, true]) {
    await reading(async ({ partition, reader, first, second }) => {
      const pages = reader.pages({ pageRows: 10 }, {})
      t.equal((await pages.next()).done, false)
      await first.leave()
      if (isThere) partition.take(second.opened)
      await t.rejects(pages.next(), { ...replaced, message: /begin anew/ })
      t.equal((await pages.next()).done, true)
    })
  }
})

t.test('a scan that has shown nothing yet shows the rows in their place, all of one moment', async t => {
  for (const level of ['linearizable', 'stale'] as const) {
    await reading(async ({ clock, partition, reader, first, second }) => {
      const scan = first.state.scan.bind(first.state)
      let scansCount = 0
      first.state.scan = range => {
        scansCount += 1
        void first.leave()
        return scan(range)
      }
      clock.after(500, () => partition.take(second.opened))
      const versions: unknown[] = []
      for await (const page of reader.pages({ pageRows: 10 }, { level })) {
        versions.push(...page.map(([, row]) => row.version))
      }
      t.equal(scansCount, 1)
      t.equal(versions.length, rowsCount)
      t.ok(versions.every(version => Number(version) > rowsCount))
    })
  }
})

t.test('a scan of a store that is closed is not tried again', async t => {
  await reading(async ({ reader, first }) => {
    const pages = reader.pages({ pageRows: 10 }, {})
    await pages.next()
    await first.state.close()
    await t.rejects(pages.next(), { code: 'CLOSED' })
    await t.rejects(reader.pages({}, {}).next(), { code: 'CLOSED' })
  })
})

t.test('a scrub whose rows are replaced on the way finds no damage, and says why', async t => {
  await reading(async ({ partition, first, second }) => {
    const scrubbing = t.rejects(scrub(partition), replaced)
    await first.leave()
    await scrubbing
    partition.take(second.opened)
    await second.state.close()
    await t.rejects(scrub(partition), { code: 'CLOSED' })
  })
})
