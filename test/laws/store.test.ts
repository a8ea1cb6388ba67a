/** Every store keeps the laws of a store: in memory, in a folder, and in a simulated environment. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Random } from '../../src/base/random.js'
import { open } from '../../src/index.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { Store } from '../../src/store/store.js'
import { opened, testLaws } from '../../src/testing/law.js'
import { storeLaws } from '../../src/testing/store-laws.js'
import type { StoreLike } from '../../src/testing/store-like.js'
import { seed } from '../seed.js'
import { tapTest } from './tap-test.js'

t.comment(`SEED=${seed}`)

t.setTimeout(120_000)

const base = mkdtempSync(join(tmpdir(), 'sillok-store-laws-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

testLaws(
  storeLaws,
  opened<StoreLike>(() => open({ memory: true })),
  tapTest('memory'),
)

// One store for all laws: the last one closes it.
const dir = mkdtempSync(join(base, 'f-'))
let inFolder: Promise<StoreLike> | undefined
testLaws(
  storeLaws,
  async check => {
    inFolder ??= open({ dir })
    await check(await inFolder)
  },
  tapTest('folder'),
)

testLaws(
  storeLaws,
  check => {
    const clock = new SimClock()
    const { environment } = new SimMachine({ clock, random: new Random(seed) })
    return clock.run(() => opened<StoreLike>(() => Store.open(environment, 'data'))(check))
  },
  tapTest('simulated'),
)

t.test('the laws hold beside each other in one store', async t => {
  const store = await open({ memory: true })
  const ended = await Promise.allSettled(storeLaws.slice(0, -1).map(law => law.check(store)))
  for (const [n, result] of ended.entries()) {
    if (result.status === 'rejected') t.fail(`${storeLaws[n]?.title}`, { found: String(result.reason) })
  }
  await storeLaws.at(-1)?.check(store)
})
