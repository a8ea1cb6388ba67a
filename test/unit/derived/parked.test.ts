/** Documents that an index cannot take are put aside or left out, and nothing else suffers for it. */
import { crc32 } from 'node:zlib'
import t, { type Test } from 'tap'
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { encodeKey } from '../../../src/base/tuple.js'
import type { DerivedIndex, IndexChange } from '../../../src/derived/contract.js'
import { type DocumentChange, IndexStore } from '../../../src/derived/index-store.js'
import { OverlayRows } from '../../../src/derived/overlay-rows.js'
import { PendingBatch } from '../../../src/derived/pending-batch.js'
import { search } from '../../../src/derived/search/search.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Layout } from '../../docs/layout.js'
import { ParkedWorld } from './parked-world.js'
import { change, readRows, standing, tagIndex } from './tag-index.js'

const firstSeed = process.env['SEED']
const seeds = firstSeed === undefined ? Array.from({ length: 12 }, (_, n) => `parked-${n}`) : [firstSeed]

class Place {
  readonly clock = new SimClock()
  readonly random: Random
  readonly machine: SimMachine

  constructor(seed: string) {
    this.random = new Random(seed)
    const random = this.random.split('machine')
    this.machine = new SimMachine({ clock: this.clock, random, rotationLoss: true })
  }

  async open(changed: Partial<typeof limits> = {}): Promise<IndexStore> {
    const { disk, keyValue, random } = this.machine.environment
    const folder = 'node/indexes/1'
    const own = { indexSweepRows: 3, indexCheckpointBatchesMax: 10, ...changed }
    const place = { disk, keyValue, random, folder, identity: 'tags', writeBufferBytes: 3000, limits: own }
    const { store, rebuilt } = await IndexStore.open(place)
    if (rebuilt !== undefined) throw new Error(`a crash is not taken for damage: ${rebuilt}`)
    return store
  }
}

async function inPlace(seed: string, story: (place: Place) => Promise<void>): Promise<void> {
  const place = new Place(seed)
  try {
    await place.clock.run(() => story(place))
  } catch (error) {
    throw new Error(`SEED=${seed}`, { cause: error })
  }
}

async function live(world: ParkedWorld, t: Test, place: Place, store: IndexStore): Promise<void> {
  for (let steps = place.random.below(25); steps > 0; steps--) {
    const step = place.random.below(8)
    if (step === 0) await store.checkpoint()
    else if (step === 1 && store.build.done) await world.retry(store)
    else if (step < 4) world.grow(place.random.below(8))
    else await world.write(store)
    if (store.build.done) t.strictSame(await world.wrongs(store), [])
  }
  await store.close()
}

/** Crashes again and again, in the end the code is mended. */
async function story(seed: string, onError: 'park' | 'skip', t: Test): Promise<number> {
  let crashes = 0
  await inPlace(seed, async place => {
    const { random, machine } = place
    const world = new ParkedWorld(random.split('world'), onError)
    world.grow(40)
    world.answered = standing({ position: 0, build: { done: false, after: undefined } })
    for (let life = 0; life < 6; life++) {
      const mode = random.pick<CrashMode>(['all', 'none', 'any', 'any'])
      const process = machine.disk
      if (random.chance(0.4)) process.crashAt(1 + random.below(80), mode)
      else place.clock.after(random.below(150), () => process.crash(mode))
      const run = async (): Promise<void> => {
        const store = await place.open()
        const at = standing(store)
        t.ok([world.answered, world.pending].includes(at), `at ${at}, answered ${world.answered}`)
        world.answered = at
        if (store.build.done) t.strictSame(await world.wrongs(store), [], `SEED=${seed}, life ${life}`)
        await live(world, t, place, store)
      }
      await Promise.race([run(), process.crashed])
      if (process.dead) crashes += 1
      machine.restart()
    }
    const store = await place.open()
    await world.finish(store)
    t.strictSame(await world.wrongs(store), [], `at last (SEED=${seed})`)
    t.strictSame(await store.verify(), [])
    const before = store.parked.size
    world.index.mended = true
    await world.retry(store)
    if (onError === 'park') {
      t.equal(store.parked.size, 0, `${before} were parked`)
      const scanned = world.stateAt(world.length).rows()
      t.strictSame(await readRows(store), scanned, 'after the fix it is what a scan gives')
    }
    t.equal(store.built?.wallMs, 1000)
    await store.close()
  })
  return crashes
}

t.test('what cannot be taken is parked in its order, whatever crashes; mended, it is as a scan', async t => {
  let crashes = 0
  for (const seed of seeds) crashes += await story(seed, 'park', t)
  t.comment(`${crashes} crashes`)
})

t.test('what is to be skipped has no rows, nor has it kept old ones; the count is right', async t => {
  let crashes = 0
  for (const seed of seeds) crashes += await story(`skip-${seed}`, 'skip', t)
  t.comment(`${crashes} crashes`)
})

t.test(
  'a crash within a batch leaves all of it or nothing: a position never passes what is parked',
  async t => {
    const found = { before: 0, after: 0 }
    for (let n = 0; n < 120; n++) {
      await inPlace(`batch-${n}`, async place => {
        const world = new ParkedWorld(place.random.split('world'), 'park')
        const first = await place.open()
        world.grow(20, 0.5)
        await world.finish(first)
        const before = first.position
        world.grow(20, 0.5)
        const process = place.machine.disk
        place.clock.after(place.random.below(4000) / 200, () => process.crash('none'))
        await Promise.race([world.finish(first), process.crashed])
        await process.crashed
        place.machine.restart()
        const store = await place.open()
        t.strictSame(await world.wrongs(store), [], `SEED=batch-${n}`)
        found[store.position === before ? 'before' : 'after'] += 1
        await store.close()
      })
    }
    t.ok(found.before > 5 && found.after > 5, JSON.stringify(found))
  },
)

t.test('what a try that failed has left with a document is forgotten', async t => {
  await inPlace('tries', async place => {
    const store = await place.open()
    const index: Pick<DerivedIndex, 'apply'> = {
      apply: (changes, _, ops) => {
        if (changes.length === 1) return
        for (const one of changes) ops.note(one, Buffer.from('from the try'))
        throw new Error('too many')
      },
    }
    const at = { onError: 'park', build: { done: true } } as const
    await store.write({ ...at, index, changes: [change(1, 1, {}), change(2, 1, {})], position: 1 })
    t.equal(store.parked.size, 0, 'each alone is no fault')
    const notes: unknown[] = []
    const reads = { apply: (changes: readonly IndexChange[]) => void notes.push(changes[0]?.note) }
    await store.write({ ...at, index: reads, changes: [change(1, 2, {})], position: 2 })
    t.strictSame(notes, [undefined])
    await store.close()
  })
})

t.test('a parked document is never told of an older form again', async t => {
  await inPlace('older', async place => {
    const world = new ParkedWorld(place.random, 'park')
    const { index } = world
    const store = await place.open()
    const form = (text: string, bad: boolean) => ({ tags: ['red'], text, bad })
    const at = { index, onError: 'park', build: { done: true } } as const
    await store.write({ ...at, changes: [change(1, 1, form('one', false))], position: 1 })
    await store.write({ ...at, changes: [change(1, 2, form('two', true))], position: 2 })
    await store.write({ ...at, changes: [change(1, 3, form('three', true))], position: 3 })
    t.match(await store.parkedDocuments(), [
      { key: 1, version: 3, since: 2, isGone: false, message: '1 is bad' },
    ])
    t.strictSame(await readRows(store), ['count/red=1', 'entry/red/1=one'], 'it keeps what it held')
    index.mended = true
    for (const isRetry of [true, false]) {
      for (const version of [1, 2]) {
        const changes = [change(1, version, form('older', false))]
        await store.write({ ...at, changes, position: 3, isRetry })
      }
    }
    await store.write({ ...at, changes: [change(1, 4, form('newer', false))], position: 3, isRetry: true })
    t.strictSame(await readRows(store), ['count/red=1', 'entry/red/1=one'])
    t.equal(store.parked.size, 1)
    await store.write({ ...at, changes: [change(1, 4, form('four', false))], position: 4 })
    t.strictSame(await readRows(store), ['count/red=1', 'entry/red/1=four'], 'a later change is tried')
    t.equal(store.parked.size, 0)
    await store.close()
  })
})

t.test('the document to blame is found with few calls, and named', async t => {
  await inPlace('blame', async place => {
    const world = new ParkedWorld(place.random, 'stop')
    const { index } = world
    const changes = Array.from({ length: 1000 }, (_, n) =>
      change(n, n + 1, { tags: ['red'], text: `${n}`, bad: n === 700 }),
    )
    const batch = { index, changes, position: 1000, build: { done: true } } as const
    const store = await place.open()
    await t.rejects(store.write(batch), { message: '700 is bad' })
    t.equal(store.blamed, 700)
    t.ok(store.isNew && index.calls <= 21, `${index.calls} calls`)
    index.calls = 0
    await store.write({ ...batch, onError: 'park' })
    t.ok(index.calls <= 21, `${index.calls} calls`)
    t.equal((await readRows(store)).length, 1000)
    t.ok((await readRows(store)).includes('count/red=999'), 'parts see what the parts before have written')
    await store.close()
  })
})

t.test('more than may be parked stops the index, and nothing is written', async t => {
  await inPlace('many', async place => {
    const { index } = new ParkedWorld(place.random, 'park')
    const store = await place.open({ indexParkedMax: 3 as never })
    const bad = (from: number, count: number, version: number) =>
      Array.from({ length: count }, (_, n) => change(from + n, version, { tags: [], text: '', bad: true }))
    const at = { index, onError: 'park', build: { done: true } } as const
    await store.write({ ...at, changes: bad(0, 3, 1), position: 1 })
    const more = { ...at, changes: bad(3, 1, 2), position: 2 }
    await t.rejects(store.write(more), {
      code: 'TOO_LARGE',
      message: '4 documents would be parked, at most 3',
    })
    t.equal(store.position, 1)
    await store.write({ ...more, changes: [...bad(3, 1, 2), change(0, 2, undefined)] })
    t.equal(store.parked.size, 3)
    await store.close()
  })
})

t.test('what is skipped and cannot be taken out stops the index', async t => {
  await inPlace('stuck', async place => {
    const store = await place.open()
    const at = { onError: 'skip', build: { done: true } } as const
    const good = [change(1, 1, { tags: ['red'], text: 'a' })]
    await store.write({ ...at, index: tagIndex, changes: good, position: 1 })
    const index = {
      apply: () => {
        throw new Error('no')
      },
    }
    const changes = [change(1, 2, { tags: [], text: '' })]
    const message = /to be skipped cannot be taken out: no/
    await t.rejects(store.write({ ...at, index, changes, position: 2 }), { message })
    t.equal(store.blamed, 1)
    t.equal(store.position, 1)
    await store.close()
  })
})

t.test('rows under what is to be written are those that will be there', async t => {
  await inPlace('overlay', async place => {
    const { random } = place
    const store = await place.open()
    const apply = (work: (ops: PendingBatch) => void) => ({
      apply: (...[, , ops]: Parameters<typeof tagIndex.apply>) => work(ops as PendingBatch),
    })
    const name = (n: number): Buffer => Buffer.from(`k${String(n).padStart(2, '0')}`)
    const first = apply(ops => {
      for (let n = 0; n < 60; n += 2) ops.put(name(n), Buffer.from('old'))
    })
    const next = { position: 1, build: { done: true } } as const
    await store.write({ index: first, changes: [change(1, 1, {})], ...next })
    const written = new PendingBatch(limits)
    for (let n = 0; n < 40; n++) {
      const key = name(random.below(60))
      if (random.chance(0.4)) written.delete(key)
      else written.put(key, Buffer.from(`new ${n}`))
    }
    const snapshot = store.rows()
    const overlay = new OverlayRows(snapshot)
    overlay.write(written)
    const listed = async (
      rows: Pick<OverlayRows, 'scan'>,
      range: object,
      page: number,
    ): Promise<string[]> => {
      const texts: string[] = []
      for await (const some of rows.scan(range, page)) {
        t.ok(some.length >= 1 && some.length <= page)
        for (const [key, value] of some) texts.push(`${key}=${value}`)
      }
      return texts
    }
    const answers: { range: object; page: number; texts: string[] }[] = []
    for (let n = 0; n < 60; n++) {
      const [one, other] = [name(random.below(60)), name(random.below(60))]
      const range = {
        [random.pick(['gte', 'gt'])]: random.chance(0.8) ? one : undefined,
        [random.pick(['lt', 'lte'])]: random.chance(0.8) ? other : undefined,
        reverse: random.chance(0.5),
      }
      const page = 1 + random.below(20)
      answers.push({ range, page, texts: await listed(overlay, range, page) })
    }
    const keys = Array.from({ length: 60 }, (_, n) => name(n))
    const got = await overlay.getMany(keys)
    await snapshot.close()
    const second = apply(ops => {
      for (const [key, value] of written.rows()) {
        if (value === undefined) ops.delete(key)
        else ops.put(key, value)
      }
    })
    await store.write({ index: second, changes: [change(2, 2, {})], ...next, position: 2 })
    const after = store.rows()
    for (const { range, page, texts } of answers) t.strictSame(texts, await listed(after, range, page))
    t.strictSame(got, await after.getMany(keys))
    await after.close()
    await store.close()
  })
})

t.test('a search index that is told in parts answers as one that was only told of what it takes', async t => {
  await inPlace('search', async place => {
    const { random } = place
    const config = search.configure({ fields: ['text'] })
    const inner = search.open(config)
    const index: Pick<DerivedIndex, 'apply'> = {
      apply: async (changes, rows, ops) => {
        await inner.apply(changes, rows, ops)
        if (changes.some(({ document }) => document?.['bad'] === true)) throw new Error('bad')
      },
    }
    const store = await place.open()
    const good = new Map<number, DocumentChange>()
    const build = { done: true } as const
    let version = 0
    for (let batch = 0; batch < 25; batch++) {
      const changes = Array.from({ length: 1 + random.below(20) }, () => {
        const words = Array.from({ length: 1 + random.below(5) }, () => random.pick(['ga', 'na', 'da', 'ra']))
        version += 1
        const key = random.below(40)
        const document = random.chance(0.2) ? undefined : { text: words.join(' '), bad: random.chance(0.15) }
        const one = change(key, version, document)
        if (document === undefined || document.bad) good.delete(key)
        else good.set(key, one)
        return one
      })
      await store.write({ index, onError: 'skip', changes, position: version, build })
    }
    const { disk, keyValue } = place.machine.environment
    const own = { disk, keyValue, random, folder: 'node/indexes/2', identity: 'i', writeBufferBytes: 3000 }
    const plain = await IndexStore.open(own)
    await plain.store.write({ index: inner, changes: [...good.values()], position: version, build })
    const listed = async (of: IndexStore, text: string): Promise<unknown[]> => {
      const rows = of.rows()
      const hits: unknown[] = []
      for await (const page of inner.query({ text, limit: 100 }, rows))
        for (const { key, score } of page) hits.push([key, score])
      await rows.close()
      return hits
    }
    for (const text of ['ga', 'na da', '"ra ga"', 'd*']) {
      const hits = await listed(store, text)
      t.strictSame(hits, await listed(plain.store, text), text)
      t.ok(hits.length > 0)
    }
    t.ok(store.skipped > 0)
    await plain.store.close()
    await store.close()
  })
})

t.test('a parked document is stored as the page of formats says', async t => {
  await inPlace('bytes', async place => {
    const store = await place.open()
    const index = {
      apply: () => {
        throw new Error('no')
      },
    }
    const changes = [change(1, 7, {}), change(2, 8, {})]
    await store.write({ index, onError: 'park', changes, position: 9, build: { done: true } })
    await store.write({
      index,
      onError: 'park',
      changes: [change(2, 10, {})],
      position: 11,
      build: { done: true },
    })
    await store.close()
    const { keyValue } = place.machine.environment
    const rows = await keyValue.open('node/indexes/1/rows', { writeBufferBytes: 3000 })
    const key = Buffer.concat([Buffer.from('k'), encodeKey(2)])
    const [stored] = await rows.getMany([key])
    await rows.close()
    const rest = stored?.subarray(4) ?? Buffer.alloc(0)
    t.equal(stored?.readUInt32LE(0), crc32(rest, crc32(key)))
    const layout = new Layout('Parked document')
    t.equal(layout.number(rest, 'version'), 10)
    t.equal(layout.number(rest, 'since'), 9)
    t.equal(layout.number(rest, 'flags'), 0)
    t.equal(rest.toString('utf8', layout.length), 'no')
  })
})

t.test('a key of any bytes can be parked', async t => {
  await inPlace('keys', async place => {
    const store = await place.open()
    const index = {
      apply: () => {
        throw new Error('x'.repeat(2000))
      },
    }
    const keyBytes = encodeKey('김\0\uffff')
    const changes = [{ keyBytes, version: 1, document: {} }]
    await store.write({ index, onError: 'park', changes, position: 1, build: { done: true } })
    await store.close()
    const again = await place.open()
    t.match(await again.parkedDocuments(), [{ key: '김\0\uffff', message: 'x'.repeat(500) }])
    await again.close()
  })
})
