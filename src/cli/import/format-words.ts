/** The form of an input, as the words of the command line say it. What does not fit is a UsageError. */
import type { Argv } from 'yargs'
import type { Arguments } from '../command.js'
import { parseExactJson } from '../exact-json.js'
import { UsageError } from '../usage.js'
import { isGiven, textOf } from '../words.js'
import { type ColumnType, columnTypes } from './column-types.js'
import { csvFormat, type InputFormat, jsonFormat } from './input-format.js'

const typeNames = Object.keys(columnTypes).join(', ')
const csvOnly = ['columns', 'types', 'header', 'delimiter', 'null'] as const

/** Declares `--format` and what goes with CSV. */
export function declareFormat(yargs: Argv): Argv {
  return yargs
    .option('format', {
      type: 'string',
      requiresArg: true,
      describe: 'json (NDJSON or one array) or csv; without it a file named *.csv is CSV',
    })
    .option('types', {
      type: 'string',
      requiresArg: true,
      describe: `CSV: types of columns, as age=number,tags=json (or a JSON object): ${typeNames}`,
    })
    .option('columns', {
      type: 'string',
      requiresArg: true,
      describe: 'CSV: names of the columns, as id,name,,age (or a JSON array); an empty one is left out',
    })
    .option('header', {
      type: 'boolean',
      describe: 'CSV: the first line is a header also where --columns names the columns',
    })
    .option('delimiter', {
      type: 'string',
      requiresArg: true,
      describe: 'CSV: the character between fields, or tab (a comma)',
    })
    .option('null', {
      type: 'string',
      requiresArg: true,
      describe: 'CSV: a field that is this text, without quotes, is null',
    })
}

/** The form of the input in that file. */
export function formatOf(given: Arguments, file: string): InputFormat {
  const word = textOf(given, 'format') ?? (/\.csv$/i.test(file) ? 'csv' : 'json')
  if (word === 'json') {
    const strange = csvOnly.find(name => given[name] !== undefined)
    if (strange !== undefined) throw new UsageError(`--${strange} goes with --format csv`)
    return jsonFormat
  }
  if (word !== 'csv') throw new UsageError(`--format is json or csv, not ${word}`)
  const columns = columnsOf(textOf(given, 'columns'))
  const types = typesOf(textOf(given, 'types'))
  const unknown = columns && [...types.keys()].find(name => !columns.includes(name))
  if (unknown !== undefined) throw new UsageError(`--types: --columns names no ${JSON.stringify(unknown)}`)
  if (given['header'] === false && columns === undefined)
    throw new UsageError('--no-header: name the columns by --columns')
  return csvFormat({
    delimiter: delimiterOf(textOf(given, 'delimiter') ?? ','),
    columns,
    hasHeader: columns === undefined || isGiven(given, 'header'),
    types,
    nullWord: textOf(given, 'null'),
  })
}

function delimiterOf(word: string): string {
  const character = word === 'tab' ? '\t' : word
  if (/^[\t\x20-\x7e]$/.test(character) && character !== '"') return character
  throw new UsageError(`--delimiter is one ASCII character but the quote, or tab; not ${word}`)
}

function columnsOf(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const names = text.startsWith('[') ? readJson('columns', text) : text.split(',')
  if (!Array.isArray(names) || names.length === 0 || names.some(name => typeof name !== 'string'))
    throw new UsageError('--columns is names with commas between, or a JSON array of them')
  const twice = names.find((name, i) => name !== '' && names.indexOf(name) !== i) as string | undefined
  if (twice !== undefined) throw new UsageError(`--columns names ${JSON.stringify(twice)} twice`)
  return names as string[]
}

function typesOf(text: string | undefined): Map<string, ColumnType> {
  if (text === undefined) return new Map()
  const pairs = text.startsWith('{')
    ? Object.entries(readJson('types', text) as object)
    : text.split(',').map(pair => /^(.*)=(.*?)$/s.exec(pair)?.slice(1) ?? ['', pair])
  const types = new Map<string, ColumnType>()
  for (const [name, type] of pairs as [string, unknown][]) {
    if (name === '') throw new UsageError('--types is column=type, with commas between')
    if (types.has(name)) throw new UsageError(`--types names ${JSON.stringify(name)} twice`)
    if (typeof type !== 'string' || !Object.hasOwn(columnTypes, type))
      throw new UsageError(`--types: ${name} is one of ${typeNames}, not ${String(type)}`)
    types.set(name, type as ColumnType)
  }
  return types
}

function readJson(option: string, text: string): unknown {
  const read = parseExactJson(text)
  if ('fault' in read) throw new UsageError(`--${option}: ${read.fault}`)
  return read.value
}
