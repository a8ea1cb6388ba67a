/**
 * The rows of an index over the real `level`: whatever bit of its files turns, no row is wrong or missing.
 * And a folder that is deleted under a running store.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isSillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { IndexStore, type IndexStoreOptions } from '../../../src/derived/index-store.js'
import { LevelKeyValueStores } from '../../../src/env/level-key-value.js'
import { RealDisk } from '../../../src/env/real-disk.js'
import { Feed } from './feed.js'
import { readRows, standing } from './tag-index.js'

const seed = process.env['SEED'] ?? 'index-level'
const random = new Random(seed)
const disk = new RealDisk()
const root = t.testdir()
let trial = 0
t.comment(`SEED=${seed}`)

function optionsFor(folder: string): IndexStoreOptions {
  const keyValue = new LevelKeyValueStores()
  return { disk, keyValue, random: random.split(folder), folder, identity: 'tags', writeBufferBytes: 131_072 }
}

/** A folder, and what stands there. */
interface Base {
  readonly folder: string
  readonly feed: Feed
}

/** As a killed process leaves it: tables that are recorded, tables made since, rows in the log only. */
const full: Base = { folder: join(root, 'full'), feed: new Feed(random.split('full'), 300) }
/** The same, killed soon after a checkpoint: its table is the newest. */
const fresh: Base = { folder: join(root, 'fresh'), feed: new Feed(random.split('fresh'), 60) }

async function writeSome(store: IndexStore, feed: Feed, batches: number, count: number): Promise<void> {
  for (let n = 0; n < batches; n++) {
    feed.grow(count)
    await feed.write(store, count)
  }
}

async function begin({ folder, feed }: Base): Promise<IndexStore> {
  feed.grow(100)
  feed.forget()
  return (await IndexStore.open(optionsFor(folder))).store
}

t.before(async () => {
  const store = await begin(full)
  for (let round = 0; round < 2; round++) {
    await writeSome(store, full.feed, 10, 60)
    await store.checkpoint()
  }
  // More than a block of the log, so that a flip there can lose batches from the middle; after a table.
  const ofKind = (kind: RegExp): string[] => filesOf(full.folder, kind)
  const recorded = ofKind(/ldb$/).length
  const logBytes = (): number => sizeOf(ofKind(/log$/).at(-1) ?? '')
  while (ofKind(/ldb$/).length <= recorded || logBytes() < 50_000) await writeSome(store, full.feed, 1, 30)
  await store.close()
  const second = await begin(fresh)
  for (let round = 0; round < 3; round++) {
    await writeSome(second, fresh.feed, 4, 20)
    await second.checkpoint()
  }
  await writeSome(second, fresh.feed, 4, 20)
  await second.close()
})
t.teardown(() => disk.close())

function flip(path: string, bit: number): void {
  const bytes = fs.readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  fs.writeFileSync(path, bytes)
}

/** 0 for a folder, and for a file that has just gone. */
function sizeOf(path: string): number {
  const found = fs.statSync(path, { throwIfNoEntry: false })
  return found?.isFile() ? found.size : 0
}

/** Paths in the folder that match, of files that are not empty. */
function filesOf(folder: string, pattern: RegExp): string[] {
  const paths = [folder, join(folder, 'rows')].flatMap(parent =>
    fs.readdirSync(parent).map(name => join(parent, name)),
  )
  return paths.filter(path => pattern.test(path) && sizeOf(path) > 0)
}

type Result = 'equal' | 'rebuilt' | 'damaged' | `wrong: ${string}`

/** What comes of a damaged copy: opened, read, and fed to the end. */
async function tryDamage(base: Base, damage: (folder: string) => void): Promise<Result> {
  const n = trial++
  const folder = join(root, `trial-${n}`)
  fs.cpSync(base.folder, folder, { recursive: true })
  damage(folder)
  const { store, rebuilt } = await IndexStore.open(optionsFor(folder))
  const own = base.feed.clone(random.split(`trial ${n}`))
  try {
    if (store.isNew) own.forget()
    if (rebuilt !== undefined && !store.isNew) return 'wrong: rebuilt and not new'
    if (rebuilt !== undefined && n % 20 > 0) return 'rebuilt'
    const expected = own.history.get(standing(store))?.rows()
    if (expected === undefined) return `wrong: at ${standing(store)}`
    const found = await readRows(store)
    if (found.join() !== expected.join()) return `wrong: rows at ${standing(store)}`
    await own.finish(store)
    if ((await readRows(store)).join() !== own.finalRows().join()) return 'wrong: rows in the end'
    const failing = await store.verify()
    if (failing.length > 0) return 'damaged'
    return rebuilt === undefined ? 'equal' : 'rebuilt'
  } catch (error) {
    return isSillokError(error, 'DAMAGED') ? 'damaged' : `wrong: ${error}`
  } finally {
    await store.close()
    fs.rmSync(folder, { recursive: true })
  }
}

/** Runs that many trials, some at a time; resolves with how many were rebuilt. */
async function trials(
  test: Test,
  count: number,
  damage: (folder: string, n: number) => void,
  base = full,
): Promise<number> {
  const results = new Map<Result, number>()
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) {
      const n = next++
      const result = await tryDamage(base, folder => damage(folder, n))
      results.set(result, (results.get(result) ?? 0) + 1)
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  const wrong = [...results.keys()].filter(result => result.startsWith('wrong'))
  test.strictSame(wrong, [], `SEED=${seed}`)
  test.comment([...results].map(([result, number]) => `${number} ${result}`).join(', '))
  return results.get('rebuilt') ?? 0
}

function flipIn(pattern: RegExp): (folder: string) => void {
  return folder => {
    const path = random.pick(filesOf(folder, pattern))
    flip(path, random.below(8 * fs.statSync(path).size))
  }
}

t.test('an undamaged folder is whole', async t => {
  t.ok(filesOf(full.folder, /\.ldb$/).length > 2, 'there are tables')
  t.equal(await tryDamage(full, () => undefined), 'equal')
  t.equal(await tryDamage(fresh, () => undefined), 'equal')
})

t.test('a flipped bit in a table never shows a wrong row or hides one', async t => {
  await trials(t, 60, flipIn(/\.ldb$/))
  await trials(t, 60, folder => {
    // The index of the blocks, where a flip hides rows without an error.
    const path = random.pick(filesOf(folder, /\.ldb$/))
    flip(path, 8 * (fs.statSync(path).size - 49) - random.below(8 * 500))
  })
})

t.test('a flipped bit in the log of the store never shows a wrong row or hides one', async t => {
  t.ok((await trials(t, 80, flipIn(/\.log$/))) > 10, 'some were lost from the middle')
})

t.test(
  'a flipped bit in a manifest, its name or our own file never shows a wrong row or hides one',
  async t => {
    await trials(t, 40, flipIn(/MANIFEST|CURRENT|CHECKPOINT/))
  },
)

t.test('a shortened manifest or log, or a lost file, never shows a wrong row or hides one', async t => {
  const files = filesOf(full.folder, /rows|CHECKPOINT/).map(path => path.slice(full.folder.length))
  await trials(t, 20 + files.length, (folder, n) => {
    if (n >= 20) return fs.rmSync(join(folder, files[n - 20] ?? ''))
    const path = random.pick(filesOf(folder, n % 2 === 0 ? /MANIFEST/ : /\.log$/))
    fs.truncateSync(path, random.below(fs.statSync(path).size))
  })
  const shorten = (folder: string, n: number): void => {
    const path = filesOf(folder, /MANIFEST/)[0] ?? ''
    fs.truncateSync(path, fs.statSync(path).size - 1 - n)
  }
  await trials(t, 20, shorten, full)
  await trials(t, 20, shorten, fresh)
})

t.test(
  'a folder that is deleted under a running store is noticed; a new one begins in its place',
  async t => {
    const folder = join(root, 'deleted')
    fs.cpSync(full.folder, folder, { recursive: true })
    const { store } = await IndexStore.open(optionsFor(folder))
    t.ok(await store.isThere())
    fs.rmSync(folder, { recursive: true })
    t.notOk(await store.isThere())
    const own = full.feed.clone(random.split('deleted'))
    await own.write(store).catch(() => undefined)
    t.notOk(await store.isThere(), 'a write does not bring it back')
    await store.close()
    const again = await IndexStore.open(optionsFor(folder))
    t.ok(again.store.isNew)
    t.notOk(await store.isThere())
    own.forget()
    await own.finish(again.store)
    await again.store.checkpoint()
    t.strictSame(await readRows(again.store), own.finalRows())
    t.ok(await again.store.isThere())
    await t.rejects(IndexStore.open(optionsFor(folder)), { code: 'FOLDER_IN_USE' })
    await again.store.close()
  },
)
