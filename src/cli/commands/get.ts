/** `sillok get`: one document, by its key or by a unique value. */
import { SillokError } from '../../base/errors.js'
import type { DocumentKey } from '../../base/tuple.js'
import type { Collection } from '../../store/collection.js'
import type { Arguments, Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printOne } from '../output.js'
import { UsageError } from '../usage.js'
import { isGiven, keyOf, neededText, textOf, textsOf } from '../words.js'

/** Prints the document; a missing one is NOT_FOUND, exit code 5. */
export const command: Command = {
  usage: 'get <collection> <value..>',
  summary: 'print a document, by key or with --by by a unique value',
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('value', {
        type: 'string',
        // Else the help shows an empty list as default.
        default: undefined,
        describe: 'the key; with --by a value for each field of the constraint',
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
      .example('$0 get users --by email kim@example.com', ''),
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
  readonly key: DocumentKey
  /** One for each field of the constraint `by`. */
  readonly values: readonly DocumentKey[]
  readonly by: string | undefined
  readonly withVersion: boolean
}

function readWords(given: Arguments): Wanted {
  const values = textsOf(given, 'value').map(word => keyOf(word, isGiven(given, 'number')))
  const by = textOf(given, 'by')
  const withVersion = isGiven(given, 'with-version')
  const [key, ...more] = values
  if (key === undefined) throw new UsageError('name a key')
  if (by === undefined && more.length > 0) throw new UsageError('get takes one key; --by names a constraint')
  if (by !== undefined && withVersion) throw new UsageError('--with-version goes with a key, not with --by')
  return { collection: neededText(given, 'collection'), key, values, by, withVersion }
}

async function find(collection: Collection, { key, values, by, withVersion }: Wanted): Promise<Fields> {
  const asked = `${collection.name} ${by === undefined ? '' : `by ${by} `}${values.join(' ')}`
  if (withVersion) {
    const found = await collection.getVersioned(key)
    if (found === undefined) throw missing(asked)
    return { version: found.version, document: found.document }
  }
  const document = by === undefined ? await collection.get(key) : await collection.getBy(by, values)
  if (document === undefined) throw missing(asked)
  return document
}

function missing(asked: string): SillokError {
  return new SillokError('NOT_FOUND', `no document ${asked}`)
}
