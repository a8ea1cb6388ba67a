/** `sillok delete`: removes one document and releases its unique values. */
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printOne } from '../output.js'
import { countOf, isGiven, keyOf, neededText } from '../words.js'

/** Prints whether there was one; a missing document is no failure, because nothing is left to delete. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('key', { type: 'string', describe: 'key of the document' })
      .option('number', { type: 'boolean', describe: 'the key is a whole number, not text' })
      .option('if-version', {
        type: 'string',
        requiresArg: true,
        describe: 'only if the document has this version (get --with-version)',
      }),
  async run(given, terminal) {
    const key = keyOf(neededText(given, 'key'), isGiven(given, 'number'))
    const ifVersion = countOf(given, 'if-version', 1)
    const deleted = await withPresentStore(given, terminal, store =>
      store
        .collection(neededText(given, 'collection'))
        .delete(key, ifVersion === undefined ? {} : { ifVersion }),
    )
    await printOne({ ...deleted }, terminal.format, terminal.out)
    return exitCodes.ok
  },
}
