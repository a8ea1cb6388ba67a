/** The environment of production: the system's time, chance, files and locks, and `level`. */
import type { Environment } from './environment.js'
import { LevelKeyValueStores } from './level-key-value.js'
import { RealClock } from './real-clock.js'
import { RealDisk } from './real-disk.js'
import { lockFolder } from './real-lock.js'
import { systemRandom } from './system-random.js'

/** A fresh one each time; its disk's thread starts with the first log device and ends with `disk.close()`. */
export function realEnvironment(): Environment {
  const disk = new RealDisk()
  return {
    clock: new RealClock(),
    disk,
    keyValue: new LevelKeyValueStores(),
    random: systemRandom(),
    lockFolder: folder => lockFolder(disk, folder),
  }
}
