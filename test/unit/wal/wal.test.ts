/** The laws of the write-ahead log: what it takes, answers, keeps and gives up. */
import t from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import type { SimDisk } from '../../../src/sim/sim-disk.js'
import { batchFlags, batchRecords, decodeBatch, recordKinds } from '../../../src/wal/batch.js'
import {
  decodeCreated,
  decodeDestroyed,
  decodeHardState,
  decodeRecovering,
  decodeSegmentSealed,
  destroyedRegister,
  hardStateRegister,
  recoveringRegister,
  registerKinds,
  segmentSealedRegister,
  segmentSyncedRegister,
  truncationRegister,
  voidRegister,
} from '../../../src/wal/registers.js'
import { seed } from '../../seed.js'
import { created, entryOf, folder, World } from './wal-world.js'

t.comment(`seed ${seed}`)

/** All batches on the disk, by sequence. */
function batchesOn(disk: SimDisk, names: readonly string[]) {
  const batches = new Map<number, NonNullable<ReturnType<typeof decodeBatch>>>()
  for (const name of names) {
    const bytes = disk.bytesOf(`${folder}/${name}`)
    for (let offset = 4096; offset < bytes.length; offset += 4096) {
      const batch = decodeBatch(bytes, offset)
      if (batch !== undefined) batches.set(batch.sequence, batch)
    }
  }
  return [...batches.values()].sort((a, b) => a.sequence - b.sequence)
}

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
  t.equal(world.acknowledged, 480)
})

t.test('an append shows at once, is answered in order, and one batch serves all that wait', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    const wal = await world.open()
    world.append({ partition: 1, registers: [created] })
    await world.drain()
    const before = wal.status().batchSequence
    for (let index = 1; index <= 500; index++) {
      const registers = [hardStateRegister({ term: 1, vote: 1, commit: index - 1 })]
      world.append({ partition: 1, registers, entries: [entryOf(1, index, 1, `entry ${index}`)] })
    }
    t.equal(wal.tail(1).lastIndex, 500, 'before anything is durable')
    t.equal(decodeHardState(wal.register(1, registerKinds.hardState) ?? Buffer.alloc(0)).commit, 499)
    t.equal(wal.tail(1).slice(10, 0).length, 1, 'a slice has at least one entry')
    t.equal(wal.tail(1).slice(10, 200).length, 5)
    await world.drain()
    t.equal(wal.status().batchSequence, before + 1)
    const last = batchesOn(world.disk, await world.disk.list(folder)).at(-1)
    t.equal(last?.recordCount, 501, 'of 500 hard states the last one is written')
  })
})

t.test('kick begins the batch in the same turn', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    const wal = await world.open()
    const before = world.disk.operations
    world.append({ partition: 1, registers: [created] })
    t.equal(world.disk.operations, before)
    wal.kick()
    t.equal(world.disk.operations, before + 1)
    await world.drain()
  })
})

t.test('a witness follows a quiet batch, never a witness, and repeats the hard state', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    await world.open()
    const hardState = hardStateRegister({ term: 7, vote: 2, commit: 0 })
    world.append({ partition: 1, registers: [created, hardState] })
    await world.pause(500)
  })
  const [opening, batch, witness, ...more] = batchesOn(
    world.disk,
    await world.clock.run(world.disk.list(folder)),
  )
  t.equal(opening?.flags, batchFlags.opening)
  t.equal(batch?.flags, 0)
  t.equal(witness?.flags, batchFlags.witness)
  t.equal(more.length, 0)
  const records = witness === undefined ? [] : batchRecords(witness)
  t.equal(records.length, 1)
  t.strictSame(decodeHardState(records[0]?.bytes.subarray(8) ?? Buffer.alloc(0)), {
    term: 7,
    vote: 2,
    commit: 0,
  })
})

t.test('every hard state is repeated in the first batch after it, after openings too', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    await world.open()
    await world.work(120)
    await world.pause(100)
  })
  const batches = batchesOn(world.disk, await world.clock.run(world.disk.list(folder)))
  const statesIn = (batch: (typeof batches)[number], kinds: readonly number[]): Map<number, string> => {
    const states = new Map<number, string>()
    for (const { kind, bytes } of batchRecords(batch)) {
      if (!kinds.includes(kind)) continue
      const partition = bytes.readUInt32LE(0)
      const register = bytes.readUInt32LE(4)
      if (register === registerKinds.hardState) states.set(partition, bytes.toString('hex', 8))
    }
    return states
  }
  const gone = (batch: (typeof batches)[number]): number[] =>
    batchRecords(batch).flatMap(({ kind, bytes }) =>
      kind === recordKinds.register && bytes.readUInt32LE(4) === registerKinds.destroyed
        ? bytes.readUInt32LE(0)
        : [],
    )
  const carries = new Map<number, Map<number, string>>()
  for (const batch of batches) {
    const before = batches.find(other => other.sequence === batch.sequence - 1)
    const all = statesIn(batch, [recordKinds.register, recordKinds.restated])
    const repeated = before === undefined ? undefined : carries.get(before.sequence)
    for (const [partition] of repeated ?? []) {
      if (!gone(batch).includes(partition)) t.ok(all.has(partition), `batch ${batch.sequence}, ${partition}`)
    }
    const fresh = new Map<number, string>()
    for (const [partition, state] of statesIn(batch, [recordKinds.register])) {
      if (repeated?.get(partition) !== state) fresh.set(partition, state)
    }
    /** After a batch that is overwritten nobody can tell what was a repetition. */
    for (const partition of gone(batch)) all.delete(partition)
    if ((batch.flags & batchFlags.opening) !== 0) carries.set(batch.sequence, all)
    else if (repeated !== undefined) carries.set(batch.sequence, fresh)
  }
  t.ok(batches.length > 10)
})

t.test('a quiet partition with early entries does not fill the ring', async t => {
  const world = new World({ seed, partitions: 2 })
  await world.run(async () => {
    const wal = await world.open()
    world.append({ partition: 9, registers: [created], entries: [entryOf(9, 1, 1, 'early')] })
    await world.drain()
    const body = Buffer.alloc(3000, 'x')
    world.append({ partition: 1, registers: [created] })
    for (let index = 1; index <= 64 * 15; index++) {
      world.append({ partition: 1, entries: [entryOf(1, index, 1, body)] })
      if (index % 8 === 0) await world.pause(4)
    }
    await world.drain()
    const { filesCount } = wal.status()
    t.ok(filesCount <= 4, `${filesCount} files`)
    t.equal(wal.tail(9).firstIndex, 2, 'released when it was asked for')
    t.equal(world.acknowledged, 64 * 15 + 2)
    await wal.close()
  })
  t.ok((await world.clock.run(world.disk.list(folder))).length <= 4 + 1, 'files, and the note')
})

t.test('entries that nobody releases are copied on, and survive', async t => {
  const world = new World({ seed, partitions: 3, uncommitted: [7] })
  await world.run(async () => {
    const wal = await world.open()
    world.append({ partition: 7, registers: [created] })
    for (let index = 1; index <= 10; index++) {
      world.append({ partition: 7, entries: [entryOf(7, index, 1, Buffer.alloc(5000, index))] })
    }
    await world.work(900)
    await world.drain()
    t.equal(wal.tail(7).firstIndex, 1)
    const { filesCount } = wal.status()
    t.ok(filesCount <= 4, `${filesCount} files`)
  })
  world.disk.crash('none')
  const disk = world.disk.restart()
  world.disk = disk
  await world.run(() => world.open(disk))
  world.check()
  t.equal(world.log.tail(7).get(10)?.bytes.length, 5032)
})

t.test('appends wait while the ring is full, releases do not, and then all goes on', async t => {
  const world = new World({ seed, honourWanted: false })
  await world.run(async () => {
    const wal = await world.open()
    world.append({ partition: 1, registers: [created] })
    for (let index = 1; index <= 100; index++) {
      world.append({ partition: 1, entries: [entryOf(1, index, 1, Buffer.alloc(3900, index))] })
    }
    await world.pause(500)
    t.ok(wal.status().ringFull)
    t.ok(world.asked > 0)
    t.strictSame(world.errors, [])
    const through = world.model.get(1)?.last ?? 0
    t.ok(through > 20 && through < 100, `${through} acknowledged`)
    for (let round = 0; round < 10; round++) {
      world.release(1, world.model.get(1)?.last ?? 0)
      await world.pause(500)
    }
    t.equal(world.model.get(1)?.last, 100)
    t.notOk(wal.status().ringFull)
    await wal.close()
  })
})

t.test('a full disk holds appends up and loses none', async t => {
  const world = new World({ seed })
  await world.clock.run(async () => {
    const wal = await world.open()
    await world.work(20)
    await world.drain()
    world.disk.setFull(true)
    await world.work(10)
    await world.pause(5000)
    t.strictSame(world.full, [true])
    t.ok(wal.status().full)
    t.equal(world.acknowledged, 20)
    world.disk.setFull(false)
    await world.pause(1500)
    t.strictSame(world.full, [true, false])
    t.equal(world.acknowledged, 30)
    await world.work(100)
    await world.drain()
    await wal.close()
    t.strictSame(world.errors, [])
    world.disk = world.disk.restart()
    await world.open()
    world.check()
  })
})

t.test('a log that is closed while the disk is full answers what waits: unknown', async t => {
  const world = new World({ seed })
  await world.clock.run(async () => {
    const wal = await world.open()
    await world.work(20)
    await world.drain()
    world.disk.setFull(true)
    world.append({ partition: 5, registers: [created] })
    await world.pause(3000)
    world.append({ partition: 6, registers: [created] })
    await wal.close()
    t.strictSame(
      world.errors.map(error => [error.code, error.outcome]),
      [
        ['CLOSED_WHILE_WAITING', 'unknown'],
        ['CLOSED_WHILE_WAITING', 'unknown'],
      ],
    )
    t.strictSame(world.failed, [])
    const disk = world.disk.restart()
    disk.setFull(false)
    await world.open(disk)
    world.check()
  })
})

t.test('after a failed sync nothing is written, and everybody is told once', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    const wal = await world.open()
    await world.work(20)
    await world.drain()
    // The sync that fails is to be a batch's, not that of the next file, which is made meanwhile.
    await world.pause(200)
    world.disk.failNextSync()
    world.append({ partition: 5, registers: [created] })
    wal.kick()
    world.append({ partition: 6, registers: [created] })
    await world.pause(200)
    world.append({ partition: 7, registers: [created] })
    const { operations } = world.disk
    await world.pause(200)
    t.equal(world.disk.operations, operations)
    t.strictSame(
      world.errors.map(error => `${error.code} ${error.outcome}`),
      Array(3).fill('DISK_FAILED unknown'),
    )
    t.equal(world.failed.length, 1)
    t.ok(wal.status().failed)
    await wal.close()
  })
})

t.test('a log that is closed refuses appends', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    const wal = await world.open()
    await wal.close()
    await wal.close()
    world.append({ partition: 1, registers: [created] })
    await world.pause(1)
  })
  t.ok(isSillokError(world.errors[0], 'CLOSED'))
})

t.test(
  'a register that was taken back is as if it had never been written, opening after opening',
  async t => {
    const world = new World({ seed })
    const found = (): (Buffer | undefined)[] => [
      world.log.register(1, registerKinds.recovering),
      world.log.register(1, registerKinds.hardState),
    ]
    await world.clock.run(async () => {
      await world.open()
      const hardState = hardStateRegister({ term: 1, vote: 1, commit: 0 })
      world.append({ partition: 1, registers: [created, hardState, recoveringRegister({ fromIndex: 5 })] })
      world.append({ partition: 1, registers: [voidRegister(registerKinds.recovering)] })
      t.strictSame(found(), [undefined, hardState.payload])
      for (let opening = 0; opening < 3; opening++) {
        await world.reopen()
        t.strictSame(found(), [undefined, hardState.payload], `opening ${opening}`)
      }
      world.append({ partition: 1, registers: [recoveringRegister({ fromIndex: 7 })] })
      await world.reopen()
      t.equal(decodeRecovering(found()[0] ?? Buffer.alloc(0)).fromIndex, 7)
    })
  },
)

t.test('a release is remembered with the registers that say where the entries are', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    const wal = await world.open()
    world.append({ partition: 1, registers: [created], entries: [1, 2, 3].map(i => entryOf(1, i, 1, 'x')) })
    await world.drain()
    const sealed = segmentSealedRegister({ firstIndex: 1, lastIndex: 2, sha256: Buffer.alloc(32, 5) })
    const synced = segmentSyncedRegister({ firstIndex: 3, lastIndex: 2, length: 0, crc: 0 })
    wal.release(1, 2, [sealed, synced])
    t.equal(wal.tail(1).firstIndex, 3)
    t.equal(wal.tail(1).get(2), undefined)
    await world.pause(10)
    world.disk.crash('none')
  })
  const disk = world.disk.restart()
  await world.clock.run(world.open(disk))
  const payload = world.log.register(1, registerKinds.segmentSealed) ?? Buffer.alloc(0)
  t.equal(decodeSegmentSealed(payload).lastIndex, 2)
})

t.test('a new file of the log says what was released before, though the old one is needed still', async t => {
  const world = new World({ seed, partitions: 2, honourWanted: false })
  await world.run(async () => {
    const wal = await world.open()
    const body = Buffer.alloc(3000, 'x')
    world.append({ partition: 9, registers: [created], entries: [entryOf(9, 1, 1, 'needed')] })
    world.append({ partition: 1, registers: [created] })
    for (let index = 1; index <= 10; index++) {
      world.append({ partition: 1, entries: [entryOf(1, index, 1, body)] })
    }
    await world.drain()
    world.release(1, 10)
    for (let index = 11; index <= 20; index++) {
      world.append({ partition: 1, entries: [entryOf(1, index, 1, body)] })
    }
    await world.drain()
    t.equal(wal.status().filesCount, 2)
    world.disk.crash('none')
  })
  const disk = world.disk.restart()
  await world.clock.run(world.open(disk))
  t.equal(world.log.tail(9).firstIndex, 1)
  t.equal(world.log.tail(1).firstIndex, 11)
})

t.test('entries follow without a gap, above what was released, in a partition that is here', async t => {
  const world = new World({ seed })
  await world.run(async () => {
    const wal = await world.open()
    const ignore = (): void => {}
    t.throws(() => wal.append({ partition: 1, entries: [entryOf(1, 1, 1, '')] }, ignore), /not here/)
    wal.append(
      { partition: 1, registers: [created], entries: [entryOf(1, 1, 1, ''), entryOf(1, 2, 1, '')] },
      ignore,
    )
    t.throws(() => wal.append({ partition: 1, entries: [entryOf(1, 4, 1, '')] }, ignore), /entry 4 after 2/)
    await world.pause(10)
    wal.release(1, 1)
    t.throws(() => wal.append({ partition: 1, entries: [entryOf(1, 1, 2, '')] }, ignore), /released/)
    t.throws(() => wal.release(1, 3), /release of 3/)
  })
})

t.test('a truncation keeps what follows its entry, or nothing; a tombstone keeps itself', async t => {
  const world = new World({ seed })
  await world.clock.run(async () => {
    await world.open()
    const entries = [1, 2, 3, 4].map(index => entryOf(1, index, 1, `${index}`))
    world.append({ partition: 1, registers: [created], entries })
    world.append({ partition: 1, registers: [truncationRegister({ index: 2, term: 1 })] })
    await world.reopen()
    t.strictSame([world.log.tail(1).firstIndex, world.log.tail(1).lastIndex], [3, 4])
    world.append({ partition: 1, registers: [truncationRegister({ index: 3, term: 2 })] })
    world.append({ partition: 1, entries: [entryOf(1, 4, 2, 'new')] })
    await world.reopen()
    t.strictSame([world.log.tail(1).firstIndex, world.log.tail(1).lastIndex], [4, 4])
    const recovering = recoveringRegister({ fromIndex: 5 })
    world.append({ partition: 1, registers: [truncationRegister({ index: 10, term: 2 }), recovering] })
    await world.reopen()
    t.strictSame([world.log.tail(1).firstIndex, world.log.tail(1).lastIndex], [11, 10])
    t.equal(decodeRecovering(world.log.register(1, registerKinds.recovering) ?? Buffer.alloc(0)).fromIndex, 5)
    world.append({ partition: 1, registers: [destroyedRegister({ highestReplicaId: 3 })] })
    await world.reopen()
    t.strictSame(world.log.partitions(), [])
    t.strictSame(world.log.tombstones(), [1])
    t.equal(
      decodeDestroyed(world.log.register(1, registerKinds.destroyed) ?? Buffer.alloc(0)).highestReplicaId,
      3,
    )
    world.append({ partition: 1, registers: [created], entries: [entryOf(1, 1, 1, 'again')] })
    await world.reopen()
    t.equal(world.log.tail(1).lastIndex, 1)
    t.equal(decodeCreated(world.log.register(1, registerKinds.created) ?? Buffer.alloc(0)).replicaId, 1)
  })
})

t.test('a restatement larger than a batch spans several, and counts only whole', async t => {
  const world = new World({ seed, fileBytes: 12 * 1024 * 1024 })
  await world.run(async () => {
    await world.open()
    for (let partition = 0; partition < 150; partition++) {
      world.append({
        partition,
        registers: [created, { kind: registerKinds.checkpoint, payload: Buffer.alloc(40_000) }],
      })
    }
    await world.drain()
    world.disk.crash('none')
  })
  const crashed = world.disk
  const whole = crashed.restart()
  await world.clock.run(world.open(whole))
  for (let before = 0; before < 5; before++) {
    const disk = crashed.restart()
    disk.crashAt(whole.operations - before, world.random.pick(['all', 'none', 'any'] as const))
    world.disk = disk
    await world.run(() => world.open(disk))
    await world.clock.run(world.open(disk.restart()))
    world.check()
  }
  await world.clock.run(world.open(world.disk.restart()))
  world.check()
  t.equal(world.log.partitions().length, 150)
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
