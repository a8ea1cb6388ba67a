/** `sillok tail`: the changes of documents, in the order of the log. */
import { isSillokError } from '../../base/errors.js'
import type { Change } from '../../store/options.js'
import type { Store } from '../../store/store.js'
import type { Arguments, Command, Terminal } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { type ExitCode, exitCodes } from '../failure.js'
import { watchSignals } from '../signals.js'
import { toJson } from '../table.js'
import { ofTail } from '../verb-promises.js'
import { isGiven, textOf } from '../words.js'

/** Prints one change a line as JSON, whatever the terminal: with `--follow` there is no end to wait for. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'only changes of this collection' })
      .option('from', {
        type: 'string',
        requiresArg: true,
        describe: 'start, now, or the position of a change (start; with --follow: now)',
      })
      .option('follow', { type: 'boolean', describe: 'wait for more until interrupted' })
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: 'keep the position in the store under this name: the next run goes on from there',
      })
      .epilogue(ofTail),
  async run(given, terminal) {
    return await withPresentStore(given, terminal, store => tail(store, given, terminal))
  },
}

async function tail(store: Store, given: Arguments, { out }: Terminal): Promise<ExitCode> {
  const follow = isGiven(given, 'follow')
  const stop = new AbortController()
  const name = textOf(given, 'name')
  const changes = store.changes({
    collection: textOf(given, 'collection'),
    from: textOf(given, 'from') ?? (follow ? 'now' : 'start'),
    follow,
    name,
    signal: stop.signal,
  })
  const signals = watchSignals(() => stop.abort())
  try {
    for await (const batch of changes.batches()) {
      for (const change of batch) await out.write(`${toJson(fieldsOf(change))}\n`)
      await out.written?.()
      // What nobody could read any more is told to the next run.
      if (out.isGone === true) break
      const last = batch.at(-1)
      if (name !== undefined && last !== undefined) await changes.acknowledge(last.position)
    }
    return exitCodes.ok
  } catch (error) {
    if (signals.received === undefined || !isSillokError(error, 'ABORTED')) throw error
    return signals.exit ?? exitCodes.failed
  } finally {
    signals.stop()
  }
}

/** A document that is gone is told as null. */
function fieldsOf({ position, collection, op, key, existed, version, document }: Change): object {
  return { position, collection, op, key, existed, version, document: document ?? null }
}
