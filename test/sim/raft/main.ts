/** `node dist/test/sim/raft/main.js --count N --seed S --steps K`: random schedules of the bare protocol. */
import { performance } from 'node:perf_hooks'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { caught, mutants } from './mutants.js'
import { runSchedule } from './schedule.js'

const argv = await yargs(hideBin(process.argv))
  .options({
    count: { type: 'number', default: 100, describe: 'schedules to run' },
    seed: { type: 'string', default: '1', describe: 'seed of the first; the others follow it' },
    steps: { type: 'number', default: 1500, describe: 'steps of each' },
  })
  .options({ mutants: { type: 'boolean', default: false, describe: 'plant each known bug instead' } })
  .strict()
  .parse()

if (argv.mutants) {
  for (const mutant of mutants) {
    const found = await caught(mutant, argv)
    console.log(
      `${mutant.name}: ${found === undefined ? 'NOT CAUGHT' : `${found.schedules}. ${found.message}`}`,
    )
    if (found === undefined) process.exitCode = 1
  }
  process.exit()
}

const began = performance.now()
const sum = { steps: 0, committed: 0, terms: 0, changes: 0, reads: 0 }
for (let i = 0; i < argv.count; i++) {
  const outcome = runSchedule(argv.count === 1 ? argv.seed : `${argv.seed}.${i}`, argv.steps)
  for (const name of ['steps', 'committed', 'terms', 'changes', 'reads'] as const) sum[name] += outcome[name]
}
const seconds = (performance.now() - began) / 1000
console.log(`${argv.count} schedules, ${JSON.stringify(sum)}, ${Math.round(sum.steps / seconds)} steps/s`)
