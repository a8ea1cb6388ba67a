/**
 * The retention of all partitions of a node, and who needs their logs: of meta's the data partition, up to
 * what it has logged to have taken over; of the data partition's its indexes and the named feeds of changes;
 * of each the other members of its group.
 */
import type { LogIndex, PartitionId } from '../base/ids.js'
import { metaPartition } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import type { Environment } from '../env/environment.js'
import { subscriptionNameOf, subscriptionPrefix } from '../machine/keys.js'
import { decodeSubscription } from '../machine/subscriptions.js'
import { Gate } from '../state/gate.js'
import type { Wal } from '../wal/wal.js'
import type { ReadEntries } from './index-source.js'
import type { NamedIndexStatus } from './indexes.js'
import { memberPlaces } from './member-pins.js'
import type { MetaFeed } from './meta-feed.js'
import type { OpenedReplica } from './open-replica.js'
import type { Partition } from './partition.js'
import { dataPartition } from './partition-folders.js'
import type { PinPlace } from './pins.js'
import { Retention, type RetentionStatus } from './retention.js'

/** What the logs are kept by. */
export interface RetentionsParts {
  readonly env: Environment
  readonly wal: Wal
  readonly limits: Limits
  readonly clusterEpoch: number
  readonly partitions: ReadonlyMap<PartitionId, Partition>
  /** Meta's channel to the data partition. */
  readonly feed: MetaFeed
  readonly read: (partition: PartitionId) => ReadEntries
  /** Undefined before they are opened. */
  readonly indexes: () => readonly NamedIndexStatus[] | undefined
  readonly failed: (error: unknown) => void
  /** Told of each failed try that is repeated later. */
  readonly retried: (partition: PartitionId, error: unknown) => void
}

/** All partitions: call `look` now and then. */
export class Retentions {
  readonly #parts: RetentionsParts
  readonly #all = new Map<PartitionId, Retention>()
  readonly #gate = new Gate(1)
  /** Where indexes were when they last told. */
  readonly #indexPlaces = new Map<string, LogIndex>()

  constructor(parts: RetentionsParts) {
    this.#parts = parts
  }

  /** From now on that replica's log is kept, and trimmed. */
  enter({ replica, segments, state, snapshots, memberships, record }: OpenedReplica): void {
    const { env, wal, limits, clusterEpoch, failed, retried: told, read, feed } = this.#parts
    const { partition } = replica
    const own = { partition, segments, state, snapshots, memberships, record, read: read(partition) }
    const places = (): readonly PinPlace[] | undefined => this.#places(partition)
    const behind = (): void => feed.logCursor()
    const node = { clock: env.clock, wal, limits, clusterEpoch, gate: this.#gate, failed }
    const retried = (error: unknown): void => told(partition, error)
    this.#all.set(partition, new Retention({ ...own, ...node, places, behind, retried }))
  }

  /** When it resolves nothing of that partition is under way any more. */
  async leave(partition: PartitionId): Promise<void> {
    const retention = this.#all.get(partition)
    this.#all.delete(partition)
    await retention?.stop()
  }

  /** Begins what is due. Nothing ever is in a store without files: there is nothing to make it from again. */
  look(): void {
    if (this.#parts.env.isVolatile === true) return
    for (const retention of this.#all.values()) retention.look()
  }

  status(partition: PartitionId): RetentionStatus | undefined {
    return this.#all.get(partition)?.status()
  }

  /** When it resolves nothing is under way and nothing begins any more. */
  async stop(): Promise<void> {
    for (const retention of this.#all.values()) await retention.stop()
  }

  #places(partition: PartitionId): readonly PinPlace[] | undefined {
    const group = this.#opened(partition)?.replica.group()
    const members = group && memberPlaces(group)
    if (partition === metaPartition) {
      // A node that has no data partition yet does not know what that will need of meta's log.
      if (this.#opened(dataPartition) === undefined) return undefined
      const { logged: position } = this.#parts.feed
      const owner = `partition ${dataPartition}`
      return members && [...members, { kind: 'partition', owner, position }]
    }
    const indexes = this.#indexes()
    return members && indexes && [...members, ...indexes, ...this.#feeds()]
  }

  /** Undefined while one is being opened: nobody knows yet where it is. */
  #indexes(): PinPlace[] | undefined {
    const indexes = this.#parts.indexes()
    const places: PinPlace[] = []
    for (const { collection, name, state, position: own, next } of indexes ?? []) {
      const owner = `${collection}.${name}`
      if (state === 'opening' || next?.state === 'opening') return undefined
      // The making that is to take its place needs what it has not taken yet, too.
      const position = Math.min(own, next?.position || own)
      if (position > 0) this.#indexPlaces.set(owner, position)
      const known = this.#indexPlaces.get(owner)
      if (known !== undefined && state !== 'unknown') places.push({ kind: 'index', owner, position: known })
    }
    return indexes && places
  }

  #opened(partition: PartitionId): OpenedReplica | undefined {
    const known = this.#parts.partitions.get(partition)
    return known?.isHere === true ? known.opened : undefined
  }

  #feeds(): PinPlace[] {
    const rows = this.#opened(dataPartition)?.state.partitionRows(subscriptionPrefix) ?? []
    return rows.map(([key, { value }]) => {
      const owner = subscriptionNameOf(key)
      return { kind: 'feed', owner, position: decodeSubscription(value).index - 1 }
    })
  }
}
