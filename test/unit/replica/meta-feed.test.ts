/** Where meta's log is gone behind the cursor, its state says the same to the data partition. */
import t from 'tap'
import { type Entry, entryKinds, sealEntry } from '../../../src/base/entry.js'
import { logTruncated, SillokError } from '../../../src/base/errors.js'
import type { LogIndex, SessionId } from '../../../src/base/ids.js'
import { encodeFacts } from '../../../src/codec/facts.js'
import type { RowKey } from '../../../src/codec/row.js'
import type { MetaFeed as MetaFeedCommand } from '../../../src/machine/command.js'
import { openedKey, openedPrefix, registeredKey, schemaPrefix } from '../../../src/machine/keys.js'
import { MetaFeed } from '../../../src/replica/meta-feed.js'
import type { Partition } from '../../../src/replica/partition.js'

const soon = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

function emptyEntry(index: LogIndex): Entry {
  return sealEntry(encodeFacts(0, []), { partition: 0, index, term: 1, kind: entryKinds.facts })
}

/** A meta whose log begins behind what the partition has, and a partition that takes what it is told. */
class Trimmed {
  readonly schemas = new Map<RowKey, Buffer>()
  readonly registered = new Set<SessionId>()
  readonly opened = new Set<SessionId>()
  readonly taken: MetaFeedCommand[] = []
  readonly reads: LogIndex[] = []
  refusal: SillokError | undefined
  /** Codes of what runs failed with. */
  readonly failures: string[] = []
  takesMost = Number.POSITIVE_INFINITY
  /** The partition's leader knows everything of before then. */
  readable: Promise<void> = Promise.resolve()
  readonly replica = { term: 1 }
  firstIndex: LogIndex
  readonly meta: { applied: LogIndex; readonly state: object }
  readonly feed: MetaFeed

  constructor({
    applied,
    cursor,
    firstIndex = applied + 1,
  }: Record<'applied' | 'cursor', number> & { firstIndex?: number }) {
    this.firstIndex = firstIndex
    const value = Buffer.alloc(6)
    value.writeUIntLE(cursor, 0, 6)
    this.meta = {
      applied,
      state: {
        partitionRows: () => [...this.schemas].map(([key, bytes]) => [key, { value: bytes }]),
        lookup: (key: RowKey) => ([...this.registered].some(id => registeredKey(id) === key) ? {} : null),
      },
    }
    const target = {
      leads: true,
      replica: this.replica,
      readable: () => this.readable,
      state: {
        lookup: () => ({ value }),
        partitionRows: (prefix: RowKey) =>
          prefix === openedPrefix ? [...this.opened].map(id => [openedKey(id), {}]) : [],
      },
      call: async (command: MetaFeedCommand) => {
        if (this.refusal !== undefined || this.taken.length >= this.takesMost)
          throw this.refusal ?? new SillokError('DISK_FULL', 'no space left')
        this.taken.push(command)
        for (const id of command.ended) this.opened.delete(id)
      },
    }
    this.feed = new MetaFeed({
      background: run => void run.catch((error: SillokError) => this.failures.push(error.code)),
      meta: this.meta as unknown as Partition,
      target: target as unknown as Partition,
      read: async function* (this: Trimmed, from: LogIndex) {
        this.reads.push(from)
        if (from < this.firstIndex) throw logTruncated(from, this.firstIndex)
        yield [emptyEntry(this.meta.applied)]
      }.bind(this),
    })
  }

  /** What it takes while its disk is full. */
  async takenAtFullDisk(): Promise<readonly MetaFeedCommand[]> {
    this.refusal = new SillokError('DISK_FULL', 'no space left')
    this.feed.notify()
    await soon()
    this.refusal = undefined
    return [...this.taken]
  }

  open(count: number): void {
    for (let id = 1; id <= count; id++) this.opened.add(id)
  }
}

t.test('the ends of sessions that meta does not know any more, then all schemas of now', async t => {
  const trimmed = new Trimmed({ applied: 30, cursor: 4 })
  trimmed.schemas.set(`${schemaPrefix}a`, Buffer.from('a'))
  trimmed.schemas.set(`${schemaPrefix}b`, Buffer.from('b'))
  trimmed.open(5)
  for (const id of [2, 4, 9]) trimmed.registered.add(id)
  await trimmed.feed.through(30)
  t.strictSame(trimmed.reads, [5], 'the log is asked first')
  const schemas = [...trimmed.schemas]
  t.strictSame(trimmed.taken, [
    { type: 'metaFeed', through: 4, schemas: [], ended: [1, 3, 5] },
    { type: 'metaFeed', through: 30, schemas, ended: [] },
  ])
  trimmed.feed.remind()
  await soon()
  t.equal(trimmed.taken.length, 2, 'once')
})

t.test('many ends come in commands of few; the cursor moves with the schemas, behind them', async t => {
  const trimmed = new Trimmed({ applied: 400, cursor: 398 })
  trimmed.schemas.set(`${schemaPrefix}a`, Buffer.from('a'))
  trimmed.open(300)
  await trimmed.feed.through(400)
  t.strictSame(
    trimmed.taken.map(({ through, schemas }) => [through, schemas.length]),
    [...Array.from({ length: 5 }, () => [398, 0]), [400, 1]],
  )
  t.ok(trimmed.taken.every(({ ended }) => ended.length <= 64))
  t.equal(trimmed.opened.size, 0)
})

t.test('a session of which meta has not heard here has not ended', async t => {
  const trimmed = new Trimmed({ applied: 30, cursor: 4 })
  trimmed.opened.add(30).add(31)
  await trimmed.feed.through(30)
  t.strictSame([...trimmed.opened], [31])
})

t.test('what was opened while its end was passed is ended: all that are open are looked at once', async t => {
  const trimmed = new Trimmed({ applied: 30, cursor: 4, firstIndex: 1 })
  trimmed.opened.add(7)
  await trimmed.feed.through(30)
  t.strictSame(trimmed.taken, [{ type: 'metaFeed', through: 30, schemas: [], ended: [7] }])
  trimmed.opened.add(8)
  trimmed.feed.remind()
  await soon()
  t.equal(trimmed.taken.length, 1, 'once')
})

t.test('each leadership looks again, once it knows what the ones before left to it', async t => {
  const trimmed = new Trimmed({ applied: 30, cursor: 30, firstIndex: 1 })
  trimmed.feed.notify()
  await soon()
  trimmed.replica.term = 2
  let known = (): void => {}
  trimmed.readable = new Promise(resolve => {
    known = resolve
  })
  trimmed.feed.remind()
  await soon()
  // Its entry is of the leadership before, and was not applied here yet.
  trimmed.opened.add(7)
  known()
  await soon()
  t.strictSame(trimmed.taken, [{ type: 'metaFeed', through: 30, schemas: [], ended: [7] }])
})

t.test('a look that is refused is repeated', async t => {
  const trimmed = new Trimmed({ applied: 30, cursor: 30, firstIndex: 1 })
  trimmed.opened.add(7)
  t.strictSame(await trimmed.takenAtFullDisk(), [])
  trimmed.feed.remind()
  await soon()
  t.equal(trimmed.opened.size, 0)
  t.strictSame(trimmed.failures, ['DISK_FULL'], 'it is told')
})

t.test('what the partition refused in the middle is brought when it is reminded', async t => {
  const trimmed = new Trimmed({ applied: 1000, cursor: 4 })
  trimmed.schemas.set(`${schemaPrefix}a`, Buffer.from('a'))
  trimmed.open(100)
  t.strictSame(await trimmed.takenAtFullDisk(), [])
  trimmed.feed.remind()
  await soon()
  t.equal(trimmed.opened.size, 0)
  t.equal(trimmed.taken.at(-1)?.through, 1000)
  t.equal(trimmed.taken.at(-1)?.schemas.length, 1)
})

t.test('after the state comes the log again', async t => {
  const trimmed = new Trimmed({ applied: 30, cursor: 4 })
  await trimmed.feed.through(30)
  trimmed.meta.applied = 35
  await trimmed.feed.through(35)
  t.strictSame(trimmed.reads, [5, 31])
  t.equal(trimmed.taken.length, 1, 'an entry that concerns nobody here is passed over')
})

t.test(
  'what was refused in the middle of the state is brought again, though the log goes that far',
  async t => {
    const trimmed = new Trimmed({ applied: 1000, cursor: 4, firstIndex: 900 })
    trimmed.schemas.set(`${schemaPrefix}a`, Buffer.from('a'))
    trimmed.open(100)
    trimmed.takesMost = 1
    trimmed.feed.notify()
    await soon()
    t.equal(trimmed.taken.length, 1)
    trimmed.takesMost = Number.POSITIVE_INFINITY
    trimmed.feed.remind()
    await soon()
    t.strictSame(trimmed.reads, [5, 5])
    t.equal(trimmed.opened.size, 0)
    t.equal(trimmed.taken.at(-1)?.schemas.length, 1)
  },
)
