/**
 * The replicas that a node holds: opened from what its log says, placed by order, replaced by snapshots of
 * other nodes, closed.
 *
 * A replica comes to be here by a record of the log, durable before anybody hears of it: those with which the
 * cluster begins, and later ones by an order that names a replica never seen before (pitfall P23). A snapshot
 * of another node is switched to by one record too (`install-snapshot.ts`); then the replica is opened anew,
 * and what rests on it (`moving`, `moved`).
 */
import { must } from '../base/assert.js'
import { isSillokError, SillokError, storeClosed } from '../base/errors.js'
import { metaPartition, type PartitionId, type SessionId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Environment } from '../env/environment.js'
import type { Alarm } from '../raft/messages.js'
import { Gate } from '../state/gate.js'
import type { Wal } from '../wal/wal.js'
import { isLackOfSpace } from './failure.js'
import { handOver } from './hand-over.js'
import type { Founders, Placement } from './host-options.js'
import { installSnapshot } from './install-snapshot.js'
import { createPartition, type OpenedReplica, openReplica } from './open-replica.js'
import { Partition } from './partition.js'
import { dataPartition } from './partition-folders.js'
import type { Install } from './prepared-snapshot.js'
import type { Retentions } from './retentions.js'
import type { Switchboard } from './switchboard.js'

/** What the replicas of a node are told, and tell. */
export interface NodeReplicasOptions {
  readonly env: Environment
  /** Holds the replicas' folders. */
  readonly folder: string
  readonly limits: Limits
  /** Undefined where this node is the whole cluster. */
  readonly switchboard: () => Switchboard | undefined
  readonly isMember: boolean
  readonly openSession: (partition: Partition, session: SessionId) => Promise<void>
  readonly applied: (partition: PartitionId) => void
  readonly rebuilt: (reason: string) => void
  readonly unreadable: (partition: PartitionId, error: unknown) => void
  readonly alarmed: (partition: PartitionId, alarm: Alarm) => void
  /** Another replica takes the place of that one: what rests on it ends now. */
  readonly moving: (partition: PartitionId) => Promise<void>
  /** The other one is here, and not yet started. */
  readonly moved: (partition: PartitionId) => Promise<void>
  /** What must not happen: this node cannot go on. */
  readonly failed: (error: unknown) => void
}

/** What is there once the log is open. */
export interface OpenedLog {
  readonly wal: Wal
  readonly clusterEpoch: number
  readonly retentions: Retentions
}

/** From a disk without space for a replica that is opened anew to the next try. */
const spaceMs = 1000

/** Does the task; what a closing node meets does not keep it from going on. */
export type Attempt = (task: () => Promise<unknown>) => Promise<void>

/** Meta and the data partition of one node. */
export class NodeReplicas {
  readonly all: ReadonlyMap<PartitionId, Partition>
  readonly #options: NodeReplicasOptions
  /** One flush or checkpoint of this node at a time. */
  readonly flushGate = new Gate(1)
  /** What is under way that opens replicas. */
  readonly #moves = new Set<Promise<void>>()
  /** Replicas whose parts an installation has closed. */
  readonly #ended = new WeakSet<OpenedReplica>()
  #log: OpenedLog | undefined
  readonly #placing = new Set<PartitionId>()
  #isClosing = false

  constructor(options: NodeReplicasOptions) {
    this.#options = options
    const { env, isMember, switchboard } = options
    const partition = (id: PartitionId): Partition => {
      const send: ConstructorParameters<typeof Partition>[0]['send'] = ticket =>
        must(switchboard(), 'a switchboard').submit(id, ticket)
      return new Partition({ id, clock: env.clock, send: isMember ? send : undefined })
    }
    this.all = new Map([metaPartition, dataPartition].map(id => [id, partition(id)]))
  }

  /** Those of which this node holds a replica. */
  get here(): Partition[] {
    return [...this.all.values()].filter(({ isHere }) => isHere)
  }

  get areAllHere(): boolean {
    return this.here.length === this.all.size
  }

  of(partition: PartitionId): Partition {
    return must(this.all.get(partition), `partition ${partition}`)
  }

  /** Opens and starts those that the log knows; first it is told of those with which the cluster begins. */
  async open(log: OpenedLog, founders: Founders | undefined): Promise<void> {
    this.#log = log
    for (const id of this.all.keys()) {
      if (log.wal.partitions().includes(id) || founders === undefined) continue
      await createPartition(log.wal, id, this.#options.limits, { ...founders, replicaId: founders.replica })
    }
    for (const id of log.wal.partitions()) await this.#open(this.of(id))
    for (const partition of this.here) this.#start(partition)
  }

  /** See `Host.place`. */
  async place({ partition: id, replica, voters, cutBytes }: Placement): Promise<void> {
    const partition = this.of(id)
    if (partition.isHere) {
      if (partition.opened.replicaId === replica) return
      const held = `replica ${partition.opened.replicaId} of partition ${id}`
      throw new SillokError('INVALID', `place: this node holds ${held}, not ${replica}`)
    }
    if (this.#placing.has(id)) throw new SillokError('OVERLOADED', `partition ${id} is being placed already`)
    if (this.#isClosing) throw storeClosed()
    this.#placing.add(id)
    const { wal } = must(this.#log, 'the log')
    const own = { replicaId: replica, voters, cutBytes }
    await this.#underWay(async () => {
      try {
        await createPartition(wal, id, this.#options.limits, own)
        // The next opening finds it.
        if (this.#isClosing) return
        await this.#open(partition)
        this.#start(partition)
      } finally {
        this.#placing.delete(id)
      }
    })
  }

  /** The log wants a file back: what of it the partition's segments can hold they make durable. */
  release(id: PartitionId): void {
    const partition = this.of(id)
    if (!partition.isHere) return
    const { segments } = partition.opened
    segments.sync().catch((error: unknown) => {
      // Segments that are closed wait for space no longer, say because a snapshot takes their place.
      if (!(segments.isClosed && isLackOfSpace(error))) this.#options.failed(error)
    })
  }

  /**
   * From the call on no replica is placed, or put in the place of another one; resolves when none is on its
   * way. On a full disk that may be for as long as the log waits: see `Wal.hurry`.
   */
  async settle(): Promise<void> {
    this.#isClosing = true
    await Promise.allSettled(this.#moves)
  }

  /** Ends all that are here, once they are settled. */
  async close(hasFailed: boolean, attempt: Attempt): Promise<void> {
    for (const { opened } of this.here) {
      if (!this.#ended.has(opened)) await closeReplica(opened, hasFailed, attempt)
    }
  }

  async #open(partition: Partition): Promise<void> {
    const { id } = partition
    const { env, folder, limits, applied, rebuilt, unreadable, alarmed, failed, openSession } = this.#options
    const { wal, clusterEpoch, retentions } = must(this.#log, 'the log')
    const switchboard = this.#options.switchboard()
    const opened = await openReplica({
      env,
      folder,
      partition: id,
      clusterEpoch,
      wal,
      flushGate: this.flushGate,
      limits,
      openSession: session => openSession(partition, session),
      applied: () => applied(id),
      failed,
      rebuilt,
      unreadable: error => {
        unreadable(id, error)
        // A member waits for what cannot be read here: another replica has it.
        if (partition.isHere) handOver(partition.replica)
      },
      alarmed: alarm => alarmed(id, alarm),
      ...(switchboard && {
        send: message => switchboard.send(id, message),
        sendSnapshot: message => switchboard.sendSnapshot(id, message),
        install: install => this.#move(partition, install),
      }),
    })
    partition.take(opened)
    retentions.enter(opened)
  }

  /** It takes part from now on, and not before: what it was told earlier could have replaced it. */
  #start({ opened }: Partition): void {
    this.#options.switchboard()?.plug(opened)
    opened.replica.start(opened.lastTime)
  }

  /** A node that is about to close leaves it at that: the next opening finds what was there before. */
  #move(partition: Partition, install: Install): void {
    if (this.#isClosing) return
    this.#underWay(() => this.#install(partition, install)).catch((error: unknown) => {
      if (!this.#isClosing || !isLackOfSpace(error)) this.#options.failed(error)
    })
  }

  /** Work that a node which closes waits for. */
  #underWay(work: () => Promise<void>): Promise<void> {
    const move = work().finally(() => this.#moves.delete(move))
    this.#moves.add(move)
    return move
  }

  async #install(partition: Partition, install: Install): Promise<void> {
    const { env, moving, moved } = this.#options
    const { wal, retentions } = must(this.#log, 'the log')
    await retentions.leave(partition.id)
    await moving(partition.id)
    if (this.#isClosing) return
    this.#ended.add(partition.opened)
    await installSnapshot(wal, partition.opened, install)
    while (partition.isMoving && !this.#isClosing) {
      try {
        await this.#open(partition)
      } catch (error) {
        if (!isSillokError(error, 'DISK_FULL')) throw error
        if (partition.isClosed) return
        await new Promise<void>(resolve => env.clock.after(spaceMs, resolve))
      }
    }
    if (this.#isClosing) return
    await moved(partition.id)
    this.#start(partition)
  }
}

/**
 * Ends the parts of a replica, with a last checkpoint unless the node has failed. Nothing is applied any
 * more, whatever becomes durable on the way.
 */
async function closeReplica(
  { replica, segments, state, record }: OpenedReplica,
  hasFailed: boolean,
  attempt: Attempt,
): Promise<void> {
  replica.fail(storeClosed())
  await attempt(() => state.close(hasFailed ? {} : { record }))
  await attempt(() => segments.close())
  if (!hasFailed) await attempt(() => replica.close())
}
