/** `sillok count`: how many documents there are, as of one moment. */
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { declareKeyRange, keyRangeOf } from '../key-range.js'
import { printOne } from '../output.js'
import { neededText } from '../words.js'

/** Prints the number of documents of a range; it reads them all. */
export const command: Command = {
  declare: yargs =>
    declareKeyRange(declareFolder(yargs)).positional('collection', {
      type: 'string',
      describe: 'name of the collection',
    }),
  async run(given, terminal) {
    const collection = neededText(given, 'collection')
    const range = keyRangeOf(given)
    const documents = await withPresentStore(given, terminal, store =>
      store.collection(collection).count(range),
    )
    await printOne({ collection, documents }, terminal.format, terminal.out)
    return exitCodes.ok
  },
}
