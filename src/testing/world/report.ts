/** What a world tells when it is over, and when it broke a promise. */
import type { FaultCounts } from '../../sim/fault-counts.js'
import type { Faults } from './faults.js'
import type { DrawnOptions } from './options.js'
import type { RareState } from './rare-states.js'

/** What happened in a world. */
export interface WorldReport {
  readonly options: DrawnOptions
  /** Simulated milliseconds from the first start to the end of the checks. */
  readonly simulatedMs: number
  /** How often each hardware fault took effect. */
  readonly faults: FaultCounts
  /** How often each fault of the world was begun. */
  readonly begun: Faults['begun']
  /** What the workloads looked at, by name. */
  readonly checked: Readonly<Record<string, number>>
  readonly counts: WorldCounts
  /** How often the world was in each rare state. */
  readonly reached: Partial<Record<RareState, number>>
  /** Two runs of one seed have the same. */
  readonly digest: string
}

/** Of what happened, how often. */
export interface WorldCounts {
  leaders: number
  /** Positions at which the states of two replicas were compared. */
  compared: number
  replaced: number
  /** Votes taken or given back, besides. */
  regrouped: number
  /** Nodes that refused to open what was on their disk. */
  refusedToOpen: number
  falls: number
  /** Snapshots of other nodes that took the place of a replica, as far as anybody saw. */
  installed: number
  /** Changes of groups that were committed, as far as anybody saw. */
  changes: number
  /** Callers that were told that their session had ended. */
  expired: number
  /** Callers that waited in vain. */
  unknown: number
}

/** What a broken world tells. */
export interface Broken {
  readonly seed: string
  readonly options: DrawnOptions
  /** What did not hold. */
  readonly check: string
  /** Where in the code that was found. */
  readonly stack: string
  /** In simulated milliseconds. */
  readonly atMs: number
  /** Strikes until then: those have the numbers below. */
  readonly strikes: number
  /** The last things that happened, anywhere. */
  readonly timeline: string
  /** The last things that happened at each node. */
  readonly lastOfEach: string
  /** Two runs of one seed have the same. */
  readonly digest: string
}

/** A world that broke a promise: what, when, and how to see it again. */
export class WorldFailure extends Error {
  readonly broken: Broken

  /** Made by a world. */
  constructor(broken: Broken, cause: unknown) {
    super(`seed ${broken.seed}, at ${broken.atMs} ms: ${broken.check}`, { cause })
    this.broken = broken
  }

  /** The last things that happened. */
  get timeline(): string {
    return this.broken.timeline
  }
}

/** Where it was thrown, and what made that. */
export function stackOf(cause: unknown): string {
  if (!(cause instanceof Error)) return ''
  const inner = stackOf(cause.cause)
  return inner === '' ? (cause.stack ?? '') : `${cause.stack}\nbecause of ${inner}`
}
