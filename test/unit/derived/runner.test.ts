/** One index at work over a source that fails: who waits is told, and nothing is tried without a pause. */
import t from 'tap'
import { SillokError } from '../../../src/base/errors.js'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import { IndexStore } from '../../../src/derived/index-store.js'
import { Pace } from '../../../src/derived/pace.js'
import { IndexRunner, type RunnerOptions } from '../../../src/derived/runner.js'
import type { IndexSource, SourceChunk } from '../../../src/derived/source.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { tagIndex } from './tag-index.js'

const damaged = new SillokError('DAMAGED', 'a document fails its check')

/** A runner on a simulated machine, over a source whose documents are what `documents` says. */
function world(
  documents: () => Promise<SourceChunk>,
  {
    wrap = store => store,
    ...changed
  }: Partial<RunnerOptions> & { wrap?: (store: IndexStore) => IndexStore } = {},
) {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random('runner') })
  const { disk, keyValue, random } = machine.environment
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
    clock: machine.environment.clock,
    source,
    collection: 1,
    index: tagIndex,
    limits,
    onError: () => 'stop',
    gate: { run: task => task() },
    pace: new Pace(machine.environment.clock, limits.sliceMs),
    open: async isFresh => {
      opened.push(isFresh)
      if (isFresh) await disk.remove(folder)
      const options = { disk, keyValue, random, folder, identity: 'i', writeBufferBytes: 3000 }
      const found = await IndexStore.open(options)
      return { ...found, store: wrap(found.store) }
    },
    ...changed,
  })
  return { clock, runner, opened, source }
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

t.test('a build rests the longer the more others write, and not for long', async t => {
  /** A chunk takes so long, and so many entries come meanwhile. */
  const chunkMs = 10
  const chunks = 8
  for (const [entries, restMs] of [
    [0, 0],
    [10, 2],
    [10_000, 15],
  ] as const) {
    let read = 0
    let liveMs = 0
    const applied = { applied: 5 }
    const documents = async (): Promise<SourceChunk> => {
      read += 1
      const change = {
        collection: 1,
        keyBytes: encodeKey(read),
        version: read,
        bytes: 0,
        document: () => ({}),
      }
      return { index: 5, documents: [change], isLast: read === chunks }
    }
    const live = (): void => {
      liveMs = clock.monotonicMs()
    }
    const apply = async (): Promise<void> => {
      applied.applied += entries
      await new Promise<void>(resolve => clock.after(chunkMs, resolve))
    }
    const { clock, runner, source } = world(documents, { live, index: { apply, async *query() {} } })
    Object.defineProperty(source, 'applied', { get: () => applied.applied })
    runner.start()
    await clock.runFor(1000)
    t.equal(read, chunks)
    const least = chunks * chunkMs + (chunks - 1) * restMs
    t.ok(
      liveMs >= least && liveMs <= 1.2 * least + 20,
      `${entries} entries a chunk: ${liveMs} of ${least} ms`,
    )
    await clock.run(() => runner.close())
  }
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
