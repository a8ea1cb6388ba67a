/** Every key-value store keeps the laws of the door. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { LevelKeyValueStores } from '../../../src/env/level-key-value.js'
import { MemoryDisk } from '../../../src/env/memory-disk.js'
import { MemoryKeyValueStores } from '../../../src/env/memory-key-value.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { keyValueLaws } from './key-value-laws.js'

const { SEED: seed = String(Date.now()) } = process.env
t.comment(`SEED=${seed}`)
const random = new Random(seed)

const base = mkdtempSync(join(tmpdir(), 'sillok-level-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

keyValueLaws(
  'level',
  () => ({
    stores: new LevelKeyValueStores(),
    folder: mkdtempSync(join(base, 'f-')),
    run: work => work(),
  }),
  random.split('level'),
)

keyValueLaws(
  'memory',
  () => {
    const stores = new MemoryKeyValueStores(new MemoryDisk(new RealClock()))
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
