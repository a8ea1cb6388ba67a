/** One index over a world, its rows where a store keeps them: in an index store, here in memory. */
import { must } from '../base/assert.js'
import type { DerivedIndex, IndexRows } from '../derived/contract.js'
import { type IndexBatch, IndexStore } from '../derived/index-store.js'
import { openNote, spaces } from '../derived/stored-value.js'
import type { KeyValueStore, KeyValueStores } from '../env/key-value.js'
import { memoryEnvironment } from '../env/memory-environment.js'
import type { IndexWorld } from './index-world.js'

/** What turns changes into rows: the index, or something around it. */
export type Applying = Pick<DerivedIndex, 'apply'>

/** Fed from the log of its world, in batches. */
export class IndexCopy {
  readonly world: IndexWorld
  readonly #env = memoryEnvironment()
  #index: DerivedIndex
  #store: IndexStore | undefined
  #rows: KeyValueStore | undefined

  private constructor(world: IndexWorld) {
    this.world = world
    this.#index = world.index()
  }

  /** A new one, with nothing in it. */
  static async open(world: IndexWorld): Promise<IndexCopy> {
    const copy = new IndexCopy(world)
    await copy.reopen()
    return copy
  }

  /** One that was told of all, from the beginning of the log, in random batches. */
  static async fed(world: IndexWorld): Promise<IndexCopy> {
    const copy = await IndexCopy.open(world)
    await copy.feed(world.length)
    return copy
  }

  get index(): DerivedIndex {
    return this.#index
  }

  get store(): IndexStore {
    return must(this.#store, 'an open index')
  }

  /** As after a restart of the process. */
  async reopen(): Promise<void> {
    await this.#store?.close()
    const keyValue: KeyValueStores = {
      open: async (folder, options) => {
        this.#rows = await this.#env.keyValue.open(folder, options)
        return this.#rows
      },
    }
    const { store } = await IndexStore.open({
      disk: this.#env.disk,
      keyValue,
      random: this.world.random,
      folder: 'index',
      identity: this.world.subject.type.type,
      writeBufferBytes: 1024 * 1024,
    })
    this.#store = store
    this.#index = this.world.index()
  }

  /** Tells of the log up to there, in batches of random sizes. */
  async feed(to: number, more: Partial<IndexBatch> = {}, most = 12): Promise<void> {
    while (this.store.position < to) {
      const from = this.store.position
      const position = Math.min(to, from + 1 + this.world.random.below(most))
      await this.write({ changes: this.world.changes(from, position), position, ...more })
    }
  }

  /** Builds it from the documents of later and later moments, while changes come; then tells of the rest. */
  async build(): Promise<void> {
    const { world } = this
    const { length, random } = world
    let position = random.below(length + 1)
    let after: Buffer | undefined
    let changes = world.changes(0, 0)
    for (;;) {
      const chunk = world.chunk(position + random.below(length - position + 1), after, 1 + random.below(8))
      const last = chunk.at(-1)
      const build =
        last === undefined ? { done: true as const } : { done: false as const, after: last.keyBytes }
      await this.write({ changes: [...changes, ...chunk], position, build })
      if (last === undefined) break
      after = last.keyBytes
      const next = Math.min(length, position + random.below(12))
      changes = world.changes(position, next)
      position = next
    }
    await this.feed(length)
  }

  /** One batch; of an index that is built, unless it says otherwise. */
  async write(batch: Partial<IndexBatch> & Pick<IndexBatch, 'changes'>): Promise<void> {
    const { position } = this.store
    await this.store.write({ index: this.#index, position, build: { done: true }, ...batch })
  }

  /** What the index holds, in lines: equal lines mean equal rows and notes. */
  async meaning(): Promise<string[]> {
    const lines: string[] = []
    await this.withRows(async rows => {
      for await (const page of this.#index.canonical?.(rows) ?? rows.scan({})) {
        for (const [key, value] of page) lines.push(`row ${key.toString('hex')} ${value.toString('hex')}`)
      }
    })
    const range = { gte: Buffer.of(spaces.note), lt: Buffer.of(spaces.note + 1) }
    const notes = must(this.#rows, 'rows').iterate(range)
    for (;;) {
      const page = await notes.next(1000)
      if (page.length === 0) break
      for (const [key, stored] of page) {
        const { version, isGone, note } = openNote(key, stored)
        if (isGone) continue
        const means = note && (this.#index.canonicalNote?.(note) ?? note)
        const text = means === undefined ? 'none' : Buffer.from(means).toString('hex')
        lines.push(`note ${key.subarray(1).toString('hex')} ${version} ${text}`)
      }
    }
    await notes.close()
    return lines
  }

  /** What a question is answered with, over rows that come in pages of that size at most. */
  async ask(question: unknown, pageRows = 1000): Promise<unknown[]> {
    const { seen = (hit: unknown) => hit } = this.world.subject
    const hits: unknown[] = []
    await this.withRows(async rows => {
      const small: IndexRows = {
        pause: () => undefined,
        getMany: keys => rows.getMany(keys),
        scan: (range, count = pageRows) => rows.scan(range, Math.min(count, pageRows)),
      }
      for await (const page of this.#index.query(question, small)) hits.push(...page.map(seen))
    })
    return hits
  }

  /** Reads its rows as they are now. */
  async withRows<T>(read: (rows: IndexRows) => Promise<T>): Promise<T> {
    const rows = this.store.rows()
    try {
      return await read(rows)
    } finally {
      await rows.close()
    }
  }

  /** Lets go of it. */
  async close(): Promise<void> {
    await this.#store?.close()
  }
}
