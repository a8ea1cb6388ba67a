/** The laws of opening a log: crashes, failed syncs, damage, foreign bytes. */
import t from 'tap'
import { isSillokError, type SillokError } from '../../../src/base/errors.js'
import { BatchWriter, decodeBatch } from '../../../src/wal/batch.js'
import { decodeFileHeader, encodeFileHeader, isWalFileName } from '../../../src/wal/wal-file.js'
import { seed } from '../../seed.js'
import { created, difference, entryOf, folder, World } from './wal-world.js'

t.comment(`seed ${seed}`)

async function refusal(work: Promise<unknown>): Promise<SillokError | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    return isSillokError(error) ? error : undefined
  }
}

t.test('what was acknowledged is there after a crash at any moment, and one after it', async t => {
  for (let round = 0; round < 60; round++) {
    const world = new World({ seed: `${seed}/${round}`, partitions: 1 + (round % 5) })
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

t.test('a last batch that ends in zeros is read to its end', async t => {
  for (const bytes of [1, 4000, 5000, 100_000, 2_500_000]) {
    const world = new World({ seed, fileBytes: 8 * 1024 * 1024 })
    await world.run(async () => {
      await world.open()
      world.append({ partition: 7, registers: [created] })
      await world.drain()
      world.append({ partition: 7, entries: [entryOf(7, 1, 1, Buffer.alloc(bytes))] })
      await world.drain()
    })
    world.disk.crash('none')
    world.disk = world.disk.restart()
    await world.run(async () => {
      await world.open()
      world.check()
    })
    t.equal(world.model.get(7)?.last, 1, `${bytes} zeros`)
  }
})

t.test('uncommitted entries survive crashes at any moment, copied or not', async t => {
  for (let round = 0; round < 25; round++) {
    const world = new World({ seed: `${seed}/${round}`, partitions: 2, uncommitted: [7] })
    let begun = false
    for (const mode of ['none', 'any', 'all', 'any'] as const) {
      world.disk.crashAt(begun ? 100 + world.random.below(150) : 400, mode)
      await world.run(async () => {
        await world.open()
        world.check()
        if (!begun) {
          const entries = [1, 2, 3, 4].map(index => entryOf(7, index, 1, Buffer.alloc(5000, index)))
          world.append({ partition: 7, registers: [created], entries })
        }
        begun = true
        await world.work(2000)
      })
      world.disk = world.disk.restart()
    }
    t.strictSame(world.failed, [])
  }
})

t.test('a batch whose sync failed counts after open only if it survives a power loss', async t => {
  for (let round = 0; round < 20; round++) {
    const world = new World({ seed: `${seed}/${round}` })
    await world.run(async () => {
      await world.open()
      await world.work(12 + round)
      await world.drain()
      await world.pause(30)
      world.disk.failNextSync()
      world.step()
      await world.pause(20)
    })
    const killed = world.disk.restart()
    await world.clock.run(world.open(killed))
    const before = world.waiting.length
    world.check()
    t.equal(before, 1)
    t.equal(difference(world.log, world.model), undefined)
    killed.crash('none')
    await world.clock.run(world.open(killed.restart()))
    t.equal(difference(world.log, world.model), undefined, 'what was read is on the disk since the open')
  }
})

t.test('a file whose zeros were never synced is not written to, though the page cache has them', async t => {
  const world = new World({ seed })
  const next = 'wal-0000000000000002'
  await world.run(async () => {
    world.disk.arrange('failed-sync', { where: path => path.includes(next) })
    await world.open()
    await world.pause(200)
  })
  const killed = world.disk.restart()
  await world.clock.run(world.open(killed))
  world.check()
  world.disk = killed
  await world.run(async () => {
    for (let used: string[] = []; !used.includes(next); used = await usedFiles(world)) await world.work(1)
    await world.drain()
  })
  killed.crash('none')
  await world.clock.run(world.open(killed.restart()))
  world.check()
  t.pass()
})

t.test('a clean close whose sync failed never looks like damage later', async t => {
  const world = new World({ seed })
  await world.clock.run(async () => {
    const wal = await world.open()
    await world.work(20)
    await world.drain()
    world.disk.failNextSync()
    await wal.close()
    await world.open(world.disk.restart())
    world.check()
    await world.work(5)
    await world.drain()
    world.disk.crash('none')
  })
  await world.clock.run(world.open(world.disk.restart()))
  world.check()
  t.pass()
})

t.test('a batch inside an entry passes for no batch', async t => {
  const world = new World({ seed })
  const forge = (salt: Buffer, sequence: number, previousCrc: number): Buffer => {
    const writer = new BatchWriter()
    writer.begin()
    const place = { sequence, file: 1, salt, previousCrc, flags: 0, openingCount: 0 }
    return Buffer.from(writer.finish(place).bytes)
  }
  await world.run(async () => {
    const wal = await world.open()
    world.append({ partition: 1, registers: [created] })
    await world.drain()
    const fake = forge(Buffer.alloc(8, 7), wal.status().batchSequence + 2, 0)
    /** The body begins 48 + 4 + 32 bytes into the batch: the fake batch stands on a boundary. */
    const body = Buffer.concat([Buffer.alloc(4096 - 84), fake, Buffer.alloc(100)])
    world.append({ partition: 1, entries: [entryOf(1, 1, 1, body)] })
    await world.drain()
  })
  const path = `${folder}/wal-0000000000000001`
  const bytes = world.disk.bytesOf(path)
  const forged: number[] = []
  for (let offset = 4096; offset < bytes.length; offset += 4096) {
    if (decodeBatch(bytes, offset)?.salt.equals(Buffer.alloc(8, 7))) forged.push(offset)
  }
  t.equal(forged.length, 1, 'it stands on a boundary and its CRC holds')
  world.disk.flip(path, ((forged[0] ?? 0) - 100) * 8)
  await world.clock.run(world.disk.remove(`${folder}/durable`))
  await world.clock.run(world.open(world.disk.restart()))
  t.equal(world.log.tail(1).lastIndex, 0, 'torn, not damaged')
})

t.test('batches of an earlier use of a file never come back', async t => {
  let stale = 0
  for (let round = 0; round < 12; round++) {
    const world = new World({ seed: `${seed}/${round}`, entryBytesMax: 200 })
    await world.run(async () => {
      await world.open()
      await world.work(250 + 10 * round)
      await world.drain()
      world.disk.crash('all')
    })
    const disk = world.disk.restart()
    for (const name of await world.clock.run(disk.list(folder))) {
      const bytes = disk.bytesOf(`${folder}/${name}`)
      const files = new Set<number>()
      for (let offset = 4096; offset < bytes.length; offset += 4096) {
        const batch = decodeBatch(bytes, offset)
        if (batch !== undefined) files.add(batch.file)
      }
      if (files.size > 1) stale++
    }
    await world.clock.run(world.open(disk))
    world.check()
  }
  t.ok(stale > 0, 'some files hold batches of an earlier use')
})

t.test('what a released entry had replaced does not come back', async t => {
  const world = new World({ seed, honourWanted: false })
  await world.clock.run(async () => {
    await world.open()
    world.append({ partition: 9, registers: [created], entries: [entryOf(9, 1, 1, 'needed')] })
    const lost = [1, 2, 3, 4].map(index => entryOf(1, index, 1, 'lost'))
    world.append({ partition: 1, registers: [created], entries: lost })
    world.append({ partition: 1, entries: [entryOf(1, 2, 2, 'stays')] })
    await world.drain()
    world.release(1, 2)
    // The next file tells of the release; the first one is still read.
    for (let index = 2; index <= 40; index++) {
      world.append({ partition: 9, entries: [entryOf(9, index, 1, Buffer.alloc(3000))] })
      await world.drain()
    }
    await world.reopen()
    t.strictSame([world.log.tail(1).firstIndex, world.log.tail(1).lastIndex], [3, 2])
  })
})

t.test('damage is named: file, offset, batch, and what is lost where', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    await world.open()
    world.append({ partition: 1, registers: [created], entries: [entryOf(1, 1, 1, 'a')] })
    await world.drain()
    world.append({ partition: 1, entries: [entryOf(1, 2, 1, 'b')] })
    await world.drain()
    world.append({ partition: 1, entries: [entryOf(1, 3, 1, 'c')] })
    await world.drain()
  })
  const path = `${folder}/wal-0000000000000001`
  world.disk.flip(path, (4096 * 3 + 60) * 8)
  const error = await refusal(world.clock.run(world.open(world.disk.restart())))
  t.equal(error?.code, 'DAMAGED')
  t.match(error?.details, { file: path, offset: 4096 * 3, batch: 3, laterBatches: 1 })
  t.match(error?.details, { partitions: [{ partition: 1, lastBefore: 1, firstAfter: 3 }] })
})

/** Names of the log's files that were written to. */
async function usedFiles({ disk }: World): Promise<string[]> {
  const names = (await disk.list(folder)).filter(isWalFileName)
  return names.filter(name => typeof decodeFileHeader(disk.bytesOf(`${folder}/${name}`), name) !== 'string')
}

t.test('a missing file is damage', async t => {
  const world = new World({ seed, honourWanted: false })
  await world.run(async () => {
    await world.open()
    // Nothing is released here: what stays fits half of the ring, or the log would wait for ever.
    for (let used = 0; used < 3; used = (await usedFiles(world)).length) await world.work(1)
    await world.drain()
    await world.log.close()
  })
  const used = await world.clock.run(usedFiles(world))
  t.equal(used.length, 3)
  const names = (await world.clock.run(world.disk.list(folder))).filter(isWalFileName)
  t.equal(names.length, 4, 'one more is ready: so the newest one is missed, too')
  for (const name of used) {
    const disk = world.disk.restart()
    const error = await refusal(
      world.clock.run(async () => {
        await disk.remove(`${folder}/${name}`)
        await world.open(disk)
      }),
    )
    t.equal(error?.code, 'DAMAGED', name)
  }
})

t.test('a file that is cut is damage, and stays as it is', async t => {
  const world = new World({ seed, honourWanted: false })
  await world.run(async () => {
    await world.open()
    for (let used = 0; used < 3; used = (await usedFiles(world)).length) await world.work(1)
    await world.drain()
  })
  const { disk: whole } = world
  const used = await world.clock.run(usedFiles(world))
  for (const name of used) {
    const path = `${folder}/${name}`
    const bytes = whole.bytesOf(path)
    // Nothing is lost if the newest file is cut behind the last batch.
    const needed = name === used.at(-1) ? bytes.findLastIndex(byte => byte !== 0) + 1 : bytes.length
    const some = Array.from({ length: 40 }, () => world.random.below(bytes.length))
    for (const length of [0, 1, 31, 32, 4095, 4096, 8192, bytes.length - 4096, bytes.length - 1, ...some]) {
      const disk = whole.restart()
      disk.setBytes(path, bytes.subarray(0, length))
      const error = await refusal(world.clock.run(world.open(disk)))
      if (length < needed) t.equal(disk.bytesOf(path).length, length)
      if (length < needed - 8192) t.equal(error?.code, 'DAMAGED', `${name}, ${length} bytes`)
      else if (error === undefined) world.check()
    }
  }
})

t.test('a log that ends before a batch that another followed is damage, however it came to that', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    await world.open()
    world.append({ partition: 1, registers: [created] })
    for (let index = 1; index <= 9; index++) {
      world.append({ partition: 1, entries: [entryOf(1, index, 1, Buffer.alloc(2000, index))] })
      await world.drain()
    }
  })
  const { disk: whole } = world
  const path = `${folder}/wal-0000000000000001`
  const bytes = whole.bytesOf(path)
  const end = bytes.findLastIndex(byte => byte !== 0)
  for (let from = 8192; from < end; from += 4096) {
    const zeroed = Buffer.concat([bytes.subarray(0, from), Buffer.alloc(bytes.length - from)])
    for (const hasNote of [true, false]) {
      const disk = whole.restart()
      disk.setBytes(path, zeroed)
      if (!hasNote) await world.clock.run(disk.remove(`${folder}/durable`))
      const error = await refusal(world.clock.run(world.open(disk)))
      const isLost = hasNote && from < end - 2 * 4096
      if (isLost || !hasNote) t.equal(error?.code, isLost ? 'DAMAGED' : undefined, `zeros from ${from}`)
      if (isLost) t.match(error?.message, /ends at batch \d+, and batch \d+ was durable/)
    }
  }
  const disk = whole.restart()
  disk.flip(`${folder}/durable`, 70)
  await world.clock.run(world.open(disk))
  t.equal(world.log.tail(1).lastIndex, 9, 'a note that fails its check says nothing')
})

t.test('a folder without anything of ours is foreign, an unused one is new', async t => {
  const world = new World({ seed })
  world.disk.setBytes(`${folder}/holiday.jpg`, Buffer.from('beach'))
  const error = await refusal(world.clock.run(world.open()))
  t.equal(error?.code, 'FOREIGN_FOLDER')
  world.disk.setBytes(`${folder}/wal-0000000000000001`, Buffer.alloc(5000))
  await world.clock.run(world.open())
  t.strictSame(world.log.partitions(), [])
})

t.test('a file of an unknown format is refused by name', async t => {
  const world = new World({ seed })
  const header = encodeFileHeader({ sequence: 1, salt: Buffer.alloc(8), sizeBytes: 4096 })
  const { crc32 } = await import('../../../src/base/checksum.js')
  header.writeUInt16LE(9, 8)
  header.writeUInt32LE(crc32(header.subarray(4, 32)), 0)
  world.disk.setBytes(`${folder}/wal-0000000000000001`, header)
  const error = await refusal(world.clock.run(world.open()))
  t.equal(error?.code, 'VERSION_UNSUPPORTED')
  t.match(error?.details, { format: 9 })
})
