/** Simulated key-value stores and machines leave every legal outcome of a crash, and no illegal one. */
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import type { Environment } from '../../../src/env/environment.js'
import type { KeyValueStore } from '../../../src/env/key-value.js'
import type { Connection } from '../../../src/env/network.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine, type SimMachineOptions } from '../../../src/sim/sim-machine.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import { seed } from '../../seed.js'

t.comment(`SEED=${seed}`)

const options = { writeBufferBytes: 1000 }

async function put(store: KeyValueStore, key: string, value: string, sync = false): Promise<void> {
  const batch = store.batch()
  batch.put(Buffer.from(key), Buffer.from(value))
  batch.put(Buffer.from(`${key}2`), Buffer.from(value))
  await batch.write({ sync })
}

/** All rows as `key=value,…`; a batch of `put` that is there in part shows. */
async function rowsOf(store: KeyValueStore): Promise<string> {
  const rows = await store.iterate({}).next(100)
  return rows.map(([key, value]) => `${key}=${value}`).join()
}

async function outcomes(
  mode: CrashMode,
  work: (store: KeyValueStore) => Promise<void>,
  more: Partial<SimMachineOptions> = {},
  rounds = 200,
): Promise<string[]> {
  const seen = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    const clock = new SimClock()
    const random = new Random(`${seed}/${round}`)
    const machine = new SimMachine({ clock, random, latency: 'none', ...more })
    await clock.run(async () => {
      const { disk, keyValue } = machine.environment
      await disk.makeFolder('s')
      await disk.syncFolder('')
      await work(await keyValue.open('s', options))
      machine.crash(mode)
      seen.add(await rowsOf(await machine.restart().keyValue.open('s', options)))
    })
  }
  return [...seen].sort()
}

t.test('unsynced batches may vanish, also from the middle, never in part', async t => {
  const work = async (store: KeyValueStore): Promise<void> => {
    await put(store, 'a', '1')
    await put(store, 'b', '1')
    await put(store, 'c', '1')
  }
  const [a, b, c] = ['a=1,a2=1', 'b=1,b2=1', 'c=1,c2=1']
  const subsets = ['', a, b, c, `${a},${b}`, `${a},${c}`, `${b},${c}`, `${a},${b},${c}`]
  t.strictSame(await outcomes('any', work), subsets.sort())
  t.strictSame(await outcomes('none', work, {}, 20), [''])
  t.strictSame(await outcomes('all', work, {}, 20), [`${a},${b},${c}`])
})

t.test('a synced write makes itself and everything before it durable', async t => {
  const work = async (store: KeyValueStore): Promise<void> => {
    await put(store, 'a', '1')
    await put(store, 'b', '1', true)
    await put(store, 'a', '2')
  }
  t.strictSame(await outcomes('any', work), ['a=1,a2=1,b=1,b2=1', 'a=2,a2=2,b=1,b2=1'])
})

t.test('compaction makes nothing durable by itself', async t => {
  const work = async (store: KeyValueStore): Promise<void> => {
    await put(store, 'a', '1')
    await store.compact()
  }
  t.strictSame(await outcomes('none', work, {}, 20), [''])
})

t.test('with rotation loss a sync leaves out what an older log holds, unless it was compacted', async t => {
  const long = 'x'.repeat(600)
  const rotated = async (store: KeyValueStore): Promise<void> => {
    await put(store, 'a', long)
    await put(store, 'a', '1')
    await put(store, 'b', '1', true)
  }
  const lost = await outcomes('any', rotated, { rotationLoss: true })
  t.strictSame(lost, ['a=1,a2=1,b=1,b2=1'], 'a newer value is never replaced by an older one')
  const hole = async (store: KeyValueStore): Promise<void> => {
    await put(store, 'a', long)
    await put(store, 'b', '1', true)
  }
  const kept = `a=${long},a2=${long},b=1,b2=1`
  t.strictSame(await outcomes('any', hole, { rotationLoss: true }), [kept, 'b=1,b2=1'])
  t.strictSame(await outcomes('any', hole), [kept])
  const compacted = async (store: KeyValueStore): Promise<void> => {
    await put(store, 'a', long)
    await store.compact()
    await put(store, 'b', '1', true)
  }
  t.strictSame(await outcomes('any', compacted, { rotationLoss: true }), [kept])
})

t.test('a failing write rejects and may have happened', async t => {
  const seen = new Set<string>()
  for (let round = 0; round < 30; round++) {
    const clock = new SimClock()
    const machine = new SimMachine({ clock, random: new Random(`${seed}/${round}`) })
    await clock.run(async () => {
      const store = await machine.environment.keyValue.open('s', options)
      machine.keyValue.failNextWrite()
      await t.rejects(put(store, 'a', '1', true), { code: 'DISK_FAILED' })
      seen.add(await rowsOf(store))
    })
  }
  t.strictSame([...seen].sort(), ['', 'a=1,a2=1'])
})

t.test('values change and rows vanish without an error', async t => {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(seed) })
  await clock.run(async () => {
    const store = await machine.environment.keyValue.open('s', options)
    await put(store, 'a', '1', true)
    machine.keyValue.flipValue('s', Buffer.from('a'), 1)
    machine.keyValue.dropRow('s', Buffer.from('a2'))
    t.equal(await rowsOf(store), 'a=3')
    machine.crash('none')
    t.equal(await rowsOf(await machine.restart().keyValue.open('s', options)), 'a=3')
  })
})

t.test('a store goes where its folder goes', async t => {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(seed) })
  await clock.run(async () => {
    const { disk, keyValue } = machine.environment
    const store = await keyValue.open('n/s', options)
    await put(store, 'a', '1', true)
    await store.close()
    await disk.rename('n/s', 'n/quarantine')
    const fresh = await keyValue.open('n/s', options)
    t.equal(await rowsOf(fresh), '')
    t.equal(await rowsOf(await keyValue.open('n/quarantine', options)), 'a=1,a2=1')
    await fresh.close()
    await disk.remove('n/s')
    t.equal(await rowsOf(await keyValue.open('n/s', options)), '')
  })
})

t.test('a crash ends the whole process: timers, files, stores and locks', async t => {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(seed) })
  const ticks: string[] = []
  const live = async (name: string, environment: Environment): Promise<void> => {
    const tick = (): void => {
      ticks.push(name)
      environment.clock.after(1, tick, { idle: true })
    }
    tick()
    await environment.lockFolder('n')
    await t.rejects(environment.lockFolder('/n/'), { code: 'FOLDER_IN_USE' })
    const store = await environment.keyValue.open('n/s', options)
    for (let i = 0; ; i++) await put(store, `${name}${i}`, 'x', i % 10 === 0)
  }
  void live('first', machine.environment)
  machine.disk.crashAt(4, 'any')
  await clock.run(machine.disk.crashed)
  const count = ticks.length
  await clock.runFor(50)
  t.equal(ticks.length, count, 'the ticker is dead')
  void live('second', machine.restart())
  await clock.runFor(50)
  t.equal(ticks.filter(name => name === 'second').length, 51)
  machine.crash('any')
  await clock.runFor(5)
  machine.restart()
})

t.test(
  'a crash ends what the process had of the network; a loss of power without a word to others',
  async t => {
    for (const mode of ['all', 'any'] as const) {
      const clock = new SimClock()
      const random = new Random(seed)
      const cables = new SimNetwork({ clock, random: random.split('cables') })
      const machine = new SimMachine({ clock, random, network: { cables, host: 'b' } })
      const other = cables.process('a')
      const wait = (ms: number): Promise<void> => new Promise(resolve => clock.after(ms, resolve))
      await clock.run(async () => {
        const read = (connection: Connection): void => {
          connection.onMessage(() => {})
          connection.onClose(() => t.fail('a dead process hears'))
        }
        await machine.network.listen('b:1', read)
        const connection = await other.connect('b:1')
        connection.onMessage(() => {})
        let isClosed = false
        connection.onClose(() => {
          isClosed = true
        })
        await wait(10)
        machine.crash(mode)
        await wait(1000)
        t.equal(isClosed, mode === 'all')
        await t.rejects(other.connect('b:1'), { code: 'UNAVAILABLE' })
        machine.restart()
        await machine.network.listen('b:1', connection => connection.onMessage(() => {}))
        const again = await other.connect('b:1')
        t.ok(again.send(Buffer.from('to the next process')))
      })
    }
  },
)

t.test("a wrong clock is the machine's: the next process has it too", async t => {
  const clock = new SimClock()
  const random = new Random(seed)
  const machine = new SimMachine({ clock, random, wallSkewMs: 500, clockRate: 1.01 })
  await clock.runFor(1000)
  t.equal(machine.environment.clock.wallMs(), clock.wallMs() + 500)
  t.equal(machine.environment.clock.monotonicMs(), 1010)
  machine.clock.jumpWall(-2000)
  machine.clock.setRate(0.99)
  machine.clock.pause()
  const next = machine.restart()
  t.equal(next.clock.wallMs(), clock.wallMs() - 1500)
  const beginMs = next.clock.monotonicMs()
  await clock.runFor(1000)
  t.ok(Math.abs(next.clock.monotonicMs() - beginMs - 990) < 0.001)
  t.notOk(machine.clock.isHeld, 'it is another process')
})

t.test('opening makes what is found durable', async t => {
  const clock = new SimClock()
  const machine = new SimMachine({ clock, random: new Random(seed) })
  await clock.run(async () => {
    const { disk, keyValue } = machine.environment
    await disk.makeFolder('s')
    await put(await keyValue.open('s', options), 'a', '1')
    machine.crash('all')
    await machine.restart().keyValue.open('s', options)
    machine.crash('none')
    t.equal(await rowsOf(await machine.restart().keyValue.open('s', options)), 'a=1,a2=1')
  })
})
