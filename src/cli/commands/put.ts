/** `sillok put`: writes one document. */
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Collection } from '../../store/collection.js'
import type { Put } from '../../store/options.js'
import type { Arguments, Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printOne } from '../output.js'
import { UsageError } from '../usage.js'
import { countOf, isGiven, neededText, parseJson, readInput, textOf } from '../words.js'

/** JSON writes a byte in six characters at most. */
const inputBytesMax = 6 * limits.documentBytesMax

/** Prints the version that the document has when it is durable. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('json', {
        type: 'string',
        default: '-',
        describe: 'the document as JSON, - for standard input',
      })
      .option('if-version', {
        type: 'string',
        requiresArg: true,
        describe: 'only if the document has this version (get --with-version)',
      })
      .option('insert', { type: 'boolean', describe: 'only if there is no document with this key yet' })
      .example('$0 put users \'{"id":"u1","email":"kim@example.com"}\'', ''),
  async run(given, terminal) {
    if (isGiven(given, 'insert') && given['if-version'] !== undefined) {
      throw new UsageError('--insert and --if-version exclude each other')
    }
    const ifVersion = countOf(given, 'if-version', 1)
    const word = textOf(given, 'json') ?? '-'
    const text = word === '-' ? await readInput(inputBytesMax) : word
    const document = parseJson(text, word === '-' ? 'standard input' : 'the document')
    if (typeof document !== 'object' || document === null) {
      throw new SillokError('INVALID', 'a document is a JSON object')
    }
    const written = await withPresentStore(given, terminal, store =>
      write(store.collection(neededText(given, 'collection')), document, given, ifVersion),
    )
    await printOne({ ...written }, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

async function write(
  collection: Collection,
  document: object,
  given: Arguments,
  ifVersion: number | undefined,
): Promise<Put> {
  const fields = document as Record<string, unknown>
  if (isGiven(given, 'insert')) return { ...(await collection.insert(fields)), existed: false }
  return collection.put(fields, ifVersion === undefined ? {} : { ifVersion })
}
