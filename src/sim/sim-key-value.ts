/**
 * Simulated key-value stores, with what was measured of LevelDB's faults.
 *
 * A crash keeps or drops each unsynced batch whole, also from the middle. A synced write makes itself and
 * everything before it durable; with `rotationLoss` only what is in the current log or was compacted before
 * it, as LevelDB leaves batches of a log that it closed at `writeBufferBytes` unsynced until their table is
 * written. An empty batch does nothing, synced or not. A failing write rejects and may have happened. Opening
 * makes what is found durable.
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
import { MemoryRows } from '../env/memory-rows.js'
import type { CrashMode } from './sim-file.js'

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

  afterCrash(mode: CrashMode, random: Random): StoredRows {
    const left = new StoredRows()
    left.durable = this.durable.clone()
    if (mode === 'all') {
      left.rows = this.rows.clone()
      left.unsynced = this.unsynced.map(batch => ({ ...batch }))
      return left
    }
    for (const batch of this.#survivors(mode, random)) applyChanges(left.durable, batch.changes)
    left.rows = left.durable.clone()
    return left
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
  #crashed: CrashMode | undefined
  #failWrites = 0
  #opened = 0

  constructor(options: SimKeyValueOptions, stored = new Map<string, StoredRows>()) {
    this.#options = options
    this.#random = options.random
    this.#stored = stored
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
      read: () => this.#pause(),
      write: (changes, sync) => this.#write(stored, changes, sync, options.writeBufferBytes),
      compact: async () => {
        const before = stored.unsynced.slice()
        stored.rotate()
        await this.#pause()
        for (const batch of before) batch.log = Number.POSITIVE_INFINITY
      },
      close: async () => {
        await this.#pause()
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
    for (const [name, stored] of this.#stored) left.set(name, stored.afterCrash(mode, this.#random))
    return new SimKeyValueStores({ ...this.#options, ...options }, left)
  }

  /** The next write, of any store, rejects with DISK_FAILED; it may have happened. */
  failNextWrite(): void {
    this.#failWrites++
  }

  /** Turns one bit of the stored value, of the store last opened in that folder. */
  flipValue(folder: string, key: Buffer, bit = 0): void {
    this.#tamper(folder, key, value => {
      const turned = Buffer.from(value)
      turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      return turned
    })
  }

  /** The row vanishes without an error, from the store last opened in that folder. */
  dropRow(folder: string, key: Buffer): void {
    this.#tamper(folder, key, () => undefined)
  }

  #tamper(folder: string, key: Buffer, change: (value: Buffer) => Buffer | undefined): void {
    const name = must(this.#names.get(folder), `a store opened in ${folder}`)
    const stored = must(this.#stored.get(name), name)
    const value = change(must(stored.rows.get(key), 'the row'))
    stored.harden(stored.unsynced.length, 0)
    applyChanges(stored.rows, [[key, value]])
    applyChanges(stored.durable, [[key, value]])
  }

  async #write(
    stored: StoredRows,
    changes: readonly RowChange[],
    sync: boolean,
    logBytesMax: number,
  ): Promise<void> {
    if (this.#crashed !== undefined) return never()
    const fails = this.#failWrites > 0
    if (fails) this.#failWrites--
    if (!fails || this.#random.chance(0.5)) stored.write(changes, logBytesMax)
    const last = stored.unsynced.at(-1)
    const log = stored.log
    await this.#pause()
    if (fails) throw new SillokError('DISK_FAILED', 'the key-value store reports an I/O error')
    // What was written after this batch is not covered by its sync.
    if (!sync || last === undefined) return
    stored.harden(stored.unsynced.indexOf(last) + 1, this.#options.rotationLoss ? Math.min(log, last.log) : 0)
  }

  async #pause(): Promise<void> {
    if (this.#crashed !== undefined) return never()
    if (this.#options.latency !== 'none') {
      const ms = 0.01 + 1.99 * this.#random.fraction() ** 3
      await new Promise<void>(resolve => this.#options.clock.after(ms, resolve))
    } else {
      await Promise.resolve()
    }
    return this.#crashed === undefined ? undefined : never()
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}
