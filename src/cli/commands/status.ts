/** `sillok status`: what a store is and holds. */
import { RealClock } from '../../env/real-clock.js'
import type { StoreStatus } from '../../store/store.js'
import type { Command } from '../command.js'
import { declareFolder, withPresentStore } from '../embedded.js'
import { exitCodes } from '../failure.js'
import { type Fields, printOne } from '../output.js'
import { settledStatus } from '../settled-status.js'

/**
 * Prints the status; as a table one line per field, a partition's after its number. Sessions are not among
 * them: a store counts those that its own process has, `inspect sessions` shows all.
 */
export const command: Command = {
  usage: 'status',
  summary: 'print what the store is and holds',
  declare: declareFolder,
  async run(given, terminal) {
    const status = await withPresentStore(given, terminal, store => settledStatus(store, new RealClock()))
    const { sessions: _, failure, ...told } = status
    const fields = terminal.format === 'table' ? flatten(status) : { ...told, failure: failure?.message }
    await printOne(fields, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

function flatten(status: StoreStatus): Fields {
  const { folder, state, collections, wal, partitions, indexes } = status
  const fields: Record<string, unknown> = { folder, state, collections: collections.join(', ') }
  for (const [name, value] of Object.entries((wal ?? {}) as object)) fields[`wal ${name}`] = value
  for (const { partition, ...rest } of partitions) {
    for (const [name, value] of Object.entries(rest)) fields[`partition ${partition} ${name}`] = value
  }
  for (const { collection, name, state, position, lag } of indexes) {
    fields[`index ${collection}.${name}`] = `${state}, at entry ${position}, ${lag} behind`
  }
  return fields
}
