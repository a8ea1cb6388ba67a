/**
 * Every call that waits ends by its signal, and by its deadline: the table below has all of them, and one
 * that is not in it fails the test.
 */
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Disk, LogDevice } from '../../../src/env/disk.js'
import {
  type CallOptions,
  Changes,
  Collection,
  type IndexType,
  open,
  Session,
  SillokError,
} from '../../../src/index.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)
t.setTimeout(60_000)

interface World {
  readonly store: Store
  readonly rows: Collection
  readonly session: Session
  readonly feed: Changes
  readonly pass: (ms: number) => Promise<void>
  readonly nowMs: () => number
  /** From now on a turn of the event loop takes that long; until it takes none, nothing gets to the disk. */
  readonly slowTurns: (ms: number) => void
}

type Call = (world: World, options: CallOptions) => Promise<unknown>

/** Reads until the end, or until it is stopped. */
async function readAll(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

/** The result of a row, as if it had been a call. */
async function theRow(rows: Promise<readonly { ok: boolean; error?: SillokError }[]>): Promise<void> {
  const [row] = await rows
  if (row?.error !== undefined) throw row.error
}

const document = { id: 5, n: 5 }
const step = { put: document, in: 'a' }
const { signal: _, ...feedOptions } = { signal: undefined, follow: false, from: 'start' as const }

/** All calls that wait, by class and method. */
const calls: Readonly<Record<string, Readonly<Record<string, Call>>>> = {
  Store: {
    define: ({ store }, options) => store.define('b', { key: 'id' }, options),
    rebuildIndex: ({ store }, options) => store.rebuildIndex('a', 'byN', options),
    parked: ({ store }, options) => store.parked('a', 'stuck', options),
    retryParked: ({ store }, options) => store.retryParked('a', 'stuck', options),
    violations: ({ store }, options) => store.violations('a', 'n', options),
    batch: ({ store }, options) => store.batch([step], options),
    outcome: ({ store }, options) => store.outcome('r', { collection: 'a', key: 1 }, options),
    session: ({ store }, options) => store.session({ name: 's', ...options }),
    scrub: ({ store }, { signal }) => store.scrub({ signal }),
    forgetChanges: ({ store }, options) => store.forgetChanges('f', options),
  },
  Collection: {
    insert: ({ rows }, options) => rows.insert(document, options),
    insertMany: ({ rows }, options) => theRow(rows.insertMany([document], options)),
    put: ({ rows }, options) => rows.put(document, options),
    delete: ({ rows }, options) => rows.delete(1, options),
    update: ({ rows }, options) => rows.update(1, () => ({ id: 1, n: 9 }), options),
    get: ({ rows }, options) => rows.get(1, options),
    getVersioned: ({ rows }, options) => rows.getVersioned(1, options),
    getMany: ({ rows }, options) => rows.getMany([1, 2], options),
    has: ({ rows }, options) => rows.has(1, options),
    getBy: ({ rows }, options) => rows.getBy('n', 1, options),
    scan: ({ rows }, options) => readAll(rows.scan(options)),
    count: ({ rows }, options) => rows.count(options),
    find: ({ rows }, options) => readAll(rows.find('byN', {}, options)),
    findPage: ({ rows }, options) => rows.findPage('byN', {}, options),
    search: ({ rows }, options) => rows.search('text', 'word', options),
    query: ({ rows }, options) => readAll(rows.query('slow', {}, options)),
  },
  Session: {
    batch: ({ session }, options) => session.batch([step], options),
    close: ({ session }, options) => session.close(options),
  },
  Changes: {
    batches: ({ store }, { signal }) =>
      readAll(store.changes({ ...feedOptions, name: 'g', signal }).batches()),
    acknowledge: ({ feed }, options) => feed.acknowledge(lastPosition, options),
  },
}

let lastPosition = ''

/** Calls without a deadline: they go on for as long as they are wanted. */
const endless = new Set(['scrub', 'batches'])

/**
 * What does not wait, or has no caller who could stop it. `close` of a store has bounds of its own, and
 * `enforced` a test of its own.
 */
const others: Readonly<Record<string, readonly string[]>> = {
  Store: [
    'enforced',
    'collection',
    'definition',
    'requestId',
    'status',
    'digest',
    'metrics',
    'changes',
    'close',
  ],
  Collection: [],
  Session: ['collection', 'lowWater', 'release', 'write', 'writeEach'],
  Changes: [],
}

/** An index whose questions are never answered. */
const slow: IndexType = {
  type: 'slow',
  version: 1,
  configure: () => ({}),
  open: () => ({
    apply() {},
    async *query() {
      await new Promise(() => {})
    },
  }),
}

/** An index that never ends with a document. */
const stuck: IndexType = {
  type: 'stuck',
  version: 1,
  configure: () => ({}),
  open: () => ({ apply: () => new Promise(() => {}), async *query() {} }),
}

/** The disk, but its log makes everybody wait while `held` gives a promise. */
function holding(disk: Disk, held: () => Promise<void> | undefined): Disk {
  const openLog = async (path: string, notePath?: string): Promise<LogDevice> => {
    const device = await disk.openLog(path, notePath)
    const commit: LogDevice['commit'] = async (buffers, offset, note) => {
      await held()
      await device.commit(buffers, offset, note)
    }
    return { commit, close: () => device.close() }
  }
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === 'openLog') return openLog
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

/** Runs the work in a simulated world with an open store. */
async function inWorld(t: Test, own: object, work: (world: World) => Promise<void>): Promise<void> {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(`${seed} ${t.name}`), latency: 'none' })
  const real = machine.environment.clock
  let turnMs = 0
  let held: Promise<void> | undefined
  let letGo = (): void => {}
  const disk = holding(machine.environment.disk, () => held)
  const soon = (call: () => void): void => {
    if (turnMs > 0) real.after(turnMs, call)
    else real.soon(call)
  }
  const slowClock = {
    monotonicMs: () => real.monotonicMs(),
    wallMs: () => real.wallMs(),
    after: real.after.bind(real),
    soon,
  }
  await clock.run(async () => {
    const env = { ...machine.environment, disk, clock: slowClock }
    const store = await Store.open(env, 'data', {}, own, new IndexTypes([slow, stuck]))
    await store.define('a', {
      key: 'id',
      unique: { n: { fields: ['n'] } },
      indexes: {
        byN: { type: 'secondary', fields: ['n'] },
        text: { type: 'search', fields: ['n'] },
        slow: { type: 'slow' },
        stuck: { type: 'stuck' },
      },
    })
    const rows = store.collection('a')
    await rows.put({ id: 1, n: 1 })
    await readAll(rows.find('byN'))
    const feed = store.changes({ from: 'start', follow: false, name: 'f' })
    for await (const change of feed) lastPosition = change.position
    const session = await store.session()
    const pass = (ms: number): Promise<void> => new Promise(resolve => clock.after(ms, resolve))
    const slowTurns = (ms: number): void => {
      turnMs = ms
      letGo()
      if (ms === 0) held = undefined
      else held = new Promise(resolve => (letGo = resolve))
    }
    await work({ store, rows, session, feed, pass, nowMs: () => clock.monotonicMs(), slowTurns })
    slowTurns(0)
    await store.close()
  })
}

async function endOf(call: Promise<unknown>): Promise<{ code: string; outcome: string; cause: unknown }> {
  try {
    await call
    return { code: 'done', outcome: '', cause: undefined }
  } catch (error) {
    if (error instanceof SillokError) return error as { code: string; outcome: string; cause: unknown }
    throw error
  }
}

t.test('the table has every method that waits', t => {
  const classes: Record<string, { readonly prototype: object }> = { Store, Collection, Session, Changes }
  for (const [name, { prototype }] of Object.entries(classes)) {
    const methods = Object.getOwnPropertyNames(prototype).filter(one => one !== 'constructor')
    const known = new Set([...Object.keys(calls[name] ?? {}), ...(others[name] ?? [])])
    t.strictSame(
      methods.filter(one => !known.has(one)),
      [],
      `${name}: a method that is in no table`,
    )
  }
  t.end()
})

for (const [owner, methods] of Object.entries(calls)) {
  for (const [method, call] of Object.entries(methods)) {
    t.test(`${owner} ${method} ends by its signal, before it is begun and while it waits`, t =>
      inWorld(t, {}, async world => {
        const { store, pass, nowMs, slowTurns } = world
        const reason = new Error('why')
        const before = store.digest()
        const early = await endOf(call(world, { signal: AbortSignal.abort(reason) }))
        t.match(early, { code: 'ABORTED', outcome: 'not-applied', cause: reason })
        await pass(100)
        t.equal(store.digest(), before, 'nothing was done')
        slowTurns(1000)
        const stop = new AbortController()
        const ending = endOf(call(world, { signal: stop.signal }))
        // Of so few rows a scrub is done before any time has passed.
        if (method !== 'scrub') await pass(10)
        const beganMs = nowMs()
        stop.abort(reason)
        const late = await ending
        t.match(late, { code: 'ABORTED', cause: reason })
        t.equal(nowMs(), beganMs, 'at once')
        slowTurns(0)
        await pass(10_000)
        if (late.outcome === 'not-applied') t.equal(store.digest(), before, 'what was not applied never is')
      }),
    )
    if (endless.has(method)) continue
    t.test(`${owner} ${method} ends by its own deadline, and by that of its store`, t =>
      inWorld(t, { deadlineMs: 500 }, async world => {
        const { store, pass, nowMs, slowTurns } = world
        const before = store.digest()
        slowTurns(100_000)
        for (const [options, ms] of [
          [{ deadlineMs: 70 }, 70],
          [{}, 500],
        ] as const) {
          // A session closes once.
          if (ms === 500 && method === 'close') continue
          const beganMs = nowMs()
          const late = await endOf(call(world, options))
          t.equal(late.code, 'TIMED_OUT')
          t.equal(Math.round(nowMs() - beganMs), ms)
          if (late.outcome !== 'not-applied') continue
          await pass(1)
          t.equal(store.digest(), before)
        }
        slowTurns(0)
        await pass(200_000)
      }),
    )
  }
}

t.test('a read of many is stopped between two rows, and while it waits for the next page', t =>
  inWorld(t, {}, async ({ rows, pass, slowTurns }) => {
    const stop = new AbortController()
    const scan = rows.query('slow', {}, { signal: stop.signal })
    const ending = endOf(scan.next())
    await pass(500)
    stop.abort()
    t.match(await ending, { code: 'ABORTED', outcome: 'not-applied' })
    const stopScan = new AbortController()
    await rows.put({ id: 2, n: 2 })
    let seen = 0
    const reading = async (): Promise<void> => {
      for await (const _ of rows.scan({ signal: stopScan.signal })) {
        seen += 1
        stopScan.abort()
      }
    }
    t.match(await endOf(reading()), { code: 'ABORTED' })
    t.equal(seen, 1)
    slowTurns(0)
  }),
)

t.test('a deadline for the whole store is a positive number', async t => {
  for (const deadlineMs of [0, -1, Number.NaN, '5', null]) {
    await t.rejects(open({ memory: true, deadlineMs: deadlineMs as never }), {
      code: 'INVALID',
      message: /deadlineMs must be a positive number of milliseconds/,
    })
  }
})
