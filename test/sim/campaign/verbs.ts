/** What `npm run sim` does with whole worlds: a campaign, one seed again, one seed made smaller. */
import { availableParallelism } from 'node:os'
import { runCampaign } from './campaign.js'
import { failureText } from './failure-text.js'
import { minimise } from './minimise.js'
import { Pool } from './pool.js'
import { codeNow, writeResult } from './results.js'
import { commandOf, type Said } from './said.js'
import type { Totals } from './totals.js'

/** A campaign as it is asked for. */
export interface Asked {
  readonly from: string
  readonly seeds: number
  readonly minutes: number | undefined
  readonly said: Said
  readonly bail: boolean
  /** It fails, too, if a rare state was not reached. */
  readonly release: boolean
  readonly processes: number | undefined
}

const cores = availableParallelism()

/**
 * Prints what happened, and one row that is kept. True if nothing was broken. SIGINT ends it early: what is
 * under way comes to its end.
 */
export async function campaign(asked: Asked): Promise<boolean> {
  const code = codeNow()
  const began = Date.now()
  const line = new ProgressLine(asked.seeds)
  let endMs = asked.minutes === undefined ? Number.POSITIVE_INFINITY : began + asked.minutes * 60_000
  process.once('SIGINT', () => {
    endMs = Date.now()
  })
  const totals = await runCampaign({
    ...asked,
    processes: asked.processes ?? cores,
    isOver: () => Date.now() >= endMs,
    failed: ({ broken, said }) => {
      line.end()
      if (broken !== undefined) console.log(failureText(broken, said))
    },
    progress: sums => line.show(sums),
  })
  line.end()
  const row = {
    ...code,
    date: new Date(began).toISOString(),
    node: process.version,
    from: asked.from,
    said: asked.said,
    minutes: Math.round((Date.now() - began) / 600) / 100,
    ...totals.toJSON(),
  }
  writeResult(row)
  console.log(JSON.stringify(row))
  const { unreached } = totals
  if (unreached.length > 0) console.log(`not reached: ${unreached.join(', ')}`)
  return totals.violations === 0 && (!asked.release || unreached.length === 0)
}

/** Runs that world once. True if it kept its promises. */
export async function replay(seed: string, said: Said): Promise<boolean> {
  const result = await alone(pool => pool.run({ seed, said }))
  if (result.broken !== undefined) console.log(failureText(result.broken, said))
  else console.log(JSON.stringify(result))
  return result.broken === undefined
}

/** Prints the smallest world that still fails. True if there is one. */
export async function smaller(seed: string, said: Said, minutes = 10): Promise<boolean> {
  const endMs = Date.now() + minutes * 60_000
  return await alone(async pool => {
    const minimum = await minimise(said, {
      run: async smaller => (await pool.run({ seed, said: smaller })).broken,
      isOver: () => Date.now() >= endMs,
      told: one => console.error(commandOf(seed, one)),
    })
    if (minimum === undefined) console.log(`seed ${seed} breaks nothing`)
    else console.log(`after ${minimum.tries} tries\n${failureText(minimum.broken, minimum.said)}`)
    return minimum !== undefined
  })
}

async function alone<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = new Pool(1)
  try {
    return await work(pool)
  } finally {
    pool.close()
  }
}

/** How far it is: one line that is written over and over, or a new one now and then where that cannot be. */
class ProgressLine {
  readonly #seeds: number
  #toldMs = 0

  constructor(seeds: number) {
    this.#seeds = seeds
  }

  show({ worlds, violations, simulatedMs }: Totals): void {
    const { isTTY } = process.stderr
    if (!isTTY && Date.now() - this.#toldMs < 30_000) return
    this.#toldMs = Date.now()
    const hours = (simulatedMs / 3_600_000).toFixed(2)
    const done = Number.isFinite(this.#seeds) ? `${worlds} of ${this.#seeds}` : `${worlds}`
    const text = `${done} worlds, ${hours} simulated hours, ${violations} violations`
    process.stderr.write(isTTY ? `\r${text}` : `${text}\n`)
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\n')
  }
}
