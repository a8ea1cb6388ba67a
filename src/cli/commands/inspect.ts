/** `sillok inspect`: looks into a closed store without opening it; nothing in it is changed. */
import type { Inspection, Look } from '../../replica/inspect.js'
import type { Arguments, Command } from '../command.js'
import { declareFolder, folderOf, mustHoldSomething } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { printRows } from '../output.js'
import { UsageError } from '../usage.js'
import { countOf, neededText, textOf } from '../words.js'

const subjects = ['wal', 'segments', 'entries', 'sessions', 'claims'] as const

/** Prints one row per batch, segment, changed row, session or claim. */
export const command: Command = {
  declare: yargs =>
    declareFolder(yargs)
      .positional('what', { type: 'string', describe: `one of ${subjects.join(', ')}` })
      .positional('collection', {
        type: 'string',
        describe: 'claims: the collection whose claims are printed',
      })
      .option('partition', {
        type: 'string',
        requiresArg: true,
        describe: 'entries: of which partition, 0 for meta, 1 for the documents (1)',
      })
      .option('from', {
        type: 'string',
        requiresArg: true,
        describe: 'entries: number of the first one that is printed (1)',
      })
      .option('count', {
        type: 'string',
        requiresArg: true,
        describe: 'entries: how many are printed at most (100)',
      })
      .option('constraint', {
        type: 'string',
        requiresArg: true,
        describe: 'claims: only those of this unique constraint',
      })
      .example('$0 inspect entries --from 17 --count 3', '')
      .example('$0 inspect claims users --constraint email', ''),
  async run(given, terminal) {
    const look = lookFor(given)
    const folder = folderOf(given)
    await mustHoldSomething(folder)
    const { inspectFolder } = await import('../inspect-folder.js')
    await inspectFolder(folder, inspection => printRows(look(inspection), terminal.format, terminal.out))
    return exitCodes.ok
  },
}

/** What was asked for; UsageError for what does not go together. */
function lookFor(given: Arguments): (inspection: Inspection) => AsyncIterable<Look> {
  const what = neededText(given, 'what')
  const collection = textOf(given, 'collection')
  const constraint = textOf(given, 'constraint')
  const partition = countOf(given, 'partition')
  const from = countOf(given, 'from', 1)
  const count = countOf(given, 'count', 1)
  if (what !== 'claims' && (collection ?? constraint) !== undefined)
    throw new UsageError('a collection and --constraint go with claims')
  if (what !== 'entries' && (partition ?? from ?? count) !== undefined)
    throw new UsageError('--partition, --from and --count go with entries')
  switch (what) {
    case 'wal':
      return inspection => inspection.wal()
    case 'segments':
      return inspection => inspection.segments()
    case 'entries':
      return inspection =>
        inspection.entries({ partition: partition ?? 1, from: from ?? 1, count: count ?? 100 })
    case 'sessions':
      return inspection => inspection.sessions()
    case 'claims': {
      const name = neededText(given, 'collection')
      return inspection => inspection.claims(name, constraint)
    }
    default:
      throw new UsageError(`inspect looks at ${subjects.join(', ')}, not ${what}`)
  }
}
