import t from 'tap'
import { lostWorld, type SeedResult } from './seed-result.js'
import { Totals } from './totals.js'

const options = lostWorld('s', '').options

function world(seed: string, digest: string, kills = 1): SeedResult {
  const counts = { leaders: 2, compared: 3 } as never
  const report = { options, simulatedMs: 60_000, faults: { cut: 4 }, begun: { kill: kills }, checked: {} }
  const reached = { 'split-vote': 1 } as const
  return { seed, said: {}, wallMs: 2000, cpuMs: 1000, report: { ...report, counts, reached, digest } }
}

t.test('what happened in all worlds is added up, and what never happened is there as 0', async t => {
  const totals = new Totals()
  totals.add(world('s.0', 'a'))
  totals.add(world('s.1', 'b', 5))
  t.equal(totals.begun['kill'], 6)
  t.equal(totals.faults['cut'], 8)
  t.equal(totals.faults['hung-disk'], 0)
  t.equal(totals.reached['split-vote'], 2)
  t.notOk(totals.unreached.includes('split-vote'))
  t.ok(totals.unreached.includes('all-down'))
  t.match(totals.toJSON(), {
    worlds: 2,
    violations: 0,
    simulatedPerSecondAndCore: 30,
    simulatedPerCpuSecond: 60,
    counts: { leaders: 4, compared: 6 },
  })
})

t.test('a broken world is a violation', async t => {
  const totals = new Totals()
  totals.add({ seed: 's.0', said: {}, wallMs: 1, cpuMs: 1, broken: lostWorld('s.0', 'two logs differ') })
  t.equal(totals.violations, 1)
})

t.test('two runs of one seed must have one digest, also of how they break', async t => {
  const totals = new Totals()
  t.ok(totals.compare(world('s.0', 'a')), 'the first is like no other')
  t.ok(totals.compare(world('s.0', 'a')))
  t.ok(totals.compare(world('s.20', 'b')))
  t.notOk(totals.compare(world('s.20', 'c')))
  const broken = (check: string): SeedResult => ({ ...world('s.40', ''), broken: lostWorld('s.40', check) })
  const { report: _, ...first } = broken('two logs differ')
  t.ok(totals.compare(first))
  t.notOk(totals.compare({ ...first, broken: lostWorld('s.40', 'two states differ') }))
  t.same(totals.twice, { worlds: 3, equal: 1 })
})
