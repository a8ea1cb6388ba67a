/** What a store tells: once, to listeners, channels and the logger, and what they do never harms it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { CollectionId } from '../../../src/base/ids.js'
import { Random } from '../../../src/base/random.js'
import { builtStatus } from '../../../src/cli/settled-status.js'
import { keyBytes } from '../../../src/codec/row.js'
import { type IndexType, type Logger, open, type StoreEvent } from '../../../src/index.js'
import { documentKey } from '../../../src/machine/keys.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { State } from '../../../src/state/state.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)

const events: readonly StoreEvent[] = [
  'failed',
  'rebuilt',
  'damage',
  'disk-full',
  'disk-ok',
  'disk-failed',
  'index-lag',
  'index-stopped',
  'stall',
]

interface Told {
  readonly lines: string[]
  readonly notices: Record<string, unknown>[]
  readonly logger: Logger
  /** What was published on channels. */
  readonly published: string[]
  readonly names: () => unknown[]
}

/** Collects everything that is told of stores in folders of that name. */
function listening(t: Test): Told & { readonly to: (store: Store) => void } {
  const lines: string[] = []
  const published: string[] = []
  const notices: Record<string, unknown>[] = []
  const line =
    (level: string) =>
    (_what: object, message: string): void => {
      lines.push(`${level} ${message}`)
    }
  const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  for (const event of events) {
    const heard = (_message: unknown): void => {
      published.push(event)
    }
    subscribe(`sillok:${event}`, heard)
    t.teardown(() => unsubscribe(`sillok:${event}`, heard))
  }
  const to = (store: Store): void => {
    for (const event of events)
      store.on(event, ((notice: unknown) => notices.push({ event, notice })) as never)
  }
  return { lines, notices, logger, published, to, names: () => notices.map(({ event }) => event) }
}

interface World {
  readonly machine: SimMachine
  readonly clock: SimClock
  readonly pass: (ms: number) => Promise<void>
}

async function inWorld(t: Test, work: (world: World) => Promise<void>): Promise<void> {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(`${seed} ${t.name}`), latency: 'none' })
  await clock.run(() =>
    work({ machine, clock, pass: ms => new Promise(resolve => clock.after(ms, resolve)) }),
  )
}

t.test('a full disk is told once, and once that it has space again', t =>
  inWorld(t, async ({ machine, pass }) => {
    const told = listening(t)
    const store = await Store.open(machine.environment, 'data', { logger: told.logger })
    told.to(store)
    await store.define('a', { key: 'id' })
    for (let round = 0; round < 2; round++) {
      machine.disk.setFull(true)
      const flying = codeOf(store.collection('a').put({ id: 1 }))
      await pass(5000)
      t.equal(await codeOf(store.collection('a').put({ id: 2 })), 'DISK_FULL')
      machine.disk.setFull(false)
      await pass(3000)
      await flying
    }
    const expected = ['disk-full', 'disk-ok', 'disk-full', 'disk-ok']
    t.strictSame(told.names(), expected)
    t.strictSame(told.published, expected)
    const { fullMs } = (told.notices[1] as { notice: { fullMs: number } }).notice
    t.ok(fullMs > 4000 && fullMs < 8000, `${fullMs} ms`)
    await store.close()
    await pass(1)
    t.strictSame(told.lines, [
      'info opened',
      'warn no space is left on the disk',
      'info there is space on the disk again',
      'warn no space is left on the disk',
      'info there is space on the disk again',
      'info closed',
    ])
  }),
)

t.test('a failed disk is told once, as what stopped the store and as what it is', t =>
  inWorld(t, async ({ machine, pass }) => {
    const told = listening(t)
    const store = await Store.open(machine.environment, 'data', { logger: told.logger })
    told.to(store)
    await store.define('a', { key: 'id' })
    machine.disk.failNextSync()
    await Promise.all([1, 2, 3].map(id => codeOf(store.collection('a').put({ id }))))
    await pass(1000)
    t.strictSame(told.names(), ['failed', 'disk-failed'])
    t.strictSame(told.published, ['failed', 'disk-failed'])
    t.strictSame(told.lines, ['info opened', 'error the store stopped'])
    await store.close()
  }),
)

t.test('a logger that throws, or fails later, harms nobody', t =>
  inWorld(t, async ({ machine, pass }) => {
    const rejections: unknown[] = []
    const heard = (reason: unknown): void => void rejections.push(reason)
    process.on('unhandledRejection', heard)
    t.teardown(() => process.off('unhandledRejection', heard))
    let calls = 0
    const bad = (): never => {
      calls += 1
      throw new Error('of the logger')
    }
    const later = (): Promise<never> => {
      calls += 1
      return Promise.reject(new Error('of the logger, later'))
    }
    const logger: Logger = { debug: bad, info: bad, warn: bad, error: later as never }
    const store = await Store.open(machine.environment, 'data', { logger })
    await store.define('a', { key: 'id' })
    machine.disk.setFull(true)
    const flying = store.collection('a').put({ id: 1 })
    await pass(3000)
    machine.disk.setFull(false)
    await pass(3000)
    t.equal(await codeOf(flying), 'done')
    machine.disk.failNextSync()
    t.equal(await codeOf(store.collection('a').put({ id: 2 })), 'DISK_FAILED')
    await pass(100)
    await store.close()
    await pass(100)
    t.equal(calls, 5, 'opened, full, again space, stopped, closed')
    t.strictSame(rejections, [])
  }),
)

t.test('damage that is found while the store is opened is told to those who listen then', t =>
  inWorld(t, async ({ machine, clock, pass }) => {
    const first = await Store.open(machine.environment, 'data')
    await first.define('a', { key: 'id', indexes: { byN: { type: 'secondary', fields: ['n'] } } })
    await first.collection('a').put({ id: 1, n: 1 })
    await first.close()
    await machine.environment.disk.remove('data/partitions/1-1/state')
    await machine.environment.disk.remove('data/partitions/1-1/indexes/1/CHECKPOINT')
    const told = listening(t)
    const rebuilt: string[] = []
    const store = await Store.open(machine.restart(), 'data', {
      logger: told.logger,
      rebuilt: reason => rebuilt.push(reason),
    })
    told.to(store)
    for await (const _ of store.collection('a').find('byN')) t.match(_, { n: 1 })
    await pass(2000)
    t.equal(rebuilt.length, 1)
    t.strictSame(
      told.notices.filter(({ event }) => event === 'rebuilt').map(({ notice }) => notice),
      rebuilt,
      'who is given to open, and who listens when the store is open, are told of a state that is made anew',
    )
    t.match(
      told.notices.filter(({ event }) => event === 'damage'),
      [
        { notice: { part: 'state of partition 1', reason: /missing/, repaired: true } },
        { notice: { part: 'index a.byN', reason: /CHECKPOINT is missing/, repaired: true } },
      ],
    )
    t.strictSame(told.published, ['rebuilt', 'damage', 'damage'])
    t.equal(told.lines.filter(line => line === 'error stored bytes are damaged or gone').length, 2)
    await store.close()
    void clock
  }),
)

/** Twenty documents in a closed store, the stored row of 7 damaged. */
async function leaveDamagedRow(machine: SimMachine): Promise<void> {
  const first = await Store.open(machine.environment, 'data')
  await first.define('a', { key: 'id' })
  for (let id = 0; id < 20; id++) await first.collection('a').put({ id })
  await first.close()
  machine.keyValue.flipValue('data/partitions/1-1/state', keyBytes(documentKey(1 as CollectionId, 7)))
}

t.test('a damaged row that is read is told once, however often it is read', t =>
  inWorld(t, async ({ machine, pass }) => {
    await leaveDamagedRow(machine)
    const told = listening(t)
    const store = await Store.open(machine.restart(), 'data')
    told.to(store)
    const rows = store.collection('a')
    for (let round = 0; round < 3; round++) {
      t.equal(await codeOf(rows.get(7)), 'DAMAGED')
      t.equal(await codeOf(rows.count()), 'DAMAGED')
      t.equal(await codeOf(rows.put({ id: 7 })), 'DAMAGED')
    }
    await pass(100)
    t.strictSame(new Set(told.names()), new Set(['damage']))
    const reasons = told.notices.map(({ notice }) => (notice as { reason: string }).reason)
    t.equal(new Set(reasons).size, reasons.length, 'each reason once')
    t.ok(reasons.length <= 2)
    t.match(told.notices[0]?.['notice'], { part: 'state of partition 1', repaired: false })
    await store.close()
  }),
)

t.test('a damaged document holds up the constraints of its collection only, which is told', t =>
  inWorld(t, async ({ machine, pass }) => {
    const first = await Store.open(machine.environment, 'data')
    for (const name of ['a', 'b']) {
      await first.define(name, { key: 'id' })
      for (let id = 0; id < 20; id++) await first.collection(name).put({ id, n: id })
    }
    await first.close()
    machine.keyValue.flipValue('data/partitions/1-1/state', keyBytes(documentKey(1 as CollectionId, 7)))
    const told = listening(t)
    const store = await Store.open(machine.restart(), 'data')
    told.to(store)
    const scans = t.capture(State.prototype, 'scan', State.prototype.scan)
    for (const name of ['a', 'b']) {
      await store.define(name, { key: 'id', unique: { byN: { fields: ['n'] } } })
    }
    await pass(20_000)
    const [a, b] = store.status().constraints
    t.match(a, { collection: 'a', state: 'guard', reason: /fails its check/ })
    t.match(b, { collection: 'b', state: 'enforced', reason: undefined })
    t.strictSame(told.names(), ['damage'])
    t.match(told.notices[0]?.['notice'], { part: 'state of partition 1', reason: /fails its check/ })
    t.ok(scans().length < 100, 'it is not tried again all the time')
    t.equal(await codeOf(store.enforced('a', 'byN')), 'DAMAGED')
    const waited = await builtStatus(store, machine.environment.clock)
    t.match(
      waited.constraints,
      [{ reason: /fails its check/ }, {}],
      'the command line does not wait for ever',
    )
    await store.define('a', { key: 'id' }, { drop: true })
    await pass(5000)
    t.strictSame(
      store.status().constraints.map(({ collection }) => collection),
      ['b'],
    )
    await store.close()
  }),
)

t.test('a parked document that cannot be read any more costs the index nothing else', t =>
  inWorld(t, async ({ machine, pass }) => {
    let isMended = false
    const picky: IndexType<object, object, string> = {
      type: 'picky',
      version: 1,
      configure: () => ({}),
      open: () => ({
        async apply(changes, _, ops) {
          for (const { key } of changes) {
            if (key === 7 && !isMended) throw new Error('seven')
            ops.put(Buffer.from(String(key)), Buffer.alloc(0))
          }
        },
        async *query(_, rows) {
          for await (const page of rows.scan({})) yield page.map(([key]) => key.toString())
        },
      }),
    }
    const types = new IndexTypes([picky])
    const definition = { key: 'id', indexes: { p: { type: 'picky', onError: 'park' } } } as const
    const first = await Store.open(machine.environment, 'data', {}, {}, types)
    await first.define('a', definition)
    for (let id = 0; id < 10; id++) await first.collection('a').put({ id })
    await first.collection('a').query('p', {}).next()
    await first.close()
    isMended = true
    machine.keyValue.flipValue('data/partitions/1-1/state', keyBytes(documentKey(1 as CollectionId, 7)))
    const store = await Store.open(machine.restart(), 'data', {}, {}, types)
    await pass(2000)
    await store.collection('a').put({ id: 10 })
    const found: string[] = []
    for await (const key of store.collection('a').query<string>('p', {})) found.push(key)
    t.strictSame(found, ['0', '1', '10', '2', '3', '4', '5', '6', '8', '9'])
    t.match(store.status().indexes, [{ state: 'live', parked: 1, rebuilds: 0 }])
    t.equal(await codeOf(store.retryParked('a', 'p')), 'DAMAGED')
    t.match(store.status().indexes, [{ state: 'live', parked: 1, rebuilds: 0 }])
    await store.close()
  }),
)

t.test('rows that fit no snapshot are told, though nobody reads them', t =>
  inWorld(t, async ({ machine, pass }) => {
    await leaveDamagedRow(machine)
    const told = listening(t)
    const limits = { snapshotLogBytesMin: 100, snapshotRetryMs: 1000 } as object
    const store = await Store.open(machine.restart(), 'data', {}, limits)
    told.to(store)
    await pass(5000)
    t.strictSame(told.names(), ['damage'])
    t.match(told.notices[0]?.['notice'], { part: 'state of partition 1', repaired: false })
    t.match(store.status().partitions[1]?.retention, { snapshot: 0, snapshotFailure: /fails its check/ })
    await store.close()
  }),
)

/** An index that fails, or lags, as it is told. */
function moody(mood: { fails: boolean; hold: Promise<void> | undefined }): IndexType {
  return {
    type: 'moody',
    version: 1,
    configure: () => ({}),
    open: () => ({
      async apply() {
        if (mood.fails) throw new Error('bad mood')
        await mood.hold
      },
      async *query() {},
    }),
  }
}

t.test('an index that stops is told once, and again only after it was up to date', t =>
  inWorld(t, async ({ machine, pass }) => {
    const mood = { fails: false, hold: undefined }
    const told = listening(t)
    const types = new IndexTypes([moody(mood)])
    const store = await Store.open(machine.environment, 'data', { logger: told.logger }, {}, types)
    told.to(store)
    await store.define('a', { key: 'id', indexes: { m: { type: 'moody' } } })
    await pass(2000)
    for (let round = 1; round <= 2; round++) {
      mood.fails = true
      await store.collection('a').put({ id: round })
      await pass(10_000)
      t.equal(told.notices.length, round, 'it was tried many times')
      mood.fails = false
      await pass(5000)
      t.equal(store.status().indexes[0]?.state, 'live')
    }
    t.match(told.notices[0], {
      event: 'index-stopped',
      notice: { collection: 'a', index: 'm', reason: 'bad mood' },
    })
    t.strictSame(told.published, ['index-stopped', 'index-stopped'])
    await store.close()
  }),
)

t.test('an index that lags is told once until it has caught up', t =>
  inWorld(t, async ({ machine, pass }) => {
    const mood: { fails: boolean; hold: Promise<void> | undefined } = { fails: false, hold: undefined }
    const told = listening(t)
    const own = { indexLagEntries: 50 }
    const types = new IndexTypes([moody(mood)])
    const store = await Store.open(machine.environment, 'data', {}, own, types)
    told.to(store)
    await store.define('a', { key: 'id', indexes: { m: { type: 'moody' } } })
    await pass(2000)
    for (let round = 1; round <= 2; round++) {
      let letGo = (): void => {}
      mood.hold = new Promise(resolve => {
        letGo = resolve
      })
      for (let id = 0; id < 80; id++) await store.collection('a').put({ id })
      await pass(5000)
      t.equal(told.notices.length, round)
      mood.hold = undefined
      letGo()
      await pass(5000)
    }
    t.match(told.notices[0], { event: 'index-lag', notice: { collection: 'a', index: 'm' } })
    const { lagEntries } = (told.notices[0] as { notice: { lagEntries: number } }).notice
    t.ok(lagEntries > 50 && lagEntries <= 82, `${lagEntries}`)
    await store.close()
  }),
)

t.test('a stall of the event loop is told, with how late it came', async t => {
  const told = listening(t)
  const store = await open({ memory: true, logger: told.logger })
  told.to(store)
  await new Promise(resolve => setTimeout(resolve, 250))
  const until = performance.now() + 500
  while (performance.now() < until);
  await new Promise(resolve => setTimeout(resolve, 300))
  const [first] = told.notices
  t.equal(first?.['event'], 'stall')
  const { lateMs } = (first as { notice: { lateMs: number } }).notice
  t.ok(lateMs > 250 && lateMs < 5000, `${lateMs} ms`)
  t.ok(store.metrics().loopLateMaxMs >= lateMs - 1)
  t.ok(told.lines.includes('warn the event loop was held up'))
  await store.close()
})

t.test('metrics are what was done', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'sillok-metrics-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const store = await open({ dir })
  const before = store.metrics()
  t.match(before, { writesCount: 0, readsCount: 0, refusals: {}, sessionsCount: 0, requestIdsCount: 0 })
  await store.define('a', { key: 'id', indexes: { byN: { type: 'secondary', fields: ['n'] } } })
  const rows = store.collection('a')
  for (let id = 0; id < 10; id++) await rows.insert({ id, n: id }, { requestId: `r${id}` })
  await store.batch([{ put: { id: 20 }, in: 'a' }])
  t.equal(await codeOf(rows.insert({ id: 1 })), 'EXISTS')
  t.equal(await codeOf(rows.put({ id: 1 }, { ifVersion: null })), 'CONFLICT')
  t.equal(await codeOf(rows.put({ id: 1 }, { ifVersion: null })), 'CONFLICT')
  await rows.get(1)
  await rows.count()
  for await (const _ of rows.find('byN'));
  const session = await store.session()
  const after = store.metrics()
  t.equal(after.writesCount, 11)
  t.ok(after.readsCount >= 3)
  t.equal(after.questionsCount, 1)
  t.strictSame(after.refusals, { EXISTS: 1, CONFLICT: 2 })
  t.equal(after.sessionsCount, 1)
  t.equal(after.requestIdsCount, 10)
  t.ok(after.logEntriesCount >= 12 && after.logEntriesCount < 40, `${after.logEntriesCount} entries`)
  t.ok(after.logBatchesCount >= 11 && after.logWrittenBytes >= 4096 * 11)
  t.ok(after.logEntriesPerBatch > 0 && after.syncMaxMs >= after.syncP50Ms)
  t.ok(after.memtableBytes > before.memtableBytes)
  t.strictSame(
    [after.waitingReadsCount, after.waitingCommandsCount, after.waitingValidationsCount],
    [0, 0, 0],
  )
  const waiting = rows.get(1)
  t.equal(store.metrics().waitingReadsCount, 1)
  await waiting
  for (const [name, value] of Object.entries(after)) {
    if (name === 'refusals') continue
    t.ok(typeof value === 'number' && Number.isFinite(value), name)
    t.match(name, /(Count|Bytes|Ms|Entries|PerBatch)$/)
  }
  await session.close()
  await store.close()
  t.throws(() => store.metrics(), { code: 'CLOSED' })
})

t.test('what is no logger is refused', async t => {
  const { debug, info, warn } = console
  for (const [logger, what] of [
    [null, /not null/],
    ['pino', /not "pino"/],
    [{ debug, info, warn }, /not one without error/],
  ] as const) {
    await t.rejects(open({ memory: true, logger: logger as never }), { code: 'INVALID', message: what })
  }
})
