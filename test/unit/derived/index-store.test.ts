/**
 * The rows of an index on a simulated machine against a model: builds, late copies, crashes at any moment,
 * and a disk that lies.
 */
import t, { type Test } from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import type { Document } from '../../../src/codec/document.js'
import type { DerivedIndex } from '../../../src/derived/contract.js'
import { type BuildProgress, IndexStore, type IndexStoreOptions } from '../../../src/derived/index-store.js'
import type { KeyValueStore, KeyValueStores } from '../../../src/env/key-value.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Feed } from './feed.js'
import { change, readRows, standing, tagIndex, textsOf } from './tag-index.js'

const folder = 'node/indexes/tags'
const firstSeed = process.env['SEED']
const seeds = firstSeed === undefined ? Array.from({ length: 30 }, (_, n) => `index-${n}`) : [firstSeed]

class World {
  readonly random: Random
  readonly clock = new SimClock()
  readonly machine: SimMachine
  readonly feed: Feed
  /** A batch of changes is said to be synced, and is not; what proves a checkpoint is. */
  lies = false
  getManyKeys = 0
  crashes = 0
  rebuilds = 0

  constructor(seed: string) {
    this.random = new Random(seed)
    this.feed = new Feed(this.random.split('feed'), 60)
    const random = this.random.split('machine')
    this.machine = new SimMachine({ clock: this.clock, random, rotationLoss: true })
  }

  options(changed: Partial<IndexStoreOptions> = {}): IndexStoreOptions {
    const { disk, keyValue, random } = this.machine.environment
    return {
      disk,
      keyValue: this.#watched(keyValue),
      random,
      folder,
      identity: 'tags 1',
      writeBufferBytes: 3000,
      limits: { indexSweepRows: 3, indexCheckpointBatchesMax: this.lies ? 40 : 10 },
      ...changed,
    }
  }

  async open(changed: Partial<IndexStoreOptions> = {}): Promise<{ store: IndexStore; rebuilt?: string }> {
    return await IndexStore.open(this.options(changed))
  }

  /** Keys of the closed store in that space, and the stored values. */
  async stored(space: string): Promise<[Buffer, Buffer][]> {
    const store = await this.machine.environment.keyValue.open(`${folder}/rows`, { writeBufferBytes: 3000 })
    const end = Buffer.from([space.charCodeAt(0) + 1])
    const rows = await store.iterate({ gte: Buffer.from(space), lt: end }).next(100_000)
    await store.close()
    return rows
  }

  #watched(stores: KeyValueStores): KeyValueStores {
    return {
      open: async (path, options): Promise<KeyValueStore> => {
        const store = await stores.open(path, options)
        const [batch, getMany] = [store.batch.bind(store), store.getMany.bind(store)]
        store.batch = () => {
          const made = batch()
          const { put, write } = made
          let isBatch = false
          made.put = (key, value) => {
            isBatch ||= key.equals(Buffer.from('!p'))
            put(key, value)
          }
          made.write = async asked => await write(this.lies && isBatch ? {} : asked)
          return made
        }
        store.getMany = async (keys, snapshot) => {
          this.getManyKeys += keys.length
          return await getMany(keys, snapshot)
        }
        return store
      },
    }
  }
}

async function inWorld(seed: string, story: (world: World) => Promise<void>): Promise<void> {
  const world = new World(seed)
  try {
    await world.clock.run(() => story(world))
  } catch (error) {
    throw new Error(`SEED=${seed}`, { cause: error })
  }
}

/** Rows held over the next batches stay as of their position. */
async function holdRows(world: World, store: IndexStore, test: Test): Promise<void> {
  const rows = store.rows()
  const expected = await textsOf(rows)
  for (let n = world.random.below(3); n >= 0; n--) await world.feed.write(store)
  test.strictSame(await textsOf(rows), expected, 'rows that are held do not change')
  await rows.close()
}

/** One process: writes, checkpoints and reads, until it ends or closes. */
async function live(world: World, test: Test, store: IndexStore): Promise<void> {
  const { random, feed } = world
  for (let steps = random.below(40); steps >= 0; steps--) {
    const step = random.below(world.lies ? 40 : 12)
    if (step === 0) await store.checkpoint()
    else if (step === 1) await holdRows(world, store, test)
    else if (step === 2) test.strictSame(await readRows(store), feed.history.get(standing(store))?.rows())
    else if (step === 3) test.strictSame(await store.verify(), [])
    else if (step < 7 || step > 36) feed.grow(random.below(10))
    else await feed.write(store)
    if (store.needsCheckpoint) await store.checkpoint()
  }
  await store.close()
}

/** What a process finds must be what the index held after a batch. */
async function compare(world: World, test: Test, store: IndexStore, when: string): Promise<boolean> {
  const known = world.feed.history.get(standing(store))
  const right = test.ok(known, `${when}: at ${standing(store)}, answered ${world.feed.answered}`)
  return right && test.strictSame(await readRows(store), known?.rows(), `${when} at ${standing(store)}`)
}

/** One life after another on one machine; ends with all in the index. */
async function lives(world: World, test: Test, seed: string): Promise<void> {
  const { random, feed } = world
  feed.grow(random.below(60))
  feed.forget()
  for (let life = 0; life < 6; life++) {
    const mode = random.pick<CrashMode>(world.lies ? ['any'] : ['all', 'none', 'any', 'any'])
    const process = world.machine.disk
    if (random.chance(0.3)) process.crashAt(1 + random.below(60), mode)
    else world.clock.after(random.below(120), () => process.crash(mode))
    const run = async (): Promise<void> => {
      const { store, rebuilt } = await world.open()
      if (rebuilt !== undefined) {
        world.rebuilds++
        test.ok(world.lies, `a crash is not taken for damage: ${rebuilt} (SEED=${seed})`)
        feed.forget()
      } else if (!world.lies) {
        test.ok([feed.answered, feed.pending].includes(standing(store)), `what was answered is there`)
      }
      if (store.isNew) feed.forget()
      if (!(await compare(world, test, store, `SEED=${seed}, life ${life}`))) throw new Error('wrong rows')
      feed.answered = standing(store)
      await live(world, test, store)
    }
    await Promise.race([run(), process.crashed])
    if (process.dead) world.crashes++
    world.machine.restart()
  }
  const { store } = await world.open()
  if (standing(store) === standing({ position: 0, build: { done: false, after: undefined } })) feed.forget()
  await feed.finish(store)
  for (let n = 0; n < 20; n++) await feed.write(store)
  test.strictSame(await readRows(store), feed.finalRows(), `in the end (SEED=${seed})`)
  await store.close()
}

t.test('after a crash at any moment the index holds what was answered, and goes on from there', async t => {
  let crashes = 0
  for (const seed of seeds) {
    await inWorld(seed, async world => {
      await lives(world, t, seed)
      crashes += world.crashes
      t.strictSame(await world.stored('t'), [], 'no deleted document is remembered after the build')
      const notes = await world.stored('n')
      t.notOk(
        notes.some(([, stored]) => ((stored[12] ?? 0) & 1) === 1),
        'nor its note',
      )
    })
  }
  t.comment(`${crashes} crashes`)
})

t.test('batches lost from the middle are never taken for an index', async t => {
  let rebuilds = 0
  for (const seed of seeds) {
    await inWorld(`lies-${seed}`, async world => {
      world.lies = true
      await lives(world, t, `lies-${seed}`)
      rebuilds += world.rebuilds
    })
  }
  t.comment(`${rebuilds} rebuilds`)
  t.ok(firstSeed !== undefined || rebuilds > 10, 'some were lost from the middle')
})

t.test('a flipped or vanished row is named, and never read', async t => {
  await inWorld('flips', async world => {
    const { feed, machine } = world
    feed.grow(80)
    feed.forget()
    const first = await world.open()
    await feed.finish(first.store)
    await first.store.close()
    const rows = await world.stored('r')
    const notes = await world.stored('n')
    const { store } = await world.open()
    const [rowKey] = world.random.pick(rows)
    const [noteKey] = world.random.pick(notes)
    machine.keyValue.flipValue(`${folder}/rows`, rowKey, world.random.below(32))
    machine.keyValue.flipValue(`${folder}/rows`, noteKey, 40)
    await store.write({ index: tagIndex, changes: [], position: store.position, build: store.build })
    t.strictSame((await store.verify()).sort(), [rowKey, noteKey].map(key => key.toString('hex')).sort())
    await t.rejects(readRows(store), { code: 'DAMAGED' })
    const view = store.rows()
    await t.rejects(view.getMany([rowKey.subarray(1)]), { code: 'DAMAGED' })
    await view.close()
    const again = { keyBytes: noteKey.subarray(1), version: 1000, document: undefined }
    const batch = { index: tagIndex, changes: [again], position: 1000, build: store.build }
    await t.rejects(store.write(batch), { code: 'DAMAGED' })
    await store.close()
  })
})

t.test('rows of another identity, or without their file, are not used', async t => {
  await inWorld('identity', async world => {
    const { feed, machine } = world
    feed.grow(30)
    feed.forget()
    const first = await world.open()
    t.equal(first.rebuilt, undefined)
    t.ok(first.store.isNew)
    t.ok(await first.store.isThere(), 'before anything was written')
    await feed.finish(first.store)
    await first.store.checkpoint()
    await first.store.close()
    const second = await world.open({ identity: 'tags 2' })
    t.match(second.rebuilt, /made for tags 1/)
    t.ok(second.store.isNew)
    t.strictSame(await readRows(second.store), [])
    feed.forget()
    await feed.finish(second.store)
    t.strictSame(await readRows(second.store), feed.finalRows())
    await second.store.close()
    await machine.disk.remove(`${folder}/CHECKPOINT`)
    const third = await world.open({ identity: 'tags 2' })
    t.match(third.rebuilt, /missing/)
    t.ok(third.store.isNew)
    await third.store.close()
  })
})

t.test('an index that throws or writes too much leaves nothing behind; the next batch may come', async t => {
  await inWorld('limits', async world => {
    const { store } = await world.open()
    const bad = (what: (...given: Parameters<DerivedIndex['apply']>) => void): DerivedIndex => ({
      ...tagIndex,
      apply: what,
    })
    const changes = [change(1, 1, { tags: ['red'] })]
    const put = (key: number, value: number): DerivedIndex =>
      bad((_, __, ops) => {
        ops.put(Buffer.from('first'), Buffer.from('row'))
        ops.put(Buffer.alloc(key, 1), Buffer.alloc(value))
      })
    const at = { changes, position: 1, build: { done: true } } as const
    const maxKey = limits.indexKeyBytesMax
    const message = new RegExp(`key of ${maxKey + 1} bytes`)
    await t.rejects(store.write({ index: put(maxKey + 1, 1), ...at }), { code: 'INVALID', message })
    await t.rejects(store.write({ index: put(1, (1 << 20) + 1), ...at }), { code: 'INVALID' })
    const note = bad(([one], _, ops) => one && ops.note(one, Buffer.alloc((1 << 20) + 1)))
    await t.rejects(store.write({ index: note, ...at }), { code: 'INVALID', message: /note of/ })
    const thrown = bad(() => {
      throw new TypeError('a bug')
    })
    await t.rejects(store.write({ index: thrown, ...at }), { message: 'a bug' })
    t.ok(store.isNew)
    t.strictSame(await readRows(store), [])
    await store.write({ index: put(maxKey, 1 << 20), ...at })
    t.equal(store.position, 1)
    t.equal((await readRows(store)).length, 2)
    const late: Parameters<DerivedIndex['apply']>[2][] = []
    const keeps = bad((_, __, ops) => late.push(ops))
    await store.write({ index: keeps, changes: [change(2, 2, {})], position: 2, build: { done: true } })
    t.throws(() => late[0]?.put(Buffer.from('a'), Buffer.from('b')), /after it has returned/)
    await store.close()
  })
})

t.test('after a failed write only reading goes on, as of the last answer', async t => {
  for (let n = 0; n < 10; n++) {
    await inWorld(`failed-${n}`, async world => {
      const { feed, machine } = world
      feed.grow(30)
      feed.forget()
      const { store } = await world.open()
      await feed.finish(store)
      const before = await readRows(store)
      feed.grow(30)
      machine.keyValue.failNextWrite()
      await t.rejects(feed.write(store, 30), { code: 'DISK_FAILED' })
      t.strictSame(await readRows(store), before)
      await t.rejects(feed.write(store, 30), { code: 'DISK_FAILED' })
      await t.rejects(store.checkpoint(), { code: 'DISK_FAILED' })
      await store.close()
      await t.rejects(store.verify(), { code: 'CLOSED' })
      t.throws(() => store.rows(), { code: 'CLOSED' })
      const again = await world.open()
      t.equal(again.rebuilt, undefined)
      await compare(world, t, again.store, 'opened again')
      await again.store.close()
    })
  }
})

t.test('a build in the order of the keys looks up no notes, also after it was interrupted', async t => {
  await inWorld('build', async world => {
    let { store } = await world.open()
    const chunk = async (from: number, version = 1): Promise<void> => {
      const changes = Array.from({ length: 20 }, (_, n) => change(from + n, version, {}))
      const after = encodeKey(from + 19)
      const index = { ...tagIndex, apply: () => undefined }
      await store.write({ index, changes, position: 1, build: { done: false, after } })
    }
    world.getManyKeys = 0
    await chunk(0)
    await chunk(20)
    t.equal(world.getManyKeys, 0)
    await store.close()
    ;({ store } = await world.open())
    world.getManyKeys = 0
    await chunk(40)
    t.equal(world.getManyKeys, 0)
    await chunk(30, 2)
    t.equal(world.getManyKeys, 20)
    await store.close()
  })
})

t.test('a document that came back while the index was built is known to it afterwards', async t => {
  await inWorld('back', async world => {
    const { store } = await world.open()
    const done = { done: true } as const
    const tell = async (position: number, document: Document | undefined, build: BuildProgress = done) =>
      await store.write({ index: tagIndex, changes: [change(1, position, document)], position, build })
    const building = { done: false, after: encodeKey(0) } as const
    await tell(1, { tags: ['red'], text: '' }, building)
    await tell(2, undefined, building)
    await tell(3, { tags: ['blue'], text: 'back' }, building)
    // The batches of a built index clear away what is noted of deleted documents.
    for (let position = 4; position < 8; position++) {
      await store.write({ index: tagIndex, changes: [], position, build: done })
    }
    await tell(8, { tags: ['green'], text: 'moved' })
    t.strictSame(await readRows(store), ['count/green=1', 'entry/green/1=moved'])
    await tell(9, undefined)
    t.strictSame(await readRows(store), [])
    await store.close()
  })
})

t.test('a deleted folder is noticed, and a new index begins in its place', async t => {
  await inWorld('deleted', async world => {
    const { feed, machine } = world
    feed.grow(30)
    feed.forget()
    const { store } = await world.open()
    await feed.finish(store)
    t.ok(await store.isThere())
    await machine.disk.remove(folder)
    t.notOk(await store.isThere())
    await store.close()
    const again = await world.open()
    t.ok(again.store.isNew)
    t.equal(again.rebuilt, undefined)
    t.ok(await again.store.isThere())
    t.notOk(await store.isThere(), 'another one stands there')
    feed.forget()
    await feed.finish(again.store)
    t.strictSame(await readRows(again.store), feed.finalRows())
    await machine.disk.remove(`${folder}/rows`)
    t.notOk(await again.store.isThere())
    await again.store.close()
  })
})
