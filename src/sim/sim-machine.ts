/**
 * One simulated machine under one seed: disk and key-value stores that outlive the processes, and the
 * environment of the process that runs on it now, with its door to the network if there are cables.
 */
import { must } from '../base/assert.js'
import type { Random } from '../base/random.js'
import type { Environment } from '../env/environment.js'
import { FolderLocks } from '../env/folder-locks.js'
import type { Network } from '../env/network.js'
import type { SimClock, SimProcessClock } from './sim-clock.js'
import { SimDisk, type SimDiskOptions } from './sim-disk.js'
import type { CrashMode } from './sim-file.js'
import { SimKeyValueStores } from './sim-key-value.js'
import type { SimDoor, SimNetwork } from './sim-network.js'

/** How a simulated machine behaves. */
export interface SimMachineOptions extends Omit<SimDiskOptions, 'clock' | 'random' | 'process'> {
  readonly clock: SimClock
  readonly random: Random
  /** See SimKeyValueStores. */
  readonly rotationLoss?: boolean
  /** How far the machine's wall clock is ahead, until it jumps. */
  readonly wallSkewMs?: number
  /** How fast the machine's monotonic clock runs, until it is changed. */
  readonly clockRate?: number
  /** Where the machine's cable ends, and its name there. */
  readonly network?: { readonly cables: SimNetwork; readonly host: string }
}

/** Processes come and go by `crash` and `restart`; disk and stores stay, as far as the crash left them. */
export class SimMachine {
  readonly #options: SimMachineOptions
  #disk: SimDisk
  #keyValue: SimKeyValueStores
  #clock: SimProcessClock
  #door: SimDoor | undefined
  #environment: Environment
  #starts = 0

  constructor(options: SimMachineOptions) {
    this.#options = options
    const random = options.random
    const { wallSkewMs = 0, clockRate = 1, faults } = options
    const clock = options.clock.process({ wallSkewMs, rate: clockRate, ...(faults && { faults }) })
    const onCrash = (mode: CrashMode): void => {
      this.#keyValue.crash(mode)
      this.#clock.kill()
      this.#door?.kill({ isSilent: mode !== 'all' })
      options.onCrash?.(mode)
    }
    this.#disk = new SimDisk({ ...options, random: random.split('disk'), process: clock, onCrash })
    this.#keyValue = new SimKeyValueStores({
      ...options,
      random: random.split('key-value'),
      disk: this.#disk,
      process: clock,
    })
    this.#clock = clock
    this.#door = this.#plugIn()
    this.#environment = this.#start()
  }

  /** The disk as the present process has it: for faults and a look inside. */
  get disk(): SimDisk {
    return this.#disk
  }

  /** The key-value stores as the present process has them: for faults. */
  get keyValue(): SimKeyValueStores {
    return this.#keyValue
  }

  /** The clock and the event loop of the present process: for faults. Clocks that are wrong stay so. */
  get clock(): SimProcessClock {
    return this.#clock
  }

  /** The network as the present process has it; dies with it, without a word to others if power is lost. */
  get network(): Network {
    return must(this.#door, 'cables')
  }

  /** What the present process is given. */
  get environment(): Environment {
    return this.#environment
  }

  /** Ends the present process: its timers never fire, its operations never settle. */
  crash(mode: CrashMode): void {
    this.#disk.crash(mode)
  }

  /** The machine loses power, and all that was on its disk: the next process finds nothing. */
  wipe(): void {
    this.#disk.wipe()
  }

  /** The present process ends by itself at the n-th disk operation from now; see SimDisk.crashAt. */
  crashAt(operations: number, mode: CrashMode): void {
    this.#disk.crashAt(operations, mode)
  }

  /** The next process, on what the crash left; without a crash before, there is one now (mode 'all'). */
  restart(): Environment {
    this.crash('all')
    const { wallSkewMs, rate } = this.#clock
    const { clock, faults } = this.#options
    const process = clock.process({ wallSkewMs, rate, ...(faults && { faults }) })
    this.#disk = this.#disk.restart({ process })
    this.#keyValue = this.#keyValue.restart({ disk: this.#disk, process })
    this.#clock = process
    this.#door = this.#plugIn()
    this.#environment = this.#start()
    return this.#environment
  }

  #plugIn(): SimDoor | undefined {
    const { network } = this.#options
    return network?.cables.process(network.host, this.#clock)
  }

  #start(): Environment {
    const locks = new FolderLocks()
    return {
      clock: this.#clock,
      disk: this.#disk,
      keyValue: this.#keyValue,
      random: this.#options.random.split(`process ${++this.#starts}`),
      lockFolder: async folder => locks.take(folder),
    }
  }
}
