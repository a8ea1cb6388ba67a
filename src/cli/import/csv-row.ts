/**
 * A record of CSV as a document: a field for each named column, its value by the type of that column.
 *
 * Nothing is guessed and nothing is changed on the way: what does not fit its type is a fault that names
 * line, column and value, never text. An empty field is a missing one, `""` is the empty text; a bare field
 * that is the word for null is null, whatever the column's type. Spaces belong to the value.
 */
import { isUtf8 } from 'node:buffer'
import { parse } from 'csv-parse/sync'
import { messageOf, SillokError } from '../../base/errors.js'
import { shown } from '../exact-json.js'
import { nearName } from '../near-name.js'
import { visible } from '../table.js'
import { type ColumnType, type ColumnValue, columnTypes } from './column-types.js'
import type { ReadRow } from './row-document.js'
import type { RawRow } from './row-splitter.js'

/** How a CSV input is read. */
export interface CsvLayout {
  /** Stands between fields: one ASCII character. */
  readonly delimiter: string
  /** Names of the columns; undefined: the header has them. A column with an empty name is left out. */
  readonly columns: readonly string[] | undefined
  /** The first record is no row. */
  readonly hasHeader: boolean
  /** Types by column; a column without one is text. */
  readonly types: ReadonlyMap<string, ColumnType>
  /** The bare field that means null. */
  readonly nullWord: string | undefined
}

const quote = 0x22

interface Column {
  readonly name: string
  readonly value: (text: string) => ColumnValue
}

interface Field {
  readonly text: string
  readonly isQuoted: boolean
}

/** What is wrong with the form of a record, in the words of RFC 4180. */
const wrongForm: Readonly<Record<string, string>> = {
  INVALID_OPENING_QUOTE: 'a quote stands inside a field that does not begin with one',
  CSV_INVALID_CLOSING_QUOTE: 'something stands behind the closing quote',
  CSV_QUOTE_NOT_CLOSED: 'the quote is not closed',
}

/**
 * Reads the records of an input with this header. Throws INVALID if the columns have no names, or two the
 * same, or a type is for none of them.
 */
export function csvReader(layout: CsvLayout, header: RawRow | undefined): (raw: RawRow) => ReadRow {
  const names = layout.columns ?? namesIn(layout, header)
  const unknown = [...layout.types.keys()].find(name => !names.includes(name))
  if (unknown !== undefined) {
    const near = nearName(unknown, names)
    const meant = near === undefined ? '' : `; did you mean ${near}?`
    throw new SillokError('INVALID', `no column ${JSON.stringify(unknown)} in ${listOf(names)}${meant}`)
  }
  const columns = names.map(name => ({ name, value: columnTypes[layout.types.get(name) ?? 'text'] }))
  return raw => readRecord(raw, columns, layout)
}

function namesIn(layout: CsvLayout, header: RawRow | undefined): string[] {
  const advice = '--columns names the columns in its place'
  if (header === undefined) throw new SillokError('INVALID', 'the input is empty: it has no header')
  const fields = fieldsOf(header, layout)
  if ('fault' in fields) throw new SillokError('INVALID', `the header: ${fields.fault}`)
  const names = fields.map(field => field.text)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  const wrong = names.includes('')
    ? `column ${names.indexOf('') + 1} has no name`
    : twice !== undefined && `two columns are named ${JSON.stringify(shown(twice))}`
  if (wrong === false) return names
  throw new SillokError('INVALID', `the header, line ${header.place}: ${wrong}; with --header ${advice}`)
}

function readRecord(raw: RawRow, columns: readonly Column[], layout: CsvLayout): ReadRow {
  const fields = fieldsOf(raw, layout)
  if ('fault' in fields) return fields
  if (fields.length !== columns.length) {
    const counts = `${fields.length} fields, but ${columns.length} columns`
    return { fault: `${whereOf(raw)}: ${counts}` }
  }
  const document: [string, unknown][] = []
  for (const [i, { name, value }] of columns.entries()) {
    const { text, isQuoted } = fields[i] ?? { text: '', isQuoted: false }
    if (name === '') continue
    if (text === layout.nullWord && !isQuoted) document.push([name, null])
    else if (text !== '' || isQuoted) {
      const read = value(text)
      if ('fault' in read)
        return { fault: `${whereOf(raw)}, column ${i + 1} (${visible(name)}): ${read.fault}` }
      document.push([name, read.value])
    }
  }
  // Own fields all of them, also one named `__proto__`, which the store refuses by name.
  return { document: Object.fromEntries(document) }
}

/** The fields of one record, as they stand there; or what is wrong with its form. */
function fieldsOf(raw: RawRow, layout: CsvLayout): Field[] | { readonly fault: string } {
  if (raw.fault !== undefined) return { fault: `${whereOf(raw)}: ${raw.fault}` }
  if (!isUtf8(raw.bytes)) return { fault: `${whereOf(raw)}: not UTF-8` }
  try {
    const texts = recordOf(raw.bytes, layout)
    const isPlain = !raw.bytes.includes(quote) || !texts.some(text => mayBeQuoted(text, layout))
    const fields = isPlain
      ? texts.map(text => ({ text, isQuoted: false }))
      : quotedRecordOf(raw.bytes, layout)
    const torn = fields.findIndex(({ text, isQuoted }) => !isQuoted && text.includes('\r'))
    if (torn < 0) return fields
    const fault = 'a carriage return without a line feed, outside quotes'
    return { fault: `${whereOf(raw)}, column ${torn + 1}: ${fault}` }
  } catch (error) {
    const { code = '', column } = error as { code?: string; column?: unknown }
    const place = typeof column === 'number' ? `, column ${column + 1}` : ''
    return { fault: `${whereOf(raw)}${place}: ${wrongForm[code] ?? messageOf(error)}` }
  }
}

/** A text that means one thing in quotes and another without. */
function mayBeQuoted(text: string, { nullWord }: CsvLayout): boolean {
  return text === '' || text === nullWord || text.includes('\r')
}

/** The splitter ends a record with a line feed, so one that holds more than one is no CSV. */
function recordOf(bytes: Buffer, { delimiter }: CsvLayout): string[] {
  return only(parse(bytes, { delimiter, record_delimiter: '\n' }))
}

/** As `recordOf`, with what stood in quotes: that costs ten times as much. */
function quotedRecordOf(bytes: Buffer, { delimiter }: CsvLayout): Field[] {
  const cast = (text: string, { quoting }: { quoting: boolean }): Field => ({ text, isQuoted: quoting })
  return only(parse(bytes, { delimiter, record_delimiter: '\n', cast }) as unknown as Field[][])
}

function only<T>(records: readonly T[]): T {
  const [record] = records
  if (record === undefined || records.length !== 1) throw new Error('not one record of CSV')
  return record
}

/** Row, line or lines, and byte. */
function whereOf({ row, place, offset, bytes }: RawRow): string {
  let last = place
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) last += 1
  const lines = last === place ? `line ${place}` : `lines ${place} to ${last}`
  return `${row === 0 ? lines : `row ${row} (${lines})`}, byte ${offset}`
}

function listOf(names: readonly string[]): string {
  const some = names.slice(0, 12).map(visible).join(', ')
  return names.length > 12 ? `${some}, … (${names.length} columns)` : some
}
