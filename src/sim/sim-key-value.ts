/**
 * Simulated key-value stores, with what was measured of LevelDB's faults.
 *
 * A crash keeps or drops each unsynced batch whole, also from the middle. A synced write makes itself and
 * everything before it durable; with `rotationLoss` only what is in the current log or was compacted before
 * it, as LevelDB leaves batches of a log that it closed at `writeBufferBytes` unsynced until their table is
 * written. An empty batch does nothing, synced or not. A failing write rejects and may have happened. Opening
 * makes what is found durable.
 *
 * As the disk's, the verbs for faults draw from a stream of chance of their own and end with the process, and
 * the stores go on while the process is held.
 */
import { must } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { Random } from '../base/random.js'
import type { Clock } from '../env/clock.js'
import type { Disk } from '../env/disk.js'
import type { KeyValueOptions, KeyValueStore, KeyValueStores } from '../env/key-value.js'
import {
  applyChanges,
  MemoryKeyValueStore,
  type RowChange,
  storeInUse,
  storeName,
} from '../env/memory-key-value.js'
import { type MemoryRow, MemoryRows } from '../env/memory-rows.js'
import type { FaultCounts } from './fault-counts.js'
import { FaultPlan, type Strike } from './fault-plan.js'
import type { CrashMode } from './sim-file.js'
import { SimPace } from './sim-pace.js'
import { freeProcess, type SimProcess } from './sim-process.js'

/** How simulated key-value stores behave. */
export interface SimKeyValueOptions {
  readonly clock: Clock
  readonly random: Random
  /** The disk of the same process: the stores' folders stand there. */
  readonly disk: Disk
  /** 'random' (default): 0.01 to 2 ms of the clock per operation; 'none': the next microtask. */
  readonly latency?: 'random' | 'none'
  /** See the head of this file. */
  readonly rotationLoss?: boolean
  /** Who hears of the ends of operations; default: a process that is never held. */
  readonly process?: SimProcess
  readonly faults?: FaultCounts | undefined
}

/** A row of an open store. */
export interface StoredRow {
  readonly folder: string
  readonly key: Buffer
}

interface Unsynced {
  readonly changes: readonly RowChange[]
  /** The log that holds the batch; Infinity once it was compacted. */
  log: number
  /** Durable, but an older batch is not: kept here because the older one must not be applied after it. */
  synced: boolean
}

/** One store as the medium holds it. */
class StoredRows {
  rows = new MemoryRows()
  durable = new MemoryRows()
  unsynced: Unsynced[] = []
  log = 1
  logBytes = 0

  write(changes: readonly RowChange[], logBytesMax: number): void {
    applyChanges(this.rows, changes)
    this.unsynced.push({ changes, log: this.log, synced: false })
    for (const [key, value] of changes) this.logBytes += key.length + (value?.length ?? 0)
    if (this.logBytes >= logBytesMax) this.rotate()
  }

  rotate(): void {
    this.log++
    this.logBytes = 0
  }

  /** Makes the first `count` unsynced batches durable, those of the given log and later ones only. */
  harden(count: number, fromLog: number): void {
    for (const batch of this.unsynced.slice(0, count)) batch.synced ||= batch.log >= fromLog
    const open = this.unsynced.findIndex(batch => !batch.synced)
    const ready = this.unsynced.splice(0, open < 0 ? this.unsynced.length : open)
    for (const batch of ready) applyChanges(this.durable, batch.changes)
  }

  /** Puts it there, or takes it away, behind everybody's back. No unsynced batch may have to do with it. */
  tamper(key: Buffer, value: Buffer | undefined): void {
    applyChanges(this.rows, [[key, value]])
    applyChanges(this.durable, [[key, value]])
  }

  /** The rows that are durable, and that no unsynced batch has to do with. */
  quietRows(): MemoryRow[] {
    const touched = new Set<string>()
    for (const { changes } of this.unsynced) for (const [key] of changes) touched.add(key.toString('latin1'))
    return [...this.durable.clone().range({})].filter(([key]) => !touched.has(key.toString('latin1')))
  }

  afterCrash(mode: CrashMode, random: Random, faults?: FaultCounts): StoredRows {
    const left = new StoredRows()
    left.durable = this.durable.clone()
    if (mode === 'all') {
      left.rows = this.rows.clone()
      left.unsynced = this.unsynced.map(batch => ({ ...batch }))
      return left
    }
    const kept = this.#survivors(mode, random)
    for (const batch of kept) applyChanges(left.durable, batch.changes)
    const lost = this.unsynced.filter(batch => !kept.includes(batch))
    const last = kept.at(-1)
    const inside = last === undefined ? [] : lost.filter(batch => this.#isBefore(batch, last))
    faults?.count('store-batch-lost', lost.length)
    faults?.count('store-batch-lost-from-the-middle', inside.length)
    left.rows = left.durable.clone()
    return left
  }

  #isBefore(one: Unsynced, other: Unsynced): boolean {
    return this.unsynced.indexOf(one) < this.unsynced.indexOf(other)
  }

  #survivors(mode: 'none' | 'any', random: Random): Unsynced[] {
    const count = this.unsynced.length
    const cut = random.below(count + 1)
    const share = random.fraction()
    const shapes: ((at: number) => boolean)[] = [at => at < cut, at => at !== cut, () => random.chance(share)]
    const kept = mode === 'any' ? random.pick(shapes) : () => false
    return this.unsynced.filter((batch, at) => batch.synced || kept(at))
  }
}

/** All stores of one process, with verbs for faults beside that of the door. */
export class SimKeyValueStores implements KeyValueStores {
  readonly #options: SimKeyValueOptions
  readonly #random: Random
  readonly #stored: Map<string, StoredRows>
  readonly #names = new Map<string, string>()
  readonly #open = new Set<string>()
  readonly #faultRandom: Random
  readonly #plan: FaultPlan<'failed-write' | 'lost-compaction'>
  /** How fast it is: slow for a while, or hung. */
  readonly pace: SimPace
  readonly #process: SimProcess
  readonly #faults: FaultCounts | undefined
  #crashed: CrashMode | undefined
  #opened = 0

  constructor(
    options: SimKeyValueOptions,
    stored = new Map<string, StoredRows>(),
    faultRandom = options.random.split('key-value faults'),
  ) {
    this.#options = options
    this.#random = options.random
    this.#stored = stored
    this.#faultRandom = faultRandom
    this.#plan = new FaultPlan(faultRandom)
    const kinds = { slow: 'slow-store', hung: 'hung-store' } as const
    this.pace = new SimPace({ ...options, faultRandom, kinds })
    this.#process = options.process ?? freeProcess
    this.#faults = options.faults
  }

  /** Opens the store in the folder, as the disk of the same process finds it. */
  async open(folder: string, options: KeyValueOptions): Promise<KeyValueStore> {
    const fresh = (): string => `store-${this.#random.uint32()}-${++this.#opened}`
    const name = await storeName(this.#options.disk, folder, fresh)
    if (this.#open.has(name)) throw storeInUse(folder)
    this.#open.add(name)
    this.#names.set(folder, name)
    const stored = this.#stored.get(name) ?? new StoredRows()
    this.#stored.set(name, stored)
    stored.harden(stored.unsynced.length, 0)
    stored.rotate()
    return new MemoryKeyValueStore({
      rows: stored.rows,
      read: () => this.#pause(folder),
      write: (changes, sync) => this.#write(folder, stored, changes, sync, options.writeBufferBytes),
      compact: () => this.#compact(folder, stored),
      close: async () => {
        await this.#pause(folder)
        this.#open.delete(name)
      },
    })
  }

  /** From now on no operation settles. */
  crash(mode: CrashMode): void {
    this.#crashed ??= mode
  }

  /** What the next process finds; that process's disk must be given. */
  restart(options: Partial<SimKeyValueOptions> & { readonly disk: Disk }): SimKeyValueStores {
    this.crash('all')
    const mode = must(this.#crashed, 'the mode of the crash')
    const left = new Map<string, StoredRows>()
    for (const [name, stored] of this.#stored) {
      left.set(name, stored.afterCrash(mode, this.#random, this.#faults))
    }
    return new SimKeyValueStores({ ...this.#options, ...options }, left, this.#faultRandom)
  }

  /** The next write, of any store, rejects with DISK_FAILED; it may have happened. */
  failNextWrite(): void {
    this.failWrites()
  }

  /** Writes reject so, of the stores in the folders that it says. */
  failWrites(strike?: Strike): void {
    this.#plan.arrange('failed-write', strike)
  }

  /** Compactions resolve and have not happened; the next write there is rejected, as on a full disk. */
  loseCompactions(strike?: Strike): void {
    this.#plan.arrange('lost-compaction', strike)
  }

  /** Ends what lasts: what was arranged and did not strike, slowness, hanging. */
  calm(): void {
    this.#plan.calm()
    this.pace.calm()
  }

  /**
   * Turns some bit of some durable value, in a store that this process has opened; an unsynced batch keeps
   * what it changes. Returns which row it was, or undefined if there is none.
   */
  flipAny(random: Random, where?: (folder: string) => boolean): StoredRow | undefined {
    const found = this.#anyRow(random, where, value => value.length > 0)
    if (found === undefined) return undefined
    const { stored, folder, key, value } = found
    stored.tamper(key, turned(value, random.below(value.length * 8)))
    this.#faults?.count('store-value-flipped')
    return { folder, key: Buffer.from(key) }
  }

  /** The same: a stretch of rows vanishes, up to all. Returns how many. */
  dropSome(random: Random, where?: (folder: string) => boolean): number {
    const found = this.#anyRow(random, where, () => true)
    if (found === undefined) return 0
    const rows = found.stored.quietRows()
    const from = random.below(rows.length)
    const lost = rows.slice(from, from + 1 + random.below(rows.length - from))
    for (const [key] of lost) found.stored.tamper(key, undefined)
    this.#faults?.count('store-rows-lost')
    return lost.length
  }

  /** The same: some row vanishes. */
  dropAny(random: Random, where?: (folder: string) => boolean): StoredRow | undefined {
    const found = this.#anyRow(random, where, () => true)
    if (found === undefined) return undefined
    found.stored.tamper(found.key, undefined)
    this.#faults?.count('store-row-lost')
    return { folder: found.folder, key: Buffer.from(found.key) }
  }

  /** Turns one bit of the stored value, of the store last opened in that folder. */
  flipValue(folder: string, key: Buffer, bit = 0): void {
    this.#tamper(folder, key, value => turned(value, bit))
    this.#faults?.count('store-value-flipped')
  }

  /** The row vanishes without an error, from the store last opened in that folder. */
  dropRow(folder: string, key: Buffer): void {
    this.#tamper(folder, key, () => undefined)
    this.#faults?.count('store-row-lost')
  }

  #anyRow(
    random: Random,
    where: (folder: string) => boolean = () => true,
    isWanted: (value: Buffer) => boolean,
  ): { stored: StoredRows; folder: string; key: Buffer; value: Buffer } | undefined {
    const rows = [...this.#names].flatMap(([folder, name]) => {
      const stored = this.#stored.get(name)
      if (stored === undefined || !where(folder)) return []
      const quiet = stored.quietRows().filter(([, value]) => isWanted(value))
      if (quiet.length === 0) return []
      const [key, value] = random.pick(quiet)
      return [{ stored, folder, key, value }]
    })
    return rows.length === 0 ? undefined : random.pick(rows)
  }

  #tamper(folder: string, key: Buffer, change: (value: Buffer) => Buffer | undefined): void {
    const name = must(this.#names.get(folder), `a store opened in ${folder}`)
    const stored = must(this.#stored.get(name), name)
    const value = change(must(stored.rows.get(key), 'the row'))
    stored.harden(stored.unsynced.length, 0)
    stored.tamper(key, value)
  }

  async #compact(folder: string, stored: StoredRows): Promise<void> {
    const before = stored.unsynced.slice()
    const isLost = this.#plan.strikes('lost-compaction', folder)
    stored.rotate()
    await this.#pause(folder)
    if (isLost) {
      this.#plan.arrange('failed-write', { where: path => path === folder })
      if (before.length > 0) this.#faults?.count('store-compaction-lost')
    } else for (const batch of before) batch.log = Number.POSITIVE_INFINITY
  }

  async #write(
    folder: string,
    stored: StoredRows,
    changes: readonly RowChange[],
    sync: boolean,
    logBytesMax: number,
  ): Promise<void> {
    if (this.#crashed !== undefined) return never()
    const fails = this.#plan.strikes('failed-write', folder)
    const isDone = !fails || this.#random.chance(0.5)
    if (isDone) stored.write(changes, logBytesMax)
    if (fails) this.#faults?.count(isDone ? 'store-write-failed-but-done' : 'store-write-failed')
    const last = stored.unsynced.at(-1)
    const log = stored.log
    await this.#pause(folder, () => {
      // What was written after this batch is not covered by its sync.
      if (!sync || last === undefined || fails) return
      const fromLog = this.#options.rotationLoss ? Math.min(log, last.log) : 0
      stored.harden(stored.unsynced.indexOf(last) + 1, fromLog)
    })
    if (fails) throw new SillokError('DISK_FAILED', 'the key-value store reports an I/O error')
  }

  /** The operation takes its time and is done; then its process hears of it. */
  async #pause(folder: string, done?: () => void): Promise<void> {
    if (this.#crashed !== undefined) return never()
    await (this.pace.wait(folder) ?? Promise.resolve())
    if (this.#crashed !== undefined) return never()
    done?.()
    if (this.#process.isHeld) await new Promise<void>(resolve => this.#process.arrive(resolve))
    return this.#crashed === undefined ? undefined : never()
  }
}

function turned(value: Buffer, bit: number): Buffer {
  const other = Buffer.from(value)
  other.writeUInt8(other.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return other
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}
