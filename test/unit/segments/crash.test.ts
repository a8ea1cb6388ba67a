/** Crashes at every operation, and damage of every byte. */
import t from 'tap'
import { type Entry, encodeEntry } from '../../../src/base/entry.js'
import { isSillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { recordedIndex } from '../../../src/segments/marks.js'
import type { SimDisk } from '../../../src/sim/sim-disk.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
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
const entries = makeEntries(60, 200)

/** One process: opens, refills from the last recorded entry, and closes, unless the disk crashes before. */
async function live(disk: SimDisk, record: Record, random: Random): Promise<boolean> {
  const work = async (): Promise<boolean> => {
    const known = recordedIndex(record.marks)
    const log = await openLog(disk, record)
    if (log.syncedIndex !== known) throw new Error(`synced ${log.syncedIndex}, recorded ${known}`)
    const present = await readAll(log)
    if (!sameEntries(present, entries.slice(0, present.length))) throw new Error('wrong entries on open')
    if (present.length < known) throw new Error(`${present.length} of ${known} recorded entries`)
    await feed(log, entries.slice(known), random)
    await log.close()
    return true
  }
  return Promise.race([work(), disk.crashed.then(() => false)])
}

/** After any crashes: a life without one gives the same files as a life that never crashed. */
async function checkAfter(t: Tap.Test, disk: SimDisk, record: Record, name: string): Promise<void> {
  try {
    await live(disk, record, new Random(`${seed}/${name}/after`))
    const log = await openLog(disk, record)
    const all = await readAll(log)
    if (!sameEntries(all, entries)) t.fail(`${name}: ${all.length} entries read`)
    const findings = await log.verify()
    if (findings.length > 0) t.fail(`${name}: ${JSON.stringify(findings)}`)
    if (!sameFiles(await sealedFiles(disk), await uncrashed())) t.fail(`${name}: other files`)
    await log.close()
  } catch (error) {
    t.fail(`${name}: ${String(error)}`)
  }
}

declare namespace Tap {
  type Test = Pick<typeof t, 'fail'>
}

let reference: Promise<Map<string, Buffer>> | undefined

function uncrashed(): Promise<Map<string, Buffer>> {
  reference ??= (async () => {
    const disk = makeDisk('uncrashed')
    await live(disk, { marks: {} }, new Random(`${seed}/uncrashed`))
    return sealedFiles(disk)
  })()
  return reference
}

const modes: readonly CrashMode[] = ['all', 'none', 'any']

t.test('a crash at any operation loses nothing that was recorded, and the rest is refilled', async t => {
  let crashes = 0
  for (const mode of modes) {
    for (let variant = 0; variant < (mode === 'any' ? 6 : 3); variant++) {
      for (let operation = 1; ; operation++) {
        const name = `${mode}/${variant}/${operation}`
        const disk = makeDisk(name)
        const record: Record = { marks: {} }
        disk.crashAt(operation, mode)
        if (await live(disk, record, new Random(`${seed}/${variant}`))) break
        crashes++
        await checkAfter(t, disk.restart(), record, name)
      }
    }
  }
  t.ok(crashes > 500, `${crashes} crashes`)
  t.ok((await uncrashed()).size >= 3)
})

t.test('crashes during recovery, refill and recovery again lose nothing', async t => {
  for (let run = 0; run < 400; run++) {
    const random = new Random(`${seed}/again/${run}`)
    const record: Record = { marks: {} }
    let disk = makeDisk(`again/${run}`)
    for (let life = 0; life < 8; life++) {
      disk.crashAt(1 + random.below(random.pick([6, 30, 150])), random.pick(modes))
      if (await live(disk, record, random).catch(error => t.fail(`${run}: ${String(error)}`))) break
      disk = disk.restart()
    }
    if (!disk.dead) disk.crash(random.pick(modes))
    await checkAfter(t, disk.restart(), record, `again/${run}`)
  }
})

/** A short log with sealed segments and a synced open one, closed. */
async function shortLog(): Promise<{ disk: SimDisk; record: Record; all: Entry[] }> {
  const all = makeEntries(24, 60)
  const disk = makeDisk('short')
  const record: Record = { marks: {} }
  const log = await openLog(disk, record, { cutBytes: 600 })
  log.append(all)
  await log.close()
  return { disk, record, all }
}

/** Opens and reads all; tells how the damage was met. */
async function meet(disk: SimDisk, record: Record, all: readonly Entry[]): Promise<string> {
  try {
    const log = await openLog(disk, record, { cutBytes: 600 })
    const findings = await log.verify()
    try {
      return sameEntries(await readAll(log), all) ? `unseen, ${findings.length} findings` : 'wrong entries'
    } catch (error) {
      const told = namedDamage(error)
      return told === 'DAMAGED' && findings.length === 0 ? 'not found by verify' : told
    } finally {
      await log.close()
    }
  } catch (error) {
    return namedDamage(error)
  }
}

/** DAMAGED if the error is that, naming file and byte. */
function namedDamage(error: unknown): string {
  if (!isSillokError(error, 'DAMAGED')) return String(error)
  const { file, offset } = error.details
  return typeof file === 'string' && typeof offset === 'number' ? 'DAMAGED' : `unnamed: ${error.message}`
}

t.test(
  'a flipped bit in any byte of a sealed or a synced open segment is damage, never a wrong entry',
  async t => {
    const { disk, record, all } = await shortLog()
    const random = new Random(`${seed}/flip`)
    const names = await disk.list(folder)
    t.ok(names.length >= 3 && names.some(name => name.startsWith('open-')))
    t.equal(await meet(disk, record, all), 'unseen, 0 findings')
    for (const name of names) {
      const path = `${folder}/${name}`
      for (let byte = 0; byte < disk.bytesOf(path).length; byte++) {
        const bit = byte * 8 + random.below(8)
        disk.flip(path, bit)
        const met = await meet(disk, record, all)
        if (met !== 'DAMAGED') t.fail(`bit ${bit} of ${name}: ${met}`)
        disk.flip(path, bit)
      }
    }
  },
)

t.test('a file that is missing, cut or longer than it was is damage', async t => {
  const { disk, record, all } = await shortLog()
  for (const name of await disk.list(folder)) {
    const path = `${folder}/${name}`
    const bytes = disk.bytesOf(path)
    await disk.remove(path)
    t.equal(await meet(disk, record, all), 'DAMAGED', `${name} missing`)
    for (const size of [0, 20, 36, 100, bytes.length - 72, bytes.length - 1]) {
      disk.setBytes(path, bytes.subarray(0, size))
      t.equal(await meet(disk, record, all), 'DAMAGED', `${name} cut to ${size}`)
    }
    disk.setBytes(path, Buffer.concat([bytes, Buffer.alloc(100)]))
    const longer = name.startsWith('open-') ? 'unseen, 0 findings' : 'DAMAGED'
    t.equal(await meet(disk, record, all), longer, `${name} longer`)
    disk.setBytes(path, bytes)
  }
  t.equal(await meet(disk, record, all), 'unseen, 0 findings')
})

t.test('files that no crash can explain are damage, and stay', async t => {
  const { disk, record, all } = await shortLog()
  const names = await disk.list(folder)
  t.equal(await meet(disk, { marks: {} }, all), 'DAMAGED', 'the record forgot several segments')
  const stray = `${folder}/open-${'7'.padStart(20, '0')}.seg`
  disk.setBytes(stray, Buffer.alloc(50))
  t.equal(await meet(disk, record, all), 'DAMAGED', 'two open segments')
  await disk.remove(stray)
  const sealed = record.marks.sealed
  if (sealed) {
    const other = { ...record.marks, sealed: { ...sealed, sha256: Buffer.alloc(32) } }
    t.equal(await meet(disk, { marks: other }, all), 'DAMAGED', 'another SHA-256 was recorded')
  }
  const synced = record.marks.synced
  if (synced) {
    const other = { ...record.marks, synced: { ...synced, crc: synced.crc ^ 1 } }
    t.equal(await meet(disk, { marks: other }, all), 'DAMAGED', 'another CRC was recorded')
  }
  t.strictSame(await disk.list(folder), names)
  t.equal(await meet(disk, record, all), 'unseen, 0 findings')
})

t.test('a recorded seal whose rename was lost is finished', async t => {
  const { disk, record, all } = await shortLog()
  const sealed = (await disk.list(folder)).filter(name => !name.startsWith('open-'))
  for (const name of await disk.list(folder))
    if (name.startsWith('open-')) await disk.remove(`${folder}/${name}`)
  const newest = sealed.at(-1) ?? ''
  await disk.rename(`${folder}/${newest}`, `${folder}/open-${newest.slice(0, 20)}.seg`)
  const { sealed: mark } = record.marks
  const marks = mark ? { sealed: mark } : {}
  const log = await openLog(disk, { marks }, { cutBytes: 600 })
  t.strictSame(await disk.list(folder), sealed)
  log.append(all.slice(log.syncedIndex))
  t.ok(sameEntries(await readAll(log), all))
  await log.close()
})

t.test('an unrecorded seal is kept if all of it validates, and undone otherwise', async t => {
  const { disk, record, all } = await shortLog()
  const files = await sealedFiles(disk)
  const [first = '', second = ''] = files.keys()
  const length = files.get(second)?.length ?? 0
  const sha256 = (files.get(first) ?? Buffer.alloc(0)).subarray(-44, -12)
  for (let byte = -1; byte < length; byte++) {
    const other = makeDisk(`unrecorded/${byte}`)
    const sealed = { firstIndex: 1, lastIndex: Number(first.slice(21, 41)), sha256 }
    for (const name of [first, second])
      other.setBytes(`${folder}/${name}`, files.get(name) ?? Buffer.alloc(0))
    if (byte >= 0) other.flip(`${folder}/${second}`, byte * 8 + (byte % 8))
    const log = await openLog(other, { marks: { sealed } }, { cutBytes: 600 })
    const last = byte >= 0 ? sealed.lastIndex : Number(second.slice(21, 41))
    if (log.lastIndex !== last) t.fail(`byte ${byte}: the log ends at ${log.lastIndex}, not ${last}`)
    log.append(all.slice(log.syncedIndex))
    await log.close()
    if (!sameFiles(await sealedFiles(other), files)) t.fail(`byte ${byte}: other files`)
  }
  t.equal(record.marks.sealed?.lastIndex, Number([...files.keys()].at(-1)?.slice(21, 41)))
})

t.test('what lies beyond the mark, or in a file without one, never reaches a sealed file', async t => {
  const { disk, record, all } = await shortLog()
  const name = (await disk.list(folder)).find(one => one.startsWith('open-')) ?? ''
  const bytes = disk.bytesOf(`${folder}/${name}`)
  const more = [...all, ...makeEntries(60, 60).slice(all.length)]
  const healthy = await finish(disk, record, more)
  const { sealed } = await shortLog().then(made => made.record.marks)
  for (const marks of [record.marks, sealed ? { sealed } : {}]) {
    const other = await shortLog()
    other.disk.setBytes(`${folder}/${name}`, Buffer.concat([bytes, new Random('junk').bytes(5000)]))
    t.ok(sameFiles(await finish(other.disk, { marks }, more), healthy))
  }
})

/** Refills, closes, and tells the sealed files. The record is left as it was. */
async function finish(disk: SimDisk, record: Record, all: readonly Entry[]): Promise<Map<string, Buffer>> {
  const log = await openLog(disk, { marks: record.marks }, { cutBytes: 600 })
  log.append(all.slice(log.syncedIndex))
  await log.close()
  return sealedFiles(disk)
}

t.test('a valid entry in the place of another one is damage', async t => {
  const all = Array.from({ length: 30 }, (_, i) =>
    encodeEntry({ partition, index: i + 1, term: 1, kind: 2 }, Buffer.alloc(20, i)),
  )
  const disk = makeDisk('swapped')
  const record: Record = { marks: {} }
  const log = await openLog(disk, record, { cutBytes: 520 })
  log.append(all)
  await log.close()
  const stranger = encodeEntry({ partition: 4, index: 3, term: 1, kind: 2 }, Buffer.alloc(20))
  for (const name of await disk.list(folder)) {
    const path = `${folder}/${name}`
    const bytes = disk.bytesOf(path)
    const swapped = Buffer.from(bytes)
    bytes.copy(swapped, 36, 36 + 52, 36 + 104)
    bytes.copy(swapped, 36 + 52, 36, 36 + 52)
    const foreign = Buffer.from(bytes)
    stranger.bytes.copy(foreign, 36 + 104)
    for (const wrong of [swapped, foreign]) {
      disk.setBytes(path, wrong)
      t.equal(await meet(disk, record, all), 'DAMAGED', name)
    }
    disk.setBytes(path, bytes)
  }
  t.equal(await meet(disk, record, all), 'unseen, 0 findings')
})
