/**
 * `npm run sim -- --crashes 2000 --seed 1`: worlds until that many crashes. Prints what happened, or the
 * first thing that is wrong and the command that shows it again. `--mutant no-sync` plants that bug.
 *
 * `npm run sim -- --mutants`: bugs that whole worlds must find (`mutants/main.ts`).
 */
import { parseArgs } from 'node:util'
import { runWorlds } from './worlds.js'

if (process.argv.includes('--mutants')) {
  const { huntMutants } = await import('./mutants/main.js')
  process.exit((await huntMutants()) ? 0 : 1)
}

const { values } = parseArgs({
  options: {
    crashes: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now()) },
    mutant: { type: 'string' },
  },
})

const began = Date.now()
try {
  const ignoreSync = values.mutant === 'no-sync'
  const report = await runWorlds({ seed: values.seed, crashes: Number(values.crashes), ignoreSync })
  console.log(JSON.stringify({ seed: values.seed, ...report, seconds: (Date.now() - began) / 1000 }))
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
