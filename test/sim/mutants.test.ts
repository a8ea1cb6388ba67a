/** Bugs that are planted in whole nodes: each can be, and worlds find some at once. */
import t from 'tap'
import { mutants } from './mutants/catalogue.js'
import { kindOf } from './mutants/kind.js'
import { whyNotPlanted } from './mutants/planting.js'
import { firstFailure, plantedWorld } from './mutants/whole-world.js'

t.test('each line that a planted bug changes stands in its file exactly once', async t => {
  t.ok(mutants.length >= 45, `${mutants.length} bugs`)
  for (const one of mutants) t.equal(whyNotPlanted(one), undefined, one.name)
})

/** Bugs with the seed of a world that shows each. */
const known: readonly (readonly [name: string, seed: number, by: string])[] = [
  ['answers a write when it is proposed', 1, 'races'],
]

t.test('a world of whole nodes fails with a bug in them, by the check that it breaks', async t => {
  for (const [name, seed, by] of known) {
    const one = mutants.find(mutant => mutant.name === name)
    t.ok(one, name)
    if (one === undefined) continue
    const { aim } = one
    const found = await plantedWorld(one, loaded => firstFailure(loaded, { from: seed, seeds: 1, aim }))
    t.equal(found && kindOf(found.message), by, `${name}: ${found?.message.slice(0, 120)}`)
  }
})
