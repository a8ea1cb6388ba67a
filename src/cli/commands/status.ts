/** `sillok status`: what a store is and holds. */
import { RealClock } from '../../env/real-clock.js'
import type { Pin } from '../../replica/pins.js'
import type { StoreStatus } from '../../store/store-status.js'
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
  declare: declareFolder,
  async run(given, terminal) {
    const status = await withPresentStore(given, terminal, store => settledStatus(store, new RealClock()))
    const { sessions: _, failure, ...told } = status
    const fields = { ...told, failure: failure?.message, wal: rounded(status.wal) }
    await printOne(terminal.format === 'table' ? flatten(fields) : fields, terminal.format, terminal.out)
    return exitCodes.ok
  },
}

type Told = Omit<StoreStatus, 'sessions' | 'failure' | 'wal'> & {
  readonly failure: string | undefined
  readonly wal: unknown
}

function flatten(told: Told): Fields {
  const { folder, state, failure, collections, wal, partitions, indexes, constraints } = told
  const fields: Record<string, unknown> = { folder, state, collections: collections.join(', ') }
  if (failure !== undefined) fields['failure'] = failure
  for (const [name, value] of leaves(wal, 'wal')) fields[name] = value
  for (const { partition, retention, ...rest } of partitions) {
    for (const [name, value] of Object.entries(rest)) fields[`partition ${partition} ${name}`] = value
    const { pins = [], ...kept } = retention ?? {}
    for (const [name, value] of leaves(kept, `partition ${partition}`)) fields[name] = value
    for (const pin of pins) fields[`partition ${partition} log for ${pin.kind} ${pin.owner}`] = pinText(pin)
  }
  for (const { collection, name, state, position, lag } of indexes) {
    fields[`index ${collection}.${name}`] = `${state}, at entry ${position}, ${lag} behind`
  }
  for (const { collection, name, id, state, violations } of constraints) {
    const what = violations === 0 ? state : `${state}, ${violations} violating`
    fields[`constraint ${collection}.${name} ${id}`] = what
  }
  return fields
}

function pinText({ position, heldBytes, stillMs, isBroken }: Pin): string {
  if (isBroken) return `gone: it is at entry ${position}`
  return `behind entry ${position}, ${heldBytes} bytes, still for ${Math.round(stillMs / 1000)} s`
}

/** Every value in it, named by the way there: `wal sync p50Ms`. */
function leaves(value: unknown, name: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return value === undefined ? [] : [[name, value]]
  return Object.entries(value).flatMap(([field, part]) => leaves(part, `${name} ${field}`))
}

/** The same, numbers to the thousandth: of a millisecond, a microsecond. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Math.round(value * 1000) / 1000
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([field, part]) => [field, rounded(part)]))
}
