/**
 * The durable rows of one index, in one key-value store of its own.
 *
 * A batch is one synced write: rows, what is known of each changed document, position, progress of the build,
 * and a mark with the batch's number. So a crash leaves the index as it was after some batch; what LevelDB
 * may lose from the middle is found on open, see open-index.ts. What is read belongs to the last batch that
 * was acknowledged. After a failed write nobody knows what is there: nothing more is written until it is
 * opened again.
 */
import { assert } from '../base/assert.js'
import type { ErrorPolicy } from '../base/error-policy.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { limits as defaultLimits, type Limits } from '../base/limits.js'
import type { DocumentKey } from '../base/tuple.js'
import type { KeyValueStore } from '../env/key-value.js'
import { listTables } from '../env/level-tables.js'
import { applyChanges, DocumentBlamed } from './apply-changes.js'
import type { DerivedIndex } from './contract.js'
import { type DocumentChange, newestChanges } from './document-change.js'
import { type IndexCheckpoint, readCheckpoint, writeCheckpoint } from './index-checkpoint.js'
import {
  type BuildProgress,
  type BuiltAt,
  type IndexPosition,
  markerKey,
  markKeys,
  sealBuilt,
  sealMarker,
  sealNumber,
  sealPosition,
} from './index-marks.js'
import { IndexNotes } from './index-notes.js'
import { IndexSnapshot, indexClosed, SharedView } from './index-snapshot.js'
import { type OpenedIndex, type OpenIndexOptions, openIndex, rowsFolder } from './open-index.js'
import type { Pacing } from './pace.js'
import { nameOf, openParked, type ParkedDocument, type ParkedKeys, parkedKey } from './parked.js'
import { PendingBatch, type PendingChange } from './pending-batch.js'
import { verifyRows } from './verify-rows.js'

export type { DocumentChange } from './document-change.js'
export type { BuildProgress } from './index-marks.js'

/** Where the rows of an index are, and which index they belong to. */
export interface IndexStoreOptions extends OpenIndexOptions {
  readonly limits?: Partial<Limits>
  /** Lets other work go first when its own lasts; without it nothing pauses. */
  readonly pace?: Pacing
}

/** Changes that go into an index together. */
export interface IndexBatch {
  readonly index: Pick<DerivedIndex, 'apply'>
  /**
   * Several for one document are allowed: the highest version holds. One that is not newer than what the
   * index knows of the document does nothing. Once the build is done, deleted documents are not remembered:
   * then only changes after the position may come.
   */
  readonly changes: readonly DocumentChange[]
  /** All changes up to this entry are in the index when the batch is. Never goes back. */
  readonly position: LogIndex
  /** Never goes back from done. */
  readonly build: BuildProgress
  /** What is done about a document that the index throws for; `stop` if not given. */
  readonly onError?: ErrorPolicy | undefined
  /**
   * The changes are those of parked documents, as they are parked: told again. Others do nothing.
   */
  readonly isRetry?: boolean | undefined
  /** Instead of the store's own. */
  readonly pace?: Pacing | undefined
  /** The time now, for the mark that says when the index was built; none without it. */
  readonly wallMs?: number | undefined
}

/** Changes or rows between two looks at the clock. */
const sliceChanges = 128
/** Changes whose notes are looked up together. */
const lookedUpChanges = 128

/** One open index. Used by one owner: one `write` or `checkpoint` at a time, besides reading. */
export class IndexStore {
  readonly #options: IndexStoreOptions
  readonly #limits: Limits
  readonly #store: KeyValueStore
  readonly #notes: IndexNotes
  readonly #views = new Set<SharedView>()
  #view: SharedView
  #at: IndexPosition
  #checkpoint: IndexCheckpoint
  #firstMarker: number
  #parked: ParkedKeys
  #skipped: number
  #built: BuiltAt | undefined
  #blamed: DocumentKey | undefined
  #bytes = 0
  #running: Promise<unknown> | undefined
  #failure: { readonly error: unknown } | undefined
  #closed = false

  private constructor(options: IndexStoreOptions, opened: OpenedIndex) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    this.#store = opened.store
    this.#at = opened.at ?? { position: 0, batch: 0, build: { done: false, after: undefined } }
    this.#checkpoint = opened.checkpoint
    this.#firstMarker = opened.firstMarker
    this.#parked = opened.parked
    this.#skipped = opened.skipped
    this.#built = opened.built
    this.#notes = new IndexNotes(opened.store, opened, this.#limits)
    this.#view = this.#newView()
  }

  /**
   * Opens what the folder holds, or begins anew: `rebuilt` says why, unless nothing was there. Rejects with
   * FOLDER_IN_USE (also while this process has it open, even if the folder was deleted meanwhile), DISK_FULL,
   * DISK_FAILED.
   */
  static async open(options: IndexStoreOptions): Promise<{ store: IndexStore; rebuilt?: string }> {
    const opened = await openIndex(options)
    const store = new IndexStore(options, opened)
    return opened.rebuilt === undefined ? { store } : { store, rebuilt: opened.rebuilt }
  }

  /** All changes up to here are in the index; 0 when it is new. */
  get position(): LogIndex {
    return this.#at.position
  }

  get build(): BuildProgress {
    return this.#at.build
  }

  /** Nothing was ever written: the first batch chooses the position. */
  get isNew(): boolean {
    return this.#at.batch === 0
  }

  /** Documents whose newest change the index could not take. Never changed: another batch makes another. */
  get parked(): ParkedKeys {
    return this.#parked
  }

  /** Documents that were left out. */
  get skipped(): number {
    return this.#skipped
  }

  /** When the build was done; undefined before. */
  get built(): BuiltAt | undefined {
    return this.#built
  }

  /** The document for which the last batch failed; undefined if that was not a document's fault. */
  get blamed(): DocumentKey | undefined {
    return this.#blamed
  }

  /** True once so much was written since the last checkpoint that another one is due. */
  get needsCheckpoint(): boolean {
    const batches = this.#at.batch - this.#checkpoint.batch
    return (
      this.#bytes >= this.#limits.indexCheckpointBytesMax || batches >= this.#limits.indexCheckpointBatchesMax
    )
  }

  /**
   * When it resolves, the batch is durable. If the index throws, or writes what is over a limit (INVALID),
   * then with `stop` nothing is written, `blamed` names the document, and the next batch may come; else the
   * document is put aside in the same batch. TOO_LARGE, and nothing written: more than
   * `limits.indexParkedMax` documents would be parked. After any other failure only reading goes on.
   */
  async write(batch: IndexBatch): Promise<void> {
    await this.#alone(() => this.#write(batch))
  }

  /** All parked documents as of the last batch, in the order of their keys. Rejects with DAMAGED, CLOSED. */
  async parkedDocuments(): Promise<ParkedDocument[]> {
    if (this.#closed) throw indexClosed()
    const names = [...this.#parked.keys()]
    const keys = names.map(name => parkedKey(Buffer.from(name, 'latin1'))).sort(Buffer.compare)
    const view = this.#view
    view.hold()
    try {
      const found = await view.read(() => view.store.getMany(keys, view.snapshot))
      return found.flatMap((stored, at) => {
        const key = keys[at]
        return key === undefined || stored === undefined ? [] : openParked(key, stored)
      })
    } finally {
      await view.release()
    }
  }

  /** The rows as of the last batch. Close it. */
  rows(pace = this.#options.pace): IndexSnapshot {
    if (this.#closed) throw indexClosed()
    return new IndexSnapshot(this.#view, pace)
  }

  /**
   * Forces all batches so far into tables and records them, so that the next open can tell that none is
   * missing. Nothing happens if none came since the last one. After a failure only reading goes on.
   */
  async checkpoint(): Promise<void> {
    await this.#alone(() => this.#writing(() => this.#proveAll()))
  }

  /** Reads all there is, and resolves with the keys, in hex, of what fails its check or is missing. */
  async verify(): Promise<string[]> {
    if (this.#closed) throw indexClosed()
    const view = this.#view
    const expected = { at: this.#at, proven: this.#checkpoint.batch }
    view.hold()
    try {
      return (await verifyRows(view, expected)).failing
    } finally {
      await view.release()
    }
  }

  /** True while the folder holds this very store: false when it was deleted, or replaced by another one. */
  async isThere(): Promise<boolean> {
    const { disk, folder } = this.#options
    const found = await readCheckpoint(disk, folder)
    if (found === undefined || typeof found === 'string') return false
    if (found.incarnation !== this.#checkpoint.incarnation) return false
    return (await disk.list(rowsFolder(folder))).includes('CURRENT')
  }

  /** Waits for what is being written; reads reject with CLOSED from now on. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#running
    for (const view of this.#views) view.end()
    await this.#store.close()
  }

  async #alone(work: () => Promise<void>): Promise<void> {
    if (this.#closed) throw indexClosed()
    assert(this.#running === undefined, 'an index writes one batch or checkpoint at a time')
    if (this.#failure !== undefined) throw this.#failure.error
    const running = work()
    this.#running = running.catch(() => undefined)
    try {
      await running
    } finally {
      this.#running = undefined
    }
  }

  /** Runs work that writes. If it fails, nobody knows what was written. */
  async #writing(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  async #write(given: IndexBatch): Promise<void> {
    const { changes, position, build, isRetry = false, wallMs, pace = this.#options.pace } = given
    const { position: before, batch, build: buildBefore } = this.#at
    assert(position >= before, () => `an index goes from ${before} back to ${position}`)
    assert(build.done || !buildBefore.done, 'the build of an index goes back from done')
    const news: PendingChange[] = []
    for (const some of slices(newestChanges(changes), lookedUpChanges)) {
      news.push(...(await this.#notes.news(some, this.#parked, isRetry)))
      await pace?.pause()
    }
    const pending = await this.#apply(given, news)
    const parked = this.#parkedAfter(news, position)
    const swept = new PendingBatch(this.#limits)
    if (build.done) await this.#notes.sweep(swept)
    for (const some of slices(news, sliceChanges)) {
      pending.leaveNotes(some, !build.done, position)
      await pace?.pause()
    }
    const skipped = this.#skipped + skippedMore(news)
    if (skipped !== this.#skipped) {
      pending.add(markKeys.skipped, sealNumber(markKeys.skipped, skipped))
    }
    const isBuilt = build.done && !buildBefore.done && wallMs !== undefined
    const built = isBuilt ? { wallMs, position } : this.#built
    if (isBuilt && built !== undefined) pending.add(markKeys.built, sealBuilt(built))
    const at: IndexPosition = { position, batch: batch + 1, build }
    const marker = markerKey(at.batch)
    pending.add(marker, sealMarker(marker))
    pending.add(markKeys.position, sealPosition(at))
    await this.#writing(async () => {
      const write = this.#store.batch()
      // What is swept comes first, so that a document that came back keeps its new note.
      for (const { keys, values } of [swept, pending]) {
        for (let at = 0; at < keys.length; at++) {
          const value = values[at]
          if (value === undefined) write.delete(keys[at] as Buffer)
          else write.put(keys[at] as Buffer, value)
          if (at % sliceChanges === 0) await pace?.pause()
        }
      }
      await write.write({ sync: true })
    })
    this.#at = at
    this.#parked = parked
    this.#skipped = skipped
    this.#built = built
    this.#bytes += swept.bytes + pending.bytes
    this.#notes.left(news, !build.done)
    await this.#renewView()
  }

  async #apply(
    { index, onError = 'stop', pace }: IndexBatch,
    news: readonly PendingChange[],
  ): Promise<PendingBatch> {
    const told = news.filter(change => change.isTold)
    const rows = this.rows(pace)
    this.#blamed = undefined
    try {
      return await applyChanges({ index, rows, limits: this.#limits, onError }, told)
    } catch (error) {
      if (!(error instanceof DocumentBlamed)) throw error
      this.#blamed = error.key
      throw error.cause
    } finally {
      await rows.close()
    }
  }

  /** The parked documents once these changes are written. Throws TOO_LARGE if they would be too many. */
  #parkedAfter(news: readonly PendingChange[], position: LogIndex): ParkedKeys {
    const changed = news.filter(({ refused, parked }) => refused?.as === 'parked' || parked !== undefined)
    if (changed.length === 0) return this.#parked
    const after = new Map(this.#parked)
    for (const { keyBytes, version, refused, parked } of changed) {
      if (refused?.as === 'parked') after.set(nameOf(keyBytes), { version, since: parked?.since ?? position })
      else after.delete(nameOf(keyBytes))
    }
    const most = this.#limits.indexParkedMax
    if (after.size <= Math.max(most, this.#parked.size)) return after
    const message = `${after.size} documents would be parked, at most ${most}`
    throw new SillokError('TOO_LARGE', message, { details: { parked: after.size, limit: most } })
  }

  async #proveAll(): Promise<void> {
    const { disk, folder } = this.#options
    const { batch } = this.#at
    if (batch === this.#checkpoint.batch) return
    const mark = this.#store.batch()
    mark.put(markKeys.checkpoint, sealNumber(markKeys.checkpoint, batch))
    await mark.write()
    await this.#store.compact()
    // The success of `compact` proves nothing: this write fails if the table could not be written.
    const probe = this.#store.batch()
    probe.put(markKeys.probe, sealNumber(markKeys.probe, batch))
    await probe.write({ sync: true })
    const tables = await listTables(disk, rowsFolder(folder), this.#checkpoint.tables)
    const checkpoint = { ...this.#checkpoint, batch, tables }
    await writeCheckpoint(disk, folder, checkpoint)
    this.#checkpoint = checkpoint
    this.#bytes = 0
    const marks = this.#store.batch()
    for (let old = this.#firstMarker; old <= batch; old++) marks.delete(markerKey(old))
    await marks.write()
    this.#firstMarker = batch + 1
    await this.#renewView()
  }

  #newView(): SharedView {
    const closed = (): void => void this.#views.delete(view)
    const view = new SharedView(this.#store, this.#at.position, closed, this.#parked)
    this.#views.add(view)
    return view
  }

  async #renewView(): Promise<void> {
    const old = this.#view
    this.#view = this.#newView()
    await old.release()
  }
}

function* slices<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size)
}

/** How many documents more are skipped after these changes. */
function skippedMore(news: readonly PendingChange[]): number {
  let more = 0
  for (const { refused, wasSkipped } of news) {
    more += (refused?.as === 'skipped' ? 1 : 0) - (wasSkipped && refused?.as !== 'parked' ? 1 : 0)
  }
  return more
}
