/** `sillok scan`: documents in the order of their keys, as of one moment. */
import type { ScanOptions } from '../../store/options.js'
import type { Arguments, Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printRows } from '../output.js'
import { countOf, isGiven, keyOf, neededText, textOf } from '../words.js'

const bounds = ['gte', 'gt', 'lt', 'lte'] as const

/** Prints the documents of a range; memory does not grow with their number. */
export const command: Command = {
  usage: 'scan <collection>',
  summary: 'print the documents of a range of keys',
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .option('gte', {
        type: 'string',
        requiresArg: true,
        describe: 'only keys that are this one or come after it',
      })
      .option('gt', { type: 'string', requiresArg: true, describe: 'only keys that come after this one' })
      .option('lt', { type: 'string', requiresArg: true, describe: 'only keys that come before this one' })
      .option('lte', {
        type: 'string',
        requiresArg: true,
        describe: 'only keys that are this one or come before it',
      })
      .option('prefix', {
        type: 'string',
        requiresArg: true,
        describe: 'only keys that are text and begin with this; not with another bound',
      })
      .option('number', { type: 'boolean', describe: 'the bounds are whole numbers, not text' })
      .option('reverse', { type: 'boolean', describe: 'from the last key to the first' })
      .option('limit', {
        type: 'string',
        requiresArg: true,
        describe: 'how many documents are printed at most',
      }),
  async run(given, terminal) {
    const options = scanOptions(given)
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

function scanOptions(given: Arguments): ScanOptions {
  const isNumber = isGiven(given, 'number')
  const options: { -readonly [Name in keyof ScanOptions]: ScanOptions[Name] } = {
    reverse: isGiven(given, 'reverse'),
  }
  for (const bound of bounds) {
    const word = textOf(given, bound)
    if (word !== undefined) options[bound] = keyOf(word, isNumber)
  }
  const prefix = textOf(given, 'prefix')
  if (prefix !== undefined) options.prefix = prefix
  const limit = countOf(given, 'limit')
  if (limit !== undefined) options.limit = limit
  return options
}
