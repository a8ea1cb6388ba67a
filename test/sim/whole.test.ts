/** Everything at once, under crashes and losses, in simulation. `SEED` and `CRASHES` as elsewhere. */
import t from 'tap'
import { seed } from '../seed.js'
import { WholeWorld } from './whole-world.js'

const crashes = Number(process.env['CRASHES'] ?? 6)

t.setTimeout(240_000)

t.test('constraints, indexes, feeds and sessions hold together, whatever is lost in between', async t => {
  t.comment(`seed ${seed}, ${crashes} crashes`)
  const total: Record<string, number> = {}
  for (let world = 0; (total['crashed'] ?? 0) < crashes; world++) {
    const report = await new WholeWorld(`${seed}.${world}`).run(20)
    for (const [name, count] of Object.entries(report)) total[name] = (total[name] ?? 0) + count
  }
  t.comment(JSON.stringify(total))
  // What else there was depends on the seed: `npm run soak -- whole` goes further.
  for (const name of ['written', 'refused', 'defined']) t.ok(total[name], name)
})
