/** How a call ends that gets no answer: deadline, signal, a refusal of a retry, a store that stops. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Clock } from '../../../src/env/clock.js'
import {
  type CallOptions,
  type Collection,
  type IndexType,
  limits,
  open,
  SillokError,
} from '../../../src/index.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import { seed } from '../../seed.js'
import { codeOf } from './code-of.js'

t.comment(`SEED=${seed}`)
t.setTimeout(60_000)

/** Code and outcome, or `done`. */
async function endOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    return error instanceof SillokError ? `${error.code} ${error.outcome}` : String(error)
  }
}

interface World {
  readonly store: Store
  readonly rows: Collection
  readonly machine: SimMachine
  readonly pass: (ms: number) => Promise<void>
  readonly nowMs: () => number
  /** How many timers of that length are set. */
  readonly timers: (ms: number) => number
  /** What threw in a turn of its own. */
  readonly thrown: unknown[]
  /** From now on a turn of the event loop takes that long. */
  readonly slowTurns: (ms: number) => void
}

/** A clock that shows which timers are set, and collects what its calls throw. */
function watched(clock: Clock, set: Map<object, number>, thrown: unknown[], turnMs: () => number): Clock {
  const guarded = (call: () => void) => (): void => {
    try {
      call()
    } catch (error) {
      thrown.push(error)
    }
  }
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    soon: call => {
      if (turnMs() > 0) clock.after(turnMs(), guarded(call))
      else clock.soon(guarded(call))
    },
    after: (ms, call, options) => {
      const key = {}
      set.set(key, ms)
      const fire = guarded(call)
      const timer = clock.after(
        ms,
        () => {
          set.delete(key)
          fire()
        },
        options,
      )
      return {
        stop: () => {
          set.delete(key)
          timer.stop()
        },
      }
    },
  }
}

/** An index that is never built. */
const idle: IndexType = {
  type: 'idle',
  version: 1,
  configure: () => ({}),
  open: () => ({ apply: () => new Promise(() => {}), async *query() {} }),
}

/** Runs the work in a simulated world with an open store. */
async function inWorld(t: Test, work: (world: World) => Promise<void>): Promise<void> {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(`${seed} ${t.name}`), latency: 'none' })
  const set = new Map<object, number>()
  const thrown: unknown[] = []
  let turnMs = 0
  const own = watched(machine.environment.clock, set, thrown, () => turnMs)
  const env = { ...machine.environment, clock: own }
  await clock.run(async () => {
    const store = await Store.open(env, 'data', {}, {}, new IndexTypes([idle]))
    await store.define('a', { key: 'id' })
    const rows = store.collection('a')
    await rows.put({ id: 1, n: 0 })
    await work({
      store,
      rows,
      machine,
      pass: ms => new Promise(resolve => clock.after(ms, resolve)),
      nowMs: () => clock.monotonicMs(),
      timers: ms => [...set.values()].filter(one => one === ms).length,
      thrown,
      slowTurns: ms => {
        turnMs = ms
      },
    })
  })
}

const ownMs = 777

const calls: Record<string, (world: World, options: CallOptions) => Promise<unknown>> = {
  define: ({ store }, options) => store.define('b', { key: 'id' }, options),
  session: ({ store }, options) => store.session({ name: 's', ...options }),
  update: ({ rows }, options) => rows.update(1, was => ({ ...was, id: 1, n: 1 }), options),
}

for (const [name, call] of Object.entries(calls)) {
  t.test(`${name} ends at its own deadline with an unknown outcome, and what it asked for goes on`, t =>
    inWorld(t, async world => {
      const { machine, pass, nowMs, timers } = world
      machine.disk.setFull(true)
      const beganMs = nowMs()
      t.equal(await endOf(call(world, { deadlineMs: ownMs })), 'TIMED_OUT unknown')
      t.equal(Math.round(nowMs() - beganMs), ownMs)
      await pass(ownMs)
      t.equal(timers(ownMs), 0)
      machine.disk.setFull(false)
      await pass(3000)
      t.equal(await took(name, world), true, 'it took effect')
      await world.store.close()
    }),
  )

  t.test(`${name} ends by its signal: before the call nothing happened, later nobody knows`, t =>
    inWorld(t, async world => {
      const { machine, pass, timers } = world
      const reason = new Error('why')
      const before = entries(world)
      const early = call(world, { deadlineMs: ownMs, signal: AbortSignal.abort(reason) })
      await t.rejects(early, { code: 'ABORTED', outcome: 'not-applied', cause: reason })
      await pass(100)
      t.strictSame(entries(world), before, 'no entry')
      machine.disk.setFull(true)
      const controller = new AbortController()
      const late = endOf(call(world, { deadlineMs: ownMs, signal: controller.signal }))
      await pass(100)
      t.ok(timers(ownMs) > 0)
      controller.abort(reason)
      t.equal(await Promise.race([late, pass(1)]), 'ABORTED unknown')
      t.equal(timers(ownMs), 0, 'no timer stays')
      machine.disk.setFull(false)
      await pass(3000)
      t.equal(await took(name, world), true, 'it took effect')
      await world.store.close()
    }),
  )

  t.test(`${name} leaves no timer when it is answered in time`, t =>
    inWorld(t, async world => {
      const { signal } = new AbortController()
      t.equal(await endOf(call(world, { deadlineMs: ownMs, signal })), 'done')
      t.equal(world.timers(ownMs), 0)
      await world.store.close()
    }),
  )
}

/** How many entries the logs have. */
function entries({ store }: World): number[] {
  return store.status().partitions.map(({ lastIndex }) => lastIndex)
}

/** True if the call had its effect. */
async function took(name: string, { store, rows }: World): Promise<boolean> {
  if (name === 'update') return ((await rows.get(1)) as { n: number }).n === 1
  if (name === 'session') return (await store.session({ name: 's' })).epoch > 1
  // Refused, because there is another one of that name.
  return (await codeOf(store.define('b', { key: 'other' }))) === 'INVALID'
}

t.test('what refuses a retry before it is sent says nothing about the first attempt', t =>
  inWorld(t, async world => {
    const { store, rows, machine, pass } = world
    const session = await store.session({ numbering: 'caller' })
    const own = session.collection('a')
    const document = { id: 2, v: 'x'.repeat(500_000) }
    const retry = (options = {}): Promise<string> => endOf(own.put(document, { sequence: 1, ...options }))
    const plain = (): Promise<string> => endOf(rows.put(document))
    machine.disk.setFull(true)
    const first = retry({ deadlineMs: 5 })
    t.equal(await first, 'TIMED_OUT unknown')
    await pass(2000)
    t.strictSame([await plain(), await retry()], ['DISK_FULL not-applied', 'DISK_FULL unknown'])
    t.equal(await retry({ signal: AbortSignal.abort() }), 'ABORTED unknown')
    t.equal(await retry({ deadlineMs: -1 }), 'INVALID unknown')
    machine.disk.setFull(false)
    await pass(3000)
    t.ok(await rows.has(2), 'for it may have taken effect, as here')
    const v = 'x'.repeat(1_000_000)
    const many = Array.from({ length: 2 + limits.pendingBytesMax / 1e6 }, () => endOf(rows.put({ id: 3, v })))
    t.strictSame(await Promise.all([plain(), retry()]), ['OVERLOADED not-applied', 'OVERLOADED unknown'])
    await Promise.all(many)
    t.equal(await retry(), 'done')
    const closing = store.close()
    t.strictSame([await plain(), await retry()], ['CLOSED not-applied', 'CLOSED unknown'])
    await closing
    t.strictSame([await plain(), await retry()], ['CLOSED not-applied', 'CLOSED unknown'])
  }),
)

t.test('an answer of the partition to a retry is definite', t =>
  inWorld(t, async ({ store, rows }) => {
    const own = (await store.session({ numbering: 'caller' })).collection('a')
    await t.rejects(own.insert({ id: 1 }, { sequence: 1 }), { code: 'EXISTS', outcome: 'not-applied' })
    await rows.delete(1)
    await t.rejects(own.insert({ id: 1 }, { sequence: 1 }), { code: 'EXISTS', outcome: 'not-applied' })
    t.equal(
      await endOf(own.insert({ id: '' }, { sequence: 2 })),
      'INVALID not-applied',
      'never sent in any form',
    )
    await store.close()
  }),
)

t.test('a session that comes too late for its caller is not kept alive', t =>
  inWorld(t, async ({ store, pass }) => {
    const stop = new AbortController()
    const end = endOf(store.session({ signal: stop.signal }))
    stop.abort()
    t.equal(await end, 'ABORTED unknown')
    await pass(1000)
    t.equal(store.status().sessions, 0)
  }),
)

t.test('a loop of awaited writes lets everything else in the process go on', async t => {
  const store = await open({ memory: true })
  await store.define('a', { key: 'id' })
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
  }, 20)
  let writes = 0
  while (!isOver && writes < 100_000) await store.collection('a').put({ id: writes++ })
  clearTimeout(timer)
  t.ok(isOver, 'the timer fired')
  await store.close()
})

t.test('a closed store is let go of at once', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = async (): Promise<WeakRef<Store>> => {
    const store = await open({ memory: true })
    await store.define('rows', { key: 'id', indexes: { n: { type: 'secondary', fields: ['n'] } } })
    const rows = store.collection<{ id: number; n: number }>('rows')
    await Promise.all([1, 2, 3].map(id => rows.put({ id, n: id }, { deadlineMs: 60_000 })))
    await rows.update(1, row => row && { ...row, n: 5 })
    for await (const _ of rows.find('n', {}, { deadlineMs: 60_000 })) break
    await store.session({ name: 'a' })
    await store.close()
    return new WeakRef(store)
  }
  const store = await used()
  for (let tries = 0; tries < 50 && store.deref() !== undefined; tries++) {
    await new Promise(resolve => setTimeout(resolve, 10))
    collect()
  }
  t.equal(store.deref(), undefined)
})

t.test('a listener that throws is heard elsewhere: the store stops in order', t =>
  inWorld(t, async world => {
    const { store, rows, machine, pass, thrown } = world
    const told: string[] = []
    store.on('failed', error => {
      told.push(`first ${error.code}`)
      throw new Error('of the listener')
    })
    machine.disk.failNextSync()
    const writes = await Promise.all(Array.from({ length: 5 }, (_, id) => endOf(rows.put({ id }))))
    const [first, ...rest] = writes
    t.equal(first, 'DISK_FAILED unknown', 'it was on its way')
    t.strictSame(new Set(rest), new Set(['DISK_FAILED not-applied']), 'they waited for their turn')
    await pass(1)
    t.strictSame(told, ['first DISK_FAILED'])
    t.strictSame(thrown.map(String), ['Error: of the listener'], 'what it throws comes out in its own turn')
    t.equal(store.status().state, 'failed')
    t.equal(await endOf(rows.get(1)), 'DISK_FAILED unknown')
    t.equal(await endOf(rows.put({ id: 9 })), 'DISK_FAILED not-applied')
    t.equal(await Promise.race([endOf(store.close()), pass(10_000)]), 'done')
  }),
)

t.test('once the wait of an update has ended its change is called no more, and writes no more', t =>
  inWorld(t, async ({ store, rows, machine, pass }) => {
    let calls = 0
    const longMs = 5000
    const ends: Record<string, (stop: AbortController) => CallOptions> = {
      'ABORTED unknown': ({ signal }) => ({ signal }),
      'TIMED_OUT unknown': () => ({ deadlineMs: longMs }),
    }
    for (const [end, optionsOf] of Object.entries(ends)) {
      const stop = new AbortController()
      const ending = async (): Promise<void> => {
        await pass(longMs + 1)
        stop.abort()
      }
      calls = 0
      const slow = rows.update(
        1,
        async () => {
          calls += 1
          await pass(2 * longMs)
          return { id: 1, n: 'late' }
        },
        optionsOf(stop),
      )
      await Promise.all([t.resolveMatch(endOf(slow), end), ending()])
      await pass(2 * longMs)
      t.equal(calls, 1)
      t.not((await rows.get(1))?.['n'], 'late', 'what it computes too late is not written')
    }
    for (const [end, optionsOf] of Object.entries(ends)) {
      const stop = new AbortController()
      calls = 0
      machine.disk.setFull(true)
      // Its own write comes first, so its result is a conflict, which is told when the disk has space again.
      let other: Promise<unknown> | undefined
      const disturbed = rows.update(
        1,
        async () => {
          calls += 1
          await pass(longMs - 10)
          other = rows.put({ id: 1, n: calls })
          return { id: 1, n: 'mine' }
        },
        optionsOf(stop),
      )
      const ended = endOf(disturbed)
      await pass(longMs + 1)
      stop.abort()
      t.equal(await ended, end)
      machine.disk.setFull(false)
      await other
      await pass(3000)
      t.equal(calls, 1, 'a conflict that comes later is not tried again')
    }
    const stop = new AbortController()
    calls = 0
    const count = (): undefined => {
      calls += 1
    }
    let goOn = (): void => {}
    const first = rows.update(1, was => new Promise(resolve => (goOn = () => resolve(was))))
    const behind = endOf(rows.update(1, count, { signal: stop.signal }))
    await pass(1)
    stop.abort()
    goOn()
    await first
    t.equal(await behind, 'ABORTED unknown')
    await pass(100)
    t.equal(calls, 0, 'nor is one called whose turn comes later')
    const never = endOf(rows.update(1, () => new Promise(() => {}), { deadlineMs: longMs }))
    const next = endOf(rows.update(1, () => ({ id: 1, n: 'next' }), { deadlineMs: 3 * longMs }))
    await pass(longMs - 10)
    t.not((await rows.get(1))?.['n'], 'next', 'updates of one key take turns')
    await pass(20)
    t.equal(await never, 'TIMED_OUT unknown')
    t.equal(await Promise.race([next, pass(longMs)]), 'done', 'a change that never ends holds up nobody')
    t.equal(store.metrics().waitingUpdatesCount, 1, 'but it counts until it ends')
    await store.close()
  }),
)

t.test('a call that sends several requests is refused in a session whose requests the caller numbers', t =>
  inWorld(t, async ({ store }) => {
    const own = (await store.session({ numbering: 'caller' })).collection('a')
    const refusal = { code: 'INVALID', outcome: 'not-applied' }
    let calls = 0
    const change = (): undefined => {
      calls += 1
    }
    await t.rejects(own.update(1, change), {
      ...refusal,
      message: /^update is not possible in a caller-numb/,
    })
    t.equal(calls, 0)
    await store.close()
  }),
)

t.test('a question waits for the log and for its index under one deadline and one signal', t =>
  inWorld(t, async ({ store, rows, pass, nowMs, timers, slowTurns }) => {
    await store.define('a', { key: 'id', indexes: { i: { type: 'idle' } } })
    await pass(1000)
    const stop = new AbortController()
    const ask = (options: CallOptions): Promise<string> => endOf(rows.query('i', {}, options).next())
    const beganMs = nowMs()
    slowTurns(ownMs - 100)
    const late = ask({ deadlineMs: ownMs })
    const stopped = ask({ deadlineMs: 10 * ownMs, signal: stop.signal })
    slowTurns(0)
    t.equal(await late, 'TIMED_OUT not-applied')
    t.equal(Math.round(nowMs() - beganMs), ownMs, 'the wait for the log is part of it')
    stop.abort()
    t.equal(await stopped, 'ABORTED not-applied')
    slowTurns(2 * ownMs)
    const short = ask({ deadlineMs: ownMs })
    slowTurns(0)
    t.equal(await short, 'TIMED_OUT not-applied')
    await pass(3 * ownMs)
    t.equal(timers(ownMs), 0)
    t.equal(timers(10 * ownMs), 0)
    await store.close()
  }),
)
