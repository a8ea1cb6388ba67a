/** The laws of the door to files, for every implementation. */
import t, { type Test } from 'tap'
import type { Random } from '../../../src/base/random.js'
import type { Disk, DiskFile } from '../../../src/env/disk.js'

type Body = (t: Test, disk: Disk, folder: string) => Promise<void>

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

/** Runs the laws against what `make` gives; `run` drives its time, `folder` is fresh and exists. */
export function diskLaws(
  name: string,
  make: () => { disk: Disk; folder: string; run<T>(work: () => Promise<T>): Promise<T> },
  random: Random,
): void {
  for (const [title, body] of [...fileLaws(random), ...nameLaws(), ...logLaws(random)]) {
    t.test(`${name}: ${title}`, async t => {
      const { disk, folder, run } = make()
      await run(async () => {
        await body(t, disk, folder)
        await disk.close()
      })
    })
  }
}

const fileLaws = (random: Random): [string, Body][] => [
  [
    'reads are short only at the end of the file, and holes read as zeros',
    async (t, disk, folder) => {
      const file = await disk.open(`${folder}/f`, { create: true })
      t.equal(await file.size(), 0)
      t.equal((await file.read(0, 10)).length, 0)
      await file.write([Buffer.from('abc'), Buffer.alloc(0), Buffer.from('def')], 40_000)
      t.equal(await file.size(), 40_006)
      t.equal((await file.read(40_001, 3)).toString(), 'bcd')
      t.equal((await file.read(40_003, 100)).toString(), 'def')
      t.equal((await file.read(40_006, 100)).length, 0)
      t.equal((await file.read(50_000, 1)).length, 0)
      t.ok((await file.read(0, 40_000)).equals(Buffer.alloc(40_000)))
      await file.close()
    },
  ],
  [
    'the end of the content has nothing but zeros behind it',
    async (t, disk, folder) => {
      const file = await disk.open(`${folder}/f`, { create: true })
      t.equal(await file.contentEnd(), 0)
      await file.write([Buffer.alloc(3 * 2 ** 20 + 5)], 0)
      t.equal(await file.contentEnd(), 0, 'zeros that were written are zeros')
      for (const at of [100, 2 ** 20 - 1, 2 ** 20, 3 * 2 ** 20 + 4]) {
        await file.write([Buffer.from('x')], at)
        const end = await file.contentEnd()
        t.ok(end > at && end <= Math.min(at + 2 ** 20, 3 * 2 ** 20 + 5), `${end} after ${at}`)
      }
      await file.truncate(50)
      t.ok((await file.contentEnd()) <= 50)
      await file.close()
    },
  ],
  [
    'truncate cuts, and extends with zeros',
    async (t, disk, folder) => {
      const file = await disk.open(`${folder}/f`, { create: true })
      await file.write([Buffer.from('abcdef')], 0)
      await file.truncate(3)
      t.equal(await text(file), 'abc')
      await file.truncate(5)
      t.equal(await text(file), 'abc\0\0')
      await file.sync()
      await file.close()
    },
  ],
  [
    'writes land where they should, beyond four GiB too',
    async (t, disk, folder) => {
      const file = await disk.open(`${folder}/f`, { create: true })
      const far = 5 * 2 ** 30 + 123
      await file.write([Buffer.from('far')], far)
      t.equal(await file.size(), far + 3)
      t.equal((await file.read(far, 3)).toString(), 'far')
      await file.truncate(0)
      await file.close()
    },
  ],
  [
    'random writes and cuts leave what a plain buffer would hold',
    async (t, disk, folder) => {
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
        if (random.chance(0.3)) t.ok((await file.read(0, 100_000)).equals(model), `step ${i}`)
      }
      t.ok((await file.read(0, 100_000)).equals(model))
      await file.close()
      t.equal(await disk.sizeOf(`${folder}/f`), model.length)
    },
  ],
]

const nameLaws = (): [string, Body][] => [
  [
    'missing files and folders are answered as promised',
    async (t, disk, folder) => {
      const none = `${folder}/none`
      t.strictSame(await disk.list(none), [])
      t.equal(await disk.sizeOf(none), undefined)
      await disk.remove(none)
      await t.rejects(disk.open(none), { code: 'DISK_FAILED' })
      await t.rejects(disk.openLog(none), { code: 'DISK_FAILED' })
      await t.rejects(disk.open(`${none}/f`, { create: true }), { code: 'DISK_FAILED' })
      await t.rejects(disk.rename(none, `${folder}/other`), { code: 'DISK_FAILED' })
      await t.rejects(disk.syncFolder(none), { code: 'DISK_FAILED' })
    },
  ],
  [
    'a file where a folder must be makes the folder unusable',
    async (t, disk, folder) => {
      await make(disk, `${folder}/f`, 'content')
      await t.rejects(disk.makeFolder(`${folder}/f`), { code: 'FOLDER_UNUSABLE' })
      await t.rejects(disk.makeFolder(`${folder}/f/g`), { code: 'FOLDER_UNUSABLE' })
      await t.rejects(disk.list(`${folder}/f`), { code: 'FOLDER_UNUSABLE' })
      await t.rejects(disk.open(`${folder}/f/g`, { create: true }), { code: 'FOLDER_UNUSABLE' })
    },
  ],
  [
    'names are listed sorted',
    async (t, disk, folder) => {
      for (const name of ['b', 'a10', 'a2', 'B']) await make(disk, `${folder}/${name}`, name)
      await disk.makeFolder(`${folder}/c/d`)
      await disk.makeFolder(`${folder}/c/d`)
      t.strictSame(await disk.list(folder), ['B', 'a10', 'a2', 'b', 'c'])
      t.strictSame(await disk.list(`${folder}/c`), ['d'])
      t.equal(await disk.sizeOf(`${folder}/c`), undefined)
      await disk.syncFolder(folder)
    },
  ],
  [
    'a rename replaces an existing file, and an open one goes on under the new name',
    async (t, disk, folder) => {
      await make(disk, `${folder}/old`, 'old')
      const file = await disk.open(`${folder}/new`, { create: true })
      await disk.rename(`${folder}/new`, `${folder}/old`)
      await file.write([Buffer.from('new')], 0)
      await file.close()
      t.strictSame(await disk.list(folder), ['old'])
      t.equal(await contentOf(disk, `${folder}/old`), 'new')
      await disk.syncFolder(folder)
    },
  ],
  [
    'a folder is renamed and removed with all that it holds',
    async (t, disk, folder) => {
      await disk.makeFolder(`${folder}/a/b`)
      await make(disk, `${folder}/a/b/f`, 'content')
      await disk.rename(`${folder}/a`, `${folder}/z`)
      t.equal(await contentOf(disk, `${folder}/z/b/f`), 'content')
      t.strictSame(await disk.list(`${folder}/a`), [])
      await disk.remove(`${folder}/z`)
      t.strictSame(await disk.list(folder), [])
      await disk.syncFolder(folder)
    },
  ],
]

const logLaws = (random: Random): [string, Body][] => [
  [
    'a commit stands in the file, whole, at its offset',
    async (t, disk, folder) => {
      await make(disk, `${folder}/log`, '')
      const log = await disk.openLog(`${folder}/log`)
      const first = random.bytes(5000)
      const second = random.bytes(9 * 1024 * 1024)
      await log.commit([first], 0)
      await log.commit([second.subarray(0, 17), second.subarray(17)], 8192)
      await log.commit([first.subarray(0, 10)], 8192 + second.length)
      await log.close()
      const file = await disk.open(`${folder}/log`)
      t.ok((await file.read(0, 5000)).equals(first))
      t.ok((await file.read(8192, second.length)).equals(second))
      t.ok((await file.read(8192 + second.length, 100)).equals(first.subarray(0, 10)))
      await file.close()
    },
  ],
  [
    'devices of one disk commit side by side',
    async (t, disk, folder) => {
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
        t.equal(await contentOf(disk, `${folder}/log${number}`), wanted.toString())
      }
    },
  ],
]
