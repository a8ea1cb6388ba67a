/** What a world is made from, and what its seed draws of it. */
import type { Limits } from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { IndexType } from '../../derived/contract.js'
import type { Workload } from '../workloads/workload.js'
import { faultsBeyond, type WorldFault, worldFaults } from './faults.js'
import { drawnLimits, shortestLog } from './knobs.js'

/** A world; what is not said is drawn from the seed. */
export interface WorldOptions {
  readonly seed: string
  /** Simulated milliseconds for which there are faults; 45,000 if not said. */
  readonly faultMs?: number | undefined
  readonly nodes?: 3 | 5 | undefined
  /**
   * Beyond the model: disks lie, and the same bytes rot on all nodes. Data may be lost then, and nodes stay
   * out; demanded is that what is read was written, and that whoever stops says why.
   */
  readonly beyond?: boolean | undefined
  readonly faults?: readonly WorldFault[] | undefined
  /** Names of workloads; of all that are known if not said. */
  readonly workloads?: readonly string[] | undefined
  /** Limits of the nodes, instead of those that are drawn. */
  readonly limits?: Partial<Limits> | undefined
  /** Numbers of strikes, from 0, that do not happen; all others do what they would have done. */
  readonly skip?: readonly number[] | undefined
  /** Kinds of indexes of your own. */
  readonly indexTypes?: readonly IndexType[] | undefined
  /** Workloads of your own, beside those that are drawn. */
  readonly ownWorkloads?: ((nowNs: () => number) => readonly Workload[]) | undefined
}

/** A world of which everything is said. */
export interface DrawnOptions {
  readonly faultMs: number
  readonly nodes: number
  readonly beyond: boolean
  readonly faults: readonly WorldFault[]
  readonly workloads: readonly string[]
  readonly limits: Partial<Limits>
  /** Clients pause that many times as long as their workloads say. */
  readonly leisure: number
  /** Strikes are seldom, and nothing ends one before its time. */
  readonly isQuiet: boolean
  readonly skip: readonly number[]
}

/** Nodes are left behind, one at a time, and come back to others that have the time to send a snapshot. */
const quiet: readonly WorldFault[] = ['strand']

/** Draws what is not said. Each thing has chance of its own: saying one changes none of the others. */
export function drawOptions(options: WorldOptions, random: Random, known: readonly string[]): DrawnOptions {
  const some = <T>(all: readonly T[], stream: string, shares: readonly number[]): readonly T[] => {
    const own = random.split(stream)
    const share = own.pick(shares)
    const drawn = all.filter(() => own.chance(share))
    return drawn.length > 0 ? drawn : [own.pick(all)]
  }
  const beyond = options.beyond === true
  const isQuiet = random.split('quiet').chance(0.12)
  return {
    faultMs: options.faultMs ?? 45_000,
    nodes: options.nodes ?? random.split('nodes').pick([3, 3, 5]),
    beyond,
    faults: options.faults ?? [
      ...(isQuiet ? quiet : some(worldFaults, 'faults', [0.15, 0.4, 0.8])),
      ...(beyond ? faultsBeyond : []),
    ],
    workloads: beyond ? ['registers'] : (options.workloads ?? some(known, 'workloads', [0.1, 0.2, 0.4])),
    limits: { ...drawnLimits(random.split('limits')), ...(isQuiet && shortestLog), ...options.limits },
    isQuiet,
    leisure: isQuiet ? 1 : random.split('leisure').pick([1, 1, 4]),
    skip: options.skip ?? [],
  }
}
