/** `sillok get`: one document, by its key or by a unique value. */
import { SillokError } from '../../base/errors.js'
import type { DocumentKey, TupleValue } from '../../base/tuple.js'
import type { Collection } from '../../store/collection.js'
import type { Arguments, Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printOne } from '../output.js'
import { UsageError } from '../usage.js'
import { isGiven, keyOf, lookupValue, neededText, textOf, textsOf } from '../words.js'

/** Prints the document; a missing one is NOT_FOUND, exit code 5. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('value', {
        type: 'string',
        // Else the help shows an empty list as default.
        default: undefined,
        describe: 'the key; with --by a value for each field of the constraint: JSON, else text',
      })
      .option('by', {
        type: 'string',
        requiresArg: true,
        describe: 'name of a unique constraint: the document that holds the values',
      })
      .option('number', { type: 'boolean', describe: 'the key is a whole number, not text' })
      .option('with-version', {
        type: 'boolean',
        describe: 'print {version, document}: the version is for put --if-version',
      })
      .example('$0 get users u1', '')
      .example('$0 get users --by email kim@example.com', '')
      .example('$0 get books --by edition Emma 1815', ''),
  async run(given, terminal) {
    const wanted = readWords(given)
    const fields = await withPresentStore(given, terminal, store =>
      find(store.collection(wanted.collection), wanted),
    )
    await printOne(fields, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

interface Wanted {
  readonly collection: string
  /** A key, or one value for each field of the constraint. */
  readonly by: { readonly key: DocumentKey } | { readonly constraint: string; readonly values: TupleValue[] }
  readonly withVersion: boolean
  /** What is looked for, as it was given. */
  readonly asked: string
}

function readWords(given: Arguments): Wanted {
  const words = textsOf(given, 'value')
  const constraint = textOf(given, 'by')
  const isNumber = isGiven(given, 'number')
  const withVersion = isGiven(given, 'with-version')
  const collection = neededText(given, 'collection')
  const asked = `${collection} ${constraint === undefined ? '' : `by ${constraint} `}${words.join(' ')}`
  const [word, ...more] = words
  if (word === undefined) throw new UsageError('name a key')
  if (constraint !== undefined) {
    if (withVersion) throw new UsageError('--with-version goes with a key, not with --by')
    if (isNumber)
      throw new UsageError('--number goes with a key, not with --by: a value of digits is a number')
    return { collection, by: { constraint, values: words.map(lookupValue) }, withVersion, asked }
  }
  if (more.length > 0) throw new UsageError('get takes one key; --by names a constraint')
  return { collection, by: { key: keyOf(word, isNumber) }, withVersion, asked }
}

async function find(collection: Collection, { by, withVersion, asked }: Wanted): Promise<Fields> {
  if ('constraint' in by) {
    const held = await collection.getBy(by.constraint, by.values)
    if (held === undefined) throw missing(asked)
    return held
  }
  const found = await collection.getVersioned(by.key)
  if (found === undefined) throw missing(asked)
  return withVersion ? { version: found.version, document: found.document } : found.document
}

function missing(asked: string): SillokError {
  return new SillokError('NOT_FOUND', `no document ${asked}`)
}
