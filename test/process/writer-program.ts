/**
 * The child of the kill tests: opens the store, compares everything with what its parent knows, then writes
 * with many writers at once until its time is over or it is killed. `writer-program.js <file of options>`.
 */
import { readFileSync } from 'node:fs'
import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import { realEnvironment } from '../../src/env/real-environment.js'
import { isSillokError } from '../../src/index.js'
import type { BatchStep } from '../../src/store/options.js'
import { Store } from '../../src/store/store.js'
import { checkIndexes } from '../index-check.js'
import { checkStore } from './check.js'
import { Importer } from './importer.js'
import { type Item, itemDefinition, itemIndexes, itemOf, rowDefinition } from './items.js'
import type { Expected } from './model.js'
import { type Change, runChild, tell, type WriteNumber } from './protocol.js'

/** What the parent asks of a child. */
export interface WriterOptions {
  readonly folder: string
  readonly seed: string
  /** Lives before this one: makes the numbers of writes new. */
  readonly life: number
  readonly writers: number
  readonly workMs: number
  readonly limits: Partial<Limits>
  readonly expected: Expected
}

const keysPerWriter = 6
const writesPerLife = 10_000_000

class Writers {
  readonly #options: WriterOptions
  readonly #store: Store
  readonly #items = new Map<string, { write: number; version: number }>()
  #next: number

  constructor(options: WriterOptions, store: Store) {
    this.#options = options
    this.#store = store
    this.#next = options.life * writesPerLife
  }

  /** Learns the documents as they are; then each is changed by its own writer only. */
  async load(): Promise<void> {
    for await (const { id } of this.#store.collection<Item>('items').scan()) {
      const seen = await this.#store.collection<Item>('items').getVersioned(id)
      if (seen !== undefined) this.#items.set(id, { write: seen.document.write, version: seen.version })
    }
  }

  /** One writer, in a session or without one. */
  async run(writer: number, source: Pick<Store, 'collection'>, isOver: () => boolean): Promise<void> {
    const random = new Random(`${this.#options.seed}/${this.#options.life}/${writer}`)
    const items = source.collection<Item>('items')
    while (!isOver()) {
      const count = source === this.#store && random.chance(0.2) ? 2 + random.below(3) : 1
      const keys = new Set<string>()
      while (keys.size < count) keys.add(`w${writer}-${random.below(keysPerWriter)}`)
      const write = this.#next++
      const changes: Change[] = [...keys].map(key => [key, random.chance(0.25) ? null : write])
      await this.#change(write, changes, () => {
        const [first] = changes
        if (first === undefined || changes.length > 1) return this.#store.batch(changes.map(step))
        const [key, made] = first
        if (made === null) return items.delete(key)
        const before = this.#items.get(key)
        if (random.chance(0.1)) return items.insert(itemOf(key, made))
        const options = random.chance(0.3) ? { ifVersion: before?.version ?? null } : {}
        return items.put(itemOf(key, made), options)
      })
    }
  }

  async #change(
    operation: number,
    changes: readonly Change[],
    send: () => Promise<{ version: number }>,
  ): Promise<void> {
    tell({ type: 'sent', operation, changes })
    try {
      const { version } = await send()
      tell({ type: 'applied', operation, version })
      for (const [key, write] of changes) this.#note(key, write, version)
    } catch (error) {
      if (!isSillokError(error, 'UNIQUE_TAKEN') && !isSillokError(error, 'EXISTS')) throw error
      if (error.code === 'UNIQUE_TAKEN' && changes.some(([key]) => key === error.details['holder'])) {
        if (changes.length === 1) throw new Error(`write ${operation} was refused by its own document`)
      }
      tell({ type: 'refused', operation })
    }
  }

  #note(key: string, write: WriteNumber, version: number): void {
    if (write === null) this.#items.delete(key)
    else this.#items.set(key, { write, version })
  }
}

function step([key, write]: Change): BatchStep {
  return write === null ? { in: 'items', delete: key } : { in: 'items', put: itemOf(key, write) }
}

async function live(options: WriterOptions): Promise<void> {
  tell({ type: 'opening' })
  const beganMs = performance.now()
  const store = await Store.open(
    realEnvironment(),
    options.folder,
    {
      rebuilt: reason => tell({ type: 'rebuilt', reason }),
      failed: error => tell({ type: 'wrong', text: String(error.stack) }),
    },
    options.limits,
  )
  tell({ type: 'opened', ms: performance.now() - beganMs })
  const { firstIndex = 1 } = store.status().partitions[1]?.retention ?? {}
  tell({ type: 'figure', name: 'firstIndex', value: firstIndex })
  await store.define('items', { ...itemDefinition, indexes: itemIndexes })
  await store.define('rows', rowDefinition)
  await checkStore(store, options.expected, tell)
  await checkIndexes(store, 'items', itemIndexes)
  const random = new Random(`${options.seed}/${options.life}/import`)
  const importer = await Importer.resume(store, random, options.expected.rows)
  tell({ type: 'checked' })
  const writers = new Writers(options, store)
  await writers.load()
  const sessions = await Promise.all([0, 1, 2, 3].map(n => store.session({ name: `session ${n}` })))
  const endMs = performance.now() + options.workMs
  const isOver = (): boolean => performance.now() >= endMs
  const running = [importer.run(isOver)]
  for (let writer = 0; writer < options.writers; writer++) {
    running.push(writers.run(writer, sessions[writer % 8] ?? store, isOver))
  }
  await Promise.all(running)
  tell({ type: 'closing' })
  await store.close()
  tell({ type: 'closed' })
}

const file = process.argv[2]
if (file === undefined) throw new Error('writer-program needs a file of options')
runChild(() => live(JSON.parse(readFileSync(file, 'utf8')) as WriterOptions))
