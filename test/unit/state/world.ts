/** One replica's state on a simulated machine, beside its model and its log. */
import type { Test } from 'tap'
import { readIndex } from '../../../src/base/entry.js'
import { SillokError } from '../../../src/base/errors.js'
import { Random } from '../../../src/base/random.js'
import type { RowKey } from '../../../src/codec/row.js'
import type { KeyValueStore } from '../../../src/env/key-value.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import type { ScanRange } from '../../../src/state/scan.js'
import { State } from '../../../src/state/state.js'
import { SessionWindows } from '../../../src/state/windows.js'
import { differences } from './compare.js'
import { allKeys, type LoggedEntry, Model } from './model.js'

export const folder = 'node/state-1'

export class World {
  readonly random: Random
  readonly clock = new SimClock()
  readonly machine: SimMachine
  /** While true, every write to the key-value store finds the disk full. */
  full = false
  readonly log: LoggedEntry[] = []
  model = new Model()
  /** What the write-ahead log has recorded. */
  recorded: Buffer | undefined
  failures: unknown[] = []
  rebuilt: string | undefined
  replayed = 0
  #state: State | undefined
  #life = 0
  #beside = new Set<Promise<void>>()

  constructor(seed: string) {
    this.random = new Random(seed)
    this.machine = new SimMachine({
      clock: this.clock,
      random: this.random.split('machine'),
      rotationLoss: true,
    })
  }

  get state(): State {
    if (this.#state === undefined) throw new Error('the state is not open')
    return this.#state
  }

  /** Records in the write-ahead log, after a while. */
  get record(): (bytes: Buffer) => Promise<void> {
    const life = this.#life
    return async bytes => {
      await this.pass(this.random.fraction())
      if (life !== this.#life) return await new Promise<void>(() => {})
      this.recorded = bytes
      await this.pass(this.random.fraction())
    }
  }

  /** Lets simulated time pass. */
  async pass(ms: number): Promise<void> {
    await new Promise<void>(resolve => this.clock.after(ms, resolve))
  }

  /** The same for what runs beside: it ends with the process. */
  async passHere(ms: number): Promise<void> {
    await new Promise<void>(resolve => this.machine.environment.clock.after(ms, resolve))
  }

  /** Something that runs beside; a clean close waits for it. */
  beside(work: Promise<unknown>, failed: (error: unknown) => void): void {
    const done: Promise<void> = work.then(
      () => void this.#beside.delete(done),
      error => failed(error),
    )
    this.#beside.add(done)
  }

  /** Opens the state and replays the log up to `end`. */
  async open(options: { damaged?: string; logLastIndex?: number } = {}): Promise<void> {
    const { disk, keyValue, clock } = this.machine.environment
    const stored = options.damaged === undefined ? await this.#newestStored() : 0
    const { state, replayFrom, rebuilt } = await State.open({
      disk,
      keyValue: { open: async (path, options) => this.#mayBeFull(await keyValue.open(path, options)) },
      clock,
      folder,
      writeBufferBytes: 3000,
      limits: { flushBatchBytesMax: 100 + this.random.below(2000) },
      logLastIndex: this.log.length,
      failed: error => this.failures.push(error),
      ...(this.recorded === undefined ? {} : { checkpoint: this.recorded }),
      ...options,
    })
    this.rebuilt = rebuilt
    if (rebuilt === undefined && stored > state.newest) {
      throw new Error(`the store holds a row of ${stored}, it says ${state.newest}`)
    }
    this.#state = state
    this.replayed = this.log.length - replayFrom + 1
    for (let index = replayFrom; index <= this.log.length; index++) {
      this.#apply(index, this.log[index - 1] as LoggedEntry, false)
      // Flushes during the replay, also below what the store held.
      const flushes = this.random.below(100)
      if (flushes === 0) await state.flush()
      else if (flushes === 1) void state.flush().catch(() => undefined)
    }
  }

  /** Power loss or the end of the process, then the next process. */
  async restart(mode: CrashMode): Promise<void> {
    this.machine.crash(mode)
    this.#beside = new Set()
    this.#life++
    this.#state = undefined
    this.machine.restart()
    await this.open()
  }

  async closeAndOpen(): Promise<void> {
    await Promise.all(this.#beside)
    await this.state.close({ record: this.record })
    this.#life++
    this.machine.crash('all')
    this.machine.restart()
    await this.open()
  }

  /** Decides and applies that many entries. */
  write(count: number): void {
    for (let i = 0; i < count; i++) {
      const index = this.log.length + 1
      const entry = this.model.decide(this.random, index)
      this.log.push(entry)
      this.#apply(index, entry, this.random.chance(0.5))
    }
  }

  /** Compares everything with the model. */
  async compare(t: Test, when: string): Promise<boolean> {
    return t.strictSame(await differences(this.state, this.model), [], when)
  }

  randomRange(): ScanRange {
    const keys = allKeys()
    const range: { gte?: RowKey; lt?: RowKey; reverse: boolean; pageRows: number } = {
      reverse: this.random.chance(0.5),
      pageRows: 1 + this.random.below(20),
    }
    if (this.random.chance(0.7)) range.gte = this.random.pick(keys)
    if (this.random.chance(0.7)) range.lt = this.random.pick(keys)
    return range
  }

  #mayBeFull(store: KeyValueStore): KeyValueStore {
    const make = store.batch.bind(store)
    store.batch = () => {
      const batch = make()
      const write = batch.write
      batch.write = async options => {
        if (this.full) throw new SillokError('DISK_FULL', 'no space left')
        await write(options)
      }
      return batch
    }
    return store
  }

  /** The newest index of a row that is in the store. */
  async #newestStored(): Promise<number> {
    if ((await this.machine.disk.list(folder)).length === 0) return 0
    const store = await this.machine.environment.keyValue.open(folder, { writeBufferBytes: 3000 })
    let newest = 0
    for (const [key, value] of await store.iterate({}).next(100_000)) {
      if (key.toString('latin1', 0, 1) === '!') continue
      const versions = [readIndex(value, 4)]
      if (key.toString('latin1', 0, 1) === 's') {
        const windows = new SessionWindows()
        windows.restore(key, value)
        versions.pop()
        for (const window of windows.all()) versions.push(...window.rows.map(row => row.version ?? 0))
      }
      for (const version of versions) newest = Math.max(newest, version % 2 ** 40)
    }
    await store.close()
    return newest
  }

  #apply(index: number, entry: LoggedEntry, prepared: boolean): void {
    if (entry.facts.length === 0) this.state.advance(index)
    else if (prepared) this.state.apply(index, entry.facts, entry.version, entry.rows)
    else this.state.apply(index, entry.facts, entry.version)
  }
}
