/** Every key-value store keeps the laws of the door. */
import { Random } from '../../../src/base/random.js'
import { MemoryDisk } from '../../../src/env/memory-disk.js'
import { MemoryKeyValueStores } from '../../../src/env/memory-key-value.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { keyValueLaws } from './key-value-laws.js'

const { SEED: seed = String(Date.now()) } = process.env
console.log(`# SEED=${seed}`)
const random = new Random(seed)

keyValueLaws(
  'memory',
  () => {
    const stores = new MemoryKeyValueStores(new MemoryDisk())
    return { stores, folder: '/data', run: work => work() }
  },
  random.split('memory'),
)

keyValueLaws(
  'simulated',
  () => {
    const clock = new SimClock()
    const stores = new SimMachine({ clock, random: random.split('machine') }).environment.keyValue
    return { stores, folder: '/data', run: work => clock.run(work) }
  },
  random.split('simulated'),
)
