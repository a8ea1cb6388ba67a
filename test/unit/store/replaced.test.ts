/** What becomes of reads while a snapshot of another node puts another replica in the place of this one. */
import t from 'tap'
import { entryKinds, sealEntry } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { encodeDocument } from '../../../src/codec/document.js'
import { encodeFacts } from '../../../src/codec/facts.js'
import type { FeedPosition } from '../../../src/machine/command.js'
import { encodeDocumentRow } from '../../../src/machine/documents.js'
import { documentKey } from '../../../src/machine/keys.js'
import type { CollectionSchema } from '../../../src/machine/schema.js'
import { ChangeFeed } from '../../../src/replica/change-feed.js'
import type { Host } from '../../../src/replica/host.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { Partition } from '../../../src/replica/partition.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { State } from '../../../src/state/state.js'
import { Asking } from '../../../src/store/asking.js'
import { Changes } from '../../../src/store/changes.js'
import { Deadlines } from '../../../src/store/deadlines.js'
import type { IndexMoments } from '../../../src/store/index-moments.js'
import { IndexReader } from '../../../src/store/index-reader.js'
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

/** A node whose log is cut off behind that entry, once, by a snapshot after which it begins at `first`. */
function nodeOf(cutBehind: number, first: number): Host {
  const entries = Array.from({ length: 9 }, (_, i) => {
    const value = encodeDocumentRow([], encodeDocument({ id: i + 1 }))
    const fact = { op: 'put', key: documentKey(1, i + 1), value, prev0: 0, prev1: 0 } as const
    return sealEntry(encodeFacts(0, [fact]), { partition: 1, index: i + 1, term: 1, kind: entryKinds.facts })
  })
  const there = { firstIndex: first, replica: { isReplaced: false } }
  const own = { firstIndex: 1, replica: { isReplaced: false } }
  let here = own
  const log = {
    get firstIndex() {
      return here.firstIndex
    },
    get replica() {
      return here.replica
    },
    applied: 9,
    versionAt: (index: number) => index,
    readable: async () => {
      here = there
    },
    async *read(from: number, through: number) {
      for (const entry of entries.slice(from - 1, through)) {
        if (here === own && entry.index > cutBehind) {
          own.replica.isReplaced = true
          throw new SillokError('CLOSED', 'the log is closed')
        }
        yield [entry]
      }
    },
    beyond: async () => {},
  }
  const changes = (from: FeedPosition): ChangeFeed => new ChangeFeed(log, from)
  return { origin: 'x', isMember: false, data: log, changes } as unknown as Host
}

t.test('a feed of changes goes on in the log that takes the place of the one that was read', async t => {
  const clock = new SimClock()
  const read = async (host: Host): Promise<unknown[]> => {
    const asking = new Asking(host.data, new Deadlines(clock, 1000))
    const parts = { host, asking, schemas: () => [] }
    const keys: unknown[] = []
    for await (const { key } of new Changes(parts, { from: 'start', follow: false })) keys.push(key)
    return keys
  }
  await clock.run(async () => {
    for (const cutBehind of [0, 4, 8]) {
      t.strictSame(await read(nodeOf(cutBehind, cutBehind + 1)), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    }
    await t.rejects(read(nodeOf(4, 6)), { code: 'LOG_TRUNCATED', details: { first: 5, firstIndex: 6 } })
  })
})

t.test('hits of any kind of index that were cut short are said to be replaced, not closed', async t => {
  for (const isReplaced of [true, false]) {
    const replica = { isReplaced: false }
    const index = {
      async *query() {
        yield ['first']
        replica.isReplaced = isReplaced
        throw new SillokError('CLOSED', 'the rows are closed')
      },
    }
    const moments = {
      partition: { replica },
      schemaOf: () => {},
      moment: async () => ({ opened: { index, runner: {} }, moment: { rows: {}, release: () => {} } }),
    }
    const reader = new IndexReader(moments as unknown as IndexMoments, Buffer.alloc(32))
    const hits = reader.query({} as CollectionSchema, 'by', {}, {})
    t.strictSame(await hits.next(), { done: false, value: 'first' })
    await t.rejects(hits.next(), { code: isReplaced ? 'UNAVAILABLE' : 'CLOSED' })
  }
})
