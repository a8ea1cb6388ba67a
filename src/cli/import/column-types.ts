/**
 * The types that a column of CSV can have, and which texts are values of each. A text that is none is a
 * fault; no text is taken for a value that it only resembles.
 */
import { parseExactJson, shown } from '../exact-json.js'

/** The value of a field, or why its text is none. */
export type ColumnValue = { readonly value: unknown } | { readonly fault: string }

/** Hour and minute, of a day or of a zone. */
const clock = '(?:[01]\\d|2[0-3]):[0-5]\\d'

/** `2026-01-31`, or with a time that says its zone: a date in the log has no local time. */
const dateText = new RegExp(
  `^(\\d{4})-(\\d\\d)-(\\d\\d)(?:T${clock}(?::[0-5]\\d(?:\\.\\d{1,3})?)?(?:Z|[+-]${clock}))?$`,
)

/** A number of JSON. */
const numberText = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** What each type makes of a text. */
export const columnTypes = {
  /** Every text, as it stands. */
  text: value => ({ value }),
  /** As JSON writes numbers, and held exactly if it is whole: no spaces, `007`, `1,5` or `0x1f`. */
  number: text => {
    if (!numberText.test(text)) return { fault: `${quoted(text)} is no number` }
    const read = parseExactJson(text)
    if ('fault' in read || Number.isFinite(read.value)) return read
    return { fault: `${quoted(text)} is too large for a number` }
  },
  /** `true` and `false`, in upper or lower case. */
  boolean: text => {
    const word = text.toLowerCase()
    if (word === 'true' || word === 'false') return { value: word === 'true' }
    return { fault: `${quoted(text)} is neither true nor false` }
  },
  /** A day, which begins at midnight UTC, or a moment to the millisecond with its zone. */
  date: text => {
    const [, year, month, day] = dateText.exec(text) ?? []
    // A month has its days: the 30th of February would become the 2nd of March.
    const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
    const isDay = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= days
    if (isDay) return { value: new Date(text) }
    return { fault: `${quoted(text)} is no date as 2026-01-31 or 2026-01-31T09:30:00Z` }
  },
  /** Any value of JSON, as rows of NDJSON are read. */
  json: text => {
    const read = parseExactJson(text)
    return 'fault' in read ? { fault: `${quoted(text)}: ${read.fault}` } : read
  },
} as const satisfies Readonly<Record<string, (text: string) => ColumnValue>>

/** The name of a type. */
export type ColumnType = keyof typeof columnTypes

const quoted = (text: string): string => JSON.stringify(shown(text))
