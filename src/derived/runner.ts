/**
 * Keeps one index of one replica up to date: builds it from the state, feeds it from the log, gives queries a
 * moment to read, and begins anew when its rows are not to be trusted.
 *
 * Always: what is written is the function of the log up to the position that is written with it. A build
 * reads documents in chunks while changes flow; a chunk's documents may be newer than the position, so a
 * build ends only when the position has passed the moment of its last chunk. Versions tell what is new:
 * documents, changes and repetitions may come in any order. A crash continues from the last batch.
 *
 * One batch at a time. Of a built index at most one in `limits.indexBatchMs`, unless more than a batch waits,
 * or a query: then what that waits for is written at once, exactly up to the applied index of that moment.
 */

import type { ErrorPolicy } from '../base/error-policy.js'
import { isSillokError, messageOf, SillokError, storeClosed } from '../base/errors.js'
import type { CollectionId, LogIndex } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { DocumentKey } from '../base/tuple.js'
import type { Clock } from '../env/clock.js'
import type { BackgroundPace } from './background-pace.js'
import { BuildReader, decodedPerLook, lightChanges } from './build-reader.js'
import type { DerivedIndex } from './contract.js'
import { IndexAsks, type MomentWait, type Waiter } from './index-asks.js'
import { IndexLag } from './index-lag.js'
import { builtThrough } from './index-marks.js'
import { indexClosed } from './index-snapshot.js'
import type { IndexState, IndexStatus, ParkedRetry } from './index-status.js'
import type { BuildProgress, DocumentChange, IndexBatch, IndexStore } from './index-store.js'
import { Moment } from './moment.js'
import { ParkedUnread, parkedChanges } from './parked.js'
import type { DocumentView, IndexSource, SourceChange } from './source.js'

/** What a runner works with. */
export interface RunnerOptions {
  readonly clock: Clock
  readonly source: IndexSource
  readonly collection: CollectionId
  readonly index: DerivedIndex
  /** What is done about a document that the index throws for. */
  readonly onError: () => ErrorPolicy
  readonly limits: Limits
  /** Called whenever it has become live. */
  readonly live?: () => void
  /** Opens the rows, or fresh ones; `isFresh` removes what is there first. */
  readonly open: (isFresh: boolean) => Promise<{ store: IndexStore; rebuilt?: string }>
  /** Lets one flush or checkpoint of this node through at a time. */
  readonly gate: { run<T>(task: () => Promise<T>): Promise<T> }
  /** Must not throw. Each failed try is told, also for the same reason. */
  readonly told?: IndexTold
  /** That of all builds on this log, and of all work of its indexes. */
  readonly pace: BackgroundPace
}

/** What is told of an index: its rows are made anew, or it cannot go on; with the reason. */
export type IndexTold = (kind: 'rebuilt' | 'failing', reason: string) => void

/** A pause after a failure. */
const retryMs = 500
/** How often it is looked whether the folder is still there: while there is work, and else. */
const lookMs = { busy: 250, idle: 1000 } as const

/** One index at work: start it, ask it for moments, close it. */
export class IndexRunner {
  readonly #options: RunnerOptions
  #store: IndexStore | undefined
  #state: IndexState = 'opening'
  #reason: string | undefined
  #rebuilds = 0
  #failingDocument: DocumentKey | undefined
  /** Reads the documents of a build. */
  readonly #reader: BuildReader
  /** The rows were begun anew because of damage, and are not built yet. */
  #isFresh = false
  /** Rows were written since the start. */
  #hadRows = false
  readonly #asks = new IndexAsks()
  readonly #lag: IndexLag
  /** Parked documents are to be tried again. */
  #isRetryDue = false
  /** All documents were read, and the build is not done yet. */
  #isRead = false
  #documentsRead = 0
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
    this.#reader = new BuildReader(options)
    this.#lag = new IndexLag(options.clock)
  }

  /** Begins. Nothing rejects: what goes wrong is in `status`, and tried again. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** More entries are applied. */
  notify(): void {
    this.#lag.grew()
    if (this.#isIdle) this.#wakeUp()
  }

  status(): IndexStatus {
    const { source } = this.#options
    const store = this.#store
    const position = store?.position ?? 0
    const lag = Math.max(0, source.applied - position)
    return {
      state: this.state,
      position,
      lag,
      lagMs: lag === 0 ? 0 : this.#lag.ms,
      builtThrough: builtThrough(store?.build),
      documentsRead: this.#documentsRead,
      builtAt: store?.built && new Date(store.built.wallMs).toISOString(),
      parked: store?.parked.size ?? 0,
      skipped: store?.skipped ?? 0,
      reason: this.#reason,
      failingDocument: this.#failingDocument,
      rebuilds: this.#rebuilds,
    }
  }

  get state(): IndexState {
    if (this.#closing !== undefined) return 'closed'
    return this.#state === 'building' && this.#isRead ? 'catching-up' : this.#state
  }

  /** Resolves once it is known what its rows are: it is not `opening` any more. */
  async opened(): Promise<void> {
    if (this.state === 'opening') await this.#asks.whenOpened()
  }

  /**
   * Tells the index of its parked documents again, when it is built. Rejects with INDEX_FAILED, or as `close`
   * says.
   */
  retryParked(): Promise<ParkedRetry> {
    if (this.#closing !== undefined) return Promise.reject(this.#closing)
    return this.#asks.retry(() => this.#wakeUp())
  }

  /** Does something with the rows between two batches. Rejects with INDEX_FAILED, or as `close` says. */
  async work<T>(work: (store: IndexStore) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw this.#closing
    return await this.#asks.task(work, () => this.#wakeUp())
  }

  /**
   * A moment that shows everything applied at the call, held for the caller: release it. Waits while the
   * index is built; with `isPatient` false it rejects then with INDEX_BEHIND.
   */
  moment(isPatient = true): MomentWait {
    let waiter: Waiter<Moment> | undefined
    const moment = new Promise<Moment>((resolve, reject) => {
      if (this.#closing !== undefined) throw this.#closing
      if (!isPatient && this.#state !== 'live') {
        const why = this.#reason === undefined ? '' : `: ${this.#reason}`
        throw new SillokError('INDEX_BEHIND', `the index is ${this.#state}${why}`)
      }
      waiter = { resolve, reject }
      this.#asks.moments.add(waiter)
      this.#wakeUp()
    })
    const cancel = (): void => {
      if (waiter !== undefined) this.#asks.moments.delete(waiter)
      this.#asks.mayBeUnused()
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
   * Another index takes its place: it answers those who ask it already, and closes when nobody holds a moment
   * of it any more.
   */
  async retire(reason: SillokError): Promise<void> {
    await this.#asks.whenUnused()
    await this.close(reason)
  }

  /**
   * Ends the work and closes the rows. Those who wait, or ask later, get the reason: CLOSED if none is given.
   */
  async close(reason = storeClosed()): Promise<void> {
    this.#closing ??= reason
    this.#wakeUp()
    this.#asks.ending()
    this.#abandon?.(indexClosed(this.#closing))
    await this.#running
    this.#asks.refuse(this.#closing)
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

  async #open(): Promise<void> {
    const reason = this.#distrusted
    this.#isFresh = reason !== undefined
    await this.#closeStore()
    const { store, rebuilt } = await this.#options.open(reason !== undefined)
    this.#store = store
    this.#distrusted = undefined
    // What was there when it was last open, and is no more, was deleted.
    this.#countRebuild(reason ?? rebuilt ?? (this.#hadRows && store.isNew ? 'its folder is gone' : undefined))
    const { source } = this.#options
    if (!store.isNew && (store.position > source.applied || store.position + 1 < source.firstIndex)) {
      const log = `the log goes from ${source.firstIndex} to ${source.applied}`
      this.#distrusted = `its position is ${store.position}, ${log}`
      return
    }
    this.#isRead = false
    this.#isRetryDue = store.parked.size > 0
    if (store.build.done) this.#becomeLive()
    else this.#state = 'building'
    this.#asks.opened()
  }

  #becomeLive(): void {
    this.#state = 'live'
    this.#options.live?.()
  }

  #countRebuild(reason: string | undefined): void {
    if (reason === undefined) return
    this.#reason = reason
    this.#rebuilds += 1
    this.#options.told?.('rebuilt', reason)
  }

  async #closeStore(): Promise<void> {
    this.#reader.forget()
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
      this.#options.told?.('failing', reason)
      this.#failingDocument = this.#store?.blamed
      this.#asks.opened()
      const failure = new SillokError('INDEX_FAILED', `the index fails: ${reason}`, { cause: error })
      this.#asks.refuse(failure)
    }
    await this.#closeStore()
    if (this.#closing === undefined && !beginsAnew) await this.#pause(retryMs)
  }

  /** Writes one batch, or waits until there is something to do. */
  async #step(): Promise<void> {
    const store = this.#currentStore()
    await this.#lookForFolder(store)
    if (this.#distrusted !== undefined) return
    await this.#asks.carryOut(store)
    if (!store.build.done) await this.#buildOn(store, store.build)
    else if (this.#isRetryDue || this.#asks.retries.size > 0) await this.#retry(store)
    else if (this.#asks.moments.size > 0) await this.#answer(store)
    else if (store.position < this.#options.source.applied) await this.#follow(store)
    else {
      this.#isIdle = true
      await this.#pause(lookMs.idle)
      this.#isIdle = false
    }
    if (store.needsCheckpoint) await this.#options.gate.run(() => store.checkpoint())
  }

  #currentStore(): IndexStore {
    if (this.#store === undefined) throw new Error('the rows of an index are not open')
    return this.#store
  }

  /** Somebody may have deleted it: then what is open still reads, but nothing of it will be there again. */
  async #lookForFolder(store: IndexStore): Promise<void> {
    const { clock } = this.#options
    if (clock.monotonicMs() - this.#lookedMs < lookMs.busy) return
    this.#lookedMs = clock.monotonicMs()
    if (!(await store.isThere())) this.#distrusted = 'its folder is gone'
  }

  /** The next chunk of documents, and the changes that came meanwhile. */
  async #buildOn(store: IndexStore, build: Extract<BuildProgress, { done: false }>): Promise<void> {
    const { source, pace: background } = this.#options
    // Once all documents are read it must be faster than others write.
    const pace = this.#isRead ? background.foreground : background
    const position = store.isNew ? source.applied : store.position
    const chunk = await this.#reader.next(build.after)
    const { changes, through } = await this.#collect(position, source.applied, pace)
    const done = chunk.isLast && through >= chunk.index
    const after = chunk.documents.at(-1)?.keyBytes ?? build.after
    if (!chunk.isLast) this.#reader.readAhead(after, changes.length)
    changes.push(...chunk.documents)
    await this.#write(store, changes, through, done ? { done } : { done, after }, pace)
    this.#documentsRead += chunk.documents.length
    this.#isRead = chunk.isLast && !done
    if (!done) return
    this.#isFresh = false
    this.#becomeLive()
  }

  /** Changes as they come, some at a time. */
  async #follow(store: IndexStore): Promise<void> {
    const { source, clock, limits } = this.#options
    const wait = this.#batchedMs + limits.indexBatchMs - clock.monotonicMs()
    const isFew = source.applied - store.position < limits.indexBatchChanges
    if (wait > 0 && isFew) await this.#pause(wait)
    if (this.#closing !== undefined || this.#asks.moments.size > 0) return
    const { changes, through } = await this.#collect(store.position, source.applied)
    await this.#write(store, changes, through, { done: true })
  }

  async #followThrough(store: IndexStore, index: LogIndex): Promise<void> {
    while (store.position < index) {
      const { changes, through } = await this.#collect(store.position, index)
      await this.#write(store, changes, through, { done: true })
    }
  }

  /**
   * Tells the index of its parked documents again. It knows all changes up to the moment of the documents
   * that are read: so what is parked of each is the change that made it what is read.
   */
  async #retry(store: IndexStore): Promise<void> {
    const { source, collection } = this.#options
    const waiters = [...this.#asks.retries]
    this.#asks.retries.clear()
    const documents = source.view()
    try {
      await this.#followThrough(store, documents.index)
      const tried = store.parked.size
      for await (const changes of parkedChanges(store.parked, documents, collection)) {
        await this.#writeChanges(store, { changes, position: store.position, isRetry: true })
      }
      this.#isRetryDue = false
      for (const { resolve } of waiters) resolve({ tried, parked: store.parked.size })
    } catch (error) {
      if (!(error instanceof ParkedUnread) || !isSillokError(error.cause)) {
        for (const waiter of waiters) this.#asks.retries.add(waiter)
        throw error
      }
      // They stay parked, until somebody asks again.
      this.#isRetryDue = false
      for (const { reject } of waiters) reject(error.cause)
    } finally {
      documents.release()
    }
  }

  /** Gives all who wait the moment of now. */
  async #answer(store: IndexStore): Promise<void> {
    const waiters = [...this.#asks.moments]
    this.#asks.moments.clear()
    // From here on: they must not be taken for gone while their moment is made.
    const released = this.#asks.give()
    let documents: DocumentView | undefined
    try {
      documents = this.#options.source.view()
      await this.#followThrough(store, documents.index)
      const moment = new Moment(store.position, store.rows(), documents, released)
      documents = undefined
      for (const _ of waiters) moment.hold()
      for (const { resolve } of waiters) resolve(moment)
    } catch (error) {
      documents?.release()
      // They wait on: for the next try, or for what `#failed` tells them.
      for (const waiter of waiters) this.#asks.moments.add(waiter)
      released()
      throw error
    }
  }

  /** Changes of the collection after `from`, one batch of them, and the entry that they reach. */
  async #collect(
    from: LogIndex,
    through: LogIndex,
    pace = this.#options.pace.foreground,
  ): Promise<{ changes: SourceChange[]; through: LogIndex }> {
    const { source, collection, limits } = this.#options
    this.#lag.reads(through)
    const changes: SourceChange[] = []
    let reached = from
    let bytes = 0
    if (from >= through) return { changes, through: from }
    if (through - from > lightChanges) await pace.turn()
    for await (const piece of source.changes(from + 1, through)) {
      for (const change of piece.changes) {
        if (change.collection !== collection) continue
        changes.push(change)
        bytes += change.bytes
      }
      reached = piece.through
      if (changes.length >= limits.indexBatchChanges || bytes >= limits.indexBatchBytes) break
      if (reached - from >= limits.indexBatchEntries) break
      const late = pace.pause()
      if (late !== undefined) await late
    }
    return { changes, through: reached }
  }

  async #write(
    store: IndexStore,
    changes: readonly SourceChange[],
    position: LogIndex,
    build: BuildProgress,
    pace = this.#options.pace.foreground,
  ): Promise<void> {
    const { clock, source } = this.#options
    this.#batchedMs = clock.monotonicMs()
    if (changes.length > lightChanges) await pace.turn()
    const decoded: DocumentChange[] = []
    for (const { keyBytes, version, document } of changes) {
      decoded.push({ keyBytes, version, document: document?.() })
      const late = decoded.length % decodedPerLook === 0 ? pace.pause() : undefined
      if (late !== undefined) await late
    }
    await this.#writeChanges(store, { changes: decoded, position, build, pace })
    this.#lag.wrote(position, source.applied)
  }

  async #writeChanges(
    store: IndexStore,
    batch: Omit<IndexBatch, 'index' | 'build'> & { build?: BuildProgress },
  ): Promise<void> {
    const { clock, index, onError } = this.#options
    const applying: Pick<DerivedIndex, 'apply'> = {
      apply: (news, rows, ops) => this.#unlessClosing(index.apply(news, rows, ops)),
    }
    const wallMs = clock.wallMs()
    await store.write({ build: { done: true }, ...batch, index: applying, onError: onError(), wallMs })
    this.#failingDocument = undefined
    this.#hadRows = true
  }

  /** Rejects once the work is to end, whatever becomes of this. */
  #unlessClosing(work: void | Promise<void>): void | Promise<void> {
    if (work === undefined) return
    const abandoned = new Promise<never>((_, reject) => {
      this.#abandon = reject
      if (this.#closing !== undefined) reject(indexClosed(this.#closing))
    })
    return Promise.race([work, abandoned]).finally(() => {
      this.#abandon = undefined
    })
  }

  /** Until somebody wakes it, or that time is over. */
  async #pause(ms: number): Promise<void> {
    if (ms === 0 || this.#closing !== undefined) return
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
