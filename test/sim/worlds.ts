/** Worlds, one after the other, until there were enough crashes. */
import { CrashWorld, emptyReport, type WorldReport } from './crash-world.js'

export interface WorldsOptions {
  readonly seed: string
  readonly crashes: number
  readonly ignoreSync?: boolean
}

const livesPerWorld = 25

/** Adds up what happened. Throws what was found wrong, with the command that shows it again. */
export async function runWorlds(options: WorldsOptions): Promise<WorldReport & { worlds: number }> {
  const total = { ...emptyReport(), worlds: 0 }
  for (; total.crashes < options.crashes; total.worlds++) {
    const seed = total.worlds === 0 ? options.seed : `${options.seed}.${total.worlds}`
    const world = new CrashWorld({ seed, lives: livesPerWorld, ignoreSync: options.ignoreSync === true })
    try {
      await world.run()
    } catch (cause) {
      const found = total.crashes + world.report.crashes
      const mutant = options.ignoreSync === true ? ' --mutant no-sync' : ''
      const again = `npm run sim -- --crashes 1 --seed ${seed}${mutant}`
      const what = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`${what}\nafter ${found} crashes; again: ${again}`, { cause })
    }
    for (const [name, count] of Object.entries(world.report))
      total[name as keyof WorldReport] += count as number
  }
  return total
}
