/**
 * What a verb answers, on standard output: a table for people, JSON or lines of JSON for programs.
 *
 * Results are the only thing on standard output; progress, hints and failures go to standard error. The two
 * JSON forms are the same on every terminal and of one shape from release to release. Memory stays bounded:
 * of a long result only the first rows, from which a table takes its widths, are held.
 */
import { type SillokError, withUnknownOutcome } from '../base/errors.js'
import { systemError } from '../env/system-errors.js'
import { headLine, layOut, rowLine, toJson } from './table.js'
import { UsageError } from './usage.js'

/** The forms that `-o` names. */
export const outputFormats = ['table', 'json', 'ndjson'] as const

/** `table` for people, `json` one array, `ndjson` one object a line. */
export type OutputFormat = (typeof outputFormats)[number]

/** A row of a result. */
export type Fields = Readonly<Record<string, unknown>>

/** Where text goes. */
export interface Sink {
  /** True when a person reads along. */
  readonly isTerminal: boolean
  /** Cells in a line of that terminal; Infinity where lines have no end. */
  readonly width: number
  /** The reader went away: what is written goes nowhere. */
  readonly isGone?: boolean
  /** Resolves when more may be written. Rejects if the output failed in another way than by its reader. */
  write(text: string): Promise<void>
  /**
   * Resolves when all that was written is with the system, or its reader is known to be gone. Rejects as
   * `write`. Without it everything is, once `write` has resolved.
   */
  written?(): Promise<void>
}

/** Rows from which a table takes its columns and widths. */
export const tableSampleRows = 200

/**
 * The form asked for by `-o`; without it a table on a terminal and ndjson elsewhere. Throws UsageError on
 * another.
 */
export function chooseFormat(asked: string | undefined, sink: Sink): OutputFormat {
  if (asked === undefined) return sink.isTerminal ? 'table' : 'ndjson'
  const format = outputFormats.find(known => known === asked)
  if (format === undefined) throw new UsageError(`-o is one of ${outputFormats.join(', ')}, not ${asked}`)
  return format
}

/**
 * Writes the rows in that form and answers how many there were. A reader that went away ends it: the rows
 * that follow are not read.
 */
export async function printRows(
  rows: Iterable<Fields> | AsyncIterable<Fields>,
  format: OutputFormat,
  sink: Sink,
): Promise<number> {
  if (format === 'table') return printTable(rows, sink)
  let count = 0
  for await (const row of rows) {
    const text = toJson(row)
    await sink.write(format === 'ndjson' ? `${text}\n` : `${count === 0 ? '[\n' : ',\n'}  ${text}`)
    count++
    if (sink.isGone === true) return count
  }
  if (format === 'json') await sink.write(count === 0 ? '[]\n' : '\n]\n')
  return count
}

/** Writes one result: as JSON an object, as a table one line per field. */
export async function printOne(fields: Fields, format: OutputFormat, sink: Sink): Promise<void> {
  if (format === 'table') {
    const lines = Object.entries(fields).map(([field, value]) => ({ field, value }))
    await printTable(lines, sink)
  } else {
    await sink.write(
      `${format === 'json' ? JSON.stringify(JSON.parse(toJson(fields)), null, 2) : toJson(fields)}\n`,
    )
  }
}

async function printTable(rows: Iterable<Fields> | AsyncIterable<Fields>, sink: Sink): Promise<number> {
  const sample: Fields[] = []
  let count = 0
  let write: ((row: Fields) => Promise<void>) | undefined
  const begin = async (): Promise<(row: Fields) => Promise<void>> => {
    const columns = layOut(sample, sink.width)
    const line = (row: Fields) => sink.write(`${rowLine(columns, row)}\n`)
    if (columns.length > 0) await sink.write(`${headLine(columns)}\n`)
    for (const row of sample) await line(row)
    return line
  }
  for await (const row of rows) {
    count++
    if (write !== undefined) await write(row)
    else sample.push(row)
    if (sample.length === tableSampleRows) write ??= await begin()
    if (sink.isGone === true) return count
  }
  if (write === undefined) await begin()
  return count
}

/**
 * The sink over a stream of the process. A reader that went away (`| head`) ends the writing without an
 * error; so does everything else if nobody `mustHear`. A failure leaves the outcome of a verb unknown: what
 * could not be told may be done.
 */
export function streamSink(stream: NodeJS.WriteStream, mustHear = true): Sink {
  let gone = false
  let failure: SillokError | undefined
  const note = (error: NodeJS.ErrnoException | null | undefined): void => {
    if (!error || gone || failure !== undefined) return
    if (!mustHear || error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') gone = true
    else failure = withUnknownOutcome(systemError(error, 'write', 'standard output'))
  }
  stream.on('error', note)
  return {
    isTerminal: stream.isTTY === true,
    get isGone() {
      return gone
    },
    get width() {
      return stream.isTTY ? stream.columns || 80 : Infinity
    },
    write(text) {
      if (failure !== undefined) return Promise.reject(failure)
      if (gone || stream.write(text)) return Promise.resolve()
      return new Promise(resolve => {
        const go = () => {
          stream.off('drain', go).off('close', go).off('error', go)
          resolve()
        }
        stream.once('drain', go).once('close', go).once('error', go)
      })
    },
    written() {
      return new Promise((resolve, reject) => {
        const end = (error?: Error | null): void => {
          note(error)
          if (failure === undefined) resolve()
          else reject(failure)
        }
        if (gone) end()
        else stream.write('', end)
      })
    },
  }
}
