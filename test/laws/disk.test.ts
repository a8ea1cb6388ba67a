/** Every disk keeps the laws of the door to files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { MemoryDisk } from '../../src/env/memory-disk.js'
import { RealClock } from '../../src/env/real-clock.js'
import { RealDisk } from '../../src/env/real-disk.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimDisk } from '../../src/sim/sim-disk.js'
import { diskLaws } from '../../src/testing/disk-laws.js'
import { testLaws } from '../../src/testing/law.js'
import { seed } from '../seed.js'
import { tapTest } from './tap-test.js'

t.comment(`SEED=${seed}`)
const random = new Random(seed)

const base = mkdtempSync(join(tmpdir(), 'sillok-disk-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

testLaws(
  diskLaws,
  async check => {
    const disk = new RealDisk()
    await check({ disk, folder: mkdtempSync(join(base, 'f-')), random: random.split('real') })
    await disk.close()
  },
  tapTest('real'),
)

testLaws(
  diskLaws,
  check => check({ disk: new MemoryDisk(new RealClock()), folder: '', random: random.split('memory') }),
  tapTest('memory'),
)

for (const latency of ['random', 'none'] as const) {
  testLaws(
    diskLaws,
    check => {
      const clock = new SimClock()
      const disk = new SimDisk({ clock, random: random.split('disk'), latency })
      return clock.run(() => check({ disk, folder: '', random: random.split('simulated') }))
    },
    tapTest(`simulated, latency ${latency}`),
  )
}
