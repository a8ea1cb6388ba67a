/**
 * The derived indexes of one replica: one runner for each index of the schemas in its own log, in a folder of
 * its own.
 *
 * What the log says is followed: a new index begins to build, one that is gone is closed and its folder
 * removed. A folder is named by the index's number, which is never given out again. An index of a kind that
 * this process was not opened with rests, and is said to; its folder stays, and that of the one before.
 *
 * An index that is made again, or for another configuration, has a new number, and its schema names the one
 * before. That one answers and follows the log until the new one is live, then it is closed, when nobody
 * reads it any more, and its folder removed. The switch is the batch of the new index that says that it is
 * built:
 *
 *   folders that a crash leaves     at opening
 *   old, and new not or half built  the old one answers, the new one goes on building
 *   old, and new built              the new one answers, the old one is removed
 *   new alone                       it answers, or is waited for if it is not built
 *
 * An old one that is not built itself, whose rows are not trusted any more, or that is asked other questions
 * (`sameQuestions`) does not answer: then questions wait for the new one.
 */
import { type ErrorPolicy, errorPolicies } from '../base/error-policy.js'
import { messageOf, SillokError } from '../base/errors.js'
import type { CollectionId, IndexId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { BackgroundPace } from '../derived/background-pace.js'
import type { DerivedIndex, IndexType } from '../derived/contract.js'
import type { IndexStatus } from '../derived/index-status.js'
import { IndexStore } from '../derived/index-store.js'
import { madeForAnother } from '../derived/open-index.js'
import { IndexRunner, type IndexTold } from '../derived/runner.js'
import type { IndexSource } from '../derived/source.js'
import { joinPath } from '../env/disk.js'
import type { Environment } from '../env/environment.js'
import type { IndexGeneration, IndexSchema } from '../machine/index-schema.js'
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
  /** That of all builds on this log. */
  readonly pace: BackgroundPace
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
  /** That by which it was made: of one that is to be replaced not the one that is defined. */
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
  /** Of the type, in this process; undefined if it is unknown. */
  readonly version: number | undefined
  /** What is done about documents that it cannot take. */
  readonly onError: ErrorPolicy
  /**
   * While the index is made again, or for another configuration, and the old one answers: how the new one is
   * doing. All else is said of the one that answers.
   */
  readonly next: IndexStatus | undefined
}

interface Known {
  readonly collection: CollectionSchema
  readonly schema: IndexSchema
  /** What its type threw instead of opening it. */
  readonly failure: SillokError | undefined
}

/** All indexes of one replica. */
export class Indexes {
  readonly #options: IndexesOptions
  /** By the number of the making that is wanted. */
  #known = new Map<IndexId, Known>()
  /** All makings at work, those that are to be replaced included. */
  readonly #running = new Map<IndexId, OpenedIndex>()
  #closed = false
  #sweeping: Promise<void> = Promise.resolve()
  /** What is being closed and removed. */
  readonly #leaving = new Map<IndexRunner, Promise<void>>()

  constructor(options: IndexesOptions) {
    this.#options = options
  }

  /** Follows the schemas: starts what is new, ends what is gone. */
  update(schemas: Iterable<CollectionSchema>): void {
    if (this.#closed) return
    const before = this.#known
    const wanted = new Set<IndexId>()
    this.#known = new Map()
    for (const collection of schemas) {
      for (const schema of collection.indexes) {
        const failure = before.get(schema.id)?.failure
        this.#known.set(schema.id, { collection, schema, failure })
        wanted.add(schema.id)
        if (!before.has(schema.id)) this.#begin(collection, schema)
        if (schema.before !== undefined && !this.#isLive(schema.id)) wanted.add(schema.before.id)
      }
    }
    for (const id of this.#running.keys()) {
      if (!wanted.has(id)) this.#leave(id, (runner, reason) => runner.close(reason))
    }
  }

  /**
   * Removes folders that no schema names any more, as far as the disk lets it, and starts those that answer
   * until others are built. After the first `update`. It ends early when all is closed.
   */
  async sweep(): Promise<void> {
    this.#sweeping = this.#sweep()
    await this.#sweeping
  }

  async #sweep(): Promise<void> {
    const { env, folder } = this.#options
    try {
      await env.disk.makeFolder(folder)
      for (const name of await env.disk.list(folder)) {
        if (this.#closed) return
        const id = Number(name)
        const next = this.#replacing(id)
        if (next !== undefined && !this.#running.has(id) && !this.#isLive(next.schema.id)) {
          this.#answerMeanwhile(next)
        }
        // What is to be replaced by one that rests or fails here rests too: it may not at the next opening.
        const rests = next !== undefined && !this.#running.has(next.schema.id)
        if (rests || this.#known.has(id) || this.#running.has(id)) continue
        await env.disk.remove(joinPath(folder, name))
      }
    } catch (error) {
      // Copies of what the store has: they keep nobody from opening it. The next opening tries again.
      if (!(error instanceof SillokError)) throw error
    }
  }

  /**
   * The making of the index that answers: the one that is wanted, or the one before until that one is built.
   * Undefined if there is none of that name, or its kind is unknown here. Waits until both are opened, if
   * there are two and `isPatient` says so. Rejects with INDEX_FAILED if its type does not open it.
   */
  async answering(
    collection: CollectionId,
    name: string,
    isPatient: boolean,
  ): Promise<OpenedIndex | undefined> {
    const known = this.#find(collection, name)
    if (known === undefined) return undefined
    if (known.failure !== undefined) throw known.failure
    const { id, before } = known.schema
    if (isPatient && before !== undefined && this.#running.has(before.id)) {
      for (const one of [id, before.id]) await this.#running.get(one)?.runner.opened()
    }
    return this.#answeringNow(this.#find(collection, name))
  }

  /** Numbers of makings of the collection's indexes that answer although others are wanted. */
  answeringMeanwhile(collection: string): IndexId[] {
    const own = [...this.#known.values()].filter(known => known.collection.name === collection)
    return own.flatMap(known => {
      const id = this.#answeringNow(known)?.schema.id
      return id === undefined || id === known.schema.id ? [] : id
    })
  }

  /** More entries are applied. */
  notify(): void {
    for (const { runner } of this.#running.values()) runner.notify()
  }

  status(): NamedIndexStatus[] {
    return [...this.#known.values()].map(known => {
      const { collection, schema, failure } = known
      const wanted = this.#running.get(schema.id)
      const answering = this.#answeringNow(known)
      const status = answering?.runner.status()
      return {
        collection: collection.name,
        name: schema.name,
        type: schema.type,
        version: this.#options.types.get(schema.type)?.version,
        onError: policyOf(schema),
        ...(failure === undefined ? (status ?? unknown) : failing(failure)),
        next: answering === wanted ? undefined : wanted?.runner.status(),
      }
    })
  }

  /** Ends all work; rows are closed when it resolves. */
  async close(): Promise<void> {
    this.#closed = true
    // Whoever sweeps hears of what goes wrong there.
    await this.#sweeping.catch(() => {})
    const runners = [...[...this.#running.values()].map(({ runner }) => runner), ...this.#leaving.keys()]
    await Promise.all(runners.map(runner => runner.close()))
    await Promise.all(this.#leaving.values())
  }

  #find(collection: CollectionId, name: string): Known | undefined {
    for (const known of this.#known.values()) {
      if (known.collection.id === collection && known.schema.name === name) return known
    }
    return undefined
  }

  /** The index that waits for the making of that number to be replaced. */
  #replacing(id: IndexId): Known | undefined {
    return [...this.#known.values()].find(({ schema }) => schema.before?.id === id)
  }

  #isLive(id: IndexId): boolean {
    return this.#running.get(id)?.runner.state === 'live'
  }

  #answeringNow(known: Known | undefined): OpenedIndex | undefined {
    if (known === undefined) return undefined
    const { id, before, config } = known.schema
    const wanted = this.#running.get(id)
    if (before === undefined || wanted === undefined || this.#isLive(id)) return wanted
    const other = this.#running.get(before.id)
    const isAsked = other?.type.sameQuestions?.(before.config, config) ?? true
    return other !== undefined && isAsked && this.#isLive(before.id) ? other : wanted
  }

  #begin(collection: CollectionSchema, schema: IndexSchema): void {
    try {
      this.#start(collection, schema)
    } catch (error) {
      // A type may be the user's own: what it throws is a matter of this index.
      const message = `its type does not open it: ${messageOf(error)}`
      this.#teller(collection, schema)('failing', message)
      const failure = new SillokError('INDEX_FAILED', message, { cause: error })
      this.#known.set(schema.id, { collection, schema, failure })
    }
    if (schema.before !== undefined) this.#dropUnlessBuilt(schema.before.id)
  }

  #teller(collection: CollectionSchema, { name }: IndexSchema): IndexTold {
    return (kind, reason) => {
      const isDamage = !reason.startsWith(madeForAnother)
      this.#options.told?.({ kind, collection: collection.name, index: name, reason, isDamage })
    }
  }

  /** The making before answers: its folder is there. */
  #answerMeanwhile({ collection, schema }: Known): void {
    const { before, name } = schema
    if (before === undefined) return
    try {
      this.#start(collection, { ...before, name })
      this.#dropUnlessBuilt(before.id)
    } catch {
      // Its type does not open it any more: then the next one is waited for.
    }
  }

  /** What is not built itself does not answer: it is of no use any more once it is to be replaced. */
  #dropUnlessBuilt(id: IndexId): void {
    const opened = this.#running.get(id)
    if (opened === undefined) return
    const drop = async (): Promise<void> => {
      await opened.runner.opened()
      const { state } = opened.runner
      if (state !== 'building' && state !== 'catching-up') return
      if (this.#running.get(id) === opened && !this.#known.has(id)) {
        this.#leave(id, (runner, reason) => runner.close(reason))
      }
    }
    void drop()
  }

  #start(collection: CollectionSchema, schema: IndexSchema): void {
    const { env, source, types, origin, limits, gate, pace } = this.#options
    const { id } = schema
    const random = env.random.split(`index ${id}`)
    const type = types.get(schema.type)
    if (type === undefined) return
    const index = type.open(schema.config)
    const folder = this.#folderOf(id)
    const identity = indexIdentity(origin, schema, type.version)
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
        pace: pace.foreground,
      })
    }
    const live = (): void => this.#replace(id)
    const onError = (): ErrorPolicy => policyOf(this.#replacing(id)?.schema ?? this.#known.get(id)?.schema)
    const told = this.#teller(collection, schema)
    const own = { clock: env.clock, source, collection: collection.id, index, limits, gate, pace }
    const runner = new IndexRunner({ ...own, onError, live, open, told })
    this.#running.set(id, { schema, type, index, identity, runner })
    runner.start()
  }

  /** That making is built: the one before is not needed any more. */
  #replace(id: IndexId): void {
    const before = this.#known.get(id)?.schema.before
    const opened = before && this.#running.get(before.id)
    if (opened !== undefined) this.#leave(opened.schema.id, (runner, reason) => runner.retire(reason))
  }

  #leave(id: IndexId, close: (runner: IndexRunner, reason: SillokError) => Promise<void>): void {
    const opened = this.#running.get(id)
    if (opened === undefined) return
    const { name } = opened.schema
    const reason = new SillokError('NOT_FOUND', `the index ${name} was dropped`)
    const work = async (): Promise<void> => {
      await close(opened.runner, reason)
      await this.#options.env.disk.remove(this.#folderOf(id))
    }
    // What cannot be removed now is swept at the next opening.
    const leaving = work()
      .catch(() => {})
      .finally(() => this.#leaving.delete(opened.runner))
    this.#leaving.set(opened.runner, leaving)
    this.#running.delete(id)
  }

  #folderOf(id: IndexId): string {
    return joinPath(this.#options.folder, String(id))
  }
}

/** Names what the rows of an index are made by: those of another one are not used. */
export function indexIdentity(
  origin: string,
  { id, type, config }: IndexGeneration,
  version: number,
): string {
  return [origin, id, type, version, JSON.stringify(config)].join('/')
}

/** What is done about documents that the index cannot take. */
function policyOf(schema: IndexSchema | undefined): ErrorPolicy {
  return schema?.onError ?? errorPolicies[0]
}

const resting = {
  position: 0,
  lag: 0,
  lagMs: 0,
  builtThrough: undefined,
  documentsRead: 0,
  builtAt: undefined,
  parked: 0,
  skipped: 0,
  failingDocument: undefined,
  rebuilds: 0,
} as const

const unknown = {
  ...resting,
  state: 'unknown',
  reason: 'the store was opened without this type of index',
} as const

function failing({ message }: SillokError): Omit<IndexStatus, 'state'> & { readonly state: 'failing' } {
  return { ...resting, state: 'failing', reason: message }
}
