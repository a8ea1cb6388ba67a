/** `sillok indexes`: the derived indexes of a store, and how far each is. */
import { RealClock } from '../../env/real-clock.js'
import type { NamedIndexStatus } from '../../replica/indexes.js'
import type { Store } from '../../store/store.js'
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printRows } from '../output.js'
import { settledStatus } from '../settled-status.js'
import { isGiven } from '../words.js'

/**
 * Prints one line per index, or one per document that an index put aside. An index that is being built goes
 * on building only while the store is open; documents that were put aside are tried again at each opening.
 */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs).option('parked', {
      type: 'boolean',
      describe: 'print the documents that an index could not take and put aside, and why',
    }),
  async run(given, terminal) {
    const isTable = terminal.format === 'table'
    const rows = await withPresentStore(given, terminal, async store => {
      const { indexes } = await settledStatus(store, new RealClock())
      if (isGiven(given, 'parked')) return await parkedRows(store, indexes)
      return indexes.map(index => (isTable ? brief(index) : { ...index }))
    })
    await printRows(rows, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

/** What fits a line. */
function brief(index: NamedIndexStatus): Fields {
  const { collection, name, type, state, position, lag, parked, skipped, next, reason } = index
  const replaced = next === undefined ? '' : `, next ${next.state}`
  return { collection, name, type, state: `${state}${replaced}`, position, lag, parked, skipped, reason }
}

async function parkedRows(store: Store, indexes: readonly NamedIndexStatus[]): Promise<Fields[]> {
  const rows: Fields[] = []
  for (const { collection, name, parked } of indexes) {
    if (parked === 0) continue
    for (const one of await store.parked(collection, name)) rows.push({ collection, index: name, ...one })
  }
  return rows
}
