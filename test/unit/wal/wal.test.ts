/** The laws of the write-ahead log. */
import t from 'tap'
import { created, entryOf, World } from './wal-world.js'

const seed = process.env['SEED'] ?? String(Date.now() % 1e6)
t.comment(`seed ${seed}`)

t.test('what was appended is there after close and open, again and again', async t => {
  const world = new World({ seed })
  for (let round = 0; round < 8; round++) {
    await world.run(async () => {
      await world.open()
      world.check()
      await world.work(60)
      await world.drain()
      await world.log.close()
    })
    t.strictSame(world.errors, [])
    t.strictSame(world.failed, [])
    world.disk = world.disk.restart()
  }
  t.ok(world.acknowledged === 480)
})

t.test('what was acknowledged is there after a crash at any moment', async t => {
  for (let round = 0; round < 60; round++) {
    const world = new World({ seed: `${seed}/${round}` })
    for (const mode of ['all', 'none', 'any', 'any'] as const) {
      world.disk.crashAt(1 + world.random.below(120), mode)
      await world.run(async () => {
        await world.open()
        world.check()
        await world.work(1000)
      })
      t.strictSame(world.failed, [], `round ${round}`)
      world.disk = world.disk.restart()
    }
  }
})

t.test('a last batch that fills most of a file is recovered, and as large ones follow', async t => {
  const world = new World({ seed })
  const extend = (index: number): void => {
    world.append({ partition: 0, entries: [entryOf(0, index, 1, world.random.bytes(50_000))] })
  }
  for (let round = 0; round < 4; round++) {
    await world.run(async () => {
      await world.open()
      world.check()
      if (round === 0) world.append({ partition: 0, registers: [created] })
      extend(2 * round + 1)
      await world.drain()
      extend(2 * round + 2)
      await world.drain()
    })
    t.strictSame(world.errors, [])
    t.strictSame(world.failed, [])
    world.disk.crash('all')
    world.disk = world.disk.restart()
  }
})
