/** A process with one bug in it, or none, that runs worlds until one fails, and tells its parent of each. */
import { World } from '../../../src/testing/world/world.js'
import { mutants } from './catalogue.js'
import type { Aim } from './planting.js'
import { type Failure, firstFailure, plantedWorld } from './whole-world.js'

/** What a process is to do. */
export interface Hunt {
  /** Without a name: nothing is planted. */
  readonly name?: string | undefined
  readonly from: number
  readonly seeds: number
  readonly aim?: Aim | undefined
}

/** What it says. */
export type Said = { readonly kept: string } | { readonly failed: Failure } | { readonly ended: true }

// Whoever asked is gone.
process.once('disconnect', () => process.exit())
process.once('message', ({ name, from, seeds, aim }: Hunt) => {
  const say = (said: Said): void => void process.send?.(said)
  const hunt = async (loaded: { World: typeof World }): Promise<void> => {
    const failed = await firstFailure(loaded, { from, seeds, aim, ran: seed => say({ kept: seed }) })
    say(failed === undefined ? { ended: true } : { failed })
  }
  const one = mutants.find(mutant => mutant.name === name)
  const all = one === undefined ? hunt({ World }) : plantedWorld(one, hunt)
  all.then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
