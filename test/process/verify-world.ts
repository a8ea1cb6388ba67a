/**
 * Faults planted one at a time in the files of a real store, closed cleanly: each must be found, and its file
 * named. The store is not copied: verify must change nothing, so what was planted is taken back, and in the
 * end every file is as it was.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isSillokError } from '../../src/base/errors.js'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { LevelKeyValueStores } from '../../src/env/level-key-value.js'
import { readLevelLog } from '../../src/env/level-log.js'
import { RealDisk } from '../../src/env/real-disk.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { type VerifyReport, verifyStore } from '../../src/replica/verify.js'
import { IndexTypes } from '../../src/store/index-types.js'
import { Store } from '../../src/store/store.js'
import { placedBatches } from '../../src/wal/check-log.js'
import { scanFile } from '../../src/wal/scan.js'
import { KillWorld, smallLimits } from './kill-world.js'

/** How many faults of each kind were planted; all of them were found. */
export interface VerifyWorldReport {
  faults: number
  /** In the last batch of the log: told as a torn end, for it may be one. */
  tornEnds: number
  readonly kinds: Record<string, number>
}

const limits = {
  ...smallLimits,
  memtableBytesMax: 60_000,
  indexCheckpointBatchesMax: 3,
} as unknown as Partial<Limits>
const documents = 2000
const indexTypes = new IndexTypes().byName
const indexes = {
  byEmail: { type: 'secondary', fields: ['email'] },
  byTag: { type: 'secondary', fields: ['tags', 'id'], each: 'tags' },
} as const

/** Rows that can be removed: in which store, from which key on, before which. */
interface RowKind {
  readonly kind: string
  readonly gte: string
  readonly lt: string
}

const rowKinds: readonly RowKind[] = [
  { kind: 'table', gte: 'a', lt: '\xff' },
  { kind: 'indexTable', gte: 'r', lt: 's' },
  { kind: 'indexTable', gte: 'n', lt: 'o' },
]

/** Bytes that hold something, of one file. */
interface Target {
  /** From the store's folder. */
  readonly file: string
  readonly kind: string
  readonly from: number
  readonly end: number
}

function tagsOf(id: number): string[] {
  return Array.from({ length: id % 4 }, (_, n) => `tag${(id * 7 + n) % 50}`)
}

/** Resolves when the indexes are as new as the documents. */
async function followed(store: Store): Promise<void> {
  for (const name of Object.keys(indexes)) {
    const users = store.collection('users')
    for await (const _ of users.find(name, { limit: 1 })) break
  }
}

/** Kills a store that often, at any moment, and verifies it each time: a crash is no fault. */
export async function verifyKilled(seed: string, kills: number): Promise<{ looks: number; notes: number }> {
  const report = { looks: 0, notes: 0 }
  const look = async (folder: string): Promise<void> => {
    const env = realEnvironment()
    try {
      const { faults, notes } = await verifyStore({
        env,
        folder,
        scratch: `${folder}-scratch`,
        indexTypes,
      })
      if (faults.length > 0) throw new Error(JSON.stringify({ faults, notes }, null, 1))
      report.looks += 1
      report.notes += notes.length
    } catch (error) {
      if (!isSillokError(error, 'NOT_FOUND')) throw error
    } finally {
      await env.disk.close()
    }
  }
  await new KillWorld({ seed, kills, small: true, look }).run()
  return report
}

export class VerifyWorld {
  readonly report: VerifyWorldReport = { faults: 0, tornEnds: 0, kinds: {} }
  readonly #seed: string
  readonly #random: Random
  readonly #root = mkdtempSync(path.join(tmpdir(), 'sillok-verify-world-'))
  readonly #folder = path.join(this.#root, 'store')
  #targets: Target[] = []
  #tails: Target[] = []
  #before = ''

  constructor(seed: string) {
    this.#seed = seed
    this.#random = new Random(seed)
  }

  /** Makes the store, closes it twice, and sees that nothing is found in it. */
  async prepare(): Promise<VerifyReport> {
    await this.#life(async store => {
      await store.define('users', {
        key: 'id',
        unique: { email: { fields: ['email'], normalize: ['fold'] } },
        indexes,
      })
      const users = store.collection('users')
      for (let from = 0; from < documents; from += 200) {
        const ids = Array.from({ length: 200 }, (_, i) => from + i)
        const text = 'x'.repeat(200)
        await Promise.all(
          ids.map(id => users.put({ id, email: `User${id}@example.com`, text, tags: tagsOf(id) })),
        )
        await followed(store)
      }
    })
    await this.#life(async store => {
      const session = await store.session({ name: 'worker', numbering: 'caller', input: 'a' })
      const users = session.collection('users')
      for (let sequence = 1; sequence <= 100; sequence++) {
        await users.put({ id: sequence, email: `new${sequence}@example.com`, tags: ['new'] }, { sequence })
      }
      for (let id = 1900; id < 1950; id++) await store.collection('users').delete(id)
      await followed(store)
    })
    await this.#findTargets()
    this.#before = this.#digest()
    const report = await this.#verify()
    if (report.faults.length > 0) throw this.#wrong('a sound store', report)
    // A table that LevelDB had in use when it wrote its last MANIFEST may lie there still: nothing reads it.
    const unused = new Set(report.notes.filter(({ what }) => /^is not used/.test(what)).map(one => one.file))
    this.#targets = this.#targets.filter(({ file }) => !unused.has(file))
    return report
  }

  /** Plants that many faults: each kind of row and a CHECKPOINT removed, then all kinds of files in turn. */
  async run(count: number): Promise<VerifyWorldReport> {
    const kinds = [...new Set(this.#targets.map(({ kind }) => kind))]
    for (const rows of rowKinds) await this.#removeRow(rows)
    await this.#removeFile(this.#random.pick(this.#targets.filter(one => one.kind === 'checkpoint')))
    for (let n = 4; n < count; n++) {
      const kind = kinds[n % kinds.length] ?? ''
      const target = this.#random.pick(this.#targets.filter(one => one.kind === kind))
      // A note that is missing, or ends early, is what a power loss may leave.
      const way = kind === 'note' ? 6 : this.#random.below(15)
      if (way === 0) await this.#removeRow(this.#random.pick(rowKinds))
      else if (way <= 2) await this.#cut(target)
      else if (way <= 4) await this.#removeFile(target)
      else if (way === 5) await this.#flip(this.#random.pick(this.#tails), true)
      else await this.#flip(target, false)
    }
    if (this.#digest() !== this.#before) throw new Error(`seed ${this.#seed}: a file was changed by verify`)
    return this.report
  }

  remove(): void {
    rmSync(this.#root, { recursive: true })
  }

  async #life(work: (store: Store) => Promise<void>): Promise<void> {
    const env = realEnvironment()
    try {
      const store = await Store.open(env, this.#folder, {}, limits)
      await work(store)
      await store.close()
    } finally {
      await env.disk.close()
    }
  }

  async #verify(): Promise<VerifyReport> {
    const env = realEnvironment()
    try {
      const scratch = path.join(this.#root, 'scratch')
      return await verifyStore({ env, folder: this.#folder, scratch, indexTypes })
    } finally {
      await env.disk.close()
    }
  }

  async #flip({ file, kind, from, end }: Target, isTail: boolean): Promise<void> {
    const bit = from * 8 + this.#random.below((end - from) * 8)
    await this.#plant(file, `${kind}: bit ${bit & 7} of byte ${bit >> 3}`, isTail, bytes => {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return changed
    })
  }

  async #cut({ file, kind, end }: Target): Promise<void> {
    const bytes = readFileSync(path.join(this.#folder, file))
    let length = this.#random.below(end)
    // A log of LevelDB that ends between two records is what a crash leaves, and read again from ours.
    const isLog = /log$/i.test(kind)
    while (isLog && (await readLevelLog(bytes.subarray(0, length))).fault === undefined)
      length = this.#random.below(end)
    await this.#plant(file, `${kind}: cut to ${length} bytes`, false, bytes => bytes.subarray(0, length))
  }

  async #removeFile({ file, kind }: Target): Promise<void> {
    const [place, aside] = [path.join(this.#folder, file), path.join(this.#root, 'aside')]
    renameSync(place, aside)
    this.#judge(file, `${kind}: removed`, false, await this.#verify())
    renameSync(aside, place)
  }

  async #plant(
    file: string,
    what: string,
    isTail: boolean,
    change: (bytes: Buffer) => Uint8Array,
  ): Promise<void> {
    const place = path.join(this.#folder, file)
    const bytes = readFileSync(place)
    writeFileSync(place, change(bytes))
    try {
      this.#judge(file, what, isTail, await this.#verify())
    } finally {
      writeFileSync(place, bytes)
    }
  }

  /** A row goes, with checksums that are right. */
  async #removeRow({ kind: tableKind, gte, lt }: RowKind): Promise<void> {
    const file = this.#random.pick(this.#targets.filter(({ kind }) => kind === tableKind)).file
    const state = path.dirname(file)
    const [place, aside] = [path.join(this.#folder, state), path.join(this.#root, 'aside')]
    renameSync(place, aside)
    cpSync(aside, place, { recursive: true })
    const store = await new LevelKeyValueStores().open(place, { writeBufferBytes: 1024 * 1024 })
    const keys: Buffer[] = []
    const iterator = store.iterate({ gte: Buffer.from(gte, 'latin1'), lt: Buffer.from(lt, 'latin1') })
    for (let page = await iterator.next(1000); page.length > 0; page = await iterator.next(1000)) {
      keys.push(...page.map(([key]) => key))
    }
    await iterator.close()
    const key = this.#random.pick(keys)
    const batch = store.batch()
    batch.delete(key)
    await batch.write({ sync: true })
    await store.close()
    this.#judge(state, `${tableKind} row ${gte} removed: ${key.toString('hex')}`, false, await this.#verify())
    rmSync(place, { recursive: true })
    renameSync(aside, place)
  }

  #judge(file: string, what: string, isTail: boolean, report: VerifyReport): void {
    const kind = what.replace(/^(\w+(?: row \w)?).*? (removed|cut|bit).*$/, '$1 $2')
    const named = (findings: VerifyReport['faults']): boolean => findings.some(one => one.file === file)
    if (isTail) {
      if (!named(report.notes) && !named(report.faults)) throw this.#wrong(`${file}: ${what}`, report)
      this.report.tornEnds++
      return
    }
    if (!named(report.faults)) throw this.#wrong(`${file}: ${what}`, report)
    const isAlone = report.faults.every(one => one.file === file)
    if (file === 'IDENT' && !isAlone) throw this.#wrong(`${file}: ${what}; and others are named`, report)
    this.report.faults++
    this.report.kinds[kind] = (this.report.kinds[kind] ?? 0) + 1
  }

  #wrong(what: string, { faults, notes }: VerifyReport): Error {
    return new Error(`seed ${this.#seed}: ${what}: ${JSON.stringify({ faults, notes }, null, 1)}`)
  }

  async #findTargets(): Promise<void> {
    const names: readonly (readonly [RegExp, string])[] = [
      [/^IDENT$/, 'ident'],
      [/^wal\/durable$/, 'note'],
      [/\/segments\/\d{20}-\d{20}\.seg$/, 'sealed'],
      [/\/segments\/open-/, 'open'],
      [/\/state\/\d+\.ldb$/, 'table'],
      [/\/state\/\d+\.log$/, 'log'],
      [/\/state\/MANIFEST-\d+$/, 'manifest'],
      [/\/state\/CURRENT$/, 'current'],
      [/\/indexes\/\d+\/CHECKPOINT$/, 'checkpoint'],
      [/\/rows\/\d+\.ldb$/, 'indexTable'],
      [/\/rows\/\d+\.log$/, 'indexLog'],
      [/\/rows\/MANIFEST-\d+$/, 'indexManifest'],
      [/\/rows\/CURRENT$/, 'indexCurrent'],
    ]
    const files = readdirSync(this.#folder, { recursive: true, encoding: 'utf8' }).sort()
    for (const file of files) {
      const kind = names.find(([name]) => name.test(file))?.[1]
      const size = statSync(path.join(this.#folder, file)).size
      if (kind !== undefined && size > 0) this.#targets.push({ file, kind, from: 0, end: size })
    }
    await this.#findBatches(files.filter(file => file.startsWith('wal/wal-')))
  }

  /** Header and batches of each file in use; the last batch of all apart. */
  async #findBatches(files: readonly string[]): Promise<void> {
    const disk = new RealDisk()
    const used = []
    for (const file of files) {
      const scan = await scanFile(disk, path.join(this.#folder, 'wal'), path.basename(file))
      if (scan.counts) used.push({ file, scan })
    }
    used.sort((left, right) => (left.scan.sequence ?? 0) - (right.scan.sequence ?? 0))
    for (const { file, scan } of used) {
      const isNewest = file === used.at(-1)?.file
      const last = placedBatches(scan).at(-1)?.offset ?? 0
      const end = isNewest ? last : scan.endOffset
      this.#targets.push({ file, kind: 'wal', from: 0, end })
      if (isNewest) this.#tails.push({ file, kind: 'torn', from: last, end: scan.endOffset })
    }
    await disk.close()
  }

  /** Of all files but the lock's. */
  #digest(): string {
    const hash = createHash('sha256')
    for (const file of readdirSync(this.#folder, { recursive: true, encoding: 'utf8' }).sort()) {
      const place = path.join(this.#folder, file)
      if (file.startsWith('lock') || !statSync(place).isFile()) continue
      hash.update(file).update(readFileSync(place))
    }
    return hash.digest('hex')
  }
}
