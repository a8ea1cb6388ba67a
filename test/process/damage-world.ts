/**
 * Damage to the state folders of real stores, one closed cleanly and one killed: whatever bit is turned in
 * LevelDB's files, and wherever its MANIFEST is cut, a store that opens shows exactly what was acknowledged.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { isSillokError } from '../../src/index.js'
import { Store } from '../../src/store/store.js'
import { checkStore } from './check.js'
import { smallLimits } from './kill-world.js'
import { live, type Moment } from './life.js'
import { type Expected, Model } from './model.js'
import type { WriterOptions } from './writer-program.js'

export interface DamageReport {
  opened: number
  /** Opened after the state was built again from the log. */
  rebuilt: number
  /** Did not open, and said so. */
  refused: number
  /** Bytes of the files that were damaged: the room for damage. */
  logBytes: number
  tableBytes: number
  manifestBytes: number
}

/** A store at rest, and what must be found in it. */
interface Original {
  readonly name: string
  readonly folder: string
  readonly expected: Expected
}

interface Target {
  readonly original: Original
  /** The file, from the store's folder. */
  readonly file: string
  readonly bytes: Buffer
}

const kinds = { log: /\/state\/\d+\.log$/, table: /\/state\/\d+\.ldb$/, manifest: /\/state\/MANIFEST-\d+$/ }
const limits = {
  ...smallLimits,
  checkpointEntriesMax: 1500,
  memtableBytesMax: 50_000,
} as unknown as Partial<Limits>

export class DamageWorld {
  readonly report: DamageReport = {
    opened: 0,
    rebuilt: 0,
    refused: 0,
    logBytes: 0,
    tableBytes: 0,
    manifestBytes: 0,
  }
  readonly #seed: string
  readonly #random: Random
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'sillok-damage-'))
  #originals: Original[] = []

  constructor(seed: string) {
    this.#seed = seed
    this.#random = new Random(seed)
  }

  /** Makes the stores: closed cleanly, killed at work, killed again when LevelDB made tables of its log. */
  async prepare(workMs = 1500): Promise<void> {
    const atWork: Moment = { after: 'checked', delayMs: workMs }
    const clean = await this.#original('clean', [{ after: 'never', delayMs: 0 }], workMs)
    const killed = await this.#original('killed', [atWork], 60_000)
    const twice = await this.#original('killed twice', [atWork, { after: 'checked', delayMs: 100 }], 60_000)
    this.#originals = [clean, killed, twice]
    this.report.logBytes = this.#bytesOf('log')
    this.report.tableBytes = this.#bytesOf('table')
    this.report.manifestBytes = this.#bytesOf('manifest')
  }

  /** Turns that many bits, one at a time, in files of that kind. */
  async flip(kind: 'log' | 'table', count: number): Promise<void> {
    const targets = this.#targets(kind)
    for (let n = 0; n < count; n++) {
      const { original, file, bytes } = this.#random.pick(targets)
      const bit = this.#random.below(bytes.length * 8)
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await this.#try(original, file, damaged, `bit ${bit & 7} of byte ${bit >> 3} turned`)
    }
  }

  /** Cuts MANIFEST files at that many lengths. */
  async cutManifest(count: number): Promise<void> {
    const targets = this.#targets('manifest')
    for (let n = 0; n < count; n++) {
      const { original, file, bytes } = this.#random.pick(targets)
      const length = n % 4 === 0 ? Math.max(0, bytes.length - 1 - n) : this.#random.below(bytes.length)
      await this.#try(original, file, bytes.subarray(0, length), `cut to ${length} of ${bytes.length} bytes`)
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }

  async #original(name: string, moments: readonly Moment[], workMs: number): Promise<Original> {
    const folder = path.join(this.#folder, name)
    const model = new Model()
    for (const [at, moment] of moments.entries()) {
      const options: WriterOptions = {
        folder,
        seed: `${this.#seed}/${name}`,
        life: at + 1,
        writers: 48,
        workMs,
        limits,
        expected: model.expected(),
      }
      const file = path.join(this.#folder, 'options.json')
      writeFileSync(file, JSON.stringify(options))
      await live('writer-program', file, moment, line => model.take(line))
    }
    // What became of the writes in flight is in the log: it is the same in every copy.
    const copy = path.join(this.#folder, 'whole')
    cpSync(folder, copy, { recursive: true })
    await open(copy, async store => checkStore(store, model.expected(), line => model.take(line)))
    rmSync(copy, { recursive: true })
    return { name, folder, expected: model.expected() }
  }

  #targets(kind: keyof typeof kinds): Target[] {
    return this.#originals.flatMap(original => {
      const files = readdirSync(original.folder, { recursive: true, encoding: 'utf8' })
      const found = files.filter(file => kinds[kind].test(`/${file}`)).sort()
      const targets = found.map(file => ({
        original,
        file,
        bytes: readFileSync(path.join(original.folder, file)),
      }))
      return targets.filter(({ bytes }) => bytes.length > 0)
    })
  }

  #bytesOf(kind: keyof typeof kinds): number {
    return this.#targets(kind).reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  async #try(original: Original, file: string, damaged: Buffer, what: string): Promise<void> {
    const copy = path.join(this.#folder, 'damaged')
    rmSync(copy, { recursive: true, force: true })
    cpSync(original.folder, copy, { recursive: true })
    writeFileSync(path.join(copy, file), damaged)
    try {
      const rebuilt = await open(copy, store => checkStore(store, original.expected, () => {}))
      this.report.opened += 1
      this.report.rebuilt += rebuilt
    } catch (error) {
      if (isSillokError(error)) this.report.refused += 1
      const where = `seed ${this.#seed}, store ${original.name}, ${file}: ${what}`
      throw new Error(`${where}: ${error instanceof Error ? error.stack : String(error)}`, { cause: error })
    }
  }
}

/** Opens the store for a look; resolves with how often it built its state again. */
async function open(folder: string, look: (store: Store) => Promise<void>): Promise<number> {
  let rebuilt = 0
  const note = (): void => {
    rebuilt += 1
  }
  const env = realEnvironment()
  try {
    const store = await Store.open(env, folder, { rebuilt: note }, limits)
    try {
      await look(store)
    } finally {
      await store.close()
    }
    return rebuilt
  } finally {
    await env.disk.close()
  }
}
