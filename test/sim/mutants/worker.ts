/** A process with one bug in it, or none, that runs seeds until one fails, and tells its parent of each. */
import { mutants } from './catalogue.js'
import { type Failure, firstFailure, type Search } from './search.js'

/** What a process is to do. Without a name: nothing is planted. */
export type Hunt = Omit<Search, 'ran'> & { readonly name?: string | undefined }

/** What it says. */
export type Said = { readonly kept: number } | { readonly failed: Failure } | { readonly ended: true }

// Whoever asked is gone.
process.once('disconnect', () => process.exit())
process.once('message', ({ name, ...search }: Hunt) => {
  const say = (said: Said): void => void process.send?.(said)
  const one = mutants.find(mutant => mutant.name === name)
  firstFailure(one, { ...search, ran: seed => say({ kept: seed }) }).then(
    failed => {
      say(failed === undefined ? { ended: true } : { failed })
      process.disconnect()
    },
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
