/**
 * The laws of a partition's segments: same bytes everywhere, reads that are right or refuse, no entry lost.
 */
import t from 'tap'
import { encodeEntry } from '../../../src/base/entry.js'
import { isSillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import type { DiskFile } from '../../../src/env/disk.js'
import { encodeHeader } from '../../../src/segments/segment-header.js'
import type { SegmentLog } from '../../../src/segments/segment-log.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk } from '../../../src/sim/sim-disk.js'
import {
  feed,
  folder,
  makeDisk,
  makeEntries,
  openLog,
  partition,
  type Record,
  readAll,
  sameEntries,
  sameFiles,
  sealedFiles,
  seed,
} from './log-world.js'

t.comment(`SEED=${seed}`)
const entries = makeEntries(120, 200)

t.test(
  'sealed files are byte-identical whatever chunks, syncs and buffer sizes they came through',
  async t => {
    const reference = makeDisk('reference')
    const one = await openLog(reference, { marks: {} })
    for (const entry of entries) one.append([entry])
    await one.close()
    const files = await sealedFiles(reference)
    t.ok(files.size >= 5, `${files.size} sealed files`)
    for (let run = 0; run < 20; run++) {
      const random = new Random(`${seed}/chunks/${run}`)
      const disk = makeDisk(`chunks/${run}`)
      const sizes = { writeBytes: 1 + random.below(4000), syncBytes: 1 + random.below(4000) }
      const log = await openLog(disk, { marks: {} }, sizes)
      await feed(log, entries, random)
      t.ok(sameFiles(files, await sealedFiles(disk)), `run ${run}`)
      await log.close()
    }
  },
)

t.test('a segment ends with the first entry that brings its entries to cutBytes', async t => {
  const disk = makeDisk('cut')
  const log = await openLog(disk, { marks: {} })
  log.append(entries)
  await log.sync()
  let bytes = 0
  let first = 1
  const names: string[] = []
  for (const { index, bytes: own } of entries) {
    bytes += own.length
    if (bytes < 2000) continue
    names.push(
      [first, index]
        .map(number => String(number).padStart(20, '0'))
        .join('-')
        .concat('.seg'),
    )
    first = index + 1
    bytes = 0
  }
  t.strictSame([...(await sealedFiles(disk)).keys()], names)
  t.equal(log.status().segments, names.length + 1)
  await log.close()
})

t.test('reads are right at every position, in memory, in the open and in sealed segments', async t => {
  const disk = makeDisk('positions')
  const log = await openLog(disk, { marks: {} }, { writeBytes: 1500, cutBytes: 5000 })
  log.append(entries.slice(0, 100))
  await log.sync()
  log.append(entries.slice(100))
  t.ok(log.pendingBytes > 0 && log.status().segments > 2, 'all three places hold entries')
  for (let from = 1; from <= entries.length; from++) {
    for (const bytesMax of [0, 700, 5000, 1_000_000]) {
      const through = from + (from % 30)
      const got = await log.read(from, { bytesMax, through })
      const wanted = entries.slice(from - 1, Math.min(through, from - 1 + got.length))
      const size = got.reduce((sum, entry) => sum + entry.bytes.length, 0)
      if (!sameEntries(got, wanted) || got.length === 0) t.fail(`${from} with ${bytesMax} bytes`)
      if (got.length > 1 && size > bytesMax) t.fail(`${size} bytes instead of ${bytesMax}`)
      const following = entries[from - 1 + got.length]
      const full = got.length === through - from + 1 || following === undefined
      if (!full && size + following.bytes.length <= bytesMax) t.fail(`more fits at ${from}`)
    }
  }
  t.strictSame(await log.read(entries.length + 1, { bytesMax: 1 }), [])
  await t.rejects(log.read(0, { bytesMax: 1 }))
  await log.close()
})

t.test('reads stay right while entries are appended, written and sealed', async t => {
  const clock = new SimClock()
  const random = new Random(`${seed}/concurrent`)
  const disk = new SimDisk({ clock, random: random.split('disk') })
  let reads = 0
  let fed = false
  const reader = async (log: SegmentLog, own: Random): Promise<void> => {
    for (; !fed; reads++) {
      const from = 1 + own.below(Math.max(1, log.lastIndex))
      const got = await log.read(from, { bytesMax: own.below(3000) })
      if (!sameEntries(got, entries.slice(from - 1, from - 1 + got.length))) t.fail(`read from ${from}`)
      await new Promise<void>(resolve => clock.after(own.fraction(), resolve))
    }
  }
  await clock.run(async () => {
    const log = await openLog(disk, { marks: {} }, { clock })
    const readers = [1, 2, 3].map(number => reader(log, random.split(`reader ${number}`)))
    for (let at = 0; at < entries.length; at += 3) {
      log.append(entries.slice(at, at + 3))
      await new Promise<void>(resolve => clock.after(3 * random.fraction(), resolve))
    }
    await log.sync()
    fed = true
    await Promise.all(readers)
    t.strictSame(await log.verify(), [])
    await log.close()
  })
  t.ok(reads > 50, `${reads} reads`)
})

t.test(
  'more segments than may be open are read at once; files in use stay open, idle ones are closed',
  async t => {
    const clock = new SimClock()
    const random = new Random(`${seed}/many`)
    const plain = new SimDisk({ clock, random: random.split('disk') })
    let files = 0
    let most = 0
    const open: SimDisk['open'] = async (path, options) => {
      const file = await plain.open(path, options)
      most = Math.max(most, ++files)
      let reading = 0
      const read: DiskFile['read'] = async (offset, length) => {
        reading++
        const bytes = await file.read(offset, length)
        reading--
        return bytes
      }
      const close = async (): Promise<void> => {
        if (reading > 0) t.fail(`${path} is closed while it is read`)
        await file.close()
        files--
      }
      return { ...file, read, close }
    }
    const disk = Object.assign(Object.create(plain), bound(plain), { open }) as SimDisk
    await clock.run(async () => {
      const log = await openLog(disk, { marks: {} }, { clock, cutBytes: 250 })
      log.append(entries)
      await log.sync()
      t.ok(log.status().segments > 40, `${log.status().segments} segments`)
      const reader = async (own: Random): Promise<void> => {
        for (let i = 0; i < 30; i++) {
          const from = 1 + own.below(entries.length)
          const got = await log.read(from, { bytesMax: own.below(1000) })
          if (!sameEntries(got, entries.slice(from - 1, from - 1 + got.length))) t.fail(`read from ${from}`)
        }
      }
      await Promise.all(Array.from({ length: 30 }, (_, number) => reader(random.split(`reader ${number}`))))
      t.ok(files <= 17 && most > 17, `${files} files open, ${most} at most`)
      const late = Array.from({ length: 40 }, (_, i) => log.read(1 + (i % 8), { bytesMax: 2000 }))
      await log.close()
      for (const [i, got] of (await Promise.all(late)).entries()) {
        if (!sameEntries(got, entries.slice(i % 8, (i % 8) + got.length))) t.fail(`late read ${i}`)
      }
      t.equal(files, 0, 'reads outlive the close, their files do not')
    })
  },
)

/** The methods of the disk, free of `this`. */
function bound(disk: SimDisk): Partial<SimDisk> {
  const { makeFolder, list, sizeOf, rename, remove, syncFolder } = disk
  const methods = { makeFolder, list, sizeOf, rename, remove, syncFolder }
  return Object.fromEntries(Object.entries(methods).map(([name, call]) => [name, call.bind(disk)]))
}

t.test('the iterator returns each entry once, up to the named one, and may be left early', async t => {
  const log = await openLog(makeDisk('iterator'), { marks: {} })
  log.append(entries)
  t.ok(sameEntries(await readAll(log), entries))
  t.ok(sameEntries(await readAll(log, 77), entries.slice(76)))
  t.strictSame(await readAll(log, 121), [])
  const some: number[] = []
  for await (const entry of log.entries(10, 20)) some.push(entry.index)
  t.strictSame(some, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20])
  for await (const entry of log.entries(1)) if (entry.index === 3) break
  await log.close()
})

t.test('entries come in order without gaps; what is there already is skipped', async t => {
  const log = await openLog(makeDisk('gaps'), { marks: {} })
  log.append(entries.slice(0, 5))
  t.throws(() => log.append(entries.slice(6, 7)), { message: /entry 7 appended after 5/ })
  log.append(entries.slice(2, 7))
  t.equal(log.lastIndex, 7)
  const stranger = encodeEntry({ partition: 4, index: 8, term: 9, kind: 2 }, Buffer.alloc(3))
  t.throws(() => log.append([stranger]), { message: /partition 4/ })
  await log.sync()
  t.ok(sameEntries(await readAll(log), entries.slice(0, 7)))
  await log.close()
})

t.test('a sync makes what was appended durable and recorded; calls at once share one', async t => {
  const disk = makeDisk('sync')
  const marks: number[] = []
  const record = async (mark: { lastIndex: number }): Promise<void> => {
    marks.push(mark.lastIndex)
  }
  const log = await openLog(disk, { marks: {} }, { record, cutBytes: 1_000_000 })
  await log.sync()
  log.append(entries.slice(0, 2))
  t.equal(log.syncedIndex, 0)
  await Promise.all([log.sync(), log.sync(), log.sync()])
  t.equal(log.syncedIndex, 2)
  await log.sync()
  t.strictSame(marks, [2])
  log.append(entries)
  await log.sync()
  t.equal(log.syncedIndex, 120)
  t.equal(marks.at(-1), 120)
  await log.close()
})

t.test('a written segment is synced after syncBytes, without being asked', async t => {
  const log = await openLog(makeDisk('automatic'), { marks: {} }, { cutBytes: 1_000_000 })
  log.append(entries)
  while (log.syncedIndex < 100) await new Promise(resolve => setImmediate(resolve))
  t.ok(log.syncedIndex <= log.lastIndex)
  await log.close()
})

t.test('a full disk delays and loses nothing; writing goes on by itself', async t => {
  const clock = new SimClock()
  const disk = makeDisk('full', clock)
  const log = await openLog(disk, { marks: {} }, { clock })
  const random = new Random(`${seed}/full`)
  let failed = false
  for (let at = 0; at < entries.length; at += 10) {
    disk.setFull(random.chance(0.7))
    log.append(entries.slice(at, at + 10))
    const synced = log.sync().catch(() => {
      failed = true
    })
    await clock.runFor(random.below(4000))
    t.ok(sameEntries(await readAll(log), entries.slice(0, at + 10)), `all can be read at ${at}`)
    disk.setFull(false)
    await clock.run(synced)
    t.equal(log.syncedIndex, at + 10)
  }
  t.notOk(failed)
  t.strictSame(await log.verify(), [])
  await log.close()
})

t.test('closing on a full disk says so, and the rest is refilled', async t => {
  const clock = new SimClock()
  const disk = makeDisk('close-full', clock)
  const record: Record = { marks: {} }
  const log = await openLog(disk, record, { clock })
  log.append(entries.slice(0, 50))
  await log.sync()
  disk.setFull(true)
  log.append(entries.slice(50))
  await clock.runFor(1500)
  await t.rejects(log.close(), { code: 'DISK_FULL' })
  disk.setFull(false)
  const again = await openLog(disk, record)
  t.equal(again.syncedIndex, 50)
  again.append(entries.slice(again.syncedIndex))
  t.ok(sameEntries(await readAll(again), entries))
  await again.close()
})

t.test('a failed sync ends the writing, is told once, and nothing counts as durable', async t => {
  for (let fail = 0; fail < 12; fail++) {
    const disk = makeDisk(`failed-sync/${fail}`)
    const record: Record = { marks: {} }
    const told: unknown[] = []
    const log = await openLog(disk, record, { failed: error => told.push(error) })
    let error: unknown
    for (let at = 0; at < entries.length && error === undefined; at += 10) {
      if (at === fail * 10) disk.failNextSync()
      log.append(entries.slice(at, at + 10))
      await log.sync().catch((reason: unknown) => {
        error = reason
      })
    }
    t.ok(isSillokError(error, 'DISK_FAILED') && told.length === 1 && told[0] === error)
    await t.rejects(log.sync(), { code: 'DISK_FAILED' })
    t.ok(sameEntries(await readAll(log), entries.slice(0, log.lastIndex)), 'reads go on')
    await t.rejects(log.close(), { code: 'DISK_FAILED' })
    disk.crash('none')
    const after = disk.restart()
    const again = await openLog(after, record)
    again.append(entries.slice(again.syncedIndex))
    await again.close()
    const last = await openLog(after, record)
    t.ok(sameEntries(await readAll(last), entries))
    await last.close()
  }
})

t.test('an entry that changes in memory before it is written stops the writing', async t => {
  let told: unknown
  const log = await openLog(
    makeDisk('memory'),
    { marks: {} },
    {
      failed: error => {
        told = error
      },
    },
  )
  const entry = encodeEntry({ partition, index: 1, term: 1, kind: 2 }, Buffer.alloc(40))
  log.append([entry])
  entry.bytes[35] = 1
  await t.rejects(log.sync(), { message: /entry 1 was changed in memory/ })
  t.ok(told)
})

t.test('a folder of another partition or a later cluster epoch is refused', async t => {
  const disk = makeDisk('foreign')
  const record: Record = { marks: {} }
  const log = await openLog(disk, record)
  log.append(entries)
  await log.close()
  await t.rejects(openLog(disk, record, { partition: 4 }), { code: 'DAMAGED' })
  await t.rejects(openLog(disk, record, { clusterEpoch: 0 }), { code: 'DAMAGED' })
  const name = [...(await sealedFiles(disk)).keys()][0] ?? ''
  const bytes = disk.bytesOf(`${folder}/${name}`)
  encodeHeader({ partition, clusterEpoch: 1, firstIndex: 2 }).copy(bytes)
  disk.setBytes(`${folder}/${name}`, bytes)
  await t.rejects(openLog(disk, record), { code: 'DAMAGED', message: /begins at index 2/ })
})
