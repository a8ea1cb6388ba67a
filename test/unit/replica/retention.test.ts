/** The log is given up above two snapshots, for nobody who needs it, and whoever is left behind is told. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { Limits } from '../../../src/base/limits.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { realEnvironment } from '../../../src/env/real-environment.js'
import { type Definition, type IndexType, open } from '../../../src/index.js'
import type { MemberStatus } from '../../../src/raft/status.js'
import { inspectStore } from '../../../src/replica/inspect.js'
import { memberPlaces } from '../../../src/replica/member-pins.js'
import { type PinPlace, Pins } from '../../../src/replica/pins.js'
import { type VerifyReport, verifyStore } from '../../../src/replica/verify.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import { type WordHit, words } from '../store/own-index.js'

const root = t.testdir()
const types = new IndexTypes([words])

const small: Partial<Limits> = {
  segmentCutBytes: 4000,
  segmentSyncBytes: 2000,
  snapshotLogBytesMin: 9000,
  snapshotLogRatio: 0,
  snapshotFrameBytes: 5000,
  snapshotRetryMs: 10,
  retainBytes: 0,
  trimPauseMs: 1,
}

const definition = {
  key: 'id',
  unique: { name: { fields: ['name'] } },
  indexes: { byName: { type: 'secondary', fields: ['name'] }, byWord: { type: 'words', field: 'text' } },
} as const

interface Item {
  readonly id: number
  readonly name: string
  readonly text: string
}

let reasons: string[] = []

async function openIn(name: string, own: Partial<Limits> = {}, indexTypes = types): Promise<Store> {
  reasons = []
  const listeners = { rebuilt: (reason: string) => reasons.push(reason) }
  return await Store.open(
    realEnvironment(),
    path.join(root, name),
    listeners,
    { ...small, ...own },
    indexTypes,
  )
}

function retentionOf(store: Store, partition = 1) {
  const { retention } = store.status().partitions[partition] ?? {}
  if (retention === undefined) throw new Error('no retention')
  return retention
}

/** Writes and waits until the condition holds; fails after 20 s. */
async function fillUntil(store: Store, holds: () => boolean, what: string): Promise<void> {
  const until = Date.now() + 20_000
  const items = store.collection<Item>('items')
  for (let n = 0; !holds(); n++) {
    if (Date.now() > until)
      throw new Error(`${what} does not come: ${JSON.stringify(store.status().partitions)}`)
    const round = Array.from({ length: 10 }, (_, i) => (n * 10 + i) % 60)
    await Promise.all(
      round.map(id => items.put({ id, name: `name ${id}`, text: `round ${n} of ${id}${'.'.repeat(100)}` })),
    )
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function contentOf(store: Store): Promise<string> {
  const all: Item[] = []
  for await (const item of store.collection<Item>('items').scan()) all.push(item)
  return JSON.stringify(all)
}

async function verify(name: string): Promise<VerifyReport> {
  const folder = path.join(root, name)
  return await verifyStore({
    env: realEnvironment(),
    folder,
    scratch: path.join(root, 'scratch'),
    indexTypes: types.byName,
  })
}

const partition = (name: string, ...parts: string[]): string =>
  path.join(root, name, 'partitions/1-1', ...parts)

function snapshotsOf(name: string): string[] {
  return readdirSync(partition(name, 'snapshots')).map(file => partition(name, 'snapshots', file))
}

function flip(file: string): void {
  const bytes = readFileSync(file)
  const at = bytes.length >> 1
  bytes[at] = (bytes[at] ?? 0) ^ 4
  writeFileSync(file, bytes)
}

t.test('a trimmed log and its snapshots give the same state, indexes and answers', async t => {
  const store = await openIn('main')
  await store.define('items', definition)
  await store.session({ name: 'kept' })
  await fillUntil(store, () => retentionOf(store).firstIndex > 40, 'a trimmed log')
  t.ok(retentionOf(store).snapshot > retentionOf(store).firstIndex)
  const content = await contentOf(store)
  const digest = store.digest()
  await store.close()
  t.equal(
    readdirSync(partition('main', 'segments')).some(file => /^0{19}1-/.test(file)),
    false,
  )
  const report = await verify('main')
  t.strictSame(report.faults, [])
  t.ok(report.counts.rows > 120, `${report.counts.rows} rows were looked at`)

  await t.test('the state is lost', async t => {
    rmSync(partition('main', 'state'), { recursive: true })
    const again = await openIn('main')
    t.match(reasons, [/made from .*\.snap and the log/])
    t.equal(await contentOf(again), content)
    t.equal(again.digest(), digest)
    t.strictSame(await again.scrub(), [])
    await again.close()
    t.strictSame((await verify('main')).faults, [])
  })
  await t.test('a closed store is looked into', async t => {
    const env = realEnvironment()
    const looks = await inspectStore(env, path.join(root, 'main'), async inspection => {
      const claims: unknown[] = []
      for await (const look of inspection.claims('items')) claims.push(look)
      const sessions: unknown[] = []
      for await (const look of inspection.sessions()) sessions.push(look)
      const [first] = [await inspection.entries({ partition: 1, from: 1, count: 1e6 }).next()]
      return { claims: claims.length, sessions, first: first?.value }
    })
    t.equal(looks.claims, 60)
    t.match(looks.sessions, [{ name: 'kept' }])
    t.ok(Number(looks.first?.['index']) > 40)
    t.match(looks.first?.['of'], /^items/, 'names come from the snapshot')
  })
  await t.test('the newest snapshot is damaged', async t => {
    const [, newest = ''] = snapshotsOf('main')
    flip(newest)
    const { faults } = await verify('main')
    t.match(faults, [{ file: /snapshots\/.*\.snap$/, at: /^byte/ }])
    rmSync(partition('main', 'state'), { recursive: true })
    const before = await openIn('main')
    t.match(reasons, [new RegExp(`${path.basename(newest)} at byte .*made from`)])
    const bad = Number(path.basename(newest, '.snap'))
    t.ok(retentionOf(before).snapshot < bad)
    await before.close()
    const again = await openIn('main')
    t.strictSame(reasons, [])
    t.ok(retentionOf(again).snapshot < bad, 'one that proved bad never counts again')
    t.equal(await contentOf(again), content)
    await fillUntil(again, () => retentionOf(again).snapshot > bad, 'another')
    await again.close()
  })
  await t.test('all are damaged', async t => {
    const files = snapshotsOf('main')
    for (const file of files) flip(file)
    rmSync(partition('main', 'state'), { recursive: true })
    await t.rejects(openIn('main'), { code: 'DAMAGED', message: /no snapshot holds/ })
    const { faults } = await verify('main')
    t.match(faults, [
      { file: /segments$/, what: /no snapshot holds/ },
      { file: /\.snap$/ },
      { file: /\.snap$/ },
    ])
    for (const file of files) flip(file)
    const again = await openIn('main')
    t.equal(await again.collection('items').count(), 60)
    await again.close()
  })
})

t.test('who is left behind is told, from where the log goes on', async t => {
  const store = await openIn('behind', { pinBytes: 0 })
  await store.define('items', definition)
  const items = store.collection<Item>('items')
  const requestId = store.requestId()
  await items.put({ id: 1000, name: 'a', text: '1' })
  await items.update(1000, () => ({ id: 1000, name: 'b', text: '2' }), { requestId })
  await items.put({ id: 1000, name: 'c', text: '3' })
  const feed = store.changes({ name: 'slow', from: 'start' })
  const reading = feed.batches()
  t.ok((await reading.next()).value)
  const [{ position } = { position: '' }] = await firstChanges(store)
  await fillUntil(store, () => retentionOf(store).firstIndex > 40, 'a trimmed log')
  const { firstIndex, pins } = retentionOf(store)
  t.match(
    pins.find(pin => pin.owner === 'slow'),
    { kind: 'feed', isBroken: true, heldBytes: 0 },
  )
  await t.rejects(reading.next(), { code: 'LOG_TRUNCATED' })
  await t.rejects(store.changes({ from: position, follow: false }).batches().next(), {
    code: 'LOG_TRUNCATED',
    details: { firstIndex: Number },
  })
  const again = items.update(1000, () => ({ id: 1000, name: 'd', text: '4' }), { requestId })
  await t.rejects(again, { code: 'LOG_TRUNCATED', outcome: 'unknown', message: /took effect as version/ })
  t.equal((await items.get(1000))?.name, 'c', 'it took no effect again')
  t.match(await store.outcome(requestId, { collection: 'items', key: 1000 }), { state: 'committed' })
  const [first] = await firstChanges(store)
  t.ok(Number(first?.position.split('.')[1]) >= firstIndex, 'from the start is what the log has')
  await store.close()
})

async function firstChanges(store: Store) {
  for await (const batch of store.changes({ from: 'start', follow: false }).batches()) return batch
  return []
}

t.test('a named feed holds the log until it is over its budget', async t => {
  const store = await openIn('pinned', { pinBytes: 40_000 })
  await store.define('items', definition)
  const reading = store.changes({ name: 'slow' }).batches()
  await store.collection<Item>('items').put({ id: 1, name: 'x', text: 'y' })
  t.ok((await reading.next()).value)
  const slow = () => retentionOf(store).pins.find(({ owner }) => owner === 'slow')
  await fillUntil(store, () => (slow()?.heldBytes ?? 0) > 15_000, 'a log that is held')
  const { position = 0 } = slow() ?? {}
  t.ok(retentionOf(store).firstIndex <= position + 1, 'what it needs is there')
  t.equal(retentionOf(store).pins[0]?.owner, 'slow', 'the one that holds most is told first')
  await fillUntil(store, () => slow()?.isBroken === true, 'the end of its budget')
  await t.rejects(reading.next(), { code: 'LOG_TRUNCATED' })
  await store.forgetChanges('slow')
  t.equal(slow(), undefined)
  await store.close()
})

t.test('where a named feed goes on is kept for it, to the very entry', async t => {
  // Each entry has a segment of its own.
  const store = await openIn('entry', { segmentCutBytes: 1, segmentSyncBytes: 1 })
  await store.define('items', definition)
  const items = store.collection<Item>('items')
  const feed = store.changes({ name: 'slow' })
  const reading = feed.batches()
  void reading.next().catch(() => {})
  await items.put({ id: 1, name: 'x', text: 'y' })
  const [first] = await firstChanges(store)
  await feed.acknowledge(first?.position ?? '')
  const second = await items.put({ id: 2, name: 'z', text: 'y' })
  const slow = () => retentionOf(store).pins.find(({ owner }) => owner === 'slow')
  const isTrimmed = () => retentionOf(store).firstIndex > (slow()?.position ?? Number.POSITIVE_INFINITY)
  await fillUntil(store, isTrimmed, 'a log that begins where the feed goes on')
  const [next] = (await store.changes({ name: 'slow' }).batches().next()).value ?? []
  t.match(next, { key: 2, version: second.version })
  await store.close()
})

t.test('an index that the log has gone on without is built again from the state', async t => {
  const first = await openIn('index')
  await first.define('items', definition)
  await first.collection<Item>('items').put({ id: 1, name: 'x', text: 'y' })
  await first.collection('items').query<WordHit>('byWord', {}).next()
  await first.close()
  const without = await openIn('index', {}, new IndexTypes())
  await fillUntil(without, () => retentionOf(without).firstIndex > 40, 'a trimmed log')
  await without.close()
  const store = await openIn('index')
  const found: WordHit[] = []
  for await (const hit of store.collection('items').query<WordHit>('byWord', { from: 'round' }))
    found.push(hit)
  t.match(found[0], { word: 'round', documents: 60 })
  const status = store.status().indexes.find(({ name }) => name === 'byWord')
  t.match(status, { state: 'live', rebuilds: 1, reason: /its position is \d+, the log goes from/ })
  await store.close()
  t.strictSame((await verify('index')).faults, [])
})

t.test('constraints of documents that only a snapshot has are verified by it', async t => {
  const store = await openIn('constraint')
  await store.define('old', { key: 'id' })
  for (const id of [1, 2, 3]) await store.collection('old').put({ id, n: id >> 1 })
  await store.define('old', { key: 'id', unique: { n: { fields: ['n'] } } })
  await t.rejects(store.enforced('old', 'n'), { code: 'UNIQUE_TAKEN' })
  await store.define('items', { key: 'id' })
  await fillUntil(store, () => retentionOf(store).firstIndex > 40, 'a trimmed log')
  await store.close()
  t.strictSame((await verify('constraint')).faults, [])
})

t.test('a making that is to take the place of an index holds the log as far as it is', async t => {
  let gate = Promise.resolve()
  let calls = 0
  const slow: IndexType<{ readonly tag: number }, object, string> = {
    type: 'slow',
    version: 1,
    configure: ({ tag }) => ({ tag: Number(tag) }),
    open: ({ tag }) => ({
      apply: async () => {
        if (tag === 2 && ++calls > 1) await gate
      },
      async *query() {
        yield []
      },
    }),
  }
  const types = new IndexTypes([slow])
  const store = await openIn('making', { indexChunkDocuments: 10, pinBytes: 1e9 }, types)
  const tagged = (tag: number): Promise<void> =>
    store.define('items', { key: 'id', indexes: { one: { type: 'slow', tag } } } as Definition)
  await tagged(1)
  await fillUntil(store, () => retentionOf(store).firstIndex > 10, 'a trimmed log')
  let open = (): void => {}
  gate = new Promise(resolve => {
    open = resolve
  })
  await tagged(2)
  const next = () => store.status().indexes[0]?.next
  await fillUntil(store, () => (next()?.position ?? 0) > 0, 'a begun build')
  const { snapshot } = retentionOf(store)
  const position = next()?.position ?? 0
  await fillUntil(store, () => retentionOf(store).snapshot > snapshot + 400, 'more snapshots')
  t.ok(retentionOf(store).firstIndex <= position + 1)
  t.match(retentionOf(store).pins, [{ kind: 'index', owner: 'items.one', position }])
  open()
  await fillUntil(store, () => next() === undefined, 'the end of the build')
  t.match(store.status().indexes, [{ state: 'live', rebuilds: 0 }])
  await fillUntil(store, () => retentionOf(store).firstIndex > position, 'the log goes on')
  await store.close()
})

t.test("meta's log goes too, once the data partition has logged how far it is", async t => {
  const store = await openIn('meta', { snapshotLogBytesMin: 2500, segmentCutBytes: 1000 })
  const until = Date.now() + 20_000
  for (let n = 0; retentionOf(store, 0).firstIndex <= 10; n++) {
    if (Date.now() > until) throw new Error(JSON.stringify(store.status().partitions[0]))
    // A session concerns the data partition only when it is used.
    await store.session({ name: `session ${n}` })
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  t.match(retentionOf(store, 0).pins, [{ kind: 'partition', owner: 'partition 1', isBroken: false }])
  await store.close()
  rmSync(path.join(root, 'meta/partitions/0-1/state'), { recursive: true })
  const again = await openIn('meta')
  t.match(reasons, [/partition 0: .*made from/])
  await again.define('items', definition)
  await again.collection<Item>('items').put({ id: 1, name: 'x', text: 'y' })
  t.equal((await again.session({ name: 'session 0' })).epoch, 2)
  await again.close()
  t.strictSame((await verify('meta')).faults, [])
})

t.test('a snapshot that is gone is told and made again at once', async t => {
  const store = await openIn('gone')
  await store.define('items', definition)
  await fillUntil(store, () => snapshotsOf2('gone').length === 2, 'two snapshots')
  await store.close()
  for (const file of snapshotsOf('gone')) rmSync(file)
  const again = await openIn('gone', { snapshotLogBytesMin: 1e9 })
  t.match(reasons, [/\.snap is missing/, /\.snap is missing/])
  await fillUntil(again, () => snapshotsOf2('gone').length === 2, 'two snapshots')
  await again.close()
  const last = await openIn('gone')
  t.strictSame(reasons, [])
  await last.close()
})

function snapshotsOf2(name: string): string[] {
  try {
    return snapshotsOf(name).filter(file => file.endsWith('.snap'))
  } catch {
    return []
  }
}

t.test(
  'a leader keeps what members lack, waits for those it does not know yet, not for the dead',
  async t => {
    const member = (replica: number, match: number, more: Partial<MemberStatus> = {}): MemberStatus => {
      const rest = { isLearner: false, next: match + 1, isPaused: false, inFlight: 0 }
      const snapshots = { pendingSnapshot: 0, arrivedSnapshot: 0 }
      return { replica, match, state: 'replicate', recentlyActive: true, ...rest, ...snapshots, ...more }
    }
    const places = (...members: MemberStatus[]) =>
      memberPlaces({ leader: 1, members })?.map(one => [one.owner, one.position])
    t.strictSame(places(), [], 'nobody leads here')
    t.strictSame(places(member(1, 90), member(2, 80), member(3, 40, { recentlyActive: false })), [
      ['replica 2', 80],
      ['replica 3', 40],
    ])
    t.strictSame(places(member(2, 3, { state: 'snapshot', pendingSnapshot: 70 })), [['replica 2', 70]])
    t.strictSame(places(member(2, 3, { state: 'probe', arrivedSnapshot: 70 })), [['replica 2', 70]])
    t.equal(places(member(2, 0, { state: 'probe' }), member(3, 5)), undefined)
    t.strictSame(places(member(2, 0, { state: 'probe', recentlyActive: false }), member(3, 5)), [
      ['replica 3', 5],
    ])
  },
)

t.test(
  'members are broken before indexes, those before feeds, over the budget only, a partition never',
  async t => {
    const log = { firstIndex: 11, bytesAfter: (index: number) => (100 - index) * 10 }
    const pins = new Pins(new RealClock(), log)
    const places: PinPlace[] = [
      { kind: 'feed', owner: 'a', position: 20 },
      { kind: 'index', owner: 'b', position: 30 },
      { kind: 'index', owner: 'c', position: 70 },
      { kind: 'feed', owner: 'gone', position: 5 },
      { kind: 'feed', owner: 'ahead', position: 95 },
    ]
    const looked = pins.look(places, 80)
    t.strictSame(
      looked.map(({ owner, heldBytes, isBroken }) => [owner, heldBytes, isBroken]),
      [
        ['gone', 0, true],
        ['a', 600, false],
        ['b', 500, false],
        ['c', 100, false],
        ['ahead', 0, false],
      ],
    )
    t.equal(pins.lowest(looked, 80, 1000), 20, 'nobody is over the budget')
    t.equal(pins.lowest(looked, 80, 300), 20, 'the index over it is broken first')
    const without = looked.filter(({ owner }) => owner !== 'b')
    t.equal(pins.lowest(without, 80, 300), 70, 'then the feed')
    t.equal(pins.lowest(without, 80, 0), 20, 'the index again before it')
    const withMember = pins.look([...places, { kind: 'member', owner: 'replica 2', position: 15 }], 80)
    t.equal(pins.lowest(withMember, 80, 1000), 15)
    t.equal(pins.lowest(withMember, 80, 300), 20, 'the member is broken first')
    const meta = pins.look([{ kind: 'partition', owner: 'partition 1', position: 15 }], 80)
    t.equal(pins.lowest(meta, 80, 0), 15)
  },
)

t.test('a store without files makes no snapshots; options are checked', async t => {
  const store = await open({ memory: true })
  t.equal(retentionOf(store).snapshot, 0)
  await store.close()
  const wrong: [unknown, RegExp][] = [
    [{ bytes: -1 }, /retention\.bytes .* not -1/],
    [{ pinBytes: 1.5 }, /retention\.pinBytes/],
    [{ keep: 1 }, /keep/],
    [7, /retention must be/],
  ]
  for (const [retention, message] of wrong) {
    await t.rejects(open({ memory: true, retention } as never), { code: 'INVALID', message })
  }
  const kept = await open({ memory: true, retention: { bytes: 0, pinBytes: 0 } })
  await kept.close()
})
