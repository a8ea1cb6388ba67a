/** The environment of a store without files: real time, disk and key-value stores in memory. */
import type { Environment } from './environment.js'
import { FolderLocks } from './folder-locks.js'
import { MemoryDisk } from './memory-disk.js'
import { MemoryKeyValueStores } from './memory-key-value.js'
import { RealClock } from './real-clock.js'
import { systemRandom } from './system-random.js'

/** A fresh one each time: nothing is shared, nothing is left when the last reference goes. */
export function memoryEnvironment(): Environment {
  const clock = new RealClock()
  const disk = new MemoryDisk(clock)
  const locks = new FolderLocks()
  return {
    clock,
    disk,
    keyValue: new MemoryKeyValueStores(disk),
    random: systemRandom(),
    isVolatile: true,
    lockFolder: async folder => locks.take(folder),
  }
}
