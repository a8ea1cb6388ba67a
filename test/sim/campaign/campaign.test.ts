import t from 'tap'
import { runCampaign } from './campaign.js'
import type { SeedResult } from './seed-result.js'

const short = { nodes: 3, faultMs: 300, faults: ['cut'], workloads: ['registers'] } as const

/** A small campaign; the worlds that broke a promise. */
async function run(options: Partial<Parameters<typeof runCampaign>[0]>) {
  const failures: SeedResult[] = []
  const totals = await runCampaign({
    from: 's',
    seeds: 3,
    said: short,
    processes: 2,
    isOver: () => false,
    bail: false,
    failed: result => failures.push(result),
    progress: () => {},
    ...options,
  })
  return { totals, failures }
}

t.test('each seed runs once, the first of twenty twice', async t => {
  const { totals, failures } = await run({})
  t.same(failures, [])
  t.equal(totals.worlds, 4)
  t.same(totals.twice, { worlds: 1, equal: 1 })
  t.ok(totals.simulatedMs > 1200)
})

t.test('a world that cannot be costs itself only, and its seed is told', async t => {
  const said = { ...short, limits: { walFileBytesEmbedded: 1 } }
  const { totals, failures } = await run({ said })
  t.equal(totals.violations, 4)
  t.same([...new Set(failures.map(({ seed }) => seed))].sort(), ['s.0', 's.1', 's.2'])
  t.ok(failures.every(({ broken }) => broken?.check !== undefined && broken.stack !== ''))
})

t.test('after a violation nothing is begun if that is asked for; out of time nothing either', async t => {
  const said = { ...short, limits: { walFileBytesEmbedded: 1 } }
  const { totals } = await run({ said, bail: true, seeds: 50, processes: 1 })
  t.equal(totals.worlds, 1)
  t.equal((await run({ isOver: () => true })).totals.worlds, 0)
})
