/**
 * `sillok import`: the documents of a file into a collection, each exactly once, resumable after any crash.
 *
 * Exit codes: 0 when every row was inserted, 4 when the store refused rows, 1 when rows could not be read;
 * the same again when a finished import is run again. 130 or 143 when a signal stopped it: the same command
 * resumes it.
 */
import { createHash } from 'node:crypto'
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { RealClock } from '../../env/real-clock.js'
import type { Collection } from '../../store/collection.js'
import type { Session } from '../../store/session.js'
import type { Store } from '../../store/store.js'
import type { Arguments, Command, Terminal } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { type ExitCode, exitCodes } from '../failure.js'
import { declareFormat, formatOf } from '../import/format-words.js'
import { reporterFor } from '../import/import-progress.js'
import { Importer } from '../import/importer.js'
import { type InputFacts, InputFile } from '../import/input-file.js'
import type { InputFormat } from '../import/input-format.js'
import { type Report, ReportFile } from '../import/rejection-report.js'
import { groupLimits } from '../import/row-groups.js'
import { printOne } from '../output.js'
import { grouped } from '../progress.js'
import { watchSignals } from '../signals.js'
import { UsageError } from '../usage.js'
import { lookAtTarget } from '../user-file.js'
import { ofImport } from '../verb-promises.js'
import { countOf, neededText, textOf } from '../words.js'

/** Bytes of `--name`: with collection and digest it must fit the name of a session. */
const nameBytesMax = limits.sessionNameBytesMax - limits.nameBytesMax - 64 - 2

/**
 * An answer may wait for a disk that is full or busy; a shorter wait would only end the import. Given to the
 * store, not to each insert: calls with the store's own deadline share one timer.
 */
const deadlineMs = 10 * 60_000

/**
 * Prints how many rows there are, and of these were inserted, refused by the store, and unreadable, over all
 * runs of the same import.
 */
export const command: Command = {
  declare: yargs =>
    declareFormat(declareFolder(yargs))
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('file', { type: 'string', describe: 'the input, - for standard input' })
      .option('report', {
        type: 'string',
        requiresArg: true,
        describe: 'file for the rows that are not inserted, a JSON line each (FILE.<import>.report.ndjson)',
      })
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: 'name of the import (import): under another one the same file is imported anew',
      })
      .option('concurrency', {
        type: 'string',
        requiresArg: true,
        describe: `rows that are sent and not answered yet, in groups (512, at most ${limits.sessionWindow})`,
      })
      .option('progress-lines', { type: 'boolean', hidden: true })
      .example('$0 import users users.ndjson', '')
      .example('$0 import users users.csv --types age=number,active=boolean,tags=json', '')
      .epilogue(ofImport),
  async run(given, terminal) {
    const clock = new RealClock()
    const startMs = clock.monotonicMs()
    const wanted = readWords(given)
    const input = await InputFile.open(wanted.file, wanted.format)
    try {
      const facts = await input.examine()
      const identity = `${wanted.name} ${wanted.collection} ${facts.digest}`
      const report = reportName(given, wanted.file, identity)
      const openMs = clock.monotonicMs()
      const job = { ...wanted, facts, identity, report, terminal, given, clock, startMs, openMs }
      const work = (store: Store): Promise<ExitCode> => importInto(store, input, job)
      return await withPresentStore(given, terminal, work, { deadlineMs })
    } finally {
      await input.close()
    }
  },
}

interface Wanted {
  readonly collection: string
  readonly file: string
  readonly format: InputFormat
  readonly name: string
  readonly concurrency: number
}

interface Job extends Wanted {
  readonly facts: InputFacts
  /** Names the import, and its session: another name, collection or input is another import. */
  readonly identity: string
  /** Path of the report. */
  readonly report: string
  readonly terminal: Terminal
  readonly given: Arguments
  readonly clock: RealClock
  readonly startMs: number
  readonly openMs: number
}

function readWords(given: Arguments): Wanted {
  const name = textOf(given, 'name') ?? 'import'
  if (name === '' || Buffer.byteLength(name) > nameBytesMax) {
    throw new UsageError(`--name has 1 to ${nameBytesMax} bytes`)
  }
  const concurrency = countOf(given, 'concurrency', 1) ?? 512
  if (concurrency > limits.sessionWindow)
    throw new UsageError(`--concurrency is at most ${limits.sessionWindow}`)
  const file = neededText(given, 'file')
  return {
    collection: neededText(given, 'collection'),
    file,
    format: formatOf(given, file),
    name,
    concurrency,
  }
}

async function importInto(store: Store, input: InputFile, job: Job): Promise<ExitCode> {
  const { collection, facts, clock } = job
  if (!store.status().collections.includes(collection)) {
    const message = `collection ${JSON.stringify(collection)} is not defined: sillok define makes it`
    throw new SillokError('NOT_FOUND', message)
  }
  const openedMs = clock.monotonicMs() - job.openMs
  const session = await store.session({ name: job.identity, numbering: 'caller', input: facts.digest })
  const report = await ReportFile.open(job.report, session.lowWater, job.identity)
  const signals = watchSignals()
  try {
    const resumedFrom = session.lowWater
    const progress = reporterFor(job.terminal, clock, job.given, { openedMs, resumedFrom, rows: facts.rows })
    const importer = importerFor(
      session,
      report,
      job,
      progress.answered,
      () => signals.received !== undefined,
    )
    let isWhole: boolean
    try {
      isWhole = await importer.run(input.rows(facts.sha256))
    } finally {
      await progress.finish()
    }
    if (isWhole) await markEnd(session, collection, facts.rows + 1)
    await printSummary(job, { report, resumedFrom, sent: importer.sent, isWhole })
    return isWhole ? exitOf(report) : (signals.exit ?? exitCodes.failed)
  } finally {
    signals.stop()
    await report.close()
    await session.close()
  }
}

function importerFor(
  session: Session,
  report: Report,
  job: Job,
  answered: (rows: number) => void,
  isStopped: () => boolean,
): Importer {
  const target: Collection = session.collection(job.collection)
  return new Importer({
    session: {
      lowWater: session.lowWater,
      insert: (documents, sequence) =>
        target.insertMany(documents as readonly Record<string, unknown>[], { sequence }),
      release: through => session.release(through),
    },
    report,
    read: job.facts.read,
    concurrency: job.concurrency,
    groups: groupLimits,
    answered,
    isStopped,
  })
}

/**
 * The last release is logged only with a later write. This one changes nothing: it removes a document if
 * there is none. After it a run of the same import sends no row again.
 */
async function markEnd(session: Session, collection: string, sequence: number): Promise<void> {
  try {
    const options = { sequence, ifVersion: null }
    await session.collection(collection).delete('end of import', options)
  } catch (error) {
    if (!(error instanceof SillokError) || error.code !== 'CONFLICT') throw error
  }
}

/** Beside the input, or in the working folder; named after the import, so that each has its own. */
function reportName(given: Arguments, file: string, identity: string): string {
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 12)
  const name = textOf(given, 'report') ?? `${file === '-' ? 'import-' : `${file}.`}${digest}.report.ndjson`
  if (name === '') throw new UsageError('--report names a file')
  if (lookAtTarget(name) === 'other') throw new UsageError(`the report ${name} is no regular file`)
  return name
}

function exitOf({ counts }: Report): ExitCode {
  if (counts.unreadable > 0) return exitCodes.failed
  return counts.refused > 0 ? exitCodes.conflict : exitCodes.ok
}

async function printSummary(
  job: Job,
  run: {
    readonly report: Report
    readonly resumedFrom: number
    readonly sent: number
    readonly isWhole: boolean
  },
): Promise<void> {
  const { report, resumedFrom, sent, isWhole } = run
  const { facts, terminal, clock } = job
  const seconds = (clock.monotonicMs() - job.startMs) / 1000
  const done = isWhole ? facts.rows : Math.min(facts.rows, resumedFrom - 1 + sent)
  const { refused, unreadable } = report.counts
  if (isWhole && sent === 0 && facts.rows > 0)
    await terminal.err.write('already imported: nothing was sent\n')
  if (!isWhole) {
    const left = `${grouped(facts.rows - done)} of ${grouped(facts.rows)} rows are left`
    await terminal.err.write(`stopped: ${left}; the same command goes on\n`)
  }
  const fields = {
    rows: done,
    inserted: done - refused - unreadable,
    refused,
    unreadable,
    resumedFrom,
    sent,
    seconds: Math.round(seconds * 1000) / 1000,
    rowsPerSecond: Math.round(sent / seconds),
    report: job.report,
  }
  await printOne(fields, terminal.format, terminal.out)
}
