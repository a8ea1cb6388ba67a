/**
 * One simulated machine whose process is crashed again and again under load, also while it recovers; after
 * each crash everything that was acknowledged must be there, once, and what was not must be there whole or
 * not at all.
 */
import type { limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import type { Environment } from '../../src/env/environment.js'
import { isSillokError } from '../../src/index.js'
import type { Collection } from '../../src/store/collection.js'
import { Store } from '../../src/store/store.js'
import { checkIndexes } from '../index-check.js'
import { CrashModel } from './crash-model.js'
import { ImportClient } from './import-client.js'
import { Mortal } from './mortal.js'
import { retentionLimits, smallLimits } from './small-limits.js'

export interface WorldOptions {
  readonly seed: string
  /** Lives of the process in this world. */
  readonly lives: number
  /** The bug to plant: the write-ahead log's commits are not made durable. */
  readonly ignoreSync?: boolean
}

export interface WorldReport {
  crashes: number
  cleanCloses: number
  crashesInRecovery: number
  acknowledged: number
  refused: number
  replayed: number
  rebuilt: number
  remade: number
  /** Rebuilt from a snapshot file. */
  fromSnapshot: number
  /** Partitions that were opened with a snapshot; with a log that had lost its head. */
  withSnapshot: number
  trimmed: number
}

export function emptyReport(): WorldReport {
  return {
    crashes: 0,
    cleanCloses: 0,
    crashesInRecovery: 0,
    acknowledged: 0,
    refused: 0,
    replayed: 0,
    rebuilt: 0,
    remade: 0,
    fromSnapshot: 0,
    withSnapshot: 0,
    trimmed: 0,
  }
}

interface Place {
  readonly id: string
  readonly tag: string
  readonly value: string
}

const placeIndexes = {
  byTag: { type: 'secondary', fields: ['tag', 'value'] },
  byValue: { type: 'secondary', fields: ['value'] },
} as const

const definition = {
  key: 'id',
  unique: { tag: { fields: ['tag'], normalize: ['trim', 'fold'] } },
  indexes: placeIndexes,
} as const

const clientCount = 6
const keysPerClient = 8

export class CrashWorld {
  readonly report = emptyReport()
  readonly #options: WorldOptions
  readonly #random: Random
  readonly #mortal: Mortal
  readonly #model = new CrashModel()
  readonly #importer: ImportClient

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
    this.#importer = new ImportClient(this.#random.split('import'), this.report)
    this.#mortal = new Mortal({ ...options, random: this.#random })
  }

  /** Lives and dies as often as asked for, then closes. Throws what was found wrong, naming seed and life. */
  async run(): Promise<WorldReport> {
    await this.#mortal.run(
      life => life >= this.#options.lives,
      (env, last) => this.#live(env, last),
    )
    return this.report
  }

  /** From open to crash, or to a clean close. */
  async #live(env: Environment, last: boolean): Promise<void> {
    const { machine } = this.#mortal
    let opened = false
    const mode = this.#random.pick(['all', 'none', 'any', 'any'] as const)
    const early = this.#random.chance(0.3)
    const operations = 1 + this.#random.below(this.#random.pick([20, 200, 800]))
    if (!last && early) machine.crashAt(operations, mode)
    const rebuilt = (reason: string): void => {
      this.report.rebuilt += 1
      if (process.env['SIM_TRACE']) console.log(`${this.#options.seed}: ${reason}`)
      if (reason.includes('made from')) this.report.fromSnapshot += 1
    }
    const life = async (): Promise<'closed'> => {
      const store = await Store.open(env, 'data', { rebuilt }, this.#limits())
      opened = true
      this.#tellRetention(store)
      if (!last && !early) machine.crashAt(operations, mode)
      await store.define('places', definition)
      await this.#check(store)
      await this.#work(store)
      await store.close()
      return 'closed'
    }
    const end = await this.#mortal.orCrash(life)
    if (end === 'closed') this.report.cleanCloses += 1
    else {
      this.report.crashes += 1
      if (!opened) this.report.crashesInRecovery += 1
    }
  }

  /** Small limits, so that rotation, seals, flushes and checkpoints happen all the time. */
  #limits(): Partial<typeof limits> {
    const small = {
      ...smallLimits(this.#random),
      ...retentionLimits(this.#random),
      indexBatchChanges: this.#random.pick([1, 10, 1000]),
      indexBatchEntries: this.#random.pick([1, 30, 20_000]),
      indexBatchMs: this.#random.pick([0, 1, 50]),
      indexChunkDocuments: this.#random.pick([1, 7, 1000]),
      indexCheckpointBatchesMax: this.#random.pick([2, 20, 1000]),
    }
    return small as unknown as Partial<typeof limits>
  }

  /** What the life before left, as its opening found it. */
  #tellRetention(store: Store): void {
    for (const { retention } of store.status().partitions) {
      const { firstIndex = 1, snapshot = 0 } = retention ?? {}
      if (firstIndex > 1) this.report.trimmed += 1
      if (snapshot > 0) this.report.withSnapshot += 1
    }
  }

  async #check(store: Store): Promise<void> {
    const places = store.collection<Place>('places')
    for (const key of this.#model.keys) {
      const wrong = this.#model.recovered(key, await places.getVersioned(key))
      if (wrong !== undefined) throw new Error(wrong)
    }
    const holders = new Map<string, string>()
    for await (const place of places.scan()) {
      const tag = place.tag.trim().toLowerCase()
      const other = holders.get(tag)
      if (other !== undefined) throw new Error(`${other} and ${place.id} both hold ${tag}`)
      holders.set(tag, place.id)
    }
    for (const [tag, id] of holders) {
      const found = await places.getBy('tag', ` ${tag.toUpperCase()}`)
      if (found?.id !== id) throw new Error(`tag ${tag} is held by ${id}, its claim names ${found?.id}`)
    }
    const wrongSlots = await store.scrub()
    if (wrongSlots.length > 0)
      throw new Error(`digests of slots ${wrongSlots.join(', ')} do not fit the rows`)
    await this.#importer.resume(store)
    await checkIndexes(store, 'places', placeIndexes)
  }

  async #work(store: Store): Promise<void> {
    const clients: Promise<void>[] = [this.#importer.run()]
    for (let client = 0; client < clientCount; client++) clients.push(this.#client(store, client))
    const searches = this.#search(store)
    const remaking = this.#remake(store)
    await Promise.all(clients)
    await searches
    await remaking
  }

  /** A question in the midst of writes: what it shows answers to it, in order. */
  async #search(store: Store): Promise<void> {
    for (let n = this.#random.below(4); n > 0; n--) {
      let before: Place | undefined
      for await (const place of store.collection<Place>('places').find('byTag', { gte: 'T' })) {
        if (place.tag < 'T' || (before !== undefined && place.tag < before.tag)) {
          throw new Error(`byTag from T: ${JSON.stringify(place)} after ${JSON.stringify(before)}`)
        }
        before = place
      }
    }
  }

  /** Indexes are made again, or for another configuration and back. */
  async #remake(store: Store): Promise<void> {
    const random = this.#random.split(`remake at ${this.report.acknowledged}`)
    for (let n = random.pick([0, 0, 0, 1, 2]); n > 0; n--) {
      if (random.chance(0.5)) await store.rebuildIndex('places', random.pick(['byTag', 'byValue']))
      else {
        const byValue = { ...placeIndexes.byValue, sparse: random.chance(0.5) }
        await store.define('places', { ...definition, indexes: { ...placeIndexes, byValue } })
      }
      this.report.remade += 1
    }
  }

  async #client(store: Store, client: number): Promise<void> {
    const { clock } = this.#mortal.machine.environment
    const random = this.#random.split(`client ${client} at ${this.report.acknowledged}`)
    const session = random.chance(0.5) ? await store.session({ name: `client ${client}` }) : undefined
    const places = (session ?? store).collection<Place>('places')
    const steps = random.below(60)
    for (let step = 0; step < steps; step++) {
      const count = 1 + random.below(3)
      const keys = new Set<string>()
      for (let i = 0; i < count; i++) keys.add(`c${client}-${random.below(keysPerClient)}`)
      await Promise.all([...keys].map(key => this.#change(places, key, random)))
      // Snapshots are made, and the log is trimmed, in between: the store looks ten times a second.
      if (random.chance(0.05)) await new Promise<void>(resolve => clock.after(random.below(300), resolve))
    }
  }

  async #change(places: Collection<Place>, key: string, random: Random): Promise<void> {
    const before = this.#model.certain(key)
    const tag = `${random.pick(['Tag', ' tag', 'TAG'])} ${random.below(30)}`
    const value = random.bytes(random.below(200)).toString('hex')
    const document = random.chance(0.25) ? undefined : { id: key, tag, value }
    const options = random.chance(0.3) ? { ifVersion: before?.version ?? null } : {}
    this.#model.sent(key, document)
    try {
      const { version } =
        document === undefined
          ? await places.delete(key, options)
          : before === undefined && random.chance(0.5)
            ? await places.insert(document)
            : await places.put(document, options)
      if (before?.version !== undefined && version <= before.version && document !== undefined) {
        throw new Error(`${key}: version ${version} after ${before.version}`)
      }
      this.report.acknowledged += 1
      this.#model.answered(key, document, version, false)
    } catch (error) {
      if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
      if (error.details['holder'] === key) throw new Error(`${key} was refused by itself`)
      this.report.refused += 1
      this.#model.answered(key, document, undefined, true)
    }
  }
}
