/** `sillok find`: documents in the order of a secondary index, as of one moment. */
import type { SecondaryQuery } from '../../derived/secondary/query.js'
import type { Arguments, Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printRows } from '../output.js'
import { countOf, isGiven, lookupValue, neededText, textOf, textsOf } from '../words.js'

const bounds = ['gte', 'gt', 'lt', 'lte'] as const

/** Prints what the index answers. A value is written as JSON; a word that is no JSON is text. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('index', { type: 'string', describe: 'name of a secondary index' })
      .option('eq', {
        type: 'string',
        requiresArg: true,
        describe: 'value of the first field; given again, of the second, and so on: JSON, else text',
      })
      .option('gte', {
        type: 'string',
        requiresArg: true,
        describe: 'only where the field after those of --eq is at least this value',
      })
      .option('gt', {
        type: 'string',
        requiresArg: true,
        describe: 'only where that field is greater than this value',
      })
      .option('lt', {
        type: 'string',
        requiresArg: true,
        describe: 'only where that field is less than this value',
      })
      .option('lte', {
        type: 'string',
        requiresArg: true,
        describe: 'only where that field is at most this value',
      })
      .option('prefix', {
        type: 'string',
        requiresArg: true,
        describe: 'only where that field is text that begins with this',
      })
      .option('reverse', { type: 'boolean', describe: 'from the last document to the first' })
      .option('limit', {
        type: 'string',
        requiresArg: true,
        describe: 'how many documents are printed at most',
      })
      .example('$0 find users byCity --eq Seoul --gte 30', ''),
  async run(given, terminal) {
    const query = queryOf(given)
    await withPresentStore(given, terminal, store =>
      printRows(
        store.collection(neededText(given, 'collection')).find(neededText(given, 'index'), query),
        terminal.format,
        terminal.out,
      ),
    )
    return exitCodes.ok
  },
}

function queryOf(given: Arguments): SecondaryQuery {
  const query: { -readonly [Name in keyof SecondaryQuery]: SecondaryQuery[Name] } = {
    reverse: isGiven(given, 'reverse'),
  }
  const eq = textsOf(given, 'eq')
  if (eq.length > 0) query.eq = eq.map(lookupValue)
  for (const bound of bounds) {
    const word = textOf(given, bound)
    if (word !== undefined) query[bound] = lookupValue(word)
  }
  const prefix = textOf(given, 'prefix')
  if (prefix !== undefined) query.prefix = prefix
  const limit = countOf(given, 'limit', 1)
  if (limit !== undefined) query.limit = limit
  return query
}
