/** `sillok indexes`: the derived indexes of a store, and how far each is. */
import { RealClock } from '../../env/real-clock.js'
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printRows } from '../output.js'
import { settledStatus } from '../settled-status.js'

/** Prints one line per index. An index that is being built goes on building only while the store is open. */
export const command: Command = {
  usage: 'indexes',
  summary: 'print the derived indexes, and how far each is',
  declare: declareFolder,
  async run(given, terminal) {
    const { indexes } = await withPresentStore(given, terminal, store =>
      settledStatus(store, new RealClock()),
    )
    await printRows(
      indexes.map(index => ({ ...index })),
      terminal.format,
      terminal.out,
    )
    return exitCodes.ok
  },
}
