/** `sillok rebuild`: makes a derived index again from the documents. */
import { SillokError } from '../../base/errors.js'
import type { Clock } from '../../env/clock.js'
import { RealClock } from '../../env/real-clock.js'
import type { NamedIndexStatus } from '../../replica/indexes.js'
import type { Store } from '../../store/store.js'
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printOne } from '../output.js'
import { Progress } from '../progress.js'
import { neededText } from '../words.js'

const lookMs = 20

/**
 * Prints how many documents there were when the new index is built. Until then the old one answers; when the
 * verb is interrupted, the next opening goes on.
 */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('collection', { type: 'string', describe: 'name of the collection' })
      .positional('index', { type: 'string', describe: 'name of the index' }),
  async run(given, terminal) {
    const [collection, index] = [neededText(given, 'collection'), neededText(given, 'index')]
    const clock = new RealClock()
    const built = await withPresentStore(given, terminal, async store => {
      await store.rebuildIndex(collection, index)
      const total = await store.collection(collection).count()
      const label = `rebuild ${collection}.${index}`
      const progress = new Progress({ sink: terminal.err, clock, label, unit: 'documents', total })
      try {
        return await whenBuilt(store, { collection, index }, clock, progress)
      } finally {
        await progress.finish()
      }
    })
    const { parked, skipped, documentsRead: documents } = built
    await printOne({ rebuilt: index, collection, documents, parked, skipped }, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

async function whenBuilt(
  store: Store,
  { collection, index }: { readonly collection: string; readonly index: string },
  clock: Clock,
  progress: Progress,
): Promise<NamedIndexStatus> {
  for (;;) {
    const status = store.status().indexes.find(one => one.collection === collection && one.name === index)
    if (status === undefined) throw new SillokError('NOT_FOUND', `the index ${index} was dropped meanwhile`)
    const now = status.next ?? status
    progress.advance(Math.max(0, now.documentsRead - progress.count))
    if (now.state === 'failing') {
      const details = { collection, index, reason: now.reason, document: now.failingDocument }
      const message = `the index fails: ${now.reason}; it is tried again whenever the store is open`
      throw new SillokError('INDEX_FAILED', message, { details })
    }
    if (status.next === undefined && (status.state === 'live' || status.state === 'unknown')) return status
    await new Promise<void>(resolve => {
      clock.after(lookMs, resolve)
    })
  }
}
