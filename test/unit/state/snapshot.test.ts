/** Snapshot files: what they hold is the state, whatever is cut, flipped, full or crashes. */
import t from 'tap'
import { crc32Parts } from '../../../src/base/checksum.js'
import { isSillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { decodeFrame, encodeFrame } from '../../../src/codec/frame.js'
import { keyBytes } from '../../../src/codec/row.js'
import type { Disk } from '../../../src/env/disk.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk } from '../../../src/sim/sim-disk.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { digestWords } from '../../../src/state/digests.js'
import { markKeys, markRow } from '../../../src/state/flush.js'
import {
  decodeSnapshotHead,
  encodeSnapshotFoot,
  encodeSnapshotHead,
  rowParts,
  snapshotFrames,
  snapshotHash,
} from '../../../src/state/snapshot-format.js'
import { readSnapshot } from '../../../src/state/snapshot-reader.js'
import { decodeSnapshots, encodeSnapshots, snapshotName } from '../../../src/state/snapshot-record.js'
import type { HeldState } from '../../../src/state/snapshot-writer.js'
import { State } from '../../../src/state/state.js'
import { differences } from './compare.js'
import { folders, headOf, loseState, SnapshotWorld } from './snapshot-world.js'

const seed = process.env['SEED'] ?? 'snapshot'
t.comment(`SEED=${seed}`)

async function inWorld(name: string, work: (world: SnapshotWorld) => Promise<void>): Promise<void> {
  const world = new SnapshotWorld(`${seed} ${name}`)
  await world.clock.run(
    (async () => {
      await world.open()
      await work(world)
    })(),
  )
}

function pathOf(index: number): string {
  return `${folders.snapshots}/${snapshotName(index)}`
}

t.test('a state made again from a snapshot and the log behind it is the state of the whole log', async t => {
  for (let run = 0; run < 5; run++) {
    await inWorld(`property ${run}`, async world => {
      const { random } = world
      for (let life = 0; life < 6; life++) {
        world.write(random.below(60))
        // What is applied while the rows are copied is not in the file.
        if (random.chance(0.7) && world.state.applied > (world.snapshots.newest?.index ?? 0)) {
          await world.snapshot(() => world.write(random.below(30)), random.pick([1, 90, 5000]))
        }
        const { previous } = world.snapshots
        if (previous !== undefined) world.truncated = Math.max(world.truncated, previous.index)
        const isLost = random.chance(0.6)
        const mode = random.pick(['all', 'none', 'any'] as const)
        await world.restart(mode, isLost ? loseState : undefined)
        const wrong = await differences(world.state, world.model)
        t.strictSame(wrong, [], `run ${run}, life ${life} (SEED=${seed})`)
        const from = world.snapshots.newest
        if (!isLost || from === undefined) continue
        t.match(world.rebuilt, /made from/)
        t.equal(world.replayed, world.log.length - from.index, 'only what came after it is replayed')
      }
    })
  }
})

t.test('a crash at any operation of a rebuild from a snapshot is followed by another one', async t => {
  await inWorld('rebuild', async world => {
    world.write(60)
    await world.snapshot()
    world.write(60)
    await world.snapshot()
    world.truncated = world.snapshots.previous?.index ?? 0
    world.write(20)
    let crashes = 0
    for (let operation = 1; ; operation++) {
      world.machine.crash('all')
      const { disk } = world.machine.restart()
      await loseState(disk)
      world.machine.crashAt(operation, world.random.pick(['all', 'none', 'any'] as const))
      const died = await Promise.race([
        world.open().then(() => false),
        world.machine.disk.crashed.then(() => true),
      ])
      if (!died) break
      crashes++
      await world.restart('all')
      t.strictSame(await differences(world.state, world.model), [], `operation ${operation}`)
    }
    t.ok(crashes > 15, `${crashes} crashes`)
  })
})

t.test('what an interrupted rebuild left is gone, durably, before the next one begins', async t => {
  const clock = new SimClock()
  const { disk, keyValue } = new SimMachine({ clock, random: new Random(seed), latency: 'none' }).environment
  const steps: string[] = []
  const looked: Disk = new Proxy(disk, {
    get: (own, name) => {
      const what = Reflect.get(own, name) as unknown
      if (typeof what !== 'function') return what
      return (...args: unknown[]) => {
        if (name === 'remove' || name === 'syncFolder') steps.push(`${name} ${String(args[0])}`)
        return (what as (...given: unknown[]) => unknown).apply(own, args)
      }
    },
  })
  await clock.run(
    (async () => {
      await disk.makeFolder('node')
      const begun = await keyValue.open(folders.state, { writeBufferBytes: 3000 })
      const batch = begun.batch()
      batch.put(markKeys.rebuilding, markRow(markKeys.rebuilding, 5))
      await batch.write({ sync: true })
      await begun.close()
      const { state, rebuilt } = await State.open({
        disk: looked,
        keyValue: {
          ...keyValue,
          open: (folder, options) => {
            steps.push('open')
            return keyValue.open(folder, options)
          },
        },
        clock: new SimClock().process(),
        folder: folders.state,
        writeBufferBytes: 3000,
        logLastIndex: 9,
      })
      t.match(rebuilt, /interrupted/)
      t.strictSame(steps, ['open', `remove ${folders.state}`, 'syncFolder node', 'open'])
      await state.close()
    })(),
  )
})

t.test('the first checkpoint after a rebuild counts when it is recorded, and not before', async t => {
  // Once the mark of the rebuild went with the mark of the checkpoint: the record of the store before it was
  // then taken for one of the new store, whose rows were not durable yet.
  const wrong: string[] = []
  for (let turns = 0; turns < 36; turns++) {
    for (let toss = 0; toss < 4; toss++) {
      await inWorld(`first checkpoint ${turns} ${toss}`, async world => {
        const record = async (bytes: Buffer): Promise<void> => {
          world.checkpoint = bytes
        }
        world.write(30)
        await world.snapshot()
        world.write(10)
        await world.state.checkpoint(record, { force: true })
        await world.restart('all', loseState)
        void world.state.checkpoint(record, { force: true }).catch(() => {})
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        await world.restart('any')
        const differing = await differences(world.state, world.model)
        if (differing.length > 0) wrong.push(`${turns} ${toss}: ${differing.join()}`)
      })
    }
  }
  t.strictSame(wrong, [])
})

/** A state with given rows, as a crash test needs it: no store behind it. */
function heldRows(world: SnapshotWorld, rows: readonly (readonly [Buffer, Buffer])[]): HeldState {
  const index = world.log.length
  const next = async (): Promise<[Buffer, Buffer][]> => left.splice(0, 7).map(([k, v]) => [k, v])
  let left: (readonly [Buffer, Buffer])[] = []
  const iterate = (): { next: typeof next; close: () => Promise<void> } => {
    left = [...rows]
    return { next, close: async () => {} }
  }
  return { index, digests: world.state.digests(), rows: iterate, release: () => {} }
}

t.test(
  'after a crash at any operation either the old record counts or the new one, and its files hold',
  async t => {
    const world = new SnapshotWorld(`${seed} exhaustive`)
    const held: HeldState[] = []
    await world.clock.run(
      (async () => {
        await world.open()
        for (let round = 0; round < 3; round++) {
          world.write(25)
          const state = await world.state.hold(async () => {})
          held.push(heldRows(world, await state.rows().next(10_000)))
          state.release()
        }
      })(),
    )
    let crashes = 0
    const wrong: string[] = []
    for (const mode of ['all', 'none', 'any', 'any'] as readonly CrashMode[]) {
      for (let operation = 1; ; operation++) {
        world.register = undefined
        const random = new Random(`${seed} ${mode} ${operation} ${crashes}`)
        let disk = new SimDisk({ clock: new SimClock(), random, latency: 'none' })
        disk.crashAt(operation, mode)
        const life = async (): Promise<boolean> => {
          const snapshots = await world.openSnapshots(disk)
          for (const one of held) await snapshots.make(headOf(one.index), one, 500, () => false)
          return true
        }
        const done = await Promise.race([life(), disk.crashed.then(() => false)])
        disk = disk.restart()
        const snapshots = await world.openSnapshots(disk)
        const recorded = decodeSnapshots(world.register).map(({ index }) => index)
        const names = await disk.list(folders.snapshots)
        if (names.join() !== recorded.map(snapshotName).sort().join())
          wrong.push(`${mode} ${operation}: ${names}`)
        if (snapshots.files.length !== recorded.length)
          wrong.push(`${mode} ${operation}: ${snapshots.missing}`)
        for (const { path, index, sha256 } of snapshots.files) {
          const read = await readSnapshot(disk, path)
          const of = held.find(one => one.index === index)
          if (!read.sha256.equals(sha256) || read.digests.join() !== of?.digests.join()) wrong.push(path)
        }
        if (done) {
          t.strictSame(recorded, [75, 50], 'the newest two are kept')
          break
        }
        crashes++
      }
    }
    t.ok(crashes > 200, `${crashes} crashes`)
    t.strictSame(wrong, [])
  },
)

t.test('whatever byte of a file is flipped or cut off, it is found, and the one before is used', async t => {
  await inWorld('flips', async world => {
    world.write(20)
    await world.snapshot()
    world.write(15)
    await world.snapshot(undefined, 400)
    const { disk } = world.machine
    const [newest, before] = world.snapshots.files
    const path = newest?.path ?? ''
    const bytes = disk.bytesOf(path)
    const read = async (): Promise<string> => {
      try {
        await readSnapshot(disk, path)
        return 'unseen'
      } catch (error) {
        const named = isSillokError(error, 'DAMAGED') && error.details['file'] === path
        return named || isSillokError(error, 'VERSION_UNSUPPORTED') ? 'found' : String(error)
      }
    }
    t.equal(await read(), 'unseen')
    for (let byte = 0; byte < bytes.length; byte += 1 + (byte % 5)) {
      disk.flip(path, byte * 8 + (byte % 8))
      if ((await read()) !== 'found') t.fail(`byte ${byte}: ${await read()}`)
      disk.flip(path, byte * 8 + (byte % 8))
    }
    for (let size = 0; size < bytes.length; size += 1 + (size % 17)) {
      disk.setBytes(path, bytes.subarray(0, size))
      if ((await read()) !== 'found') t.fail(`cut to ${size}: ${await read()}`)
    }
    disk.setBytes(path, Buffer.concat([bytes, Buffer.from([0])]))
    t.equal(await read(), 'found', 'a byte too many')
    disk.setBytes(path, bytes)
    disk.flip(path, bytes.length * 4)
    await world.restart('all', loseState)
    t.match(world.rebuilt, `${path} at byte`, 'the opening names it')
    t.match(world.rebuilt, `made from ${before?.path}`)
    t.strictSame(await differences(world.state, world.model), [])
    t.strictSame(
      world.snapshots.files.map(file => file.path),
      [before?.path],
      'it counts no more',
    )
  })
})

t.test('without a snapshot that holds, a log that lost its head is refused by name, and kept', async t => {
  await inWorld('nothing left', async world => {
    for (let round = 0; round < 2; round++) {
      world.write(20)
      await world.snapshot()
    }
    const files = world.snapshots.files
    const harm = async (disk: Disk): Promise<void> => {
      await loseState(disk)
      for (const { path } of files) world.machine.disk.flip(path, 4000)
    }
    world.truncated = 20
    await t.rejects(world.restart('all', harm), { code: 'DAMAGED', message: /log begins at entry 21/ })
    for (const { path } of files) world.machine.disk.flip(path, 4000)
    await world.restart('all')
    t.strictSame(await differences(world.state, world.model), [], 'what was put back is used')
    world.truncated = 0
    await world.restart('all', harm)
    t.equal(world.replayed, 40, 'the log has everything: it alone gives the state')
    t.strictSame(await differences(world.state, world.model), [])
    await world.restart('all')
    t.strictSame(world.snapshots.files, [], 'what proved bad is gone')
  })
})

t.test('rows that are not the state never get into a file that counts', async t => {
  await inWorld('rows', async world => {
    world.write(40)
    await world.state.checkpoint(
      async bytes => {
        world.checkpoint = bytes
      },
      { force: true },
    )
    const [key] = [...world.model.rows.keys()].filter(one => one.startsWith('d'))
    world.machine.keyValue.dropRow(folders.state, Buffer.from(key ?? '', 'latin1'))
    await world.restart('all')
    await t.rejects(world.snapshot(), { code: 'DAMAGED', message: /do not fit the digests/ })
    t.equal(world.register, undefined, 'nothing is recorded')
    t.strictSame(await world.machine.disk.list(folders.snapshots), [], 'and nothing stays')
  })
})

t.test('a file that is read back otherwise than it was written does not count', async t => {
  for (const name of ['flipped', 'another']) {
    await inWorld(name, async world => {
      world.write(40)
      const { disk } = world.machine.environment
      const open = disk.open.bind(disk)
      const held = await world.state.hold(async () => {})
      let opened = 0
      disk.open = async (path, options) => {
        opened++
        // The second one reads back: by then the bytes on disk have changed.
        if (opened === 2 && name === 'flipped') world.machine.disk.flip(path, 3000)
        if (opened === 2 && name === 'another') {
          const other = new SnapshotWorld('other')
          await other.open()
          other.write(40)
          await other.snapshot()
          world.machine.disk.setBytes(path, other.machine.disk.bytesOf(pathOf(40)))
        }
        return await open(path, options)
      }
      const making = world.snapshots.make(headOf(held.index), held, 500, () => false)
      await t.rejects(making, { code: 'DAMAGED' }, name)
      held.release()
      t.equal(world.register, undefined)
      t.strictSame(await world.machine.disk.list(folders.snapshots), [])
    })
  }
})

t.test('on a full disk the file is removed, what counted counts, and the next try succeeds', async t => {
  await inWorld('full', async world => {
    world.write(20)
    await world.snapshot()
    world.write(20)
    const held = await world.state.hold(async () => {})
    world.machine.disk.setFull(true)
    await t.rejects(
      world.snapshots.make(headOf(held.index), held, 500, () => false),
      { code: 'DISK_FULL' },
    )
    t.strictSame(await world.machine.disk.list(folders.snapshots), [snapshotName(20)])
    world.machine.disk.setFull(false)
    await world.snapshots.make(headOf(held.index), held, 500, () => false)
    held.release()
    t.strictSame(
      decodeSnapshots(world.register).map(({ index }) => index),
      [40, 20],
    )
  })
})

const anyHead = { partition: 1, clusterEpoch: 1, index: 9, term: 2, time: 3, lastCut: 4 }

t.test('a header with a number that no log can reach is damage', async t => {
  const configuration = Buffer.from('{"voters":[1]}')
  const head = { ...anyHead, configuration }
  const { body } = decodeFrame(encodeSnapshotHead(head))
  t.strictSame(decodeSnapshotHead('file', body), head)
  for (const offset of [16, 24, 32, 40, 48]) {
    const other = Buffer.from(body)
    other[offset + 7] = 1
    t.throws(() => decodeSnapshotHead('file', other), { code: 'DAMAGED' }, `at ${offset}`)
  }
})

t.test('rows that no state has are damage, though their checksums hold', async t => {
  const key = (kind: string, length: number): Buffer => Buffer.alloc(length, kind)
  const windowKey = keyBytes(`s${'\0'.repeat(7)}`)
  const rows: Record<string, [key: Buffer, body: Buffer]> = {
    'a long key': [key('d', 9000), Buffer.alloc(20)],
    'a window that ends in a head': [windowKey, Buffer.alloc(7)],
    'a window that ends in a reply': [windowKey, Buffer.alloc(22, 1)],
  }
  for (const [name, [key, body]] of Object.entries(rows)) {
    await inWorld(name, async ({ machine }) => {
      const value = Buffer.alloc(4 + body.length)
      body.copy(value, 4)
      value.writeUInt32LE(crc32Parts(key, body))
      const head = encodeSnapshotHead({ ...anyHead, configuration: Buffer.alloc(0) })
      const frame = encodeFrame(snapshotFrames.rows, 1, Buffer.concat(rowParts(key, value)))
      const before = snapshotHash().update(head).update(frame)
      const foot = encodeSnapshotFoot({ rows: 1, digests: new Uint32Array(digestWords) }, before)
      machine.disk.setBytes('file', Buffer.concat([head, frame, encodeFrame(3, 2, foot.body)]))
      await t.rejects(readSnapshot(machine.disk, 'file'), { code: 'DAMAGED', message: /checksum/ }, name)
    })
  }
})

t.test('a record that cannot be taken apart is damage, and a later format is said to be one', async t => {
  const record = { index: 5, term: 2, bytes: 100, sha256: Buffer.alloc(32, 7) }
  const payload = encodeSnapshots([record])
  t.strictSame(decodeSnapshots(payload), [record])
  t.strictSame(decodeSnapshots(undefined), [])
  t.throws(() => decodeSnapshots(payload.subarray(0, 30)), { code: 'DAMAGED' })
  t.throws(() => decodeSnapshots(Buffer.alloc(4)), { code: 'DAMAGED' })
  t.throws(() => decodeSnapshots(Buffer.concat([Buffer.from([2, 0]), payload.subarray(2)])), {
    code: 'VERSION_UNSUPPORTED',
  })
})
