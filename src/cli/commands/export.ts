/**
 * `sillok export`: all documents of a collection as NDJSON, in the order of their keys, as of one moment.
 *
 * To a file: it appears under its name when it is whole, and not at all when a signal or a failure ends the
 * verb. To standard output: a reader that goes away ends it quietly.
 */
import { RealClock } from '../../env/real-clock.js'
import type { Store } from '../../store/store.js'
import type { Command, Terminal } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { type ExitCode, exitCodes } from '../failure.js'
import { printOne } from '../output.js'
import { PlainJson } from '../plain-json.js'
import { grouped } from '../progress.js'
import { watchSignals } from '../signals.js'
import { UsageError } from '../usage.js'
import { lookAtTarget } from '../user-file.js'
import { ofExport } from '../verb-promises.js'
import { WholeFile } from '../whole-file.js'
import { neededText, textOf } from '../words.js'

/** Prints the documents; with `--output-file` what was written instead. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .option('output-file', {
        type: 'string',
        requiresArg: true,
        describe: 'file for the documents, which appears when it is whole (-, standard output)',
      })
      .example('$0 export users --output-file users.ndjson', '')
      .epilogue(ofExport),
  async run(given, terminal) {
    const collection = neededText(given, 'collection')
    const word = textOf(given, 'output-file')
    const name = word === '-' ? undefined : word
    if (name === undefined && (given['output'] === 'table' || given['output'] === 'json'))
      throw new UsageError('export writes NDJSON; -o is the form of the summary that --output-file prints')
    if (name !== undefined) mustBeFile(name)
    return await withPresentStore(given, terminal, store =>
      name === undefined ? toOutput(store, collection, terminal) : toFile(store, collection, name, terminal),
    )
  },
}

function mustBeFile(name: string): void {
  if (name === '') throw new UsageError('--output-file names a file')
  if (lookAtTarget(name) === 'other') throw new UsageError(`${name} is no regular file`)
}

interface Target {
  write(text: string): Promise<void>
  /** Nobody reads any more. */
  readonly isGone?: boolean
}

/** Writes until the end, or a signal, or nobody reads; answers how many, and why it stopped. */
async function writeAll(
  store: Store,
  collection: string,
  target: Target,
  json: PlainJson,
): Promise<{ documents: number; stopped: ExitCode | undefined }> {
  const signals = watchSignals()
  let documents = 0
  try {
    for await (const document of store.collection(collection).scan()) {
      if (signals.received !== undefined || target.isGone === true) break
      await target.write(`${json.line(document)}\n`)
      documents++
    }
    return { documents, stopped: signals.exit }
  } finally {
    signals.stop()
  }
}

async function toOutput(store: Store, collection: string, terminal: Terminal): Promise<ExitCode> {
  const json = new PlainJson()
  const { stopped } = await writeAll(store, collection, terminal.out, json)
  await tellChanged(json, terminal)
  return stopped ?? exitCodes.ok
}

async function toFile(store: Store, collection: string, name: string, terminal: Terminal): Promise<ExitCode> {
  const clock = new RealClock()
  const startMs = clock.monotonicMs()
  const json = new PlainJson()
  const file = await WholeFile.begin(name)
  let documents: number
  try {
    const written = await writeAll(store, collection, file, json)
    if (written.stopped !== undefined) {
      await file.drop()
      await terminal.err.write(`stopped: ${name} was not written\n`)
      return written.stopped
    }
    documents = written.documents
    await file.keep()
  } catch (error) {
    await file.drop()
    throw error
  }
  await tellChanged(json, terminal)
  const seconds = Math.round(clock.monotonicMs() - startMs) / 1000
  const fields = { collection, documents, bytes: file.bytes, file: name, seconds }
  await printOne(fields, terminal.format, terminal.out)
  return exitCodes.ok
}

/** What import would not bring back as it was is said aloud. */
async function tellChanged({ dates, bytes }: PlainJson, terminal: Terminal): Promise<void> {
  if (dates > 0) await terminal.err.write(`${grouped(dates)} dates became ISO text\n`)
  if (bytes > 0) await terminal.err.write(`${grouped(bytes)} values of bytes became base64 text\n`)
}
