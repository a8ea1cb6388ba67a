/** Answers that are lost, in simulation. `SEED` and `LOST` come from the environment. */
import t from 'tap'
import { seed } from '../seed.js'
import { RequestWorld } from './request-world.js'

const lost = Number(process.env['LOST'] ?? 1000)

t.setTimeout(240_000)

t.test(
  'when answers are lost, an outcome and a retry both tell what was told first: one effect each',
  async t => {
    t.comment(`seed ${seed}, ${lost} answers`)
    const { crashes, forgotten, cutOff, outcomes } = await new RequestWorld({ seed, lost }).run()
    t.comment(JSON.stringify({ crashes, forgotten, cutOff, outcomes }))
    t.ok(forgotten >= lost && cutOff >= lost / 10, 'after the commit, and before it')
    for (const state of ['committed', 'refused', 'fenced']) t.ok(outcomes[state], state)
  },
)
