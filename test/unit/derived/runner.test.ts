/** One index at work over a source that fails: who waits is told, and nothing is tried without a pause. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import { BackgroundPace } from '../../../src/derived/background-pace.js'
import { IndexStore } from '../../../src/derived/index-store.js'
import { IndexRunner, type RunnerOptions } from '../../../src/derived/runner.js'
import type { IndexSource, SourceChunk } from '../../../src/derived/source.js'
import type { Clock } from '../../../src/env/clock.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { tagIndex } from './tag-index.js'

const damaged = new SillokError('DAMAGED', 'a document fails its check')

/** A runner on a simulated machine, over a source whose documents are what `documents` says. */
function world(
  documents: () => Promise<SourceChunk>,
  {
    wrap = store => store,
    workedMs = () => 0,
    clock = new SimClock(),
    machine = new SimMachine({ clock, random: new Random('runner') }),
    ...changed
  }: Partial<RunnerOptions> & {
    wrap?: (store: IndexStore) => IndexStore
    /** How long the event loop was held so far: simulated time stands still meanwhile. */
    workedMs?: () => number
    clock?: SimClock
    /** One that has rows already. */
    machine?: SimMachine
  } = {},
) {
  const { disk, keyValue, random, clock: own } = machine.environment
  const working: Clock = {
    monotonicMs: () => own.monotonicMs() + workedMs(),
    wallMs: () => own.wallMs(),
    after: (ms, call, options) => own.after(ms, call, options),
    soon: call => own.soon(call),
  }
  const opened: boolean[] = []
  const source: IndexSource = {
    firstIndex: 1,
    applied: 5,
    async *changes() {},
    documents,
    view: () => ({ index: 5, getMany: async () => [], release: () => {} }),
  }
  const folder = 'node/indexes/1'
  const runner = new IndexRunner({
    clock: working,
    source,
    collection: 1,
    index: tagIndex,
    limits,
    onError: () => 'stop',
    gate: { run: task => task() },
    pace: new BackgroundPace(working, limits.sliceMs, () => source.applied),
    open: async isFresh => {
      opened.push(isFresh)
      if (isFresh) await disk.remove(folder)
      const options = { disk, keyValue, random, folder, identity: 'i', writeBufferBytes: 3000 }
      const found = await IndexStore.open(options)
      return { ...found, store: wrap(found.store) }
    },
    ...changed,
  })
  return { clock, machine, runner, opened, source }
}

t.test('damage that fresh rows do not heal ends the waiting, and is tried again after pauses', async t => {
  let isHealed = false
  const { clock, runner, opened } = world(async () => {
    if (!isHealed) throw damaged
    return { index: 5, documents: [], isLast: true }
  })
  runner.start()
  const waiting = runner.moment().moment
  await t.rejects(
    clock.run(() => waiting),
    { code: 'INDEX_FAILED', message: /a document fails its check/ },
  )
  await clock.runFor(5000)
  t.match(runner.status(), { state: 'failing', reason: 'a document fails its check' })
  t.ok(opened.length >= 3 && opened.length < 20, `opened ${opened.length} times`)
  isHealed = true
  const moment = await clock.run(() => runner.moment().moment)
  t.equal(moment.position, 5)
  await moment.release()
  t.equal(runner.status().state, 'live')
  await clock.run(() => runner.close())
})

t.test('rows that cannot be begun anew are tried again after pauses', async t => {
  let opens = 0
  const { clock, runner } = world(async () => ({ index: 5, documents: [], isLast: true }), {
    open: async () => {
      opens += 1
      throw new SillokError('DISK_FULL', 'no space')
    },
  })
  runner.distrust('what was read fails its check')
  runner.start()
  await clock.runFor(5000)
  t.ok(opens >= 3 && opens < 20, `opened ${opens} times`)
  t.equal(runner.status().state, 'failing')
  await clock.run(() => runner.close())
  t.equal(runner.status().state, 'closed')
})

t.test('rows that are as of an entry which the log does not have are begun anew', async t => {
  for (const log of [
    { applied: 4, firstIndex: 1 },
    { applied: 9, firstIndex: 7 },
  ]) {
    const before = world(async () => ({ index: 5, documents: [], isLast: true }))
    const { clock, machine } = before
    before.runner.start()
    await clock.runFor(1000)
    t.match(before.runner.status(), { state: 'live', position: 5 })
    await clock.run(() => before.runner.close())
    const documents = async () => ({ index: log.applied, documents: [], isLast: true })
    const after = world(documents, { clock, machine, source: { ...before.source, ...log, documents } })
    after.runner.start()
    await clock.runFor(1000)
    t.strictSame(after.opened, [false, true])
    t.match(after.runner.status(), { state: 'live', position: log.applied, rebuilds: 1 })
    await clock.run(() => after.runner.close())
  }
})

t.test('what an index throws may be anything', async t => {
  const { clock, runner } = world(async () => {
    throw Object.create(null)
  })
  runner.start()
  await t.rejects(
    clock.run(() => runner.moment().moment),
    { code: 'INDEX_FAILED', message: /has no text/ },
  )
  await clock.run(() => runner.close())
})

t.test('an index that never answers keeps nobody from closing', async t => {
  const never = new Promise<void>(() => {})
  const change = { collection: 1, keyBytes: encodeKey(1), version: 5, bytes: 0, document: () => ({ id: 1 }) }
  const { clock, runner } = world(async () => ({ index: 5, documents: [change], isLast: true }), {
    index: { apply: () => never, async *query() {} },
  })
  runner.start()
  const { moment } = runner.moment()
  await clock.runFor(5000)
  t.match(runner.status(), { state: 'building', position: 0 })
  await Promise.all([clock.run(() => runner.close()), t.rejects(moment, { code: 'CLOSED' })])
})

t.test('a build rests while others write, and only then', async t => {
  const chunks = 8
  const documentsPerChunk = 64
  /** A document takes so long to decode, and so many entries come meanwhile. */
  const documentMs = 0.05
  for (const entries of [0, 1]) {
    let read = 0
    let liveMs = 0
    let applied = 5
    let workedMs = 0
    const { clock, runner, source } = world(
      async () => {
        read += 1
        const documents = Array.from({ length: documentsPerChunk }, (_, n) => ({
          collection: 1,
          keyBytes: encodeKey(read * documentsPerChunk + n),
          version: read,
          bytes: 0,
          document: () => {
            workedMs += documentMs
            applied += entries
            return {}
          },
        }))
        return { index: 5, documents, isLast: read === chunks }
      },
      {
        live: () => {
          liveMs = clock.monotonicMs()
        },
        index: { apply() {}, async *query() {} },
        workedMs: () => workedMs,
      },
    )
    Object.defineProperty(source, 'applied', { get: () => applied })
    runner.start()
    await clock.runFor(10_000)
    t.equal(read, chunks)
    t.ok(workedMs >= chunks * documentsPerChunk * documentMs)
    // Simulated time passes while it rests, and by the disk's some milliseconds.
    const [least, most] = entries === 0 ? [0, 50] : [2 * workedMs, 7 * workedMs]
    t.ok(liveMs >= least && liveMs <= most, `${liveMs} ms of rest after ${workedMs} of work`)
    await clock.run(() => runner.close())
  }
})

t.test('what comes while a build reads is caught up with without rests, though others write', async t => {
  const documentMs = 0.05
  const missed = 5000
  let applied = 5
  let workedMs = 0
  let liveMs = 0
  const change = (key: number) => ({
    collection: 1,
    keyBytes: encodeKey(key),
    version: key,
    bytes: 0,
    document: () => {
      workedMs += documentMs
      if (liveMs === 0) applied += 1
      return {}
    },
  })
  const { clock, runner, source } = world(
    async () => {
      applied = Math.max(applied, missed)
      return { index: missed, documents: [], isLast: true }
    },
    {
      live: () => {
        liveMs = clock.monotonicMs()
      },
      index: { apply() {}, async *query() {} },
      workedMs: () => workedMs,
    },
  )
  Object.defineProperty(source, 'applied', { get: () => applied })
  source.changes = async function* (from, through) {
    for (let index = from; index <= through; index++) yield { through: index, changes: [change(index)] }
  }
  runner.start()
  await clock.runFor(10_000)
  t.ok(workedMs >= (missed - 5) * documentMs)
  // A build rests ten times as long as it works.
  t.ok(liveMs > 0 && liveMs < workedMs, `${liveMs} ms of rest after ${workedMs} of work`)
  await clock.run(() => runner.close())
})

t.test('who gave up waiting holds nothing', async t => {
  let goOn = (): void => {}
  const held = new Promise<void>(resolve => {
    goOn = resolve
  })
  let views = 0
  const { clock, runner, source } = world(async () => {
    await held
    return { index: 5, documents: [], isLast: true }
  })
  source.view = () => {
    views += 1
    return { index: 5, getMany: async () => [], release: () => views-- }
  }
  runner.start()
  for (let n = 0; n < 3; n++) runner.moment().cancel()
  const { moment } = runner.moment()
  goOn()
  const late = clock.run(() => moment)
  await (await late).release()
  t.equal(views, 0)
  const gone = runner.moment()
  gone.cancel()
  await clock.runFor(2000)
  t.equal(views, 0, 'nobody asked')
  await clock.run(() => runner.close())
})

t.test('a full disk of the index alone fails questions, not the rows that are there', async t => {
  let isFull = false
  const change = { collection: 1, keyBytes: encodeKey(1), version: 5, bytes: 0, document: () => ({ id: 1 }) }
  const { clock, runner, opened } = world(async () => ({ index: 5, documents: [change], isLast: true }), {
    wrap: store => {
      const write = store.write.bind(store)
      store.write = async batch => {
        if (isFull) throw new SillokError('DISK_FULL', 'no space left')
        await write(batch)
      }
      return store
    },
  })
  isFull = true
  runner.start()
  await t.rejects(
    clock.run(() => runner.moment().moment),
    { code: 'INDEX_FAILED', message: /no space left/ },
  )
  await clock.runFor(5000)
  t.match(runner.status(), { state: 'failing', reason: 'no space left' })
  isFull = false
  const moment = await clock.run(() => runner.moment().moment)
  await moment.release()
  t.match(runner.status(), { state: 'live', position: 5, rebuilds: 0 })
  t.ok(opened.length > 3 && !opened.includes(true), 'tried again, and never begun anew')
  await clock.run(() => runner.close())
})

t.test('a build beside writers takes no fewer documents than they write', async t => {
  const counts: number[] = []
  const change = (id: number, version: number) => {
    return { collection: 1, keyBytes: encodeKey(id), version, bytes: 0, document: () => ({ id }) }
  }
  let applied = 5
  const { clock, runner, source } = world(async () => {
    const isLast = counts.length >= 4
    return { index: 5, documents: [change(1000 + counts.length, 1)], isLast }
  })
  const { documents } = source
  Object.assign(source, {
    documents: (...asked: Parameters<typeof documents>) => {
      counts.push(asked[2])
      applied += 300
      return documents(...asked)
    },
    async *changes(from: number, through: number) {
      const changes = Array.from({ length: through - from + 1 }, (_, n) => change((from + n) % 7, from + n))
      yield { through, changes }
    },
  } satisfies Partial<IndexSource>)
  Object.defineProperty(source, 'applied', { get: () => applied })
  runner.start()
  const moment = await clock.run(() => runner.moment().moment)
  await moment.release()
  t.match(runner.status(), { state: 'live', position: applied })
  t.ok(counts.length >= 4)
  t.ok(
    counts.slice(1).every(count => count === 600),
    counts.join(' '),
  )
  await clock.run(() => runner.close())
})

t.test('entries that change other collections are passed over in batches, with turns between', async t => {
  const entries = 100_000
  const positions: number[] = []
  let turns = 0
  let workedMs = 0
  const pacing = {
    monotonicMs: () => workedMs,
    soon: (call: () => void) => {
      turns += 1
      queueMicrotask(call)
    },
    after: () => ({ stop() {} }),
  }
  const { clock, runner, source } = world(async () => ({ index: 5, documents: [], isLast: true }), {
    pace: new BackgroundPace(pacing, limits.sliceMs, () => 0),
    wrap: store => {
      const write = store.write.bind(store)
      store.write = async batch => {
        positions.push(batch.position)
        await write(batch)
      }
      return store
    },
  })
  runner.start()
  const first = await clock.run(() => runner.moment().moment)
  await first.release()
  Object.assign(source, {
    applied: entries,
    async *changes(from: number, through: number) {
      for (let at = from; at <= through; at += 1000) {
        workedMs += 1
        yield { through: Math.min(at + 999, through), changes: [] }
      }
    },
  } satisfies Partial<IndexSource>)
  turns = 0
  runner.notify()
  await clock.runFor(1000)
  t.strictSame(positions, [5, 20_005, 40_005, 60_005, 80_005, entries])
  // A slice is of 5 ms, and each piece takes one.
  t.ok(turns >= entries / 1000 / 7, `${turns} turns`)
  await clock.run(() => runner.close())
})
