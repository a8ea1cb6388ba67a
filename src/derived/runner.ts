/**
 * Keeps one index of one replica up to date: builds it from the state, feeds it from the log, gives queries a
 * moment to read, and begins anew when its rows are not to be trusted.
 *
 * Always: what is written is the function of the log up to the position that is written with it. A build
 * reads documents in chunks while changes flow; a chunk's documents may be newer than the position, so a
 * build ends only when the position has passed the moment of its last chunk. Versions tell what is new:
 * documents, changes and repetitions may come in any order. A crash continues from the last batch.
 *
 * One batch at a time, at most one in `batchMs`, unless a query waits: then what it waits for is written at
 * once, exactly up to the applied index of that moment.
 */
import { isSillokError, messageOf, SillokError } from '../base/errors.js'
import type { CollectionId, LogIndex } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import { type DocumentKey, decodeKey } from '../base/tuple.js'
import type { Clock } from '../env/clock.js'
import type { DerivedIndex } from './contract.js'
import type { BuildProgress, IndexStore } from './index-store.js'
import { Moment } from './moment.js'
import type { DocumentView, IndexSource, SourceChange, SourceChunk } from './source.js'

/**
 * What an index is doing:
 *
 * - `opening`: its rows are being opened and checked.
 * - `building`: the documents that are there are read for it, while it takes changes; questions wait.
 * - `live`: it has all documents, and takes changes as they come.
 * - `failing`: it cannot go on, for the reason that is told, and tries again twice a second.
 * - `closed`: the store is closed, or the index was dropped.
 */
export type IndexState = 'opening' | 'building' | 'live' | 'failing' | 'closed'

/** How an index is doing. */
export interface IndexStatus {
  readonly state: IndexState
  /**
   * Everything up to this entry is in its rows; while it is built, only for keys through `builtThrough`.
   */
  readonly position: LogIndex
  /** Entries that are applied and not in its rows. */
  readonly lag: number
  /**
   * While it is built: the last key that was read for it; undefined before the first, and when it is done.
   */
  readonly builtThrough: DocumentKey | undefined
  /** Why it was last begun anew, or fails. */
  readonly reason: string | undefined
  /** How often it was begun anew since the store was opened. */
  readonly rebuilds: number
}

/** What a runner works with. */
export interface RunnerOptions {
  readonly clock: Clock
  readonly source: IndexSource
  readonly collection: CollectionId
  readonly index: DerivedIndex
  readonly limits: Limits
  /** Opens the rows, or fresh ones; `isFresh` removes what is there first. */
  readonly open: (isFresh: boolean) => Promise<{ store: IndexStore; rebuilt?: string }>
  /** Lets one flush or checkpoint of this node through at a time. */
  readonly gate: { run<T>(task: () => Promise<T>): Promise<T> }
  /** Resolves in a turn of the event loop of its own: indexes of one log have their work at the same time. */
  readonly turn: () => Promise<void>
}

interface Waiter {
  readonly resolve: (moment: Moment) => void
  readonly reject: (error: SillokError) => void
}

/** Somebody waits for a moment, who may be gone before it comes. */
export interface MomentWait {
  readonly moment: Promise<Moment>
  /** Nobody waits any more: what comes yet is released. */
  cancel(): void
}

/** A pause after a failure. */
const retryMs = 500
/** Changes that take no time worth a turn of their own. */
const lightChanges = 50
/** How often the folder is looked after: while there is work, and else. */
const lookMs = { busy: 250, idle: 1000 } as const

/** One index at work: start it, ask it for moments, close it. */
export class IndexRunner {
  readonly #options: RunnerOptions
  #store: IndexStore | undefined
  #state: IndexState = 'opening'
  #reason: string | undefined
  #rebuilds = 0
  /** The next chunk of a build, on its way. */
  #ahead: Promise<SourceChunk> | undefined
  /** The rows were begun anew because of damage, and are not built yet. */
  #isFresh = false
  /** Rows were written since the start. */
  #hadRows = false
  readonly #waiters = new Set<Waiter>()
  /** Ends the wait for what the index does about changes: it may be the user's own, and never answer. */
  #abandon: ((reason: SillokError) => void) | undefined
  /** What whoever asks gets, once it is to end. */
  #closing: SillokError | undefined
  #distrusted: string | undefined
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  /** Sleeps because there is nothing to do. */
  #isIdle = false
  #batchedMs = Number.NEGATIVE_INFINITY
  #lookedMs = 0

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** Begins. Nothing rejects: what goes wrong is in `status`, and tried again. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** More entries are applied. */
  notify(): void {
    if (this.#isIdle) this.#wakeUp()
  }

  status(): IndexStatus {
    const position = this.#store?.position ?? 0
    return {
      state: this.#closing !== undefined ? 'closed' : this.#state,
      position,
      lag: Math.max(0, this.#options.source.applied - position),
      builtThrough: builtThrough(this.#store?.build),
      reason: this.#reason,
      rebuilds: this.#rebuilds,
    }
  }

  /**
   * A moment that shows everything applied at the call, held for the caller: release it. Waits while the
   * index is built; with `isPatient` false it rejects then with INDEX_BEHIND.
   */
  moment(isPatient = true): MomentWait {
    let waiter: Waiter | undefined
    const moment = new Promise<Moment>((resolve, reject) => {
      if (this.#closing !== undefined) throw this.#closing
      if (!isPatient && this.#state !== 'live') {
        const why = this.#reason === undefined ? '' : `: ${this.#reason}`
        throw new SillokError('INDEX_BEHIND', `the index is ${this.#state}${why}`)
      }
      waiter = { resolve, reject }
      this.#waiters.add(waiter)
      this.#wakeUp()
    })
    const cancel = (): void => {
      if (waiter !== undefined) this.#waiters.delete(waiter)
      moment.then(late => late.release()).catch(() => {})
    }
    return { moment, cancel }
  }

  /** What was read does not hold: the rows go, and the index is built anew. */
  distrust(reason: string): void {
    this.#distrusted ??= reason
    this.#wakeUp()
  }

  /**
   * Ends the work and closes the rows. Those who wait, or ask later, get the reason: CLOSED if none is given.
   */
  async close(reason = new SillokError('CLOSED', 'the store is closed')): Promise<void> {
    this.#closing ??= reason
    this.#wakeUp()
    this.#abandon?.(this.#closing)
    await this.#running
    this.#refuse(this.#closing)
  }

  #wakeUp(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  async #run(): Promise<void> {
    while (this.#closing === undefined) {
      try {
        await this.#open()
        while (this.#closing === undefined && this.#distrusted === undefined) await this.#step()
      } catch (error) {
        if (this.#closing === undefined) await this.#failed(error)
      }
    }
    await this.#closeStore()
  }

  #refuse(error: SillokError): void {
    for (const { reject } of this.#waiters) reject(error)
    this.#waiters.clear()
  }

  async #open(): Promise<void> {
    const reason = this.#distrusted
    this.#isFresh = reason !== undefined
    await this.#closeStore()
    const { store, rebuilt } = await this.#options.open(reason !== undefined)
    this.#store = store
    this.#distrusted = undefined
    // What was there when it was last open, and is no more, was deleted.
    this.#note(reason ?? rebuilt ?? (this.#hadRows && store.isNew ? 'its folder is gone' : undefined))
    const { source } = this.#options
    if (!store.isNew && (store.position > source.applied || store.position + 1 < source.firstIndex)) {
      const log = `the log goes from ${source.firstIndex} to ${source.applied}`
      this.#distrusted = `its position is ${store.position}, ${log}`
      return
    }
    this.#state = store.build.done ? 'live' : 'building'
  }

  #note(reason: string | undefined): void {
    if (reason === undefined) return
    this.#reason = reason
    this.#rebuilds += 1
  }

  async #closeStore(): Promise<void> {
    this.#ahead = undefined
    const store = this.#store
    this.#store = undefined
    await store?.close().catch(() => {})
  }

  /**
   * Damage, lost folders and a log that has gone on without it begin anew; anything else is tried again from
   * the last batch, after a pause. So is damage that comes again before fresh rows are built: then what they
   * are made from is to blame.
   */
  async #failed(error: unknown): Promise<void> {
    const reason = messageOf(error)
    const isDamage = isSillokError(error, 'DAMAGED') || isSillokError(error, 'LOG_TRUNCATED')
    if (isDamage) this.#distrusted = reason
    const beginsAnew = isDamage && !this.#isFresh
    if (!beginsAnew) {
      this.#state = 'failing'
      this.#reason = reason
      const failure = new SillokError('INDEX_FAILED', `the index fails: ${reason}`, { cause: error })
      this.#refuse(failure)
    }
    await this.#closeStore()
    if (this.#closing === undefined && !beginsAnew) await this.#pause(retryMs)
  }

  /** Writes one batch, or waits until there is something to do. */
  async #step(): Promise<void> {
    const store = this.#opened()
    await this.#lookAfterFolder(store)
    if (this.#distrusted !== undefined) return
    if (!store.build.done) await this.#buildOn(store, store.build)
    else if (this.#waiters.size > 0) await this.#answer(store)
    else if (store.position < this.#options.source.applied) await this.#follow(store)
    else {
      this.#isIdle = true
      await this.#pause(lookMs.idle)
      this.#isIdle = false
    }
    if (store.needsCheckpoint) await this.#options.gate.run(() => store.checkpoint())
  }

  #opened(): IndexStore {
    if (this.#store === undefined) throw new Error('the rows of an index are not open')
    return this.#store
  }

  /** Somebody may have deleted it: then what is open still reads, but nothing of it will be there again. */
  async #lookAfterFolder(store: IndexStore): Promise<void> {
    const { clock } = this.#options
    if (clock.monotonicMs() - this.#lookedMs < lookMs.busy) return
    this.#lookedMs = clock.monotonicMs()
    if (!(await store.isThere())) this.#distrusted = 'its folder is gone'
  }

  /** The next chunk of documents, and the changes that came meanwhile. */
  async #buildOn(store: IndexStore, build: Extract<BuildProgress, { done: false }>): Promise<void> {
    const { source } = this.#options
    const position = store.isNew ? source.applied : store.position
    const chunk = await (this.#ahead ?? this.#readChunk(build.after))
    this.#ahead = undefined
    const { changes, through } = await this.#collect(position, source.applied)
    const done = chunk.isLast && through >= chunk.index
    changes.push(...chunk.documents)
    const after = chunk.documents.at(-1)?.keyBytes ?? build.after
    if (!chunk.isLast) this.#ahead = this.#readChunk(after)
    await this.#write(store, changes, through, done ? { done } : { done, after })
    if (!done) return
    this.#state = 'live'
    this.#isFresh = false
  }

  /** Reads on while what was read before is written. */
  #readChunk(after: Buffer | undefined): Promise<SourceChunk> {
    const { source, collection, limits } = this.#options
    const { indexChunkDocuments, indexBatchBytes } = limits
    const chunk = this.#decoded(source.documents(collection, after, indexChunkDocuments, indexBatchBytes))
    // Whoever asked may be gone by then.
    chunk.catch(() => {})
    return chunk
  }

  /** Decoded while the batch before is being written. */
  async #decoded(reading: Promise<SourceChunk>): Promise<SourceChunk> {
    const chunk = await reading
    if (chunk.documents.length > lightChanges) await this.#options.turn()
    for (const { document } of chunk.documents) document?.()
    return chunk
  }

  /** Changes as they come, some at a time. */
  async #follow(store: IndexStore): Promise<void> {
    const { source, clock, limits } = this.#options
    const wait = this.#batchedMs + limits.indexBatchMs - clock.monotonicMs()
    const isFew = source.applied - store.position < limits.indexBatchChanges
    if (wait > 0 && isFew) await this.#pause(wait)
    if (this.#closing !== undefined || this.#waiters.size > 0) return
    const { changes, through } = await this.#collect(store.position, source.applied)
    await this.#write(store, changes, through, { done: true })
  }

  /** Gives all who wait the moment of now. */
  async #answer(store: IndexStore): Promise<void> {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    let documents: DocumentView | undefined
    try {
      documents = this.#options.source.view()
      while (store.position < documents.index) {
        const { changes, through } = await this.#collect(store.position, documents.index)
        await this.#write(store, changes, through, { done: true })
      }
      const moment = new Moment(store.position, store.rows(), documents)
      documents = undefined
      for (const _ of waiters) moment.hold()
      for (const { resolve } of waiters) resolve(moment)
    } catch (error) {
      documents?.release()
      // They wait on: for the next try, or for what `#failed` tells them.
      for (const waiter of waiters) this.#waiters.add(waiter)
      throw error
    }
  }

  /** Changes of the collection after `from`, one batch of them, and the entry that they reach. */
  async #collect(from: LogIndex, through: LogIndex): Promise<{ changes: SourceChange[]; through: LogIndex }> {
    const { source, collection, limits, turn } = this.#options
    const changes: SourceChange[] = []
    let reached = from
    let bytes = 0
    if (from >= through) return { changes, through: from }
    if (through - from > lightChanges) await turn()
    for await (const piece of source.changes(from + 1, through)) {
      for (const change of piece.changes) {
        if (change.collection !== collection) continue
        changes.push(change)
        bytes += change.bytes
      }
      reached = piece.through
      if (changes.length >= limits.indexBatchChanges || bytes >= limits.indexBatchBytes) break
    }
    return { changes, through: reached }
  }

  async #write(
    store: IndexStore,
    changes: readonly SourceChange[],
    position: LogIndex,
    build: BuildProgress,
  ): Promise<void> {
    const { clock, index, turn } = this.#options
    this.#batchedMs = clock.monotonicMs()
    const isLong = changes.length > lightChanges
    if (isLong) await turn()
    const decoded = changes.map(({ keyBytes, version, document }) => ({
      keyBytes,
      version,
      document: document?.(),
    }))
    const applying: Pick<DerivedIndex, 'apply'> = {
      apply: (news, rows, ops) => this.#unlessClosing(index.apply(news, rows, ops)),
    }
    await store.write({ index: applying, changes: decoded, position, build, turn: isLong ? turn : undefined })
    this.#hadRows = true
  }

  /** Rejects once the work is to end, whatever becomes of this. */
  #unlessClosing(work: void | Promise<void>): void | Promise<void> {
    if (work === undefined) return
    const abandoned = new Promise<never>((_, reject) => {
      this.#abandon = reject
      if (this.#closing !== undefined) reject(this.#closing)
    })
    return Promise.race([work, abandoned]).finally(() => {
      this.#abandon = undefined
    })
  }

  /** Until somebody wakes it, or that time is over. */
  async #pause(ms: number): Promise<void> {
    if (this.#closing !== undefined) return
    await new Promise<void>(resolve => {
      const timer = this.#options.clock.after(ms, resolve, { idle: true })
      this.#wake = () => {
        timer.stop()
        resolve()
      }
    })
    this.#wake = undefined
  }
}

function builtThrough(build: BuildProgress | undefined): DocumentKey | undefined {
  return build === undefined || build.done || build.after === undefined ? undefined : decodeKey(build.after)
}
