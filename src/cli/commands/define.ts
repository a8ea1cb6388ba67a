/**
 * `sillok define`: creates a collection from its definition; the same definition again changes nothing.
 * Without one it prints what is defined.
 */
import { readFile } from 'node:fs/promises'
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Arguments, Command, Terminal } from '../command.js'
import { declareFolder, folderOf, withPresentStore, withStore } from '../embedded.js'
import { type ExitCode, exitCodes } from '../failure.js'
import { printOne } from '../output.js'
import { UsageError } from '../usage.js'
import { userFileError } from '../user-file.js'
import { isGiven, neededText, parseJson, readInput, textOf } from '../words.js'

/** Makes the folder if there is none, unless it only prints, and prints the name that is defined then. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('name', { type: 'string', describe: 'name of the collection' })
      .positional('file', {
        type: 'string',
        describe: 'file with the definition as JSON, - for standard input',
      })
      .option('json', {
        type: 'string',
        requiresArg: true,
        describe: 'the definition itself, as JSON, in place of a file',
      })
      .option('drop', {
        type: 'boolean',
        describe: 'remove the indexes and constraints that the new definition does not name',
      })
      .example('$0 define users --json \'{"key":"id","unique":{"email":{"fields":["email"]}}}\'', ''),
  async run(given, terminal) {
    const folder = folderOf(given)
    const name = neededText(given, 'name')
    if (textOf(given, 'file') === undefined && textOf(given, 'json') === undefined)
      return await printPresent(name, given, terminal)
    const { text, from } = await definitionText(given)
    const { checkDefinition } = await import('../../machine/schema.js')
    const { IndexTypes } = await import('../../store/index-types.js')
    // Checked before the folder is made: a wrong definition leaves nothing behind.
    const definition = checkDefinition(name, parseJson(text, from))
    new IndexTypes().configure(name, definition)
    const drop = isGiven(given, 'drop')
    await withStore(folder, terminal.err, store => store.define(name, definition, { drop }))
    await printOne({ defined: name }, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

async function printPresent(name: string, given: Arguments, terminal: Terminal): Promise<ExitCode> {
  if (isGiven(given, 'drop')) throw new UsageError('--drop goes with a definition: a file, - or --json')
  const definition = await withPresentStore(given, terminal, async store => store.definition(name))
  if (definition === undefined) {
    throw new SillokError('NOT_FOUND', `collection ${JSON.stringify(name)} is not defined`)
  }
  await printOne({ ...definition }, terminal.format, terminal.out)
  return exitCodes.ok
}

async function definitionText(given: Arguments): Promise<{ text: string; from: string }> {
  const json = textOf(given, 'json')
  const file = textOf(given, 'file')
  if (json !== undefined && file !== undefined) throw new UsageError('give a file, - or --json, one of them')
  if (json !== undefined) return { text: json, from: 'the definition' }
  if (file === '-') return { text: await readInput(limits.documentBytesMax), from: 'standard input' }
  const path = neededText(given, 'file')
  try {
    return { text: await readFile(path, 'utf8'), from: path }
  } catch (error) {
    throw userFileError(error, 'read', path)
  }
}
