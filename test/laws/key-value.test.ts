/** Every key-value store keeps the laws of the door. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { LevelKeyValueStores } from '../../src/env/level-key-value.js'
import { MemoryDisk } from '../../src/env/memory-disk.js'
import { MemoryKeyValueStores } from '../../src/env/memory-key-value.js'
import { RealClock } from '../../src/env/real-clock.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { keyValueLaws } from '../../src/testing/key-value-laws.js'
import { testLaws } from '../../src/testing/law.js'
import { seed } from '../seed.js'
import { tapTest } from './tap-test.js'

t.comment(`SEED=${seed}`)
const random = new Random(seed)

const base = mkdtempSync(join(tmpdir(), 'sillok-level-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

testLaws(
  keyValueLaws,
  check => {
    const folder = mkdtempSync(join(base, 'f-'))
    return check({ stores: new LevelKeyValueStores(), folder, random: random.split('level') })
  },
  tapTest('level'),
)

testLaws(
  keyValueLaws,
  check => {
    const stores = new MemoryKeyValueStores(new MemoryDisk(new RealClock()))
    return check({ stores, folder: '/data', random: random.split('memory') })
  },
  tapTest('memory'),
)

testLaws(
  keyValueLaws,
  check => {
    const clock = new SimClock()
    const stores = new SimMachine({ clock, random: random.split('machine') }).environment.keyValue
    return clock.run(() => check({ stores, folder: '/data', random: random.split('simulated') }))
  },
  tapTest('simulated'),
)
