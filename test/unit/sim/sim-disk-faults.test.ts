/** Each fault of the simulated disk does what it says, and is counted where it does harm. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { DiskFile } from '../../../src/env/disk.js'
import { FaultCounts, type FaultKind } from '../../../src/sim/fault-counts.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk, type SimDiskOptions } from '../../../src/sim/sim-disk.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

const sector = (value: number, count = 1): Buffer => Buffer.alloc(512 * count, value)

/** A disk with a file `f` of so many durable sectors of ones. */
class World {
  readonly clock = new SimClock()
  readonly faults = new FaultCounts()
  disk: SimDisk

  constructor(options: Partial<SimDiskOptions> = {}, name = '') {
    const random = new Random(`${seed}/${name}`)
    this.disk = new SimDisk({ clock: this.clock, random, faults: this.faults, ...options })
  }

  async run(sectors: number, work: (file: DiskFile) => Promise<void>): Promise<void> {
    this.disk.setBytes('f', sector(1, sectors))
    await this.clock.run(async () => work(await this.disk.open('f')))
  }

  losePower(): void {
    this.disk.crash('none')
    this.disk = this.disk.restart()
  }

  /** A digit for each sector; `?` for one that holds more than one value. */
  get shape(): string {
    const bytes = this.disk.bytesOf('f')
    let text = ''
    for (let at = 0; at < bytes.length; at += 512) {
      const part = bytes.subarray(at, at + 512)
      text += part.every(byte => byte === part[0]) ? part[0] : '?'
    }
    return text
  }

  counts(...kinds: FaultKind[]): number[] {
    return kinds.map(kind => this.faults.of(kind))
  }
}

t.test('a lost sync resolves; what it covered is read until power is lost, unless written again', async t => {
  const world = new World()
  await world.run(3, async file => {
    world.disk.arrange('lost-sync')
    await file.write([sector(2)], 0)
    await file.sync()
    await file.write([sector(3)], 512)
    await file.sync()
    t.equal(world.shape, '231')
    world.disk = world.disk.restart()
    t.equal(world.shape, '231', 'the page cache outlives the process')
    t.strictSame(world.counts('lost-sync', 'process-death'), [0, 1])
    world.losePower()
    t.equal(world.shape, '131')
    t.strictSame(world.counts('lost-sync', 'power-loss'), [1, 1])
  })
  const healed = new World()
  await healed.run(3, async () => {
    const log = await healed.disk.openLog('f')
    healed.disk.arrange('lost-sync')
    await log.commit([sector(2, 2)], 0)
    await log.commit([sector(4)], 512)
    await log.commit([sector(3)], 0)
    healed.losePower()
    t.equal(healed.shape, '341')
    t.strictSame(healed.counts('lost-sync'), [0], 'nobody can see what was lost')
  })
})

t.test('a lost sync of a folder resolves, and its names may be lost with the power', async t => {
  const world = new World()
  await world.run(1, async () => {
    world.disk.arrange('lost-sync', { where: path => path === 'd' })
    await world.disk.makeFolder('d')
    await (await world.disk.open('d/g', { create: true })).sync()
    await world.disk.syncFolder('d')
    world.losePower()
    t.strictSame(await world.disk.list('d'), [])
    t.strictSame(world.counts('unsynced-name-lost'), [1])
  })
})

t.test('a misdirected write stands at another sector, and its place keeps its old bytes', async t => {
  const shapes = new Set<string>()
  for (let i = 0; i < 100; i++) {
    const world = new World({ latency: 'none' }, `${i}`)
    await world.run(4, async file => {
      world.disk.arrange('misdirected-write')
      await file.write([sector(2), sector(3)], 512)
      await file.sync()
      t.equal(world.shape, '1231', 'the page cache has it right')
      await file.write([sector(4)], 0)
      world.losePower()
      shapes.add(world.shape)
      t.strictSame(world.counts('misdirected-write', 'unsynced-write-lost'), [1, 1])
    })
  }
  t.strictSame([...shapes].sort(), ['1121', '1132', '1213', '1311', '2131', '3211'])
})

t.test('a whole write may be misdirected', async t => {
  const shapes = new Set<string>()
  for (let i = 0; i < 60; i++) {
    const world = new World({ latency: 'none' }, `${i}`)
    await world.run(8, async () => {
      const log = await world.disk.openLog('f')
      world.disk.arrange('misdirected-write')
      await log.commit([sector(2, 3)], 512)
      world.losePower()
      shapes.add(world.shape)
    })
  }
  for (const whole of ['11112221', '11111222']) t.ok(shapes.has(whole), whole)
})

t.test('a file of one sector has no wrong place', async t => {
  const world = new World()
  await world.run(1, async file => {
    world.disk.arrange('misdirected-write')
    await file.write([sector(2)], 0)
    await file.sync()
    world.losePower()
    t.equal(world.shape, '2')
    t.strictSame(world.counts('misdirected-write'), [0])
  })
})

t.test('a rotten bit is read when the page cache is gone, not before', async t => {
  for (const gone of ['power', 'evicted'] as const) {
    const world = new World()
    await world.run(2, async () => {
      t.equal(world.disk.rot('f', 512 * 8 + 3), true)
      t.equal(world.disk.rot('f', 1024 * 8), false)
      t.equal(world.shape, '11')
      world.disk = world.disk.restart()
      t.equal(world.shape, '11')
      t.strictSame(world.counts('bit-rot'), [0])
      if (gone === 'evicted') {
        await (await world.disk.open('f')).write([sector(2)], 0)
        world.disk.evict()
        t.equal(world.shape, '2?', 'what waits for a sync is kept')
      } else {
        world.losePower()
        t.equal(world.shape, '1?')
      }
      t.equal(world.disk.bytesOf('f')[512], 1 ^ 8)
      t.strictSame(world.counts('bit-rot'), [1])
    })
  }
})

t.test('some bit of some durable file rots, of those that are asked for', async t => {
  const world = new World()
  await world.run(1, async () => {
    world.disk.setBytes('d/g', sector(1))
    await world.disk.open('empty', { create: true })
    const random = new Random(seed)
    const seen = new Set<string | undefined>()
    for (let i = 0; i < 50; i++) seen.add(world.disk.rotAny(random))
    t.strictSame([...seen].sort(), ['d/g', 'f'])
    t.equal(
      world.disk.rotAny(random, path => path === 'd/g'),
      'd/g',
    )
    t.equal(
      world.disk.rotAny(random, path => path === 'empty'),
      undefined,
    )
  })
})

t.test('after a failed sync an evicted page shows what was never written', async t => {
  const world = new World()
  await world.run(1, async file => {
    world.disk.arrange('failed-sync', { where: path => path === 'g' })
    await file.write([sector(2)], 0)
    await file.sync()
    world.disk.failNextSync()
    await file.write([sector(3)], 0)
    await t.rejects(file.sync(), { code: 'DISK_FAILED' })
    await file.sync()
    t.equal(world.shape, '3')
    world.disk.evict(path => path === 'g')
    t.equal(world.shape, '3')
    world.disk.evict()
    t.equal(world.shape, '2')
    t.strictSame(world.counts('failed-sync'), [1])
  })
})

t.test('a read error strikes where, as often and as likely as it is said', async t => {
  const world = new World({ latency: 'none' })
  await world.run(1, async file => {
    world.disk.setBytes('g', sector(1))
    const other = await world.disk.open('g')
    const failures = async (one: DiskFile, count: number): Promise<number> => {
      let failed = 0
      for (let i = 0; i < count; i++) {
        await one.read(0, 10).catch((error: { code: string }) => {
          if (error.code === 'DISK_FAILED') failed++
        })
      }
      return failed
    }
    world.disk.arrange('read-error', { where: path => path === 'g', times: 3 })
    t.strictSame([await failures(file, 10), await failures(other, 10)], [0, 3])
    world.disk.arrange('read-error', { times: Number.POSITIVE_INFINITY, chance: 0.5 })
    const some = await failures(file, 200)
    t.ok(some > 50 && some < 150, `${some}`)
    world.disk.calm()
    t.equal(await failures(file, 200), 0)
    t.strictSame(world.counts('read-error'), [3 + some])
  })
})

t.test('a slow disk takes its time, where it is slow, until it is not', async t => {
  for (const latency of ['none', 'random'] as const) {
    const world = new World({ latency })
    await world.run(1, async file => {
      const took = async (work: () => Promise<unknown>): Promise<number> => {
        const beginMs = world.clock.monotonicMs()
        await work()
        return world.clock.monotonicMs() - beginMs
      }
      world.disk.pace.setSlow([50, 90], path => path === 'f')
      const ms = await took(() => file.size())
      t.ok(ms >= 50 && ms <= 90, `${ms}`)
      t.ok((await took(() => world.disk.list(''))) <= 2)
      world.disk.pace.setSlow(undefined)
      t.ok((await took(() => file.size())) <= 2)
      t.strictSame(world.counts('slow-disk'), [1])
    })
  }
})

t.test('what is begun while the disk hangs does not end before it goes on', async t => {
  const world = new World()
  await world.run(1, async file => {
    world.disk.pace.hang(path => path === 'f')
    const ends: string[] = []
    for (const name of ['a', 'b']) void file.size().then(() => ends.push(name))
    await world.disk.list('')
    await new Promise<void>(resolve => world.clock.after(60_000, resolve))
    t.strictSame(ends, [])
    world.disk.pace.letGo()
    await file.size()
    t.strictSame(ends, ['a', 'b'])
    t.strictSame(world.counts('hung-disk'), [2])
    world.disk.pace.hang()
    void file.size().then(() => t.fail('a dead process gets no answer'))
    world.disk.crash('all')
    world.disk.pace.letGo()
    await new Promise<void>(resolve => world.clock.after(10, resolve))
  })
})

t.test('a wiped disk is found empty', async t => {
  const clock = new SimClock()
  const faults = new FaultCounts()
  const machine = new SimMachine({ clock, random: new Random(seed), faults })
  await clock.run(async () => {
    machine.disk.setBytes('d/f', sector(1))
    const store = await machine.environment.keyValue.open('s', { writeBufferBytes: 1000 })
    const batch = store.batch()
    batch.put(Buffer.from('k'), Buffer.from('v'))
    await batch.write({ sync: true })
    machine.wipe()
    const { disk, keyValue } = machine.restart()
    t.strictSame(await disk.list(''), [])
    const found = await keyValue.open('s', { writeBufferBytes: 1000 })
    t.strictSame(await found.iterate({}).next(10), [])
    machine.crash('none')
    t.strictSame(await machine.restart().disk.list(''), ['s'], 'the next one is not wiped')
    t.equal(faults.of('wiped-disk'), 1)
  })
})

t.test('a crash counts what it tears and what it drops', async t => {
  const faults = new FaultCounts()
  for (let i = 0; i < 60; i++) {
    const world = new World({ latency: 'none' }, `${i}`)
    await world.run(4, async file => {
      await world.disk.open('g', { create: true })
      world.disk.crashAt(2, 'any')
      await file.write([sector(2, 4)], 0)
      void file.write([sector(3, 2)], 0)
      await world.disk.crashed
      world.disk = world.disk.restart()
    })
    faults.add(world.faults)
  }
  t.strictSame([faults.of('power-loss'), faults.of('crash-in-operation')], [60, 60])
  for (const kind of ['torn-write', 'unsynced-write-lost', 'unsynced-name-lost'] as const) {
    t.ok(faults.of(kind) > 10 && faults.of(kind) < 110, `${kind} ${faults.of(kind)}`)
  }
})

t.test('faults that are arranged and do not strike change nothing', async t => {
  const story = async (arranges: boolean): Promise<string> => {
    const clock = new SimClock()
    const disk = new SimDisk({ clock, random: new Random(seed) })
    if (arranges) {
      disk.arrange('lost-sync', { where: () => false })
      disk.arrange('read-error', { chance: 0, times: 100 })
      disk.pace.setSlow([5, 9], () => false)
      disk.pace.hang(() => false)
    }
    disk.setBytes('f', sector(1))
    await clock.run(async () => {
      const file = await disk.open('f')
      for (let i = 0; i < 20; i++) {
        await file.write([sector(i, 3)], i * 700)
        if (i % 3 === 0) await file.sync()
        await file.read(0, 100)
      }
    })
    disk.crash('any')
    return `${clock.monotonicMs()} ${disk.restart().bytesOf('f').toString('base64')}`
  }
  t.equal(await story(true), await story(false))
})

t.test('a held process hears late of what its disk has done in time, and a dead one never', async t => {
  for (const latency of ['none', 'random'] as const) {
    const clock = new SimClock()
    const machine = new SimMachine({ clock, random: new Random(seed), latency })
    await clock.run(async () => {
      const { disk } = machine.environment
      machine.disk.setBytes('f', sector(1, 2))
      const log = await disk.openLog('f')
      const store = await machine.environment.keyValue.open('s', { writeBufferBytes: 1000 })
      let heardMs = 0
      const beginMs = clock.monotonicMs()
      machine.clock.stall(100)
      const hears = (): void => {
        heardMs = clock.monotonicMs() - beginMs
      }
      const batch = store.batch()
      batch.put(Buffer.from('k'), Buffer.from('v'))
      const written = batch.write({ sync: true }).then(hears)
      const committed = log.commit([sector(2)], 0).then(hears)
      await new Promise<void>(resolve => clock.after(50, resolve))
      t.equal(heardMs, 0)
      machine.disk.failNextSync()
      await Promise.all([written, committed])
      t.equal(heardMs, 100)
      await t.rejects(log.commit([sector(2)], 0), { code: 'DISK_FAILED' }, 'the first one was synced before')
      machine.clock.pause()
      void log.commit([sector(3)], 512).then(() => t.fail('a dead process hears'))
      await new Promise<void>(resolve => clock.after(50, resolve))
      machine.crash('none')
      machine.clock.resume()
      await new Promise<void>(resolve => clock.after(50, resolve))
      machine.restart()
      t.equal(
        machine.disk.bytesOf('f').compare(Buffer.concat([sector(2), sector(3)])),
        0,
        'durable all the same',
      )
    })
  }
})
