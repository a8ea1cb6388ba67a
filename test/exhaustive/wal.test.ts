/** All small crashes and all single damages of a log: every length, every byte, every operation. */
import t from 'tap'
import { isSillokError } from '../../src/base/errors.js'
import { Random } from '../../src/base/random.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimDisk } from '../../src/sim/sim-disk.js'
import { batchLength, decodeBatch } from '../../src/wal/batch.js'
import { opaqueRegister, registerKinds } from '../../src/wal/registers.js'
import { Wal } from '../../src/wal/wal.js'
import { seed } from '../seed.js'
import { created, entryOf, folder, World } from '../unit/wal/wal-world.js'

t.comment(`seed ${seed}`)

const path = `${folder}/wal-0000000000000001`
const fileBytes = 32 * 1024

function newDisk(clock: SimClock): SimDisk {
  return new SimDisk({ clock, random: new Random(seed), latency: 'none' })
}

async function openWal(disk: SimDisk, clock: SimClock): Promise<Wal> {
  return await Wal.open({ disk, clock, random: new Random(seed), folder, fileBytes })
}

function appended(wal: Wal, index: number, body: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const entries = [entryOf(1, index, 1, body)]
    wal.append({ partition: 1, entries }, error => (error === undefined ? resolve() : reject(error)))
    wal.kick()
  })
}

interface Prepared {
  /** The log's file before and after the last batch. */
  readonly before: Buffer
  readonly after: Buffer
  /** Where the last batch stands. */
  readonly from: number
  readonly to: number
  /** The note beside it. */
  readonly note: Buffer
}

type Follow = 'nothing' | 'witness' | 'batch' | 'clean close'

/** Entries 1 and 2 acknowledged, then 3 in a batch of two blocks, and what follows it. */
async function prepare(follow: Follow): Promise<Prepared> {
  const clock = new SimClock()
  const disk = newDisk(clock)
  return await clock.run(async () => {
    const wal = await openWal(disk, clock)
    wal.append({ partition: 1, registers: [created] }, () => {})
    await appended(wal, 1, 'one')
    await appended(wal, 2, 'two')
    const before = disk.bytesOf(path)
    await appended(wal, 3, Buffer.alloc(4500, 'three'))
    const { batchSequence } = wal.status()
    if (follow === 'witness') await new Promise<void>(resolve => clock.after(60, resolve))
    if (follow === 'batch') await appended(wal, 4, 'four')
    if (follow === 'clean close') await wal.close()
    const after = disk.bytesOf(path)
    let from = 4096
    for (let offset = 4096; offset < after.length; offset += 4096) {
      if (decodeBatch(after, offset)?.sequence === batchSequence) from = offset
    }
    const note = disk.bytesOf(`${folder}/durable`)
    return { before, after, from, to: from + batchLength(4 + 32 + 4500), note }
  })
}

/** Opens a log of one file with these bytes; its last index, or the error's code. */
async function outcome(bytes: Buffer, note?: Buffer): Promise<number | string> {
  const clock = new SimClock()
  const disk = newDisk(clock)
  disk.setBytes(path, bytes)
  if (note !== undefined) disk.setBytes(`${folder}/durable`, note)
  try {
    const wal = await openWal(disk, clock)
    for (let index = 1; index <= wal.tail(1).lastIndex; index++) {
      if (wal.tail(1).get(index) === undefined) return `entry ${index} is missing`
    }
    return wal.tail(1).lastIndex
  } catch (error) {
    return isSillokError(error) ? error.code : String(error)
  }
}

t.test('a last batch that no sync covered is there whole or not at all, whatever its length', async t => {
  const { before, after, from, to, note } = await prepare('nothing')
  const wrong: string[] = []
  const stale = Buffer.from(before)
  stale.fill(0xa5, from)
  for (let length = 0; length <= to - from; length += length % 512 < 4 || length % 512 > 500 ? 1 : 31) {
    const whole = from + length >= to
    for (const old of [before, stale]) {
      const torn = Buffer.concat([after.subarray(0, from + length), old.subarray(from + length)])
      const zeroed = Buffer.from(after)
      zeroed.set(old.subarray(from, from + length), from)
      const shortened = after.subarray(0, from + length)
      const found = [await outcome(torn, note), await outcome(zeroed, note), await outcome(shortened, note)]
      const padding = torn.equals(after)
      const expected = [whole || padding ? 3 : 2, zeroed.equals(after) ? 3 : 2, whole ? 3 : 2]
      if (String(found) !== String(expected)) wrong.push(`${length}: ${found} instead of ${expected}`)
    }
  }
  t.strictSame(wrong.slice(0, 10), [])
})

for (const follow of ['witness', 'batch', 'clean close'] as const) {
  t.test(
    `an acknowledged batch that a ${follow} follows is refused as damage, whatever byte of it changed`,
    async t => {
      const { after, from, to } = await prepare(follow)
      t.equal(await outcome(after), follow === 'batch' ? 4 : 3)
      const wrong: string[] = []
      for (let offset = from; offset < to; offset += offset - from < 4200 || offset % 512 > 500 ? 1 : 13) {
        const changed = Buffer.from(after)
        changed[offset] = (changed[offset] ?? 0) ^ (1 << (offset % 8))
        const found = await outcome(changed)
        if (found !== 'DAMAGED') wrong.push(`${offset - from}: ${found}`)
      }
      t.strictSame(wrong.slice(0, 10), [])
    },
  )
}

t.test('any byte of the file header may be lost', async t => {
  const { after } = await prepare('witness')
  for (let offset = 0; offset < 32; offset++) {
    const changed = Buffer.from(after)
    changed[offset] = (changed[offset] ?? 0) ^ 0x11
    t.equal(await outcome(changed), 3, `byte ${offset}`)
  }
})

for (const mode of ['all', 'none', 'any'] as const) {
  t.test(
    `a crash (${mode}) at every operation of rotations and recyclings loses nothing acknowledged`,
    async t => {
      let operations = 0
      for (let at = 1; ; at++) {
        const world = new World({ seed: `${seed}/${mode}`, fileBytes, entryBytesMax: 1800 })
        world.disk.crashAt(at, mode)
        await world.run(async () => {
          await world.open()
          await world.work(110)
          await world.drain()
        })
        operations = at
        if (!world.disk.dead) break
        await reopen(world, at)
      }
      t.ok(operations > 80, `${operations} operations`)
    },
  )
}

/** Opens after the crash; the recovery crashes, too, at each of its operations. */
async function reopen(world: World, at: number): Promise<void> {
  const crashed = world.disk
  for (let again = 1; ; again++) {
    const disk = crashed.restart()
    disk.crashAt(again, world.random.pick(['all', 'none', 'any'] as const))
    world.disk = disk
    await world.run(() => world.open(disk))
    if (disk.dead) {
      if (again % 7 !== at % 7) continue
      world.disk = disk.restart()
      await world.run(() => world.open())
    }
    world.check()
    if (!disk.dead) return
    world.waiting = []
    return
  }
}

t.test('a payload of every length comes back', async t => {
  const clock = new SimClock()
  const disk = newDisk(clock)
  await clock.run(async () => {
    const wal = await openWal(disk, clock)
    wal.append({ partition: 1, registers: [created] }, () => {})
    for (let length = 0; length < 300; length++) {
      const register = opaqueRegister('checkpoint', Buffer.alloc(length, length))
      await new Promise<void>(resolve => wal.append({ partition: 1, registers: [register] }, () => resolve()))
      wal.release(1, 0)
    }
    const again = await openWal(disk.restart(), clock)
    t.strictSame(again.register(1, registerKinds.checkpoint), Buffer.alloc(299, 299))
  })
})
