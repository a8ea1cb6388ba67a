/** Bugs that are planted in whole nodes: each can be, and worlds find some at once. */
import t from 'tap'
import { mutants } from './mutants/catalogue.js'
import { hunted } from './mutants/hunt.js'
import { kindOf } from './mutants/kind.js'
import { whyNotPlanted } from './mutants/planting.js'

t.test('each line that a planted bug changes stands in its file exactly once', async t => {
  t.ok(mutants.length >= 45, `${mutants.length} bugs`)
  for (const one of mutants) t.equal(whyNotPlanted(one), undefined, one.name)
})

/** Bugs with the seed of a world that shows each. */
const known: readonly (readonly [name: string, seed: number, by: string])[] = [
  ['reads what this node happens to know', 1, 'races'],
  ['forgets a request id', 1, 'outcomes'],
  ['does not fence the holder of an older epoch', 1, 'sessions'],
  ['does not keep the answer of a numbered request', 1, 'imports'],
]

t.test('a world of whole nodes fails with a bug in them, by the check that it breaks', async t => {
  // Each in a process of its own: what a broken world leaves behind ends with it.
  const looks = known.map(async ([name, seed, by]) => {
    const one = mutants.find(mutant => mutant.name === name)
    t.ok(one, name)
    const { failure } = await hunted({ name, from: seed, seeds: 1, aim: one?.aim, arena: 'clusters' })
    t.equal(failure && kindOf(failure.message), by, `${name}: ${failure?.message.slice(0, 120)}`)
  })
  await Promise.all(looks)
})
