/**
 * How far an import is: a bar for a person; lines of JSON for a parent process that asked with
 * `--progress-lines`.
 */
import type { Clock } from '../../env/clock.js'
import type { Arguments, Terminal } from '../command.js'
import { Progress } from '../progress.js'
import { toJson } from '../table.js'
import { isGiven } from '../words.js'

/** What is known when the first row is about to be sent. */
export interface ImportStart {
  /** Time that opening the store took. */
  readonly openedMs: number
  readonly resumedFrom: number
  readonly rows: number
}

/** A line of `--progress-lines`. */
export type ProgressLine =
  | ({ readonly event: 'opened' } & ImportStart)
  | { event: 'answered'; answered: number }

/** Where an import tells how far it is. */
export interface ImportProgress {
  readonly answered: (rows: number) => void
  finish(): Promise<void>
}

const linePauseMs = 50

/** The kind of progress that was asked for. */
export function reporterFor(
  terminal: Terminal,
  clock: Clock,
  given: Arguments,
  start: ImportStart,
): ImportProgress {
  if (isGiven(given, 'progress-lines')) return lines(terminal, clock, start)
  const progress = new Progress({
    sink: terminal.err,
    clock,
    label: 'import',
    unit: 'rows',
    total: start.rows,
  })
  return { answered: rows => progress.advance(rows), finish: () => progress.finish() }
}

function lines(terminal: Terminal, clock: Clock, start: ImportStart): ImportProgress {
  let count = 0
  let toldMs = clock.monotonicMs()
  const tell = (line: ProgressLine): void => {
    toldMs = clock.monotonicMs()
    void terminal.err.write(`${toJson(line)}\n`).catch(() => {})
  }
  tell({ event: 'opened', ...start })
  return {
    answered: rows => {
      count += rows
      if (clock.monotonicMs() - toldMs >= linePauseMs) tell({ event: 'answered', answered: count })
    },
    finish: () => terminal.err.write(`${toJson({ event: 'answered', answered: count })}\n`),
  }
}
