/**
 * `npm run sim -- --seeds 100 --from S`: so many whole worlds, on all cores (`--minutes`, `--nodes`,
 * `--fault-ms`, `--faults a,b`, `--workloads a,b`, `--limits name=value`, `--beyond`, `--bail`,
 * `--processes`; with `--release` every rare state must be reached).
 * `--replay SEED` runs one of them again, `--minimise SEED` makes one that fails smaller.
 *
 * `npm run sim -- --crashes 2000 --seed 1`: worlds of one node until that many crashes. Prints what happened,
 * or the first thing that is wrong and the command that shows it again. `--mutant no-sync` plants that bug.
 *
 * `npm run sim -- --mutants`: bugs that whole worlds must find (`mutants/main.ts`).
 */
import { parseArgs } from 'node:util'
import { saidArguments, saidBy } from './campaign/said.js'
import { campaign, replay, smaller } from './campaign/verbs.js'
import { runWorlds } from './worlds.js'

if (process.argv.includes('--mutants')) {
  const { huntMutants } = await import('./mutants/main.js')
  process.exit((await huntMutants()) ? 0 : 1)
}

const { values } = parseArgs({
  options: {
    ...saidArguments,
    seeds: { type: 'string' },
    from: { type: 'string', default: String(Date.now()) },
    minutes: { type: 'string' },
    bail: { type: 'boolean', default: false },
    release: { type: 'boolean', default: false },
    processes: { type: 'string' },
    replay: { type: 'string' },
    minimise: { type: 'string' },
    crashes: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Date.now()) },
    mutant: { type: 'string' },
  },
})

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text)

async function wholeWorlds(): Promise<boolean> {
  const said = saidBy(values)
  if (values.replay !== undefined) return await replay(values.replay, said)
  if (values.minimise !== undefined) return await smaller(values.minimise, said, number(values.minutes))
  return await campaign({
    ...values,
    said,
    seeds: number(values.seeds) ?? Number.POSITIVE_INFINITY,
    minutes: number(values.minutes),
    processes: number(values.processes),
  })
}

async function crashes(): Promise<boolean> {
  const began = Date.now()
  try {
    const ignoreSync = values.mutant === 'no-sync'
    const report = await runWorlds({ seed: values.seed, crashes: Number(values.crashes), ignoreSync })
    console.log(JSON.stringify({ seed: values.seed, ...report, seconds: (Date.now() - began) / 1000 }))
    return true
  } catch (error) {
    console.error(error)
    return false
  }
}

const isWhole = [values.seeds, values.minutes, values.replay, values.minimise].some(one => one !== undefined)
if (!(await (isWhole ? wholeWorlds() : crashes()))) process.exitCode = 1
