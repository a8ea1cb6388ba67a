/** All doors to the outside world in one value: what a node is given, real or simulated. */
import type { Random } from '../base/random.js'
import type { Clock } from './clock.js'
import type { Disk } from './disk.js'
import type { KeyValueStores } from './key-value.js'

/** Holds a data folder for this process alone, until released. */
export interface FolderLock {
  release(): Promise<void>
}

/** What a node is given: clock, disk, key-value stores, chance, and a lock on its folder. */
export interface Environment {
  readonly clock: Clock
  readonly disk: Disk
  readonly keyValue: KeyValueStores
  /** Chance: seeded from the system in production, from the seed in a simulation. */
  readonly random: Random
  /** Nothing outlives this process: nothing need be kept to make anything from again. */
  readonly isVolatile?: true
  /** Takes the folder for this process; FOLDER_IN_USE when another one holds it. */
  lockFolder(folder: string): Promise<FolderLock>
}
