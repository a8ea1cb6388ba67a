/** The work of a leader is begun where its partition is led, and nowhere else. */

import t from 'tap'
import { limits } from '../../../src/base/limits.js'
import { BackgroundPace } from '../../../src/derived/background-pace.js'
import { noNodes } from '../../../src/machine/nodes.js'
import { LeaderDuties } from '../../../src/replica/leader-duties.js'
import type { NodeDirectory } from '../../../src/replica/node-directory.js'
import type { Partition } from '../../../src/replica/partition.js'
import type { SessionDirectory } from '../../../src/replica/session-directory.js'
import { SimClock } from '../../../src/sim/sim-clock.js'

interface Led {
  leads: boolean
  applied: number
}

/** Duties whose partitions are led as said; what they do is noted. */
function duties(meta: Led, target: Led) {
  const clock = new SimClock()
  const did: string[] = []
  const rows = { lookup: () => null, partitionRows: () => [], scan: async function* () {} }
  const partition = (led: Led, name: string): Partition =>
    ({
      get leads() {
        return led.leads
      },
      get applied() {
        return led.applied
      },
      replica: { term: 1 },
      state: {
        ...rows,
        partitionRows: () => {
          did.push(`looks at ${name}`)
          return []
        },
      },
      changes: () => led.applied,
      readable: async () => {},
      call: async ({ type }: { type: string }) => did.push(`${type} at ${name}`),
    }) as unknown as Partition
  const made = new LeaderDuties({
    clock,
    meta: partition(meta, 'meta'),
    data: partition(target, 'data'),
    nodes: { register: noNodes } as unknown as NodeDirectory,
    sessions: { expire: async () => void did.push('ends sessions') } as unknown as SessionDirectory,
    limits,
    pace: new BackgroundPace(clock, limits.sliceMs, () => 0),
    read: async function* (from, through) {
      did.push(`reads meta ${from}-${through}`)
      yield []
    },
    background: (work, id) => {
      did.push(`background of ${id}`)
      work.catch(() => {})
    },
    buildFailed: () => {},
  })
  return { made, did, soon: () => new Promise<void>(resolve => setImmediate(resolve)) }
}

t.test('sessions end where meta is led, request ids where the data partition is', async t => {
  for (const [meta, target, expected] of [
    [true, true, ['ends sessions', 'background of 0', 'looks at data', 'background of 1']],
    [true, false, ['ends sessions', 'background of 0']],
    [false, true, ['looks at data', 'background of 1']],
    [false, false, []],
  ] as const) {
    const { made, did } = duties({ leads: meta, applied: 1 }, { leads: target, applied: 1 })
    made.expire()
    t.strictSame(did, expected)
  }
})

t.test('what meta applies is brought over where the data partition is led', async t => {
  const target = { leads: false, applied: 1 }
  const { made, did, soon } = duties({ leads: true, applied: 3 }, target)
  made.applied(0)
  made.tick()
  await soon()
  t.strictSame(did, ['background of 0'], 'others do it')
  target.leads = true
  made.tick()
  await soon()
  t.ok(did.includes('reads meta 1-3'), 'what came before the leadership too')
})

t.test('builds go to work where the data partition is led, until they are stopped', async t => {
  const target = { leads: false, applied: 1 }
  const { made, did, soon } = duties({ leads: true, applied: 0 }, target)
  made.applied(1)
  await soon()
  t.strictSame(did, [])
  target.leads = true
  made.applied(1)
  await soon()
  t.ok(did.includes('background of 1'))
  did.length = 0
  made.applied(1)
  await soon()
  t.notOk(did.includes('background of 1'), 'nothing has changed')
  made.stop()
  target.applied = 2
  made.applied(1)
  await soon()
  t.strictSame(did, [])
})
