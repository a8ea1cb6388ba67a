/** Constraints that are built and dropped under crashes, in simulation. `SEED` and `CRASHES` as elsewhere. */
import t from 'tap'
import { seed } from '../seed.js'
import { type ConstraintReport, ConstraintWorld } from './constraint-world.js'

const crashes = Number(process.env['CRASHES'] ?? 20)

t.setTimeout(240_000)

t.test(
  'wherever a crash comes in builds and drops, claims are what the documents say, and builds go on',
  async t => {
    t.comment(`seed ${seed}, ${crashes} crashes`)
    const total: Record<string, number> = {}
    for (let world = 0; (total['crashes'] ?? 0) < crashes; world++) {
      const report: ConstraintReport = await new ConstraintWorld(`${seed}.${world}`).run(20)
      for (const [name, count] of Object.entries(report)) total[name] = (total[name] ?? 0) + (count as number)
    }
    t.comment(JSON.stringify(total))
    for (const name of ['foundBuilding', 'foundDropping', 'written', 'refused']) {
      t.ok(total[name], name)
    }
  },
)
