/**
 * The derived indexes of one replica: one runner for each index of the schemas in its own log, in a folder of
 * its own.
 *
 * What the log says is followed: a new index begins to build, one that is gone is closed and its folder
 * removed. A folder is named by the index's number, which is never given out again. An index of a kind that
 * this process was not opened with rests, and is said to; its folder stays.
 */
import { messageOf, SillokError } from '../base/errors.js'
import type { CollectionId, IndexId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { DerivedIndex, IndexType } from '../derived/contract.js'
import { IndexStore } from '../derived/index-store.js'
import { madeForAnother } from '../derived/open-index.js'
import { Pace } from '../derived/pace.js'
import { IndexRunner, type IndexStatus, type IndexTold } from '../derived/runner.js'
import type { IndexSource } from '../derived/source.js'
import { joinPath } from '../env/disk.js'
import type { Environment } from '../env/environment.js'
import type { IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema } from '../machine/schema.js'

/** What the indexes of a replica work with. */
export interface IndexesOptions {
  readonly env: Environment
  /** Holds a folder per index; made if missing. */
  readonly folder: string
  /** Names the store and its epoch: rows of another one are not used. */
  readonly origin: string
  readonly source: IndexSource
  readonly types: ReadonlyMap<string, IndexType>
  readonly limits: Limits
  readonly gate: { run<T>(task: () => Promise<T>): Promise<T> }
  /** Must not throw. */
  readonly told?: ((event: IndexEvent) => void) | undefined
}

/** What happened to an index. */
export interface IndexEvent {
  /** Its rows are made anew, or it cannot go on and tries again: each failed try is told. */
  readonly kind: 'rebuilt' | 'failing'
  readonly collection: string
  readonly index: string
  readonly reason: string
  /** Its rows were damaged or gone; false: they were of another version of the index. */
  readonly isDamage: boolean
}

/** One index at work. */
export interface OpenedIndex {
  readonly schema: IndexSchema
  readonly type: IndexType
  readonly index: DerivedIndex
  /** Names what its rows are made by: another one has other rows, and other cursors. */
  readonly identity: string
  readonly runner: IndexRunner
}

/** One index in the status of a store. */
export interface NamedIndexStatus extends Omit<IndexStatus, 'state'> {
  readonly collection: string
  readonly name: string
  readonly type: string
  /** `unknown`: the store was opened without this type. */
  readonly state: IndexStatus['state'] | 'unknown'
}

interface Known {
  readonly collection: CollectionSchema
  readonly schema: IndexSchema
  readonly opened: OpenedIndex | undefined
  /** What its type threw instead of opening it. */
  readonly failure: SillokError | undefined
}

/** All indexes of one replica. */
export class Indexes {
  readonly #options: IndexesOptions
  #known = new Map<IndexId, Known>()
  #closed = false
  readonly #pace: Pace
  /** What is being closed and removed. */
  #leaving: Promise<void> = Promise.resolve()

  constructor(options: IndexesOptions) {
    this.#options = options
    this.#pace = new Pace(options.env.clock, options.limits.sliceMs)
  }

  /** Follows the schemas: starts what is new, ends what is gone. */
  update(schemas: Iterable<CollectionSchema>): void {
    if (this.#closed) return
    const known = new Map<IndexId, Known>()
    for (const collection of schemas) {
      for (const schema of collection.indexes) {
        const before = this.#known.get(schema.id)?.opened
        const started = before === undefined ? this.#tryStart(collection, schema) : { opened: before }
        known.set(schema.id, { opened: undefined, failure: undefined, ...started, collection, schema })
      }
    }
    const gone = [...this.#known].filter(([id]) => !known.has(id))
    this.#known = known
    for (const [id, { opened }] of gone) this.#leave(id, opened)
  }

  /**
   * Removes folders of indexes that are in no schema any more, as far as the disk lets it. After the first
   * `update`.
   */
  async sweep(): Promise<void> {
    const { env, folder } = this.#options
    try {
      await env.disk.makeFolder(folder)
      for (const name of await env.disk.list(folder)) {
        if (!this.#known.has(Number(name))) await env.disk.remove(joinPath(folder, name))
      }
    } catch (error) {
      // Copies of what the store has: they keep nobody from opening it. The next opening tries again.
      if (!(error instanceof SillokError)) throw error
    }
  }

  /**
   * The index, undefined if there is none of that name, or its kind is unknown here. Throws INDEX_FAILED if
   * its type does not open it.
   */
  get(collection: CollectionId, name: string): OpenedIndex | undefined {
    for (const { collection: of, schema, opened, failure } of this.#known.values()) {
      if (of.id !== collection || schema.name !== name) continue
      if (failure !== undefined) throw failure
      return opened
    }
    return undefined
  }

  /** More entries are applied. */
  notify(): void {
    for (const { opened } of this.#known.values()) opened?.runner.notify()
  }

  status(): NamedIndexStatus[] {
    return [...this.#known.values()].map(({ collection, schema, opened, failure }) => ({
      collection: collection.name,
      name: schema.name,
      type: schema.type,
      ...(failure === undefined ? (opened?.runner.status() ?? unknown) : failing(failure)),
    }))
  }

  /** Ends all work; rows are closed when it resolves. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#known.values()].map(async ({ opened }) => opened?.runner.close()))
    await this.#leaving
  }

  /** A type may be the user's own: what it throws is a matter of this index. */
  #tryStart(
    collection: CollectionSchema,
    schema: IndexSchema,
  ): Pick<Known, 'opened'> | Pick<Known, 'failure'> {
    const told = (kind: IndexEvent['kind'], reason: string): void => {
      const isDamage = !reason.startsWith(madeForAnother)
      this.#options.told?.({ kind, collection: collection.name, index: schema.name, reason, isDamage })
    }
    try {
      return { opened: this.#start(collection.id, schema, told) }
    } catch (error) {
      const message = `its type does not open it: ${messageOf(error)}`
      told('failing', message)
      return { failure: new SillokError('INDEX_FAILED', message, { cause: error }) }
    }
  }

  #start(collection: CollectionId, schema: IndexSchema, told: IndexTold): OpenedIndex | undefined {
    const { env, source, types, origin, limits, gate } = this.#options
    const random = env.random.split(`index ${schema.id}`)
    const type = types.get(schema.type)
    if (type === undefined) return undefined
    const index = type.open(schema.config)
    const folder = this.#folderOf(schema.id)
    const identity = indexIdentity(origin, schema, type.version)
    const pace = this.#pace
    const open = async (isFresh: boolean): Promise<{ store: IndexStore; rebuilt?: string }> => {
      if (isFresh) await env.disk.remove(folder)
      const { disk, keyValue } = env
      const writeBufferBytes = limits.writeBufferBytesIndex
      return await IndexStore.open({
        disk,
        keyValue,
        random,
        folder,
        identity,
        writeBufferBytes,
        limits,
        pace,
      })
    }
    const parts = { source, collection, index, limits, open, gate, pace, told }
    const runner = new IndexRunner({ clock: env.clock, ...parts })
    runner.start()
    return { schema, type, index, identity, runner }
  }

  #leave(id: IndexId, opened: OpenedIndex | undefined): void {
    const before = this.#leaving
    const leave = async (): Promise<void> => {
      await before
      await opened?.runner.close(new SillokError('NOT_FOUND', `the index ${opened.schema.name} was dropped`))
      await this.#options.env.disk.remove(this.#folderOf(id))
    }
    // What cannot be removed now is swept at the next opening.
    this.#leaving = leave().catch(() => {})
  }

  #folderOf(id: IndexId): string {
    return joinPath(this.#options.folder, String(id))
  }
}

/** Names what the rows of an index are made by: those of another one are not used. */
export function indexIdentity(origin: string, { id, type, config }: IndexSchema, version: number): string {
  return [origin, id, type, version, JSON.stringify(config)].join('/')
}

const resting = { position: 0, lag: 0, builtThrough: undefined, rebuilds: 0 } as const

const unknown = {
  ...resting,
  state: 'unknown',
  reason: 'the store was opened without this type of index',
} as const

function failing({ message }: SillokError): Omit<NamedIndexStatus, 'collection' | 'name' | 'type'> {
  return { ...resting, state: 'failing', reason: message }
}
