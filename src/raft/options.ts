/** What one replica of a group is made from. */
import { SillokError } from '../base/errors.js'
import type { LogIndex, PartitionId, ReplicaId } from '../base/ids.js'
import { type Configuration, isSoleVoter } from './configuration.js'
import type { LogStorage } from './log-storage.js'
import type { HardState } from './messages.js'

/** Where chance comes from: fixed in tests, seeded elsewhere. */
export interface Chance {
  /** 0 … limit - 1. */
  below(limit: number): number
}

/** What stands in the log and the state when a replica starts. */
export interface RaftStart {
  readonly hardState: HardState
  readonly log: LogStorage
  readonly applied: LogIndex
  /** The configuration as of `applied`. */
  readonly configuration: Configuration
  /** Index of the entry that made it; 0 if it was there from the start. */
  readonly configurationIndex?: LogIndex
  /** Entries above `applied` that change the configuration, in order. */
  readonly unappliedConfigurations?: readonly LogIndex[]
  /**
   * The log ends where a fault begins: entries that were acknowledged may be lost. The replica takes and
   * serves entries, and neither votes nor campaigns, until an entry of a term that it has not seen yet is
   * committed and durable here: whoever leads that term was elected without it. Kept by the caller over
   * restarts (`status().recovering`) until then.
   */
  readonly recovering?: boolean
}

/** What a replica is made from. Ticks are the only time it knows. */
export interface RaftOptions {
  readonly partition: PartitionId
  readonly replica: ReplicaId
  readonly start: RaftStart
  /** A stream that no other run has: also the name of this run is drawn from it. */
  readonly random: Chance
  /**
   * Ticks without a leader before a follower campaigns: a random number from this to twice this, less one.
   */
  readonly electionTicks: number
  /** Ticks between heartbeats of a leader; default 1. */
  readonly heartbeatTicks?: number
  /**
   * Asks whether an election could be won before it raises the term; default true. Without it nobody tells
   * who campaigns in an old term of newer ones, and without `checkQuorum` only those who may not campaign
   * tell who leads in one: it hears of them from who asks for its vote. Where a configuration that changed
   * leaves nobody who does, the group may stand still.
   */
  readonly preVote?: boolean
  /**
   * A leader that has not heard from a quorum for `electionTicks` steps down, and who hears a leader refuses
   * its vote to others; default true.
   */
  readonly checkQuorum?: boolean
  /**
   * Opt-in, the same on all replicas: allows `readIndex('lease')`. Only as safe as ticks are alike on all
   * nodes: not under a suspended machine.
   */
  readonly leaseReads?: boolean
  /** Bytes of entries that may be proposed and not yet committed. */
  readonly uncommittedBytesMax: number
  /** Bytes of entries in one append to a member, but for a single larger entry; default 1 MiB. */
  readonly appendBytesMax?: number
  /** Appends on their way to one member; default 256. */
  readonly flightAppendsMax?: number
  /** Bytes of entries on their way to one member; default 8 MiB. */
  readonly flightBytesMax?: number
  /** Entries handed out for application and not yet applied; default 65,536. */
  readonly applyingCountMax?: number
  /** Reads that wait for an answer; what comes on top is dropped; default 65,536. */
  readonly readsMax?: number
  /**
   * False, in tests only: a change of the configuration is proposed without a look at those before it. One
   * that cannot follow the configuration it meets does nothing when applied.
   */
  readonly checkChanges?: boolean
  /** Makes the body of the first entry of a term, with room for the entry's head before it. */
  readonly emptyEntry: () => Buffer
}

/** The options with all defaults. */
export type CompleteOptions = Required<RaftOptions>

/** Fills in the defaults; throws INVALID for what cannot work. */
export function completeOptions(options: RaftOptions): CompleteOptions {
  const complete: CompleteOptions = {
    heartbeatTicks: 1,
    preVote: true,
    checkQuorum: true,
    leaseReads: false,
    appendBytesMax: 2 ** 20,
    flightAppendsMax: 256,
    flightBytesMax: 2 ** 23,
    applyingCountMax: 65_536,
    readsMax: 65_536,
    checkChanges: true,
    ...options,
  }
  const positive = [
    'replica',
    'electionTicks',
    'heartbeatTicks',
    'uncommittedBytesMax',
    'appendBytesMax',
    'flightAppendsMax',
    'flightBytesMax',
    'applyingCountMax',
    'readsMax',
  ] as const
  for (const name of positive) {
    const value = complete[name]
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new SillokError('INVALID', `${name} is ${value}: a whole number from 1`)
  }
  const isSole = isSoleVoter(complete.start.configuration, complete.replica)
  if (complete.electionTicks <= complete.heartbeatTicks && !isSole) {
    const { electionTicks, heartbeatTicks } = complete
    throw new SillokError(
      'INVALID',
      `electionTicks ${electionTicks} is not above heartbeatTicks ${heartbeatTicks}`,
    )
  }
  if (complete.leaseReads && !complete.checkQuorum) {
    throw new SillokError('INVALID', 'leaseReads needs checkQuorum: without it nobody keeps to a lease')
  }
  return complete
}
