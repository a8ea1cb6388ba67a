/**
 * Whole clusters in simulation, on all cores: each seed draws its nodes, faults, limits and workloads. A seed
 * that breaks a promise prints itself and the command that shows it again. `SEED` and `CLUSTERS` come from
 * the environment; `.ci/run` asks for 100 of them.
 */
import { availableParallelism } from 'node:os'
import t from 'tap'
import { runCampaign } from './campaign/campaign.js'
import { failureText } from './campaign/failure-text.js'

/** Of three and five nodes, a minute of simulated time each. */
const seeds = 4
const minutesMax = 6

/** The same worlds each time: campaigns look at others. */
const from = process.env['SEED'] ?? 'ci'
const count = Number(process.env['CLUSTERS'] ?? seeds)

t.setTimeout((minutesMax + 1) * 60_000)

t.test('a cluster keeps its promises, whatever goes wrong with fewer than half of its nodes', async t => {
  t.comment(`seed ${from}, ${count} worlds`)
  const failures: string[] = []
  const endMs = Date.now() + minutesMax * 60_000
  const totals = await runCampaign({
    from,
    seeds: count,
    said: {},
    processes: availableParallelism(),
    isOver: () => Date.now() >= endMs,
    bail: false,
    failed: ({ broken, said }) => {
      if (broken !== undefined) failures.push(failureText(broken, said))
    },
    progress: () => {},
  })
  t.comment(JSON.stringify(totals))
  for (const failure of failures) t.fail(failure)
  t.equal(totals.violations, 0)
  t.ok(totals.twice.worlds > 0, 'one ran twice, at least')
  t.equal(totals.twice.equal, totals.twice.worlds, 'with the same digest')
  t.ok(totals.worlds >= count / 2, 'there was time for at least half of them')
})
