/** Giving up the head of the log: after any crash it begins at the old place or at the new one. */
import t from 'tap'
import { assert } from '../../../src/base/assert.js'
import { isSillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { recordedIndex } from '../../../src/segments/marks.js'
import type { SegmentLog } from '../../../src/segments/segment-log.js'
import type { SimDisk } from '../../../src/sim/sim-disk.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import {
  feed,
  folder,
  makeDisk,
  makeEntries,
  openLog,
  type Record,
  readAll,
  sameEntries,
  seed,
} from './log-world.js'

t.comment(`SEED=${seed}`)
const entries = makeEntries(60, 200)

/** Records in the write-ahead log first, in two operations of the disk, then gives up. */
async function trim(disk: SimDisk, record: Record, log: SegmentLog, through: number): Promise<void> {
  const last = log.trimmable(through)
  if (last < log.firstIndex) return
  await disk.sizeOf('wal')
  record.marks = { ...record.marks, truncated: last }
  await disk.sizeOf('wal')
  await log.trim(last)
}

/** What is wrong with the log: nothing, or a text. */
async function wrongWith(log: SegmentLog, record: Record): Promise<string | undefined> {
  const first = (record.marks.truncated ?? 0) + 1
  if (log.firstIndex !== first) return `begins at ${log.firstIndex}, not at ${first}`
  const present = await readAll(log, first)
  const expected = entries.slice(first - 1, first - 1 + present.length)
  if (!sameEntries(present, expected)) return `wrong entries from ${first} on`
  if (log.lastIndex < recordedIndex(record.marks)) return `ends at ${log.lastIndex}`
  const refused =
    first === 1 || (await refusal(log.read(first - 1, { bytesMax: 1 }))) === `LOG_TRUNCATED ${first}`
  return refused ? undefined : 'what was given up is read'
}

async function refusal(reading: Promise<unknown>): Promise<string> {
  try {
    await reading
    return 'read'
  } catch (error) {
    return isSillokError(error) ? `${error.code} ${error.details['firstIndex']}` : String(error)
  }
}

async function live(disk: SimDisk, record: Record, random: Random): Promise<boolean> {
  const work = async (): Promise<boolean> => {
    const known = recordedIndex(record.marks)
    const log = await openLog(disk, record, { cutBytes: 900 })
    const wrong = await wrongWith(log, record)
    if (wrong !== undefined) throw new Error(wrong)
    for (let at = known; at < entries.length; at += 15) {
      await feed(log, entries.slice(at, at + 15), random)
      await trim(disk, record, log, Math.max(0, log.lastIndex - 10))
    }
    await log.close()
    return true
  }
  return Promise.race([work(), disk.crashed.then(() => false)])
}

t.test('a crash at any operation leaves a log that begins at one place and has no gap', async t => {
  let crashes = 0
  let trimmed = 0
  for (const mode of ['all', 'none', 'any', 'any'] as readonly CrashMode[]) {
    for (let operation = 1; ; operation++) {
      const name = `trim ${mode} ${operation} ${crashes}`
      let disk = makeDisk(name)
      const record: Record = { marks: {} }
      disk.crashAt(operation, mode)
      const random = new Random(`${seed}/${mode}`)
      if (await live(disk, record, random).catch(error => t.fail(`${name}: ${String(error)}`))) break
      crashes++
      disk = disk.restart()
      if (record.marks.truncated !== undefined) trimmed++
      const done = await live(disk, record, random).catch(error => t.fail(`${name}: ${String(error)}`))
      if (done !== true) t.fail(`${name}: not opened`)
      const names = (await disk.list(folder)).filter(
        one => Number(one.slice(21, 41)) <= (record.marks.truncated ?? 0),
      )
      if (names.some(one => !one.startsWith('open-'))) t.fail(`${name}: ${names} is still there`)
    }
  }
  t.ok(crashes > 200 && trimmed > 50, `${crashes} crashes, ${trimmed} of them of a trimmed log`)
})

t.test('a log without its head is damage unless that was recorded', async t => {
  const disk = makeDisk('head')
  const record: Record = { marks: {} }
  await live(disk, record, new Random(seed))
  const { truncated, ...marks } = record.marks
  t.ok((truncated ?? 0) > 10)
  await t.rejects(openLog(disk, { marks }, { cutBytes: 900 }), { code: 'DAMAGED' })
  const before = { marks: { ...marks, truncated: (truncated ?? 0) - 1 } }
  await t.rejects(openLog(disk, before, { cutBytes: 900 }), { code: 'DAMAGED' })
})

t.test('the newest segment that is recorded as sealed stays until a newer one is recorded', async t => {
  const disk = makeDisk('unrecorded')
  const record: Record = { marks: {} }
  const log = await openLog(disk, record, { cutBytes: 900 })
  await feed(log, entries, new Random(seed))
  const [before, newest] = log.sealed.slice(-2)
  await log.close()
  assert(before !== undefined && newest !== undefined, 'too few segments')
  // As after a crash between the sync of a seal and its record.
  const { firstIndex, lastIndex, sha256 } = before as typeof before & { sha256: Buffer }
  record.marks = { sealed: { firstIndex, lastIndex, sha256 } }
  const again = await openLog(disk, record, { cutBytes: 900 })
  t.equal(again.sealed.at(-1)?.lastIndex, newest.lastIndex, 'the unrecorded one is kept')
  await trim(disk, record, again, entries.length)
  t.equal(again.sealed[0]?.lastIndex, lastIndex)
  disk.crash('all')
  const crashed = disk.restart()
  const third = await openLog(crashed, record, { cutBytes: 900 })
  t.equal(third.firstIndex, firstIndex)
  third.append(entries.slice(newest.lastIndex))
  await third.sync()
  await trim(crashed, record, third, entries.length)
  t.equal(third.firstIndex, newest.firstIndex, 'recorded now')
  await third.close()
})

t.test('who reads what is given up meanwhile gets it, or is told, and never anything else', async t => {
  const random = new Random(`${seed}/meanwhile`)
  let told = 0
  for (let run = 0; run < 60; run++) {
    const disk = makeDisk(`meanwhile ${run}`)
    const record: Record = { marks: {} }
    const log = await openLog(disk, record, { cutBytes: 900 })
    await feed(log, entries, random)
    const reader = (async () => {
      let next = 1
      try {
        for await (const entry of log.entries(1)) {
          if (!entry.bytes.equals(entries[next - 1]?.bytes ?? Buffer.alloc(0)))
            t.fail(`entry ${next} is another`)
          next++
          if (random.chance(0.3)) await disk.sizeOf('x')
        }
        t.equal(next, entries.length + 1)
      } catch (error) {
        if (!isSillokError(error, 'LOG_TRUNCATED')) t.fail(String(error))
        told++
      }
    })()
    for (let through = random.below(20); through < entries.length; through += 5 + random.below(20)) {
      for (let n = random.below(6); n > 0; n--) await disk.sizeOf('x')
      await trim(disk, record, log, through)
    }
    await reader
    await log.close()
  }
  t.ok(told > 5 && told < 60, `${told} of 60 were told`)
})

t.test('a segment that goes while its file is looked for was given up: no damage is told', async t => {
  const disk = makeDisk('opened')
  const record: Record = { marks: {} }
  const first = await openLog(disk, record, { cutBytes: 900 })
  await feed(first, entries, new Random(seed))
  await first.close()
  const log = await openLog(disk, record, { cutBytes: 900 })
  const sizeOf = disk.sizeOf.bind(disk)
  let trimmed: Promise<void> | undefined
  disk.sizeOf = async path => {
    if (path.startsWith(folder)) {
      trimmed ??= trim(disk, record, log, entries.length)
      await trimmed
    }
    return sizeOf(path)
  }
  const told = await refusal(log.read(1, { bytesMax: 1 }))
  t.ok(log.firstIndex > 1)
  t.equal(told, `LOG_TRUNCATED ${log.firstIndex}`)
  await log.close()
})

t.test('the newest sealed segment stays, and bytes are counted by entries', async t => {
  const disk = makeDisk('newest')
  const record: Record = { marks: {} }
  const log = await openLog(disk, record, { cutBytes: 900 })
  await feed(log, entries, new Random(seed))
  const sealed = [...log.sealed]
  t.equal(log.trimmable(entries.length), sealed.at(-2)?.lastIndex)
  t.equal(log.trimmable((sealed[0]?.lastIndex ?? 0) - 1), 0)
  const all = entries.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const counted = log.bytesAfter(0)
  t.ok(counted >= all && counted < all * 1.2, `${counted} for ${all}`)
  t.equal(log.bytesAfter(entries.length), 0)
  await trim(disk, record, log, entries.length)
  t.equal(log.sealed.length, 1)
  await log.close()
})
