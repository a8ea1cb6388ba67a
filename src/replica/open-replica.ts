/**
 * Puts a replica together from what a crash left: write-ahead log, segments, state.
 *
 * The segments and the log overlap or touch (a file of the log is recycled only when its committed entries
 * are in synced segments); the state is at or behind the log, and not before its first entry. Anything else
 * is damage and is refused.
 */
import { type Entry, entryKinds } from '../base/entry.js'
import { SillokError, storeClosed } from '../base/errors.js'
import { type LogIndex, type LogTime, metaPartition, type PartitionId, type ReplicaId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import { joinPath } from '../env/disk.js'
import type { Environment } from '../env/environment.js'
import { timeOf } from '../machine/evolve.js'
import type { Alarm, InstallSnapshot, PeerMessage, Snapshot } from '../raft/messages.js'
import type { Mark } from '../segments/marks.js'
import { SegmentLog } from '../segments/segment-log.js'
import type { Gate } from '../state/gate.js'
import { State } from '../state/state.js'
import {
  createdRegister,
  decodeCreated,
  decodeHardState,
  opaqueRegister,
  type Register,
  registerKinds,
  segmentSealedRegister,
  segmentSyncedRegister,
} from '../wal/registers.js'
import type { Tail } from '../wal/tail.js'
import type { Wal } from '../wal/wal.js'
import { asFailure } from './failure.js'
import { cutOf, type FindRegister, installedOf, marksOf } from './marks-of.js'
import { Memberships } from './memberships.js'
import { generationOf, removeOtherFolders, replicaFolder } from './partition-folders.js'
import type { Install } from './prepared-snapshot.js'
import { Replica } from './replica.js'
import { Snapshots } from './snapshots.js'
import { StoredLog } from './stored-log.js'

/** What a replica is put together from. */
export interface OpenReplicaOptions {
  readonly env: Environment
  readonly folder: string
  readonly partition: PartitionId
  readonly clusterEpoch: number
  readonly wal: Wal
  readonly flushGate: Gate
  readonly limits: Limits
  readonly openSession: (session: number) => Promise<void>
  readonly applied: () => void
  readonly failed: (error: SillokError) => void
  readonly rebuilt: (reason: string) => void
  /** Told when stored entries cannot be read for another replica. */
  readonly unreadable?: (error: unknown) => void
  /** Carries messages to the other replicas of the group; a group of one has none. */
  readonly send?: (message: PeerMessage) => void
  /**
   * Carries a snapshot of this replica to another one of the group, and tells `replica.snapshotSent` how it
   * ended; a group of one sends none.
   */
  readonly sendSnapshot?: (message: InstallSnapshot) => void
  /** A snapshot that came is to take the place of state and log: see `install-snapshot.ts`. */
  readonly install?: (install: Install) => void
  /** Told when a replica of the group no longer holds what it had acknowledged. */
  readonly alarmed?: (alarm: Alarm) => void
}

/** A replica with the parts that its host closes. */
export interface OpenedReplica extends Parts {
  readonly replica: Replica
}

interface Parts {
  readonly replicaId: ReplicaId
  readonly cutBytes: number
  /** How many snapshots of other replicas it took. */
  readonly generation: number
  readonly segments: SegmentLog
  readonly state: State
  readonly snapshots: Snapshots
  readonly memberships: Memberships
  readonly log: StoredLog
  readonly last: Entry | undefined
  /** Log time of the last entry; of that of the snapshot, where nothing follows one. */
  readonly lastTime: LogTime
  readonly record: (bytes: Buffer) => Promise<void>
  /** Holds the parts' folders. */
  readonly folder: string
}

/** The replica of a partition that a node holds, and the voters with whom its group begins. */
export interface NewReplica {
  readonly replicaId: ReplicaId
  readonly voters: readonly ReplicaId[]
  /** Fixed when the partition was created; that of the limits where this creates it. */
  readonly cutBytes?: number
}

/** Ticks of the host without a leader before a replica campaigns. */
const electionTicks = 10

/** Records that this node holds that replica of the partition, whose group begins with these voters. */
export async function createPartition(
  wal: Wal,
  partition: PartitionId,
  limits: Limits,
  { replicaId, voters, cutBytes = limits.segmentCutBytes }: NewReplica,
): Promise<void> {
  await wal.record(partition, [
    createdRegister({ replicaId, cutBytes }),
    opaqueRegister('configuration', Memberships.of(voters).encode()),
  ])
}

/** Lets the log go of what the segments hold durably, and of it only when the mark is durable there. */
function release(wal: Wal, partition: PartitionId, mark: Mark): Promise<void> {
  return new Promise((resolve, reject) => {
    wal.release(partition, mark.lastIndex, [markRegister(mark)], error =>
      error === undefined ? resolve() : reject(error),
    )
  })
}

/**
 * The replica, not yet started. Rejects with DAMAGED, naming what is missing, or what the disk says; then
 * nothing of it is open.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<OpenedReplica> {
  const opened: Closable[] = []
  try {
    return await openParts(options, opened)
  } catch (error) {
    // Why it was not opened is what matters: closing what is not to be used writes nothing that is needed.
    for (const part of opened.reverse()) await part.close().catch(() => {})
    throw error
  }
}

/** What is to be closed if the rest cannot be opened. */
interface Closable {
  close(): Promise<void>
}

async function openParts(options: OpenReplicaOptions, opened: Closable[]): Promise<OpenedReplica> {
  const { env, wal, partition } = options
  const register: FindRegister = kind => wal.register(partition, kind)
  const created = register(registerKinds.created)
  const name = replicaFolder(partition, register)
  if (created === undefined || name === undefined) throw damaged(partition, 'its creation is not in the log')
  const { replicaId, cutBytes } = decodeCreated(created)
  const folder = joinPath(options.folder, name)
  await env.disk.makeFolder(folder)
  await removeOtherFolders(env.disk, options.folder, partition, name)
  const segments = await openSegments(options, joinPath(folder, 'segments'), cutBytes)
  opened.push(segments)
  const tail = wal.tail(partition)
  const lastIndex = Math.max(tail.lastIndex, segments.lastIndex)
  if (tail.firstIndex > segments.lastIndex + 1) {
    throw damaged(partition, `entries ${segments.lastIndex + 1} to ${tail.firstIndex - 1} are missing`)
  }
  const record = (bytes: Buffer): Promise<void> =>
    wal.record(partition, [opaqueRegister('checkpoint', bytes)])
  const snapshots = await openSnapshots(options, joinPath(folder, 'snapshots'))
  const state = await openState(options, joinPath(folder, 'state'), {
    segments,
    snapshots,
    lastIndex,
    opened,
  })
  if (state.applied + 1 < segments.firstIndex) {
    const what = `the state ends at entry ${state.applied} and the log begins at ${segments.firstIndex}`
    throw damaged(partition, `${what}: the entries between are missing`)
  }
  const isEmpty = lastIndex < segments.firstIndex
  const last = isEmpty ? undefined : await lastEntry(tail, segments, lastIndex)
  const memberships = rememberedGroup(register, partition)
  const generation = generationOf(register)
  const lastTime = last === undefined ? (installedOf(register)?.time ?? 0) : timeOf(last)
  const own = { replicaId, cutBytes, generation, folder, last, lastTime, record }
  const log = new StoredLog({
    segments,
    tail,
    truncated: () => cutOf(register) ?? { index: 0, term: 0 },
    snapshot: () => snapshotToSend(snapshots, memberships),
    unreadable: options.unreadable ?? (() => {}),
  })
  const parts = { ...own, segments, snapshots, state, memberships, log }
  const replica = newReplica(options, parts)
  return { ...parts, replica }
}

/** Tells what was recorded and is not there: it costs nothing while the state holds, and is made again. */
async function openSnapshots(options: OpenReplicaOptions, folder: string): Promise<Snapshots> {
  const { env, wal, partition } = options
  const generation = (): number => generationOf(kind => wal.register(partition, kind))
  const own = generation()
  const snapshots = await Snapshots.open({
    disk: env.disk,
    folder,
    recorded: wal.register(partition, registerKinds.snapshot),
    record: async payload => {
      // What is found of the files of a replica that was replaced says nothing of those in their place.
      if (generation() !== own) throw storeClosed()
      await wal.record(partition, [opaqueRegister('snapshot', payload)])
    },
  })
  for (const what of snapshots.missing) options.rebuilt(`snapshot of partition ${partition}: ${what}`)
  return snapshots
}

async function lastEntry(tail: Tail, segments: SegmentLog, index: LogIndex): Promise<Entry | undefined> {
  return tail.get(index) ?? (await segments.read(index, { bytesMax: 1 }))[0]
}

function newReplica(options: OpenReplicaOptions, parts: Parts): Replica {
  const { env, wal, partition } = options
  const { state, segments, memberships, last } = parts
  const register: FindRegister = kind => wal.register(partition, kind)
  const tail = wal.tail(partition)
  const stored = register(registerKinds.hardState)
  const hardState = stored === undefined ? { term: 0, vote: 0, commit: 0 } : decodeHardState(stored)
  // Rows in the store, entries in synced segments and changes that counted were committed, whatever the last
  // hard state knew.
  const commit = Math.max(hardState.commit, state.newest, segments.lastIndex, memberships.newest.index)
  const { index, term } = last ?? cutOf(register) ?? { index: 0, term: 0 }
  if (commit > index || term > hardState.term) {
    const log = `the log ends at ${index}, term ${term}`
    throw damaged(partition, `${log}, before commit ${commit} of term ${hardState.term}`)
  }
  return new Replica({
    ...parts,
    partition,
    replica: parts.replicaId,
    clock: env.clock,
    wal,
    slotEpoch: 0,
    limits: options.limits,
    raft: {
      // Of its own: one that took a snapshot must not take answers to the reads of the one before it.
      random: env.random.split(`raft ${partition} ${parts.replicaId}.${parts.generation}`),
      electionTicks,
      uncommittedBytesMax: options.limits.uncommittedBytesMax,
      start: {
        hardState: { ...hardState, commit },
        applied: state.applied,
        unappliedConfigurations: changesAfter(tail, memberships.newest.index),
        recovering: register(registerKinds.recovering) !== undefined,
      },
    },
    send: options.send ?? refuseToSend,
    sendSnapshot: options.sendSnapshot ?? refuseToSend,
    install: options.install ?? refuseToInstall,
    openSession: options.openSession,
    applied: options.applied,
    alarmed: options.alarmed ?? (() => {}),
    failed: options.failed,
  })
}

/** The newest one that counts, if it is still known who belonged to the group then. */
function snapshotToSend({ newest }: Snapshots, memberships: Memberships): Snapshot | undefined {
  const membership = newest && memberships.asOf(newest.index)
  if (newest === undefined || membership === undefined) return undefined
  const { index, term } = newest
  return { index, term, configuration: membership.configuration, configurationIndex: membership.index }
}

function rememberedGroup(register: FindRegister, partition: PartitionId): Memberships {
  const remembered = register(registerKinds.configuration)
  if (remembered === undefined) throw damaged(partition, 'its group is not in the log')
  return Memberships.decode(remembered)
}

/**
 * Entries that change the group and did not count yet. They are in the tail: a segment's mark is recorded
 * behind the changes that its entries made.
 */
function changesAfter(tail: Tail, index: LogIndex): LogIndex[] {
  const changes: LogIndex[] = []
  for (let at = Math.max(tail.firstIndex, index + 1); at <= tail.lastIndex; at++) {
    if (tail.get(at)?.kind === entryKinds.configuration) changes.push(at)
  }
  return changes
}

function refuseToInstall(): never {
  throw new Error('a group of one installs no snapshot')
}

function refuseToSend(message: PeerMessage): never {
  throw new Error(`a group of one says ${message.type} to somebody`)
}

function openSegments(options: OpenReplicaOptions, folder: string, cutBytes: number): Promise<SegmentLog> {
  const { env, wal, partition, clusterEpoch } = options
  return SegmentLog.open({
    disk: env.disk,
    clock: env.clock,
    folder,
    partition,
    clusterEpoch,
    cutBytes,
    syncBytes: options.limits.segmentSyncBytes,
    recorded: marksOf(kind => wal.register(partition, kind)),
    // With the release, not as an append: an append waits while the ring is full, and the ring waits for
    // this.
    record: mark => release(wal, partition, mark),
    failed: error => options.failed(asFailure(error)),
  })
}

function markRegister(mark: Mark): Register {
  return mark.kind === 'synced' ? segmentSyncedRegister(mark) : segmentSealedRegister(mark)
}

/** What there is when the state is opened. */
interface LogParts {
  readonly segments: SegmentLog
  readonly snapshots: Snapshots
  readonly lastIndex: LogIndex
  readonly opened: Closable[]
}

async function openState(
  options: OpenReplicaOptions,
  folder: string,
  { segments, snapshots, lastIndex, opened }: LogParts,
): Promise<State> {
  const { env, wal, partition, limits } = options
  const register: FindRegister = kind => wal.register(partition, kind)
  const checkpoint = register(registerKinds.checkpoint)
  const { state, rebuilt, badSnapshots } = await State.open({
    disk: env.disk,
    keyValue: env.keyValue,
    clock: env.clock,
    folder,
    ...(checkpoint && { checkpoint }),
    // Meta holds little: its write buffer stays small.
    writeBufferBytes: partition === metaPartition ? limits.writeBufferBytesMeta : limits.writeBufferBytes,
    cacheBytes: limits.stateCacheBytes,
    limits,
    logFirstIndex: segments.firstIndex,
    logLastIndex: lastIndex,
    snapshots: snapshots.files,
    flushGate: options.flushGate,
    failed: error => options.failed(asFailure(error)),
  })
  opened.push(state)
  // The first state behind a snapshot of another replica is made from it: nothing was lost.
  const isFirst = checkpoint === undefined && installedOf(register) !== undefined
  if (rebuilt !== undefined && !isFirst) options.rebuilt(`state of partition ${partition}: ${rebuilt}`)
  await snapshots.distrust(badSnapshots ?? [])
  return state
}

function damaged(partition: PartitionId, what: string): SillokError {
  return new SillokError('DAMAGED', `partition ${partition}: ${what}`, { details: { partition } })
}
