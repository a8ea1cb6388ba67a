/**
 * What is said of a world on the command line; what is not said is drawn from its seed. Both ways: arguments
 * to options, and options to the command that runs the same world again.
 */
import { type Limits, limits } from '../../../src/base/limits.js'
import { faultsBeyond, type WorldFault, worldFaults } from '../../../src/testing/world/faults.js'
import type { WorldOptions } from '../../../src/testing/world/options.js'

/** The options that a command can say. */
export type Said = Pick<
  WorldOptions,
  'nodes' | 'faultMs' | 'faults' | 'workloads' | 'limits' | 'skip' | 'beyond'
>

/** The arguments for them, as `parseArgs` takes them. */
export const saidArguments = {
  nodes: { type: 'string' },
  'fault-ms': { type: 'string' },
  faults: { type: 'string' },
  workloads: { type: 'string' },
  limits: { type: 'string' },
  skip: { type: 'string' },
  beyond: { type: 'boolean' },
} as const

/** What `parseArgs` made of them. */
export type SaidValues = {
  readonly [Name in Exclude<keyof typeof saidArguments, 'beyond'>]?: string | undefined
} & { readonly beyond?: boolean | undefined }

/** The options that these arguments say. Throws RangeError for what no world knows. */
export function saidBy(values: SaidValues): Said {
  const said: { -readonly [Name in keyof Said]: Said[Name] } = {}
  if (values.nodes !== undefined) {
    const nodes = numberOf(values.nodes)
    if (nodes !== 3 && nodes !== 5) throw new RangeError(`--nodes is 3 or 5, not ${nodes}`)
    said.nodes = nodes
  }
  if (values['fault-ms'] !== undefined) said.faultMs = numberOf(values['fault-ms'])
  if (values.faults !== undefined) said.faults = listOf(values.faults).map(faultOf)
  if (values.workloads !== undefined) said.workloads = listOf(values.workloads)
  if (values.skip !== undefined) said.skip = listOf(values.skip).flatMap(rangeOf)
  if (values.beyond === true) said.beyond = true
  if (values.limits !== undefined) said.limits = Object.fromEntries(listOf(values.limits).map(limitOf))
  return said
}

/** The command that runs exactly that world. */
export function commandOf(seed: string, said: Said): string {
  const { nodes, faultMs, faults, workloads, limits, skip, beyond } = said
  const parts = [`npm run sim -- --replay ${seed}`]
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`)
  if (faultMs !== undefined) parts.push(`--fault-ms ${faultMs}`)
  if (faults !== undefined) parts.push(`--faults ${listText(faults)}`)
  if (workloads !== undefined) parts.push(`--workloads ${listText(workloads)}`)
  const pairs = Object.entries(limits ?? {}).map(([name, value]) => `${name}=${value}`)
  if (pairs.length > 0) parts.push(`--limits ${pairs.join(',')}`)
  if (skip !== undefined && skip.length > 0) parts.push(`--skip ${rangesText(skip)}`)
  if (beyond === true) parts.push('--beyond')
  return parts.join(' ')
}

const none = 'none'

function listOf(text: string): string[] {
  return text === none ? [] : text.split(',').filter(part => part !== '')
}

function listText(parts: readonly string[]): string {
  return parts.length === 0 ? none : parts.join(',')
}

function numberOf(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`not a whole number: ${text}`)
  return number
}

function faultOf(name: string): WorldFault {
  const fault = [...worldFaults, ...faultsBeyond].find(one => one === name)
  if (fault === undefined) throw new RangeError(`no world has the fault ${name}: ${worldFaults.join(', ')}`)
  return fault
}

function limitOf(text: string): [keyof Limits, number] {
  const [name = '', value = 'default'] = text.split('=')
  if (!Object.hasOwn(limits, name)) throw new RangeError(`there is no limit ${name}`)
  const limit = name as keyof Limits
  return [limit, value === 'default' ? limits[limit] : Number(value)]
}

/** `7` or `3-9`. */
function rangeOf(text: string): number[] {
  const [first = '', last = first] = text.split('-')
  const begin = numberOf(first)
  return Array.from({ length: numberOf(last) - begin + 1 }, (_, at) => begin + at)
}

function rangesText(numbers: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
    const newest = ranges.at(-1)
    if (newest !== undefined && newest[1] === number - 1) newest[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}
