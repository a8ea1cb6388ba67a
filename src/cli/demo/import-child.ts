/**
 * An import in a process of its own, which is killed on the way if asked: SIGKILL, as a crash would end it.
 */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../env/clock.js'
import type { ProgressLine } from '../import/import-progress.js'

/** What to import, and when to kill. */
export interface ImportChildOptions {
  readonly clock: Clock
  readonly folder: string
  readonly collection: string
  readonly file: string
  readonly report: string
  /** Answered rows at which the child is killed; without it the child runs to its end. */
  readonly killAtRows?: number
  /** Told how many rows have their answer. */
  readonly answered: (rows: number) => void
}

/** How the child ended. */
export interface ImportChildEnd {
  readonly exit: number | null
  readonly signal: NodeJS.Signals | null
  /** Time to open the store; undefined if the child never opened it. */
  readonly openedMs: number | undefined
  readonly resumedFrom: number
  readonly answered: number
  /** From the opened store to the last answered row. */
  readonly importMs: number
  /** The summary on standard output; undefined if there was none. */
  readonly summary: Readonly<Record<string, unknown>> | undefined
  /** Other lines of standard error. */
  readonly remarks: readonly string[]
}

/** This file lies four folders deep in the package, once compiled. */
const program = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../../bin/sillok.js')

/** Runs the import. Resolves when the process has ended; rejects if it could not be started. */
export function runImportChild(options: ImportChildOptions): Promise<ImportChildEnd> {
  const { clock, folder, collection, file, report, killAtRows = Number.POSITIVE_INFINITY } = options
  const words = [
    'import',
    collection,
    file,
    '--dir',
    folder,
    '--report',
    report,
    '--progress-lines',
    '-o',
    'ndjson',
  ]
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  let opened: Extract<ProgressLine, { event: 'opened' }> | undefined
  let [answered, fromMs, toMs] = [0, 0, 0]
  let output = ''
  const remarks: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  createInterface({ input: child.stderr }).on('line', text => {
    const line = progressLine(text)
    if (line === undefined) remarks.push(text)
    else if (line.event === 'opened') {
      opened = line
      fromMs = clock.monotonicMs()
      toMs = fromMs
    } else {
      answered = line.answered
      toMs = clock.monotonicMs()
      options.answered(answered)
      if (answered >= killAtRows) child.kill('SIGKILL')
    }
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit, signal) => {
      resolve({
        exit,
        signal,
        openedMs: opened?.openedMs,
        resumedFrom: opened?.resumedFrom ?? 1,
        answered,
        importMs: toMs - fromMs,
        summary: output === '' ? undefined : (JSON.parse(output) as Readonly<Record<string, unknown>>),
        remarks,
      })
    })
  })
}

function progressLine(text: string): ProgressLine | undefined {
  if (!text.startsWith('{"event":')) return undefined
  return JSON.parse(text) as ProgressLine
}
