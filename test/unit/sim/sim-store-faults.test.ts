/** Faults of simulated key-value stores come by chance, without a name, and are counted. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { KeyValueStore } from '../../../src/env/key-value.js'
import { FaultCounts } from '../../../src/sim/fault-counts.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

const options = { writeBufferBytes: 1000 }

async function put(store: KeyValueStore, rows: Record<string, string>, sync = true): Promise<void> {
  const batch = store.batch()
  for (const [key, value] of Object.entries(rows)) batch.put(Buffer.from(key), Buffer.from(value))
  await batch.write({ sync })
}

async function rowsOf(store: KeyValueStore): Promise<string> {
  const rows = await store.iterate({}).next(100)
  return rows.map(([key, value]) => `${key}=${value}`).join()
}

class World {
  readonly clock = new SimClock()
  readonly faults = new FaultCounts()
  readonly random: Random
  readonly machine: SimMachine

  constructor(name = '', rotationLoss = false) {
    const { clock, faults } = this
    this.random = new Random(`${seed}/${name}`)
    const random = this.random.split('machine')
    this.machine = new SimMachine({ clock, random, latency: 'none', faults, rotationLoss })
  }

  open(folder: string): Promise<KeyValueStore> {
    return this.machine.environment.keyValue.open(folder, options)
  }
}

t.test('some bit of some value turns, some row vanishes, in the stores that are asked for', async t => {
  const flipped = new Set<string>()
  for (let i = 0; i < 60; i++) {
    const world = new World(`${i}`)
    await world.clock.run(async () => {
      const [one, other] = [await world.open('one'), await world.open('other')]
      await put(one, { a: 'x', b: 'x', empty: '' })
      await put(other, { c: 'x' })
      const { keyValue } = world.machine
      const flip = keyValue.flipAny(world.random)
      if (flip === undefined) return
      flipped.add(`${flip.folder}/${flip.key}`)
      const store = flip.folder === 'one' ? one : other
      const value = store.getSync(flip.key)?.[0] ?? 0
      const difference = value ^ 'x'.charCodeAt(0)
      t.ok(difference !== 0 && (difference & (difference - 1)) === 0, 'one bit')
      const drop = keyValue.dropAny(world.random, folder => folder === 'other')
      t.strictSame(drop, { folder: 'other', key: Buffer.from('c') })
      t.equal(await rowsOf(other), '')
      t.equal(
        keyValue.dropAny(world.random, folder => folder === 'other'),
        undefined,
      )
      const before = await rowsOf(one)
      world.machine.crash('none')
      world.machine.restart()
      t.equal(await rowsOf(await world.open('one')), before, 'it stays so')
      t.equal(world.faults.of('store-value-flipped'), 1)
      t.equal(world.faults.of('store-row-lost'), 1)
    })
  }
  t.strictSame([...flipped].sort(), ['one/a', 'one/b', 'other/c'])
})

t.test('a stretch of rows vanishes without an error', async t => {
  const left = new Set<string>()
  for (let i = 0; i < 100; i++) {
    const world = new World(`${i}`)
    await world.clock.run(async () => {
      const store = await world.open('s')
      t.equal(world.machine.keyValue.dropSome(world.random), 0)
      await put(store, { a: '1', b: '1', c: '1', d: '1' })
      await put(store, { d: '2' }, false)
      const lost = world.machine.keyValue.dropSome(world.random)
      const keys = (await rowsOf(store)).replaceAll(/[=,0-9]/g, '')
      t.equal(lost, 4 - keys.length)
      left.add(keys)
      t.equal(world.faults.of('store-rows-lost'), 1)
    })
  }
  t.strictSame([...left].sort(), ['abd', 'acd', 'ad', 'bcd', 'cd', 'd'])
})

t.test('a lost compaction resolves, makes nothing durable, and the next write there fails', async t => {
  for (const isLost of [true, false]) {
    const world = new World('', true)
    await world.clock.run(async () => {
      const [store, other] = [await world.open('s'), await world.open('other')]
      if (isLost) world.machine.keyValue.loseCompactions({ where: folder => folder === 's' })
      await put(store, { a: '1' }, false)
      await other.compact()
      await store.compact()
      await put(other, { c: '1' })
      const probe = put(store, { b: '1' })
      if (isLost) await t.rejects(probe, { code: 'DISK_FAILED' })
      else await probe
      await put(store, { b: '2' })
      world.machine.crash('none')
      world.machine.restart()
      t.equal(await rowsOf(await world.open('s')), isLost ? 'b=2' : 'a=1,b=2')
      t.equal(world.faults.of('store-compaction-lost'), isLost ? 1 : 0)
    })
  }
})

t.test('what is not durable yet is not tampered with, and can still be lost', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const store = await world.open('s')
    t.equal(world.machine.keyValue.flipAny(world.random), undefined)
    await put(store, { a: 'x', b: 'x' })
    await put(store, { b: 'y', c: 'y' }, false)
    for (let i = 0; i < 20; i++) {
      t.strictSame(world.machine.keyValue.flipAny(world.random)?.key, Buffer.from('a'))
    }
    t.match(await rowsOf(store), /^a=.,b=y,c=y$/)
    world.machine.crash('none')
    world.machine.restart()
    t.match(await rowsOf(await world.open('s')), /^a=.,b=x$/)
    t.equal(world.faults.of('store-batch-lost'), 1)
    t.equal(world.faults.of('store-batch-lost-from-the-middle'), 0)
  })
})

t.test('lost batches are counted, those from the middle too', async t => {
  const faults = new FaultCounts()
  let lost = 0
  let holes = 0
  for (let i = 0; i < 100; i++) {
    const world = new World(`${i}`)
    await world.clock.run(async () => {
      const store = await world.open('s')
      for (const key of ['a', 'b', 'c']) await put(store, { [key]: '1' }, false)
      world.machine.crash('any')
      world.machine.restart()
      const left = await rowsOf(await world.open('s'))
      const last = ['a', 'b', 'c'].findLastIndex(key => left.includes(key))
      lost += ['a', 'b', 'c'].filter(key => !left.includes(key)).length
      holes += ['a', 'b', 'c'].filter((key, at) => !left.includes(key) && at < last).length
    })
    faults.add(world.faults)
  }
  t.ok(lost > 20 && holes > 5, `${lost} ${holes}`)
  t.strictSame([faults.of('store-batch-lost'), faults.of('store-batch-lost-from-the-middle')], [lost, holes])
})

t.test('writes fail by chance, where it is said; each has happened or not, as it is counted', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const [bad, good] = [await world.open('bad'), await world.open('good')]
    world.machine.keyValue.failWrites({ where: folder => folder === 'bad', times: 200, chance: 0.5 })
    let failed = 0
    let done = 0
    for (let i = 0; i < 200; i++) {
      await put(good, { [`${i}`]: 'x' })
      const outcome = await put(bad, { [`${i}`]: 'x' }).then(
        () => '',
        (error: { code: string }) => error.code,
      )
      if (outcome === '') continue
      t.equal(outcome, 'DISK_FAILED')
      failed++
      if (bad.getSync(Buffer.from(`${i}`)) !== undefined) done++
    }
    t.ok(failed > 50 && failed < 150 && done > 10 && done < failed)
    t.equal(world.faults.of('store-write-failed-but-done'), done)
    t.equal(world.faults.of('store-write-failed'), failed - done)
    world.machine.keyValue.calm()
    for (let i = 0; i < 20; i++) await put(bad, { again: 'x' })
  })
})

t.test('stores are slow, and hang until they are let go on', async t => {
  const world = new World()
  await world.clock.run(async () => {
    const store = await world.open('s')
    const { keyValue } = world.machine
    keyValue.pace.setSlow([30, 40], folder => folder === 's')
    await put(store, { a: 'x' })
    const ms = world.clock.monotonicMs()
    t.ok(ms >= 30 && ms <= 40, `${ms}`)
    keyValue.pace.setSlow(undefined)
    keyValue.pace.hang()
    let isDone = false
    const writing = put(store, { b: 'x' }).then(() => {
      isDone = true
    })
    await new Promise<void>(resolve => world.clock.after(10_000, resolve))
    t.notOk(isDone)
    keyValue.pace.letGo()
    await writing
    t.strictSame([world.faults.of('slow-store'), world.faults.of('hung-store')], [1, 1])
  })
})
