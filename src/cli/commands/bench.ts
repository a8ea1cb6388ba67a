/**
 * `sillok bench`: how fast the store is here, on this disk, durable as always.
 *
 * Every run opens a store of its own in a scratch folder, so that none inherits the work of another;
 * `raw-sync` is the yardstick for what one write at a time can be. The folder of a store (`--dir`) is never
 * touched.
 */
import path from 'node:path'
import { Random } from '../../base/random.js'
import { RealClock } from '../../env/real-clock.js'
import { type LoadResult, runLoad } from '../bench/closed-loop.js'
import { runRawSync } from '../bench/raw-sync.js'
import { prepare, type WorkloadName, workloadNames } from '../bench/workloads.js'
import type { Arguments, Command, Terminal } from '../command.js'
import { exitCodes } from '../failure.js'
import { commitOfPackage, machineFacts } from '../machine-facts.js'
import { type Fields, printRows } from '../output.js'
import { Progress } from '../progress.js'
import { toJson } from '../table.js'
import { inTemporaryFolder } from '../temporary-folder.js'
import { UsageError } from '../usage.js'
import { countOf, isGiven, textOf, textsOf } from '../words.js'

const warmUpMsMax = 1000
const names = [...workloadNames, 'raw-sync'] as const

interface Settings {
  readonly workloads: readonly (WorkloadName | 'raw-sync')[]
  readonly concurrency: readonly number[]
  readonly durationSeconds: number
  readonly warmUpMs: number
  readonly valueBytes: number
  readonly keyspace: number
  readonly seed: string
}

type Run = Fields & LoadResult

/** Prints one row a run; with `--json` one object with machine, commit, settings and runs. */
export const command: Command = {
  declare: yargs =>
    yargs
      .positional('workload', {
        type: 'string',
        // Else the help shows an empty list as default.
        default: undefined,
        describe: `${names.join(', ')} (put)`,
      })
      .option('concurrency', {
        type: 'string',
        default: '1,16,256',
        describe: 'how many operations are in flight: a list, a run for each',
      })
      .option('duration', {
        type: 'string',
        default: '5',
        describe: 'seconds that a run is measured, after 1 s of warm-up',
      })
      .option('value-size', {
        type: 'string',
        default: '256',
        describe: 'characters of the value in a document',
      })
      .option('keyspace', {
        type: 'string',
        default: '1000000',
        describe: 'how many documents get and overwrite choose from',
      })
      .option('seed', {
        type: 'string',
        default: '1',
        describe: 'text from which random keys and values are made: the same ones again',
      })
      .option('scratch-dir', {
        type: 'string',
        requiresArg: true,
        describe: 'folder in which each run makes one, and removes it (the temporary folder)',
      })
      .option('json', {
        type: 'boolean',
        describe: 'print one JSON object with machine, commit, settings and runs',
      })
      .example('$0 bench put raw-sync --concurrency 1,256 --duration 3', ''),
  async run(given, terminal) {
    const settings = readSettings(given)
    const place = textOf(given, 'scratch-dir')
    const runs: Run[] = []
    for (const workload of settings.workloads) {
      for (const concurrency of workload === 'raw-sync' ? [1] : settings.concurrency) {
        const result = await inFolder(place, folder =>
          measure(workload, concurrency, settings, folder, terminal),
        )
        runs.push({ workload, nodes: 1, concurrency, ...result })
      }
    }
    if (isGiven(given, 'json')) {
      const report = { machine: machineFacts(), commit: await commitOfPackage(), settings, runs }
      await terminal.out.write(`${toJson(report)}\n`)
    } else await printRows(runs, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

function readSettings(given: Arguments): Settings {
  const words = textsOf(given, 'workload')
  const workloads = (words.length === 0 ? ['put'] : words).map(word => {
    const name = names.find(known => known === word)
    if (name === undefined) throw new UsageError(`a workload is one of ${names.join(', ')}, not ${word}`)
    return name
  })
  const concurrency = (textOf(given, 'concurrency') ?? '').split(',').map(word => {
    const count = countOf({ concurrency: word }, 'concurrency', 1) ?? 1
    if (count > 16_384) throw new UsageError(`--concurrency is at most 16384, not ${word}`)
    return count
  })
  const durationSeconds = Number(textOf(given, 'duration'))
  if (!(durationSeconds > 0 && durationSeconds <= 86_400))
    throw new UsageError('--duration is seconds, over 0 and at most 86400')
  const valueBytes = countOf(given, 'value-size') ?? 256
  if (valueBytes > 1_000_000) throw new UsageError('--value-size is at most 1000000')
  return {
    workloads,
    concurrency,
    durationSeconds,
    warmUpMs: Math.min(warmUpMsMax, durationSeconds * 1000),
    valueBytes,
    keyspace: countOf(given, 'keyspace', 1) ?? 1_000_000,
    seed: textOf(given, 'seed') ?? '1',
  }
}

async function inFolder<T>(place: string | undefined, work: (folder: string) => Promise<T>): Promise<T> {
  const prefix = 'sillok-bench-'
  return inTemporaryFolder(place === undefined ? prefix : path.resolve(place, prefix), false, work)
}

async function measure(
  workload: WorkloadName | 'raw-sync',
  concurrency: number,
  settings: Settings,
  folder: string,
  terminal: Terminal,
): Promise<LoadResult> {
  const clock = new RealClock()
  const { valueBytes, keyspace, warmUpMs } = settings
  const durationMs = settings.durationSeconds * 1000
  if (workload === 'raw-sync') return runRawSync(folder, clock, durationMs, warmUpMs)
  const random = new Random(settings.seed)
  const label = `fill for ${workload}`
  const dir = path.join(folder, 'store')
  const progress = new Progress({ sink: terminal.err, clock, label, unit: 'documents', total: keyspace })
  const { open } = await import('../../store/open.js')
  let store = await open({ dir })
  try {
    const filled = (count: number): void => progress.advance(count)
    const options = { store, random, valueBytes, keyspace, filled }
    let operation = await prepare(workload, options)
    await progress.finish()
    if (workload === 'get' || workload === 'overwrite') {
      // Closing writes a checkpoint: the run does not pay for what the filling left to do.
      await store.close()
      store = await open({ dir })
      operation = await prepare(workload, { ...options, store, isFilled: true })
    }
    return await runLoad({ clock, concurrency, durationMs, warmUpMs, operation })
  } finally {
    await progress.finish()
    await store.close()
  }
}
