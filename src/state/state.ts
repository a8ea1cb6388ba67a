/**
 * The state of one replica: all rows of its partition as of the applied index.
 *
 * Applied facts go to a memtable in generations over a key-value store that is not trusted: a read is memory,
 * then the store's snapshot of the last flush, each row checked. Kept replies are in memory whole. Applying
 * reads nothing.
 *
 * After a crash the store may be ahead of the recorded checkpoint, and have holes: every fact since then is
 * applied again, each row converges by itself, and reads wait until `isReadable`. A store that does not fit
 * goes to quarantine.
 */
import { assert, must } from '../base/assert.js'
import { storeClosed } from '../base/errors.js'
import type { LogIndex, Version } from '../base/ids.js'
import { type Limits, limits } from '../base/limits.js'
import type { Fact } from '../codec/facts.js'
import { keyBytes, makeRow, type Row, type RowKey, slotOfRow } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { KeyValueStore } from '../env/key-value.js'
import { Digests, differingSlots, digestWords } from './digests.js'
import { Gate } from './gate.js'
import { Layers } from './layers.js'
import { Loaded } from './loaded.js'
import { Maintenance, type RecordCheckpoint } from './maintenance.js'
import { openStore } from './open-store.js'
import { isPartitionRow, type PartitionRows } from './partition-rows.js'
import { checkedRow, Scan, type ScanRange } from './scan.js'
import type { HeldState } from './snapshot-writer.js'
import { StateView } from './state-view.js'
import type { OpenedStore, StoreOptions } from './store-options.js'
import type { SessionWindows } from './windows.js'

/** What a state is opened with. */
export interface StateOptions extends StoreOptions {
  readonly clock: Clock
  /** The node's own: lets one flush or checkpoint through at a time. */
  readonly flushGate?: Gate
  /** The node's own: lets two bulk reads through at a time. */
  readonly loadGate?: Gate
  /** Called once, when the store has failed to write: nothing goes from memory to disk any more. */
  readonly failed?: (error: unknown) => void
  /** Other limits than the usual ones. */
  readonly limits?: Partial<Limits>
}

const replyKind = 0x73

/** Bulk reads in the store's pool of threads at a time. */
const loadsMax = 2

/** The state of one replica. Lookups and applying never wait; only loads, scans and maintenance do. */
export class State {
  readonly #store: KeyValueStore
  readonly #clock: Clock
  readonly #layers: Layers
  readonly #partitionRows: PartitionRows
  readonly #digests: Digests
  readonly #loadGate: Gate
  readonly #maintenance: Maintenance
  readonly #newest: LogIndex
  #isClosed = false
  readonly #scans = new Set<Scan>()
  readonly #views = new Set<StateView>()
  #applied: LogIndex
  /** All kept replies, as of the applied index. */
  readonly windows: SessionWindows

  private constructor(options: StateOptions, opened: OpenedStore) {
    const { store, checkpoint, windows, newest } = opened
    this.#store = store
    this.#clock = options.clock
    this.#layers = new Layers(store, checkpoint.index)
    this.#digests = new Digests(checkpoint.digests)
    this.#loadGate = options.loadGate ?? new Gate(loadsMax)
    this.#newest = newest
    this.#applied = checkpoint.index
    this.windows = windows
    this.#partitionRows = opened.partitionRows
    this.#maintenance = new Maintenance({
      disk: options.disk,
      clock: options.clock,
      folder: options.folder,
      store,
      layers: this.#layers,
      windows,
      digests: this.#digests,
      checkpoint,
      isUnproven: opened.rebuilt !== undefined,
      newest,
      applied: () => this.#applied,
      gate: options.flushGate ?? new Gate(1),
      failed: options.failed ?? (() => undefined),
      limits: { ...limits, ...options.limits },
    })
  }

  /**
   * Opens the state as of the recorded checkpoint, or, with the reason in `rebuilt`, as of a snapshot or as
   * of nothing; all entries from `replayFrom` on must be applied to it. Rejects with what is not the
   * folder's fault: FOLDER_IN_USE, DISK_FULL, DAMAGED when the log ends before what the state knows.
   */
  static async open(options: StateOptions): Promise<{
    state: State
    replayFrom: LogIndex
    rebuilt?: string
    badSnapshots?: readonly string[]
  }> {
    const opened = await openStore(options)
    const state = new State(options, opened)
    const { rebuilt, badSnapshots = [] } = opened
    const replayFrom = state.applied + 1
    return rebuilt === undefined ? { state, replayFrom } : { state, replayFrom, rebuilt, badSnapshots }
  }

  get applied(): LogIndex {
    return this.#applied
  }

  /** The applied index up to which the store is written, not yet durably. */
  get flushed(): LogIndex {
    return this.#layers.flushed
  }

  get checkpointIndex(): LogIndex {
    return this.#maintenance.checkpointIndex
  }

  /** No row in the store was newer than this when it was opened: committed, and reads wait for it. */
  get newest(): LogIndex {
    return this.#newest
  }

  /** Replay has passed everything that the store held when it was opened. */
  get isReadable(): boolean {
    return this.#applied >= this.#newest
  }

  /** Bytes of rows in memory. */
  get memoryBytes(): number {
    return this.#layers.bytes
  }

  /** Generations that were written since the state was opened. */
  get flushes(): number {
    return this.#maintenance.flushes
  }

  /** Checkpoints that were recorded since then. */
  get checkpoints(): number {
    return this.#maintenance.checkpoints
  }

  get needsFlush(): boolean {
    return this.#maintenance.needsFlush
  }

  /** Memory is over its bound, as when the disk stays full: admit no new commands. */
  get overloaded(): boolean {
    return this.#layers.bytes > 4 * limits.memtableBytesMax
  }

  /** A flush or checkpoint found the disk full and will be repeated. */
  get waitsForSpace(): boolean {
    return this.#maintenance.waitsForSpace
  }

  /** How often the partition's own rows with these first two letters changed since the state was opened. */
  partitionChanges(kind: RowKey): number {
    return this.#partitionRows.changes(kind)
  }

  /** The partition's own rows whose keys begin so. */
  partitionRows(prefix: RowKey): [RowKey, Row][] {
    return this.#partitionRows.startingWith(prefix)
  }

  /** From memory alone: the row, null for a known absence, undefined when it must be loaded. */
  lookup(key: RowKey): Row | null | undefined {
    if (key.charCodeAt(0) === replyKind) return this.windows.lookup(key)
    return isPartitionRow(key) ? this.#partitionRows.get(key) : this.#layers.lookup(key)
  }

  /**
   * Reads rows that memory does not know, all from one snapshot; release the result. Rejects with DAMAGED,
   * naming the key, when a row fails its check. The store goes on; the remedy is the owner's: to close it,
   * remove the folder, and open again, which makes the state from the log. CLOSED once the state is.
   */
  async load(keys: readonly RowKey[]): Promise<Loaded> {
    this.#checkOpen()
    assert(this.isReadable, () => `load at ${this.#applied}, below the store's ${this.#newest}`)
    // Held before waiting: what memory knows now stays known, to memory or to the result.
    const view = this.#layers.hold()
    return await this.#loadGate.run(async () => {
      try {
        const asBytes = keys.map(keyBytes)
        const found = await this.#store.getMany(asBytes, view.snapshot)
        return new Loaded(this.#layers, view, checkedRows(keys, asBytes, found))
      } catch (error) {
        this.#layers.release(view)
        this.#checkOpen()
        throw error
      }
    })
  }

  /** The same for a lone command, at once; may hold the event loop while the disk is read. */
  loadSync(keys: readonly RowKey[]): Loaded {
    this.#checkOpen()
    assert(this.isReadable, () => `load at ${this.#applied}, below the store's ${this.#newest}`)
    const view = this.#layers.hold()
    try {
      const asBytes = keys.map(keyBytes)
      const found = asBytes.map(key => this.#store.getSync(key, view.snapshot))
      return new Loaded(this.#layers, view, checkedRows(keys, asBytes, found))
    } catch (error) {
      this.#layers.release(view)
      throw error
    }
  }

  /**
   * Applies the facts of the next entry, blindly. `rows`: those of the put facts, in their order, if the
   * proposer still has them; otherwise they are made here.
   */
  apply(index: LogIndex, facts: readonly Fact[], version: Version, rows?: readonly Row[]): void {
    assert(index === this.#applied + 1, () => `apply ${index} after ${this.#applied}`)
    let nextRow = 0
    let bytes = 0
    for (const fact of facts) {
      if (fact.op === 'deleteRange') {
        this.windows.deleteRange(fact.from, fact.to)
        this.#digests.replace(fact.slot, 0, 0, fact.sum0, fact.sum1)
        continue
      }
      const { key, prev0, prev1 } = fact
      const slot = slotOfRow(key)
      let row: Row | null = null
      if (fact.op === 'put') {
        row =
          rows === undefined
            ? // A copy: a view would keep the whole piece of the log in memory that was read with it.
              makeRow(key, version, Buffer.from(fact.value))
            : must(rows[nextRow++], 'row of a put')
        this.#digests.replace(slot, row.hash0, row.hash1, prev0, prev1)
        bytes += row.value.length
      } else {
        this.#digests.replace(slot, 0, 0, prev0, prev1)
      }
      bytes += key.length
      if (key.charCodeAt(0) === replyKind) this.windows.set(key, row)
      else {
        this.#layers.set(key, row, index, prev0 === 0 && prev1 === 0)
        if (isPartitionRow(key)) this.#partitionRows.set(key, row)
      }
    }
    assert(rows === undefined || nextRow === rows.length, () => `${rows?.length} rows for ${nextRow} puts`)
    this.#maintenance.appliedBytes += bytes
    this.#applied = index
  }

  /** Passes the next entry, which has no facts. */
  advance(index: LogIndex): void {
    assert(index === this.#applied + 1, () => `advance to ${index} after ${this.#applied}`)
    this.#applied = index
  }

  /**
   * All rows in the range as of now, in key order, in pages. Iterate it or close it. Kept replies are not
   * shown. CLOSED once the state is, also from the scan.
   */
  scan(range: ScanRange): Scan {
    this.#checkOpen()
    assert(this.isReadable, () => `scan at ${this.#applied}, below the store's ${this.#newest}`)
    const scan: Scan = new Scan(this.#layers, this.#store, this.#clock, this.#applied, range, () => {
      this.#scans.delete(scan)
    })
    this.#scans.add(scan)
    return scan
  }

  /** The state as of now, for point reads at any later moment. Release it. CLOSED once the state is. */
  view(): StateView {
    this.#checkOpen()
    assert(this.isReadable, () => `view at ${this.#applied}, below the store's ${this.#newest}`)
    const view = new StateView(this.#layers, this.#store, this.#applied, closed => this.#views.delete(closed))
    this.#views.add(view)
    return view
  }

  /** The digest sums as of the applied index, two per slot: a copy. */
  digests(): Uint32Array {
    return this.#digests.copy()
  }

  /**
   * Computes all digests from the rows as of now and resolves with the slots that differ: none, or damage.
   * Rejects with CLOSED when the state is closed before all are seen.
   */
  async scrub(): Promise<{ readonly index: LogIndex; readonly slots: readonly number[] }> {
    const expected = this.digests()
    const counted = new Digests(new Uint32Array(digestWords))
    for (const window of this.windows.all()) {
      for (const row of window.rows) counted.replace(window.slot, row.hash0, row.hash1, 0, 0)
    }
    const scan = this.scan({})
    for await (const page of scan) {
      for (const [key, row] of page) counted.replace(slotOfRow(key), row.hash0, row.hash1, 0, 0)
    }
    return { index: scan.index, slots: differingSlots(expected, counted.copy()) }
  }

  /** When it resolves, everything applied before the call is written to the store, not yet durably. */
  async flush(): Promise<void> {
    await this.#maintenance.flush()
  }

  /**
   * Makes everything applied durable in the store's tables, proves it and records it through `record`, which
   * must make the bytes durable. Does nothing and resolves with false unless one is due or forced.
   */
  async checkpoint(record: RecordCheckpoint, options?: { readonly force?: boolean }): Promise<boolean> {
    return await this.#maintenance.checkpoint(record, options)
  }

  /**
   * Makes a checkpoint as `checkpoint` does, unless nothing is new, and holds the stored rows as of it, for a
   * snapshot. Release it, before the state is closed.
   */
  async hold(record: RecordCheckpoint): Promise<HeldState> {
    assert(this.isReadable, () => `hold at ${this.#applied}, below the store's ${this.#newest}`)
    return await this.#maintenance.hold(record)
  }

  /** Starts a flush or checkpoint when due: call it after applying; it costs nothing otherwise. */
  maintain(record?: RecordCheckpoint): void {
    this.#maintenance.maintain(record)
  }

  /**
   * Ends all scans (who reads on gets CLOSED) and closes the store; with `record` after a last checkpoint, so
   * that the next open replays nothing.
   */
  async close(options: { readonly record?: RecordCheckpoint } = {}): Promise<void> {
    try {
      await this.#maintenance.close(options.record)
    } finally {
      this.#isClosed = true
      for (const scan of [...this.#scans]) await scan.end()
      for (const view of [...this.#views]) view.end()
      await this.#layers.close()
      await this.#store.close()
    }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw storeClosed()
  }
}

function checkedRows(
  keys: readonly RowKey[],
  asBytes: readonly Buffer[],
  found: readonly (Buffer | undefined)[],
): Map<RowKey, Row | null> {
  const rows = new Map<RowKey, Row | null>()
  for (const [at, key] of keys.entries()) {
    const bytes = found[at]
    rows.set(key, bytes === undefined ? null : checkedRow(asBytes[at] ?? keyBytes(key), bytes))
  }
  return rows
}
