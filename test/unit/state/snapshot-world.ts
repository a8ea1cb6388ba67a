/** One replica's state beside its model, with snapshot files: both on a simulated machine that may crash. */
import { Random } from '../../../src/base/random.js'
import type { Disk } from '../../../src/env/disk.js'
import { Snapshots } from '../../../src/replica/snapshots.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import type { SnapshotHead } from '../../../src/state/snapshot-format.js'
import { State } from '../../../src/state/state.js'
import { type LoggedEntry, Model } from './model.js'

export const folders = { state: 'node/state', snapshots: 'node/snapshots' } as const

export class SnapshotWorld {
  readonly random: Random
  readonly clock = new SimClock()
  readonly machine: SimMachine
  readonly model = new Model()
  readonly log: LoggedEntry[] = []
  /** Entries up to this one are no longer in the log. */
  truncated = 0
  /** Registers of the write-ahead log. */
  checkpoint: Buffer | undefined
  register: Buffer | undefined
  rebuilt: string | undefined
  replayed = 0
  #state: State | undefined
  #snapshots: Snapshots | undefined

  constructor(name: string) {
    this.random = new Random(name)
    this.machine = new SimMachine({ clock: this.clock, random: this.random.split('m'), latency: 'none' })
  }

  get state(): State {
    if (this.#state === undefined) throw new Error('the state is not open')
    return this.#state
  }

  get snapshots(): Snapshots {
    if (this.#snapshots === undefined) throw new Error('the snapshots are not open')
    return this.#snapshots
  }

  /** Opens snapshots and state, and applies what the log has behind the state. */
  async open(): Promise<void> {
    const { disk, keyValue, clock } = this.machine.environment
    await disk.makeFolder('node')
    this.#snapshots = await this.openSnapshots(disk)
    const { state, replayFrom, rebuilt, badSnapshots } = await State.open({
      disk,
      keyValue,
      clock,
      folder: folders.state,
      writeBufferBytes: 3000,
      logFirstIndex: this.truncated + 1,
      logLastIndex: this.log.length,
      snapshots: this.#snapshots.files,
      limits: { flushBatchBytesMax: 100 + this.random.below(2000) },
      ...(this.checkpoint === undefined ? {} : { checkpoint: this.checkpoint }),
    })
    await this.#snapshots.distrust(badSnapshots ?? [])
    if (replayFrom <= this.truncated) throw new Error(`entry ${replayFrom} is needed and gone`)
    this.rebuilt = rebuilt
    this.replayed = this.log.length - replayFrom + 1
    this.#state = state
    for (let index = replayFrom; index <= this.log.length; index++) {
      this.#apply(index, this.log[index - 1] as LoggedEntry)
    }
  }

  /** Recording takes two operations of the disk, so a crash comes before and after it. */
  openSnapshots(disk: Disk): Promise<Snapshots> {
    const record = async (payload: Buffer): Promise<void> => {
      await disk.sizeOf('wal')
      this.register = payload
      await disk.sizeOf('wal')
    }
    return Snapshots.open({ disk, folder: folders.snapshots, recorded: this.register, record })
  }

  write(count: number): void {
    for (let i = 0; i < count; i++) {
      const index = this.log.length + 1
      const entry = this.model.decide(this.random, index)
      this.log.push(entry)
      this.#apply(index, entry)
    }
  }

  /** Makes a snapshot; `meanwhile` is called once the state is held. */
  async snapshot(meanwhile: () => void = () => {}, frameBytes = 700): Promise<void> {
    const held = await this.state.hold(async bytes => {
      this.checkpoint = bytes
    })
    try {
      meanwhile()
      await this.snapshots.make(headOf(held.index), held, frameBytes, () => false)
    } finally {
      held.release()
    }
  }

  /** The process ends; what `harm` does to the disk is durable before the next one opens. */
  async restart(mode: CrashMode, harm: (disk: Disk) => Promise<void> = async () => {}): Promise<void> {
    this.machine.crash(mode)
    const { disk } = this.machine.restart()
    await harm(disk)
    await this.open()
  }

  #apply(index: number, entry: LoggedEntry): void {
    if (entry.facts.length === 0) this.state.advance(index)
    else this.state.apply(index, entry.facts, entry.version)
  }
}

export function headOf(index: number): SnapshotHead {
  const configuration = Buffer.from('{"voters":[1]}')
  return { partition: 3, clusterEpoch: 1, index, term: 7, time: 1000 + index, lastCut: 0, configuration }
}

/** The state is lost. */
export async function loseState(disk: Disk): Promise<void> {
  await disk.remove(folders.state)
  await disk.syncFolder('node')
}
