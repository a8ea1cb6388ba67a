/** Every disk keeps the laws of the door to files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Random } from '../../../src/base/random.js'
import { MemoryDisk } from '../../../src/env/memory-disk.js'
import { RealClock } from '../../../src/env/real-clock.js'
import { RealDisk } from '../../../src/env/real-disk.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimDisk } from '../../../src/sim/sim-disk.js'
import { diskLaws } from './disk-laws.js'

const { SEED: seed = String(Date.now()) } = process.env
t.comment(`SEED=${seed}`)
const random = new Random(seed)

const base = mkdtempSync(join(tmpdir(), 'sillok-disk-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

diskLaws(
  'real',
  () => ({ disk: new RealDisk(), folder: mkdtempSync(join(base, 'f-')), run: work => work() }),
  random.split('real'),
)

diskLaws(
  'memory',
  () => ({ disk: new MemoryDisk(new RealClock()), folder: '', run: work => work() }),
  random.split('memory'),
)

for (const latency of ['random', 'none'] as const) {
  diskLaws(
    `simulated, latency ${latency}`,
    () => {
      const clock = new SimClock()
      const disk = new SimDisk({ clock, random: random.split('disk'), latency })
      return { disk, folder: '', run: work => clock.run(work) }
    },
    random.split('simulated'),
  )
}
