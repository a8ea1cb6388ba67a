/** Many worlds, one seed each, in several processes; every twentieth runs twice, both times the same. */
import { Pool } from './pool.js'
import type { Said } from './said.js'
import { lostWorld, type SeedResult, type SeedTask } from './seed-result.js'
import { Totals } from './totals.js'

/** What a campaign is made from. */
export interface CampaignOptions {
  readonly from: string
  readonly seeds: number
  readonly said: Said
  readonly processes: number
  /** No world is begun once it says so. */
  readonly isOver: () => boolean
  /** Nothing is begun after a violation. */
  readonly bail: boolean
  /** Told of every world that broke a promise. */
  readonly failed: (result: SeedResult) => void
  /** Told when a world is done. */
  readonly progress: (totals: Totals) => void
}

/** Each twentieth world is run twice. */
const twiceEach = 20

/** Runs them; what happened in all of them. */
export async function runCampaign(options: CampaignOptions): Promise<Totals> {
  const { from, seeds, said, isOver, bail, failed, progress } = options
  const totals = new Totals()
  const pool = new Pool(options.processes)
  const again: SeedTask[] = []
  const twice = new Set<string>()
  let begun = 0
  const next = (): SeedTask | undefined => {
    if (bail && totals.violations > 0) return undefined
    const second = again.shift()
    if (second !== undefined) return second
    if (begun === seeds || isOver()) return undefined
    const task = { seed: `${from}.${begun}`, said }
    if (begun % twiceEach === 0) {
      twice.add(task.seed)
      again.push(task)
    }
    begun += 1
    return task
  }
  const done = (result: SeedResult): void => {
    const { seed } = result
    const isSame = !twice.has(seed) || totals.compare(result)
    const differs = isSame
      ? undefined
      : { ...result, broken: lostWorld(seed, 'two runs of this seed differ') }
    const told = result.broken === undefined ? differs : result
    totals.add(told ?? result)
    if (told !== undefined) failed(told)
    progress(totals)
  }
  try {
    await pool.runAll(next, done)
  } finally {
    pool.close()
  }
  return totals
}
