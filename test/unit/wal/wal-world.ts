/**
 * A log on a simulated disk, driven by a seeded workload, beside a model of what must be there.
 *
 * The model holds what was acknowledged, and the appends that wait. After a crash the log must equal the
 * model after some prefix of the waiting appends.
 */
import assert from 'node:assert/strict'
import { type Entry, encodeEntry } from '../../../src/base/entry.js'
import type { SillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk } from '../../../src/sim/sim-disk.js'
import type { Append } from '../../../src/wal/partition-log.js'
import {
  createdRegister,
  decodeSegmentSynced,
  decodeTruncation,
  destroyedRegister,
  hardStateRegister,
  opaqueRegister,
  type Register,
  registerKinds,
  segmentSyncedRegister,
  truncationRegister,
} from '../../../src/wal/registers.js'
import { Wal, type WalOptions } from '../../../src/wal/wal.js'

export const folder = 'node/wal'

export interface ModelPartition {
  registers: Map<number, Buffer>
  entries: Map<number, Entry>
  last: number
  released: number
}

export type Model = Map<number, ModelPartition>

export function cloneModel(model: Model): Model {
  const copy: Model = new Map()
  for (const [id, one] of model) {
    copy.set(id, { ...one, registers: new Map(one.registers), entries: new Map(one.entries) })
  }
  return copy
}

export function applyAppend(model: Model, append: Append): void {
  let own = model.get(append.partition)
  if (own === undefined) {
    own = { registers: new Map(), entries: new Map(), last: 0, released: 0 }
    model.set(append.partition, own)
  }
  for (const register of append.registers ?? []) applyRegister(own, register)
  for (const entry of append.entries ?? []) {
    for (let old = entry.index + 1; old <= own.last; old++) own.entries.delete(old)
    own.entries.set(entry.index, entry)
    own.last = entry.index
  }
}

function applyRegister(own: ModelPartition, register: Register): void {
  if (register.kind === registerKinds.destroyed) {
    own.registers.clear()
    own.entries.clear()
    own.last = 0
    own.released = 0
  }
  own.registers.set(register.kind, register.payload)
  if (register.kind !== registerKinds.truncation) return
  const { index, term } = decodeTruncation(register.payload)
  if (index <= own.released) return
  const keep = own.entries.get(index)?.term === term
  if (!keep) {
    own.entries.clear()
    own.last = index
  }
  for (const old of own.entries.keys()) if (old <= index) own.entries.delete(old)
  own.released = Math.max(own.released, index)
}

/** Undefined if the log shows the model; otherwise the first difference. */
export function difference(wal: Wal, model: Model): string | undefined {
  const here = [...model].filter(([, own]) => own.registers.has(registerKinds.created)).map(([id]) => id)
  if (String(wal.partitions()) !== String(here.sort((a, b) => a - b))) {
    return `partitions ${wal.partitions()} instead of ${here}`
  }
  for (const [id, own] of model) {
    for (const kind of Object.values(registerKinds)) {
      if (kind === registerKinds.segmentSynced || kind === registerKinds.released) continue
      const found = wal.register(id, kind)?.toString('hex')
      if (found !== own.registers.get(kind)?.toString('hex')) return `register ${id}/${kind}: ${found}`
    }
    const wrong = tailDifference(wal, id, own)
    if (wrong !== undefined) return `partition ${id}: ${wrong}`
  }
  return undefined
}

function tailDifference(wal: Wal, id: number, own: ModelPartition): string | undefined {
  const tail = wal.tail(id)
  if (tail.lastIndex !== own.last) return `last ${tail.lastIndex} instead of ${own.last}`
  if (tail.firstIndex > own.released + 1) return `begins at ${tail.firstIndex}, released ${own.released}`
  const base = own.registers.get(registerKinds.truncation)
  const synced = wal.register(id, registerKinds.segmentSynced)
  const covered = Math.max(
    synced === undefined ? 0 : decodeSegmentSynced(synced).lastIndex,
    base === undefined ? 0 : decodeTruncation(base).index,
  )
  if (tail.firstIndex - 1 > covered) return `${tail.firstIndex - 1} released, registers say ${covered}`
  for (let index = tail.firstIndex; index <= own.last; index++) {
    const entry = tail.get(index)
    const expected = own.entries.get(index)
    if (expected === undefined) continue
    if (entry === undefined || !entry.bytes.equals(expected.bytes)) return `entry ${index} differs`
  }
  return undefined
}

export interface WorldOptions extends Partial<WalOptions> {
  readonly seed: string | number
  readonly partitions?: number
  readonly entryBytesMax?: number
  /** Partitions whose entries never commit. */
  readonly uncommitted?: readonly number[]
  readonly honourWanted?: boolean
}

export function entryOf(partition: number, index: number, term: number, body: Buffer | string): Entry {
  return encodeEntry({ partition, index, term, kind: 2 }, Buffer.from(body))
}

export const created = createdRegister({ replicaId: 1, cutBytes: 1 << 20 })

export class World {
  readonly clock = new SimClock()
  readonly random: Random
  readonly options: WorldOptions
  disk: SimDisk
  wal: Wal | undefined
  /** What was acknowledged. */
  model: Model = new Map()
  /** Appends that were not answered. */
  waiting: Append[] = []
  /** The model with all waiting appends. */
  ahead: Model = new Map()
  acknowledged = 0
  errors: SillokError[] = []
  failed: Error[] = []
  full: boolean[] = []
  asked = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.random = new Random(options.seed)
    this.disk = new SimDisk({ clock: this.clock, random: this.random.split('disk') })
  }

  async open(disk = this.disk): Promise<Wal> {
    const wal = await Wal.open({
      clock: this.clock,
      random: this.random.split(`wal${this.random.uint32()}`),
      folder,
      fileBytes: 64 * 1024,
      witnessMs: 50,
      failed: error => this.failed.push(error),
      diskFull: full => this.full.push(full),
      wanted: (partition, index) => this.wanted(disk, partition, index),
      ...this.options,
      disk,
    })
    this.disk = disk
    this.wal = wal
    return wal
  }

  /** Closes the log when all is written, and opens what the disk has. */
  async reopen(): Promise<void> {
    await this.drain()
    await this.log.close()
    await this.open(this.disk.restart())
  }

  get log(): Wal {
    assert(this.wal !== undefined)
    return this.wal
  }

  append(append: Append): void {
    this.waiting.push(append)
    applyAppend(this.ahead, append)
    this.log.append(append, error => {
      if (error !== undefined) {
        this.errors.push(error)
        return
      }
      const first = this.waiting.shift()
      assert.equal(first, append, 'answers come in the order of the appends')
      applyAppend(this.model, append)
      this.acknowledged++
    })
  }

  /** Syncs and releases what is committed, a little later. */
  wanted(disk: SimDisk, partition: number, index: number): void {
    this.asked++
    if (this.options.honourWanted === false || this.options.uncommitted?.includes(partition)) return
    const wal = this.wal
    this.clock.after(3, () => {
      if (disk.dead || this.disk !== disk) return
      this.release(partition, index, wal)
    })
  }

  release(partition: number, index: number, wal = this.wal): void {
    const own = this.model.get(partition)
    const ahead = this.ahead.get(partition)
    if (own === undefined || ahead === undefined || wal === undefined) return
    let through = Math.min(index, own.last, ahead.last)
    /** An entry that a waiting append replaces is not committed. */
    while (through > own.released && own.entries.get(through) !== ahead.entries.get(through)) through--
    if (through <= own.released || through <= ahead.released) return
    own.released = through
    ahead.released = through
    const synced = { firstIndex: 1, lastIndex: through, length: 100, crc: 7 }
    wal.release(partition, through, [segmentSyncedRegister(synced)])
  }

  /** The next append of the workload. */
  step(): void {
    const { random } = this
    const count = this.options.partitions ?? 3
    const partition = random.below(count)
    const own = this.ahead.get(partition)
    if (own === undefined || !own.registers.has(registerKinds.created)) {
      this.append({ partition, registers: [created, opaqueRegister('configuration', random.bytes(20))] })
      return
    }
    const term = own.entries.get(own.last)?.term ?? 1
    const steady = this.options.uncommitted !== undefined
    if (own.last > own.released && random.chance(0.04)) {
      this.conflict(partition, own, term + 1)
    } else if (random.chance(0.01) && !steady) {
      this.install(partition, own, term)
    } else if (random.chance(0.006) && !steady) {
      this.append({ partition, registers: [destroyedRegister({ highestReplicaId: this.acknowledged })] })
    } else {
      this.extend(partition, own.last + 1, term)
    }
  }

  extend(partition: number, from: number, term: number): void {
    const { random } = this
    const entries: Entry[] = []
    const bytesMax = this.options.entryBytesMax ?? 3000
    const count = 1 + random.below(3)
    for (let i = 0; i < count; i++) {
      entries.push(entryOf(partition, from + i, term, random.bytes(1 + random.below(bytesMax))))
    }
    const commit = Math.max(0, from - 1)
    const registers = random.chance(0.7) ? [hardStateRegister({ term, vote: 1, commit })] : []
    this.append({ partition, entries, registers })
  }

  conflict(partition: number, own: ModelPartition, term: number): void {
    const low = Math.max(own.released, own.last - 4)
    this.extend(partition, low + 1 + this.random.below(own.last - low), term)
  }

  install(partition: number, own: ModelPartition, term: number): void {
    const index = own.last + this.random.below(5)
    const matches = index === own.last && own.last > own.released && this.random.chance(0.5)
    const registers = [
      truncationRegister({ index, term: matches ? term : term + 3 }),
      opaqueRegister('snapshot', this.random.bytes(12)),
    ]
    this.append({ partition, registers })
  }

  /**
   * What is not released may fill half of the ring: a host whose log holds more releases before it goes on.
   */
  stayWithinBudget(): void {
    const { tailBytes, waitingBytes } = this.log.status()
    const ringBytes = (this.options.fileBytes ?? 64 * 1024) * (this.options.filesMax ?? 4)
    if (this.options.honourWanted === false || tailBytes + waitingBytes < ringBytes / 4) return
    for (const [partition, own] of this.model) {
      if (!this.options.uncommitted?.includes(partition)) this.release(partition, own.last)
    }
  }

  /** Appends that many, in gusts, with pauses. */
  async work(appends: number): Promise<void> {
    const { disk } = this
    for (let i = 0; i < appends && !disk.dead; ) {
      const gust = 1 + this.random.below(6)
      this.stayWithinBudget()
      for (let j = 0; j < gust && i < appends; j++, i++) this.step()
      if (this.random.chance(0.3)) this.log.kick()
      await this.pause(this.random.chance(0.1) ? 60 : this.random.fraction() * 4)
      for (
        let waits = 0;
        !disk.dead && !this.log.status().full && this.log.status().waitingBytes > 20_000;
        waits++
      ) {
        assert(waits < 10_000 || this.failed.length > 0, `appends wait for ever, seed ${this.options.seed}`)
        await this.pause(1)
      }
    }
  }

  /** Runs the work until it is done or the disk crashed. */
  async run(work: () => Promise<unknown>): Promise<void> {
    const { disk } = this
    await this.clock.run(Promise.race([work(), disk.crashed]))
  }

  async drain(): Promise<void> {
    for (let waits = 0; this.waiting.length > 0 && this.errors.length === 0; waits++) {
      assert(waits < 100_000 || this.failed.length > 0, `appends wait for ever, seed ${this.options.seed}`)
      await this.pause(1)
    }
  }

  pause(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  /** The log equals the model after a prefix of what waited; goes on from there. */
  check(): void {
    const model = cloneModel(this.model)
    const differences: string[] = []
    for (let taken = 0; ; taken++) {
      const wrong = difference(this.log, model)
      if (wrong === undefined) break
      differences.push(`${taken}: ${wrong}`)
      const next = this.waiting[taken]
      assert(
        next !== undefined,
        `acknowledged or whole, seed ${this.options.seed}: ${differences.join('; ')}`,
      )
      applyAppend(model, next)
    }
    for (const [id, own] of model) own.released = Math.max(own.released, this.log.tail(id).firstIndex - 1)
    this.model = model
    this.ahead = cloneModel(model)
    this.waiting = []
  }
}
