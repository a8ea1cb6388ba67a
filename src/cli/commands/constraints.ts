/** `sillok constraints`: the unique constraints of a store, how far each is, and what violates it. */
import { SillokError } from '../../base/errors.js'
import { RealClock } from '../../env/real-clock.js'
import type { ConstraintStatus } from '../../store/constraints.js'
import type { Store } from '../../store/store.js'
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printRows } from '../output.js'
import { builtStatus } from '../settled-status.js'
import { isGiven, textOf } from '../words.js'

/** Violations that are read at a time. */
const pageViolations = 1000

/**
 * Prints one line per constraint, or one per document that lacks its claim. A constraint that is being built
 * goes on building only while the store is open.
 */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'only those of this collection' })
      .option('violations', {
        type: 'boolean',
        describe: 'print the documents whose values others hold, with the holder',
      })
      .option('wait', { type: 'boolean', describe: 'wait until none is being built or dropped' })
      .example('$0 constraints users --wait --violations', ''),
  async run(given, terminal) {
    const collection = textOf(given, 'collection')
    await withPresentStore(given, terminal, async store => {
      const { constraints } = isGiven(given, 'wait')
        ? await builtStatus(store, new RealClock())
        : store.status()
      if (collection !== undefined && store.definition(collection) === undefined)
        throw new SillokError('NOT_FOUND', `collection ${JSON.stringify(collection)} is not defined`)
      const wanted = constraints.filter(one => collection === undefined || one.collection === collection)
      const rows = isGiven(given, 'violations')
        ? violationsOf(store, wanted)
        : wanted.map(status => ({ ...status }))
      await printRows(rows, terminal.format, terminal.out)
    })
    return exitCodes.ok
  },
}

/** Of two rules of one name those of the newer one. */
async function* violationsOf(store: Store, constraints: readonly ConstraintStatus[]): AsyncGenerator<Fields> {
  for (const { collection, name, state, id } of constraints) {
    const isOlder = constraints.some(
      other => other.collection === collection && other.name === name && other.id > id,
    )
    if (isOlder || state === 'dropping') continue
    for (let after: string | undefined; ; ) {
      const page = await store.violations(collection, name, { limit: pageViolations, after })
      for (const { key, values, holder } of page.violations) {
        yield { collection, constraint: name, key, values, holder: holder ?? null }
      }
      after = page.after
      if (after === undefined) break
    }
  }
}
