/** Whole nodes in simulated worlds, with a bug in them. */
import type { World } from '../../../src/testing/world/world.js'
import { type Aim, type Mutant, planted } from './planting.js'

/** Simulated milliseconds with faults: shorter worlds show more of them in the same time. */
export const faultMs = 15_000

/** A world that failed, as its message says. */
export interface Failure {
  readonly seed: string
  readonly message: string
}

/** Which worlds. */
export interface Search {
  readonly from: number
  readonly seeds: number
  readonly aim?: Aim | undefined
  /** Told of each that kept its promises. */
  readonly ran?: (seed: string) => void
}

/** Runs one world after the other, those of a number and the ones that follow it, until one fails. */
export async function firstFailure(
  { World: Made }: { World: typeof World },
  { from, seeds, aim, ran }: Search,
): Promise<Failure | undefined> {
  for (let number = from; number < from + seeds; number++) {
    const seed = String(number)
    try {
      await new Made({ seed, faultMs, ...aim }).run()
    } catch (error) {
      return { seed, message: error instanceof Error ? error.message : String(error) }
    }
    ran?.(seed)
  }
  return undefined
}

/** Hands the worlds with the bug in them to `use`. */
export async function plantedWorld<T>(
  one: Mutant,
  use: (loaded: { World: typeof World }) => Promise<T>,
): Promise<T> {
  const from = { parts: ['src'], module: 'src/testing/world/world.js' }
  return await planted(one, from, loaded => use(loaded as { World: typeof World }))
}
