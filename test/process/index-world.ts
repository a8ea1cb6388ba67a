/**
 * Derived indexes of a real store under load: their folder is deleted, their bytes change; and what the right
 * answer costs.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { Store } from '../../src/store/store.js'
import { checkIndexes } from '../index-check.js'
import { itemIndexes as indexes, itemOf } from './items.js'

const definition = { key: 'id', indexes } as const
const keyCount = 1000
/** Checkpoints often, so that there are tables too. */
const smallLimits = { indexCheckpointBatchesMax: 5 } as unknown as Partial<Limits>

/** A store in a folder of its own, with writers that can be paused. */
export class IndexWorld {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'sillok-index-'))
  readonly #random: Random
  #write = 0

  constructor(seed: string) {
    this.#random = new Random(seed)
  }

  /** Removes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Deletes the folder of an index under load, so often; after each time both indexes are right again. */
  async deleteFolders(count: number): Promise<{ deleted: number; rebuilds: number; writes: number }> {
    const store = await this.#open()
    await this.#fill(store)
    await checkIndexes(store, 'items', indexes)
    const rebuildsOf = (index: number): number => store.status().indexes[index]?.rebuilds ?? 0
    for (let time = 0; time < count; time++) {
      const load = this.#load(store, 400)
      const index = this.#random.below(2)
      const before = rebuildsOf(index)
      // The number of an index is the name of its folder.
      rmSync(path.join(this.#indexFolder(), String(index + 1)), { recursive: true })
      await load
      await this.#until(() => rebuildsOf(index) > before)
      await checkIndexes(store, 'items', indexes)
    }
    const rebuilds = rebuildsOf(0) + rebuildsOf(1)
    await store.close()
    return { deleted: count, rebuilds, writes: this.#write }
  }

  /**
   * Changes a bit of the indexes' files while the store is closed, so often; each time it answers rightly.
   */
  async flipBits(
    count: number,
  ): Promise<{ flipped: number; rebuilt: number; files: Record<string, number> }> {
    const store = await this.#open()
    await this.#fill(store)
    await this.#load(store, 500)
    await checkIndexes(store, 'items', indexes)
    await store.close()
    const sound = `${this.folder}-sound`
    cpSync(this.#indexFolder(), sound, { recursive: true })
    const files: Record<string, number> = {}
    let rebuilt = 0
    for (let time = 0; time < count; time++) {
      const kind = this.#flip(this.#indexFolder())
      files[kind] = (files[kind] ?? 0) + 1
      const damaged = await this.#open()
      await checkIndexes(damaged, 'items', indexes)
      rebuilt += damaged.status().indexes.reduce((sum, index) => sum + index.rebuilds, 0)
      await damaged.close()
      rmSync(this.#indexFolder(), { recursive: true })
      cpSync(sound, this.#indexFolder(), { recursive: true })
    }
    rmSync(sound, { recursive: true })
    return { flipped: count, rebuilt, files }
  }

  /** Inserts a document and finds it at once, so often; milliseconds of both together. */
  async insertAndFind(count: number): Promise<{ count: number; p50Ms: number; p99Ms: number }> {
    const store = await this.#open()
    const items = store.collection('items')
    const tookMs: number[] = []
    for (let write = 0; write < count; write++) {
      const item = itemOf(`n${write}`, write)
      const beganMs = performance.now()
      await items.insert({ ...item })
      const found: unknown[] = []
      for await (const document of items.find('byWrite', { eq: [write] })) found.push(document['id'])
      tookMs.push(performance.now() - beganMs)
      if (found.length !== 1 || found[0] !== item.id) throw new Error(`write ${write} finds ${found}`)
    }
    await store.close()
    tookMs.sort((one, two) => one - two)
    const at = (share: number): number => Math.round((tookMs[Math.floor(count * share)] ?? 0) * 1000) / 1000
    return { count, p50Ms: at(0.5), p99Ms: at(0.99) }
  }

  async #open(): Promise<Store> {
    const store = await Store.open(realEnvironment(), this.folder, {}, smallLimits)
    await store.define('items', definition)
    return store
  }

  async #fill(store: Store): Promise<void> {
    const keys = Array.from({ length: keyCount }, (_, n) => `k${n}`)
    await Promise.all(keys.map(key => store.collection('items').put({ ...itemOf(key, this.#write++) })))
  }

  /** Writes and deletes from several sides for about that long. */
  async #load(store: Store, ms: number): Promise<void> {
    const endMs = performance.now() + ms
    const items = store.collection('items')
    const writer = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const key = `k${this.#random.below(keyCount)}`
        if (this.#random.chance(0.2)) await items.delete(key)
        else await items.put({ ...itemOf(key, this.#write++) })
      }
    }
    await Promise.all([1, 2, 3, 4].map(writer))
  }

  async #until(holds: () => boolean): Promise<void> {
    const endMs = performance.now() + 20_000
    while (!holds()) {
      if (performance.now() > endMs) throw new Error('the index was not rebuilt in 20 s')
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  #indexFolder(): string {
    return path.join(this.folder, 'partitions', '1-1', 'indexes')
  }

  /** Changes a bit somewhere; the kind of file. */
  #flip(folder: string): string {
    const all = (readdirSync(folder, { recursive: true }) as string[]).filter(name => {
      const at = path.join(folder, name)
      return statSync(at).isFile() && statSync(at).size > 0 && !/LOCK$|LOG(\.old)?$/.test(name)
    })
    const name = this.#random.pick(all)
    const bytes = readFileSync(path.join(folder, name))
    const at = this.#random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.below(8))
    writeFileSync(path.join(folder, name), bytes)
    return path.extname(name) || path.basename(name).replace(/-.*/, '')
  }
}
