/** One test for each rule of the Raft paper and of the chapters of the thesis that are used. */
import t from 'tap'
import { planted } from '../sim/raft/mutants.js'
import { ruleMutants } from './mutants.js'
import type { Rule } from './rule.js'
import { rules } from './rules.js'

for (const { rule, source, show } of rules) {
  t.test(rule, async t => {
    show()
    t.pass(source)
  })
}

t.test('each rule sees the bug that breaks it', async t => {
  for (const [mutant, begins] of ruleMutants) {
    const message = await planted(mutant, 'test/paper/rules.js', loaded => {
      const { rules } = loaded as { rules: readonly Rule[] }
      const broken = rules.filter(({ rule }) => rule.startsWith(begins))
      try {
        for (const { show } of broken) show()
        return undefined
      } catch (error) {
        return String(error)
      }
    })
    t.ok(message, `${mutant.name}: ${message?.slice(0, 90) ?? 'not seen'}`)
  }
})
