/**
 * `npm run sim -- --crashes 2000 --seed 1`: worlds until that many crashes; ends with what happened, or with the
 * first thing that is wrong and the command that shows it again. `--mutant no-sync` plants the bug.
 */
import { parseArgs } from 'node:util'
import { CrashWorld, type WorldReport } from './crash-world.js'

const { values } = parseArgs({
  options: {
    crashes: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    mutant: { type: 'string' },
  },
})

const total: WorldReport = {
  crashes: 0,
  cleanCloses: 0,
  crashesInRecovery: 0,
  acknowledged: 0,
  refused: 0,
  replayed: 0,
  rebuilt: 0,
}
const began = Date.now()
let worlds = 0
for (; total.crashes < Number(values.crashes); worlds++) {
  const seed = worlds === 0 ? values.seed : `${values.seed}.${worlds}`
  const world = new CrashWorld({ seed, lives: 25, ignoreSync: values.mutant === 'no-sync' })
  try {
    await world.run()
  } catch (error) {
    console.error(error)
    console.error(`after ${total.crashes + world.report.crashes} crashes; again: npm run sim -- --crashes 1 --seed ${seed}`)
    process.exit(1)
  }
  for (const name of Object.keys(total) as (keyof WorldReport)[]) total[name] += world.report[name]
}
console.log(JSON.stringify({ seed: values.seed, worlds, ...total, seconds: (Date.now() - began) / 1000 }))
