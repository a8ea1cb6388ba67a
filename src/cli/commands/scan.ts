/** `sillok scan`: documents in the order of their keys, as of one moment. */
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { declareKeyRange, keyRangeOf } from '../key-range.js'
import { printRows } from '../output.js'
import { countOf, isGiven, neededText } from '../words.js'

/** Prints the documents of a range; memory does not grow with their number. */
export const command: Command = {
  declare: yargs =>
    declareKeyRange(declareFolder(yargs))
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .option('reverse', { type: 'boolean', describe: 'from the last key to the first' })
      .option('limit', {
        type: 'string',
        requiresArg: true,
        describe: 'how many documents are printed at most',
      }),
  async run(given, terminal) {
    const limit = countOf(given, 'limit')
    const range = { ...keyRangeOf(given), reverse: isGiven(given, 'reverse') }
    const options = limit === undefined ? range : { ...range, limit }
    await withPresentStore(given, terminal, store =>
      printRows(
        store.collection(neededText(given, 'collection')).scan(options),
        terminal.format,
        terminal.out,
      ),
    )
    return exitCodes.ok
  },
}
