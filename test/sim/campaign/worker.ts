/** A process that runs the worlds that it is sent, one after the other, until its parent lets it go. */
import { runSeed, type SeedTask } from './seed-result.js'

// From a terminal it comes to all of the group: the parent decides.
process.on('SIGINT', () => {})
process.on('message', (task: SeedTask) => {
  runSeed(task).then(
    result => process.send?.(result),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
