/**
 * The laws of the door to files (`Disk`), for every implementation. What a crash may leave is not among them:
 * no law can crash the machine.
 */
import assert from 'node:assert/strict'
import type { Random } from '../base/random.js'
import { type Disk, type DiskFile, noteBytesMax, readWhole } from '../env/disk.js'
import type { Law } from './law.js'

/** What the laws are put to. */
export interface DiskSubject {
  readonly disk: Disk
  /** An empty folder that is there, as the disk names it. */
  readonly folder: string
  readonly random: Random
}

const text = async (file: DiskFile): Promise<string> => (await file.read(0, await file.size())).toString()

async function make(disk: Disk, path: string, content: string): Promise<void> {
  const file = await disk.open(path, { create: true })
  await file.truncate(0)
  await file.write([Buffer.from(content)], 0)
  await file.sync()
  await file.close()
}

async function contentOf(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path)
  const content = await text(file)
  await file.close()
  return content
}

const fileLaws: readonly Law<DiskSubject>[] = [
  {
    title: 'reads are short only at the end of the file, and holes read as zeros',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      assert.equal(await file.size(), 0)
      assert.equal((await file.read(0, 10)).length, 0)
      await file.write([Buffer.from('abc'), Buffer.alloc(0), Buffer.from('def')], 40_000)
      assert.equal(await file.size(), 40_006)
      assert.equal((await file.read(40_001, 3)).toString(), 'bcd')
      assert.equal((await file.read(40_003, 100)).toString(), 'def')
      assert.equal((await file.read(40_006, 100)).length, 0)
      assert.equal((await file.read(50_000, 1)).length, 0)
      assert.ok((await file.read(0, 40_000)).equals(Buffer.alloc(40_000)))
      await file.close()
    },
  },
  {
    title: 'the end of the content has nothing but zeros behind it',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      assert.equal(await file.contentEnd(), 0)
      await file.write([Buffer.alloc(3 * 2 ** 20 + 5)], 0)
      assert.equal(await file.contentEnd(), 0, 'zeros that were written are zeros')
      for (const at of [100, 2 ** 20 - 1, 2 ** 20, 3 * 2 ** 20 + 4]) {
        await file.write([Buffer.from('x')], at)
        const end = await file.contentEnd()
        assert.ok(end > at && end <= Math.min(at + 2 ** 20, 3 * 2 ** 20 + 5), `${end} after ${at}`)
      }
      await file.truncate(50)
      assert.ok((await file.contentEnd()) <= 50)
      await file.close()
    },
  },
  {
    title: 'truncate cuts, and extends with zeros',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      await file.write([Buffer.from('abcdef')], 0)
      await file.truncate(3)
      assert.equal(await text(file), 'abc')
      await file.truncate(5)
      assert.equal(await text(file), 'abc\0\0')
      await file.sync()
      await file.close()
    },
  },
  {
    title: 'writes land where they should, beyond four GiB too',
    async check({ disk, folder }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      const far = 5 * 2 ** 30 + 123
      await file.write([Buffer.from('far')], far)
      assert.equal(await file.size(), far + 3)
      assert.equal((await file.read(far, 3)).toString(), 'far')
      await file.truncate(0)
      await file.close()
    },
  },
  {
    title: 'random writes and cuts leave what a plain buffer would hold',
    async check({ disk, folder, random }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      let model = Buffer.alloc(0)
      for (let i = 0; i < 60; i++) {
        if (random.chance(0.2)) {
          const size = random.below(70_000)
          model = Buffer.concat([model.subarray(0, size), Buffer.alloc(Math.max(0, size - model.length))])
          await file.truncate(size)
        } else {
          const offset = random.below(70_000)
          const bytes = random.chance(0.2) ? Buffer.alloc(20_000) : random.bytes(random.below(20_000))
          const end = Math.max(model.length, bytes.length === 0 ? 0 : offset + bytes.length)
          model = Buffer.concat([model, Buffer.alloc(end - model.length)])
          bytes.copy(model, offset)
          const cut = random.below(bytes.length + 1)
          await file.write([bytes.subarray(0, cut), bytes.subarray(cut)], offset)
        }
        if (random.chance(0.2)) await file.sync()
        if (random.chance(0.3)) assert.ok((await file.read(0, 100_000)).equals(model), `step ${i}`)
      }
      assert.ok((await file.read(0, 100_000)).equals(model))
      await file.close()
      assert.equal(await disk.sizeOf(`${folder}/f`), model.length)
    },
  },
]

const sharingLaws: readonly Law<DiskSubject>[] = [
  {
    title: 'reads and writes of ranges that do not overlap are in flight at once',
    async check({ disk, folder, random }) {
      const file = await disk.open(`${folder}/f`, { create: true })
      const pieces = Array.from({ length: 16 }, () => random.bytes(9000))
      await Promise.all(pieces.map((piece, n) => file.write([piece], n * 9000)))
      const news = pieces.map((piece, n) => (n % 2 === 0 ? piece : random.bytes(9000)))
      const done = pieces.map(async (piece, n) => {
        if (n % 2 === 0) assert.ok((await file.read(n * 9000, 9000)).equals(piece))
        else await file.write([news[n] ?? piece], n * 9000)
      })
      await Promise.all([...done, file.sync(), file.size()])
      assert.ok((await file.read(0, 200_000)).equals(Buffer.concat(news)))
      await file.close()
    },
  },
  {
    title: 'an existing file is opened as it is, also by who would make it',
    async check({ disk, folder }) {
      await make(disk, `${folder}/f`, 'content')
      const file = await disk.open(`${folder}/f`, { create: true })
      assert.equal(await text(file), 'content')
      await file.close()
      assert.equal(await disk.sizeOf(`${folder}/f`), 7)
      assert.equal((await readWhole(disk, `${folder}/f`)).toString(), 'content')
    },
  },
  {
    title: 'two handles of one file see what the other writes',
    async check({ disk, folder }) {
      const one = await disk.open(`${folder}/f`, { create: true })
      const two = await disk.open(`${folder}/f`)
      await one.write([Buffer.from('abc')], 0)
      assert.equal(await text(two), 'abc')
      await two.truncate(1)
      assert.equal(await text(one), 'a')
      await one.close()
      await two.close()
    },
  },
]

const nameLaws: readonly Law<DiskSubject>[] = [
  {
    title: 'missing files and folders are answered as promised',
    async check({ disk, folder }) {
      const none = `${folder}/none`
      assert.deepEqual(await disk.list(none), [])
      assert.equal(await disk.sizeOf(none), undefined)
      await disk.remove(none)
      await assert.rejects(disk.open(none), { code: 'DISK_FAILED' })
      await assert.rejects(disk.openLog(none), { code: 'DISK_FAILED' })
      await assert.rejects(disk.open(`${none}/f`, { create: true }), { code: 'DISK_FAILED' })
      await assert.rejects(disk.rename(none, `${folder}/other`), { code: 'DISK_FAILED' })
      await assert.rejects(disk.syncFolder(none), { code: 'DISK_FAILED' })
    },
  },
  {
    title: 'a file where a folder must be makes the folder unusable',
    async check({ disk, folder }) {
      await make(disk, `${folder}/f`, 'content')
      await assert.rejects(disk.makeFolder(`${folder}/f`), { code: 'FOLDER_UNUSABLE' })
      await assert.rejects(disk.makeFolder(`${folder}/f/g`), { code: 'FOLDER_UNUSABLE' })
      await assert.rejects(disk.list(`${folder}/f`), { code: 'FOLDER_UNUSABLE' })
      await assert.rejects(disk.open(`${folder}/f/g`, { create: true }), { code: 'FOLDER_UNUSABLE' })
    },
  },
  {
    title: 'names are listed sorted',
    async check({ disk, folder }) {
      for (const name of ['b', 'a10', 'a2', 'B']) await make(disk, `${folder}/${name}`, name)
      await disk.makeFolder(`${folder}/c/d`)
      await disk.makeFolder(`${folder}/c/d`)
      assert.deepEqual(await disk.list(folder), ['B', 'a10', 'a2', 'b', 'c'])
      assert.deepEqual(await disk.list(`${folder}/c`), ['d'])
      assert.equal(await disk.sizeOf(`${folder}/c`), undefined)
      await disk.syncFolder(folder)
    },
  },
  {
    title: 'a rename replaces an existing file, and an open one goes on under the new name',
    async check({ disk, folder }) {
      await make(disk, `${folder}/old`, 'old')
      const file = await disk.open(`${folder}/new`, { create: true })
      await disk.rename(`${folder}/new`, `${folder}/old`)
      await file.write([Buffer.from('new')], 0)
      await file.close()
      assert.deepEqual(await disk.list(folder), ['old'])
      assert.equal(await contentOf(disk, `${folder}/old`), 'new')
      await disk.syncFolder(folder)
    },
  },
  {
    title: 'a folder is renamed and removed with all that it holds',
    async check({ disk, folder }) {
      await disk.makeFolder(`${folder}/a/b`)
      await make(disk, `${folder}/a/b/f`, 'content')
      await disk.rename(`${folder}/a`, `${folder}/z`)
      assert.equal(await contentOf(disk, `${folder}/z/b/f`), 'content')
      assert.deepEqual(await disk.list(`${folder}/a`), [])
      await disk.remove(`${folder}/z`)
      assert.deepEqual(await disk.list(folder), [])
      await disk.syncFolder(folder)
    },
  },
]

const logLaws: readonly Law<DiskSubject>[] = [
  {
    title: 'a commit stands in the file, whole, at its offset',
    async check({ disk, folder, random }) {
      await make(disk, `${folder}/log`, '')
      const log = await disk.openLog(`${folder}/log`)
      const first = random.bytes(5000)
      const second = random.bytes(9 * 1024 * 1024)
      await log.commit([first], 0)
      await log.commit([second.subarray(0, 17), second.subarray(17)], 8192)
      await log.commit([first.subarray(0, 10)], 8192 + second.length)
      await log.close()
      const file = await disk.open(`${folder}/log`)
      assert.ok((await file.read(0, 5000)).equals(first))
      assert.ok((await file.read(8192, second.length)).equals(second))
      assert.ok((await file.read(8192 + second.length, 100)).equals(first.subarray(0, 10)))
      await file.close()
    },
  },
  {
    title: 'devices of one disk commit side by side',
    async check({ disk, folder }) {
      const content = [1, 2, 3].map(value => Buffer.alloc(100_000, value))
      const logs = []
      for (const [number] of content.entries()) {
        await make(disk, `${folder}/log${number}`, '')
        logs.push(await disk.openLog(`${folder}/log${number}`))
      }
      for (let round = 0; round < 5; round++) {
        const commits = logs.map((log, number) =>
          log.commit([content[number] ?? Buffer.alloc(0)], round * 100_000),
        )
        await Promise.all(commits)
      }
      for (const log of logs) await log.close()
      for (const [number, bytes] of content.entries()) {
        const wanted = Buffer.concat([bytes, bytes, bytes, bytes, bytes])
        assert.equal(await contentOf(disk, `${folder}/log${number}`), wanted.toString())
      }
    },
  },
]

const noteLaws: readonly Law<DiskSubject>[] = [
  {
    title: "the note of a commit stands at the begin of the note's file, which is made if it is missing",
    async check({ disk, folder, random }) {
      await make(disk, `${folder}/log`, '')
      const log = await disk.openLog(`${folder}/log`, `${folder}/note`)
      assert.equal(await disk.sizeOf(`${folder}/note`), 0)
      for (const bytes of [noteBytesMax, 5]) {
        const note = random.bytes(bytes)
        await log.commit([random.bytes(100)], 0, { note })
        assert.ok((await readWhole(disk, `${folder}/note`)).subarray(0, bytes).equals(note))
      }
      await log.close()
    },
  },
  {
    title: 'a lone commit stands in the file as any other',
    async check({ disk, folder, random }) {
      await make(disk, `${folder}/log`, '')
      const log = await disk.openLog(`${folder}/log`)
      const pieces = Array.from({ length: 8 }, () => random.bytes(4096))
      for (const [n, piece] of pieces.entries()) {
        await log.commit([piece], n * 4096, { isLone: n % 2 === 0 })
      }
      await log.close()
      assert.ok((await readWhole(disk, `${folder}/log`)).equals(Buffer.concat(pieces)))
    },
  },
]

/** What every disk keeps. */
export const diskLaws: readonly Law<DiskSubject>[] = [
  ...fileLaws,
  ...sharingLaws,
  ...nameLaws,
  ...logLaws,
  ...noteLaws,
]
