/**
 * The state of a replica on a simulated machine against a model: crashes, replays, flushes and readers at
 * random.
 */
import t, { type Test } from 'tap'
import { Random } from '../../../src/base/random.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { State } from '../../../src/state/state.js'
import { readAll, scanTexts } from './compare.js'
import { allKeys, Model, randomKey, rowText } from './model.js'
import { World } from './world.js'

const firstSeed = process.env['SEED']
const seeds = firstSeed === undefined ? Array.from({ length: 60 }, (_, n) => `state-${n}`) : [firstSeed]

/** Runs the story in simulated time; a failure names the seed. */
async function inWorld(seed: string, story: (world: World) => Promise<void>): Promise<void> {
  const world = new World(seed)
  try {
    await world.clock.run(async () => {
      await world.open()
      await story(world)
    })
  } catch (error) {
    throw new Error(`SEED=${seed}`, { cause: error })
  }
}

/** A load held over many flushes; it must be right, with memory, at every moment. */
async function holdLoad(world: World, test: Test): Promise<void> {
  const keys = Array.from({ length: 10 }, () => randomKey(world.random))
  const loaded = await world.state.load(keys.filter(key => !key.startsWith('s')))
  const state = world.state
  for (let i = world.random.below(8); i >= 0; i--) {
    for (const key of keys) {
      const known = state.lookup(key)
      const row = known === undefined ? loaded.get(key) : known
      const expected = world.model.rows.get(key)
      const right = row?.version === expected?.version && row !== undefined
      if (!right) test.fail('a held load shows an old row', { found: row, expected })
    }
    await world.passHere(world.random.fraction() * 4)
  }
  loaded.release()
}

/** A scan that is slow; it must show the rows as of its beginning. */
async function scanSlowly(world: World, test: Test): Promise<void> {
  const range = world.randomRange()
  const state = world.state
  const expected = world.model.scanned(range)
  const scan = state.scan(range)
  const texts: string[] = []
  const early = world.random.chance(0.2)
  for await (const page of scan) {
    for (const [key, row] of page) texts.push(rowText(key, row))
    await world.passHere(world.random.fraction() * 3)
    if (early) return
  }
  test.strictSame(texts, expected, 'a scan shows the rows as of its beginning')
}

async function randomStep(world: World, test: Test): Promise<void> {
  const { random, state } = world
  const quietly = (work: Promise<unknown>): void => world.beside(work, error => test.fail(String(error)))
  switch (random.below(9)) {
    case 0:
      quietly(state.flush())
      break
    case 1:
      await state.flush()
      break
    case 2:
      quietly(state.checkpoint(world.record, { force: true }))
      break
    case 3:
      quietly(scanSlowly(world, test))
      break
    case 4:
      quietly(holdLoad(world, test))
      break
    case 5:
      await world.pass(random.fraction() * 6)
      break
    default:
      world.write(1 + random.below(30))
  }
}

t.test('state, kept replies, digests and scans equal the model over crashes at any moment', async t => {
  let replayed = 0
  let crashes = 0
  for (const seed of seeds) {
    await inWorld(seed, async world => {
      for (let life = 0; life < 6; life++) {
        for (let step = world.random.below(25); step >= 0; step--) await randomStep(world, t)
        if (world.random.chance(0.3)) await world.compare(t, `while it runs (SEED=${seed})`)
        await world.pass(world.random.fraction() * 3)
        if (world.random.chance(0.2)) {
          await world.closeAndOpen()
          t.equal(world.replayed, 0, 'a clean close leaves nothing to replay')
        } else {
          await world.restart(world.random.pick<CrashMode>(['all', 'none', 'any', 'any', 'any']))
          replayed += world.replayed
          crashes++
        }
        t.equal(world.rebuilt, undefined, `a crash is not taken for damage (SEED=${seed})`)
        if (!(await world.compare(t, `after a restart (SEED=${seed})`))) return
      }
      t.strictSame(world.failures, [], 'nothing failed')
    })
  }
  t.comment(`${crashes} crashes, ${replayed} entries replayed`)
})

t.test('a load that straddles flushes never shows an old row', async t => {
  await inWorld('straddle', async world => {
    world.write(200)
    await world.state.flush()
    const keys = allKeys().filter(key => !key.startsWith('m'))
    world.write(5)
    const known = keys.filter(key => world.state.lookup(key) !== undefined)
    // Two bulk reads at a time: this one waits for its turn, over a flush.
    const busy = [world.state.load(keys), world.state.load(keys)]
    const loading = world.state.load(keys.filter(key => !known.includes(key)))
    await world.state.flush()
    const loaded = await loading
    for (const one of await Promise.all(busy)) one.release()
    for (let round = 0; round < 5; round++) {
      for (const key of keys) {
        const found = world.state.lookup(key)
        const row = found === undefined ? loaded.get(key) : found
        t.equal(row === null ? undefined : (row?.version ?? 'unknown'), world.model.rows.get(key)?.version)
        t.equal(loaded.get(key)?.version, world.model.rows.get(key)?.version)
      }
      world.write(60)
      await world.state.flush()
    }
    loaded.release()
    loaded.release()
    t.throws(() => loaded.get(keys[0] ?? ''), /released/)
    t.equal(
      keys.filter(key => world.state.lookup(key) !== undefined).length,
      0,
      'memory forgets what is flushed',
    )
  })
})

t.test('replay over a state that is newer, or has holes, converges', async t => {
  for (let n = 0; n < 20; n++) {
    await inWorld(`converge-${n}`, async world => {
      world.write(80)
      await world.state.checkpoint(world.record, { force: true })
      const early = world.recorded
      world.write(100)
      await world.state.checkpoint(world.record, { force: true })
      world.write(50)
      await world.state.flush()
      if (early !== undefined) world.recorded = early
      await world.restart('any')
      t.equal(world.rebuilt, undefined)
      t.ok(world.replayed >= 150, 'replays from the earlier checkpoint')
      await world.compare(t, 'after the replay')
    })
  }
})

t.test('reads wait until replay has passed what the store holds', async t => {
  await inWorld('ahead', async world => {
    world.write(40)
    await world.state.flush()
    const { disk, keyValue, clock } = world.machine.restart()
    const options = { disk, keyValue, clock, folder: 'node/state-1', writeBufferBytes: 3000 }
    const { state, replayFrom } = await State.open({ ...options, logLastIndex: 40 })
    t.equal(replayFrom, 1)
    t.equal(state.newest, 40)
    t.notOk(state.isReadable)
    t.throws(() => state.scan({}), /below the store's 40/)
    t.throws(() => state.loadSync([]), /below the store's 40/)
    await t.rejects(state.load([]), /below the store's 40/)
    await state.close()
  })
})

t.test('a flush ends at the applied index of its freeze, whatever is applied meanwhile', async t => {
  await inWorld('freeze', async world => {
    for (let round = 0; round < 20; round++) {
      // Behind whatever a replay has begun.
      await world.state.flush()
      world.write(20)
      const at = world.state.applied
      const flush = world.state.flush()
      while (world.state.flushed < at) {
        world.write(1)
        await world.pass(0.05)
      }
      await flush
      t.equal(world.state.flushed, at)
      const applied = world.state.applied
      // The process ends; only what the flush wrote is there.
      await world.restart('all')
      t.equal(world.state.newest, at, 'the store knows of nothing newer')
      t.ok(applied > at, 'entries were applied meanwhile')
    }
  })
})

t.test('what a full disk kept back is written first, whatever is applied meanwhile', async t => {
  await inWorld('kept-back', async world => {
    for (let round = 0; round < 10; round++) {
      await world.state.flush()
      world.write(20)
      world.full = true
      await t.rejects(world.state.flush(), { code: 'DISK_FULL' })
      world.full = false
      const keptBack = world.state.applied
      let isDone = false
      const flush = world.state.flush().finally(() => {
        isDone = true
      })
      while (!isDone) {
        world.write(1)
        await world.pass(0.05)
      }
      await flush
      t.ok(world.state.flushed > keptBack, 'what came meanwhile was flushed with it, or after it')
      await world.restart('all')
      await world.compare(t, 'after a crash')
      t.equal(world.rebuilt, undefined)
    }
  })
})

t.test('a store that is not to be trusted goes to quarantine and is built again', async t => {
  const cases: [string, (world: World) => Promise<void>][] = [
    ['proves index', async world => world.machine.keyValue.dropRow(folderOf, Buffer.from('!ckpt'))],
    ['a mark fails', async world => world.machine.keyValue.flipValue(folderOf, Buffer.from('!applied'), 40)],
    ['73.* fails its check', async world => flipSession(world)],
    ['missing or empty', async world => await world.machine.disk.remove(folderOf)],
  ]
  for (const [reason, harm] of cases) {
    await inWorld(`quarantine ${reason}`, async world => {
      while (world.model.replies().length === 0 || world.log.length < 100) world.write(10)
      world.log.push({ facts: [], version: 0, rows: [] })
      world.state.advance(world.log.length)
      await world.state.checkpoint(world.record, { force: true })
      await harm(world)
      world.machine.crash('all')
      world.machine.restart()
      await world.open()
      t.match(world.rebuilt, new RegExp(reason))
      t.equal(world.replayed, world.log.length, 'everything is replayed')
      await world.compare(t, 'after the rebuild')
      const names = await world.machine.disk.list('node')
      t.equal(names.includes('state-1-quarantine-1'), reason !== 'missing or empty', 'the evidence is kept')
      // A crash before the first checkpoint of the fresh store is not a second fault.
      await world.state.flush()
      await world.restart('any')
      t.match(world.rebuilt, /interrupted/)
      t.strictSame(await world.machine.disk.list('node'), names, 'nothing more goes to quarantine')
      await world.compare(t, 'after the second rebuild')
      await world.state.checkpoint(world.record, { force: true })
      await world.restart('any')
      t.equal(world.rebuilt, undefined)
      t.equal(world.replayed, 0)
    })
  }
})

t.test('a store that is ahead of the log is left alone: the log is damaged', async t => {
  await inWorld('ahead of the log', async world => {
    world.write(60)
    await world.state.checkpoint(world.record, { force: true })
    world.log.pop()
    world.machine.crash('all')
    world.machine.restart()
    await t.rejects(world.open(), { code: 'DAMAGED', details: { firstLost: 60, last: 60 } })
    t.notOk((await world.machine.disk.list('node')).includes('state-1-quarantine-1'))
  })
})

const folderOf = 'node/state-1'

function flipSession(world: World): void {
  const key = Buffer.from(world.model.replies()[0]?.slice(0, 16) ?? '', 'hex')
  world.machine.keyValue.flipValue(folderOf, key, 77)
}

t.test('at most two folders are kept in quarantine', async t => {
  await inWorld('quarantines', async world => {
    for (let round = 1; round <= 4; round++) {
      world.write(10)
      await world.state.close()
      await world.open({ damaged: 'a row failed its check' })
      t.equal(world.rebuilt, 'a row failed its check')
      await world.compare(t, 'after the rebuild')
    }
    t.strictSame(await world.machine.disk.list('node'), [
      'state-1',
      'state-1-quarantine-3',
      'state-1-quarantine-4',
    ])
  })
})

t.test('a row that fails its check is refused by name, by loads, scans and the scrub', async t => {
  await inWorld('rotten row', async world => {
    world.write(100)
    await world.state.flush()
    const key = allKeys().find(key => world.model.rows.has(key)) ?? ''
    world.machine.keyValue.flipValue(folderOf, Buffer.from(key, 'latin1'), 100)
    world.write(1)
    // The snapshot was taken before; the next one sees the flip.
    await world.state.flush()
    if (world.state.lookup(key) !== undefined) return
    const named = { code: 'DAMAGED', details: { key: Buffer.from(key, 'latin1').toString('hex') } }
    await t.rejects(world.state.load([key]), named)
    t.throws(() => world.state.loadSync([key]), named)
    await t.rejects(scanTexts(world.state.scan({})), named)
    await t.rejects(world.state.scrub(), named)
  })
})

t.test('the scrub names the slot of a row that vanished', async t => {
  await inWorld('vanished', async world => {
    world.write(100)
    await world.state.flush()
    const key = allKeys().find(key => world.model.rows.has(key)) ?? ''
    world.machine.keyValue.dropRow(folderOf, Buffer.from(key, 'latin1'))
    const other = allKeys().find(key => !world.model.rows.has(key)) ?? ''
    t.not(key, other)
    world.write(1)
    await world.state.flush()
    const { slots } = await world.state.scrub()
    const changed = world.log.at(-1)?.facts.some(fact => fact.op !== 'deleteRange' && fact.key === key)
    t.equal(slots.length, changed ? 0 : 1)
  })
})

t.test('a failed write stops the flushes, tells the owner once and leaves memory right', async t => {
  await inWorld('failed write', async world => {
    world.write(50)
    world.machine.keyValue.failNextWrite()
    await t.rejects(world.state.flush(), { code: 'DISK_FAILED' })
    await t.rejects(world.state.flush(), { code: 'DISK_FAILED' })
    await t.rejects(world.state.checkpoint(world.record, { force: true }), { code: 'DISK_FAILED' })
    t.equal(world.failures.length, 1)
    world.write(20)
    const read = await readAll(world.state)
    for (const [key, row] of read) t.equal(row?.version, world.model.rows.get(key)?.version)
    await world.state.close({ record: world.record })
    t.equal(world.recorded, undefined)
  })
})

t.test(
  'maintenance makes a checkpoint when enough entries were applied, not more often than the pause',
  async t => {
    await inWorld('due', async world => {
      const pass = (count: number): void => {
        for (let i = 0; i < count; i++) world.state.advance(world.state.applied + 1)
        world.state.maintain(world.record)
      }
      await world.pass(6000)
      pass(99_999)
      await world.pass(100)
      t.equal(world.state.checkpointIndex, 0)
      pass(1)
      await world.pass(100)
      t.equal(world.state.checkpointIndex, 100_000)
      pass(100_000)
      await world.pass(100)
      t.equal(world.state.checkpointIndex, 100_000, 'too early')
      await world.pass(5000)
      pass(1)
      await world.pass(100)
      t.equal(world.state.checkpointIndex, 200_001)
    })
  },
)

t.test('a full disk is waited for, with memory right and bounded', async t => {
  await inWorld('full', async world => {
    world.write(50)
    world.full = true
    await t.rejects(world.state.flush(), { code: 'DISK_FULL' })
    await t.rejects(world.state.checkpoint(world.record, { force: true }), { code: 'DISK_FULL' })
    t.equal(world.recorded, undefined)
    t.strictSame(world.failures, [])
    world.write(50)
    t.ok(world.state.needsFlush)
    world.state.maintain(world.record)
    await world.pass(10)
    t.ok(world.state.waitsForSpace)
    await world.pass(6000)
    t.ok(world.state.waitsForSpace, 'it is tried again, in vain')
    await world.compare(t, 'while the disk is full')
    world.full = false
    await world.pass(6000)
    t.notOk(world.state.waitsForSpace)
    t.ok(world.state.flushed >= 50, 'what was frozen is written')
    await world.state.flush()
    t.equal(world.state.flushed, 100)
    world.full = true
    world.write(1)
    await world.state.close({ record: world.record })
    world.full = false
    await world.restart('any')
    t.equal(world.rebuilt, undefined)
    await world.compare(t, 'after a close on a full disk')
  })
})

t.test('memory is bounded: the owner is told when nothing can be flushed', async t => {
  await inWorld('bounded', async world => {
    const value = Buffer.alloc(1024 * 1024)
    t.notOk(world.state.overloaded)
    for (let n = 1; n < 130; n++) {
      const key = `d\0\0\0\u0009big${n}`
      world.state.apply(n, [{ op: 'put', key, value, prev0: 0, prev1: 0 }], n)
      t.equal(world.state.needsFlush, n >= 32)
    }
    t.ok(world.state.overloaded, 'above four times the memtable')
    world.state.maintain()
    await world.pass(2000)
    t.equal(world.state.flushed, 129)
    t.notOk(world.state.overloaded)
  })
})

t.test('a scan shows every row of a large memtable, in either direction', async t => {
  await inWorld('large', async world => {
    const put = (n: number): void => {
      const key = `d\0\0\0\u0007${String((n * 7919) % 10_007).padStart(5, '0')}`
      const fact = { op: 'put', key, value: Buffer.alloc(1), prev0: 0, prev1: 0 } as const
      world.state.apply(world.state.applied + 1, [fact], n)
    }
    for (let n = 1; n <= 10_000; n++) put(n)
    const forward = await scanTexts(world.state.scan({}))
    t.equal(forward.length, 10_000)
    t.ok(forward.slice().sort().join() === forward.join(), 'in order')
    const backward = await scanTexts(world.state.scan({ reverse: true, pageRows: 70 }))
    t.ok(backward.reverse().join() === forward.join(), 'the same backwards')
    const scan = world.state.scan({ gte: 'd\0\0\0\u000705000' })
    for (let n = 10_001; n < 10_007; n++) put(n)
    const rest = await scanTexts(scan)
    t.ok(rest.length > 4900)
    t.ok(rest.join() === forward.slice(-rest.length).join(), 'what came after it began is not shown')
  })
})

t.test('entries are applied in order, without gaps', async t => {
  await inWorld('order', async world => {
    world.write(3)
    t.throws(() => world.state.advance(3), /advance to 3 after 3/)
    t.throws(() => world.state.apply(5, [], 5), /apply 5 after 3/)
    const model = new Model()
    const { facts, version, rows } = model.decide(new Random('rows'), 4)
    t.throws(() => world.state.apply(4, facts, version, [...rows, ...rows, ...rows]), /rows for|row of/)
  })
})
