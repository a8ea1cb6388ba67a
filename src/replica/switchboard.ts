/**
 * Joins the replicas of one node to those of other nodes: what they say goes out over the transport, what
 * comes is handed to the replica that it is for. Snapshots too: those that a replica sends, of which each is
 * told how it ended, and those that come in, one at a time for each replica.
 *
 * A replica is plugged in while it takes part. What comes for one that is not is dropped, or refused.
 */
import { SillokError } from '../base/errors.js'
import type { PartitionId, ReplicaId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Disk } from '../env/disk.js'
import type { Address } from '../env/network.js'
import type { InstallSnapshot, PeerMessage } from '../raft/messages.js'
import { Gate } from '../state/gate.js'
import { asFailure } from './failure.js'
import type { Intake } from './incoming-snapshot.js'
import { discardSnapshot } from './install-snapshot.js'
import type { OpenedReplica } from './open-replica.js'
import { SnapshotIntake } from './snapshot-intake.js'
import { snapshotPieces } from './snapshot-parcel.js'
import { Transport, type TransportOptions } from './transport.js'

/** What a switchboard is made from. */
export interface SwitchboardOptions extends Omit<TransportOptions, 'deliver' | 'intake' | 'unreachable'> {
  readonly disk: Disk
  /** Holds the folders of all replicas. */
  readonly folder: string
  readonly clusterEpoch: number
  /** Where the node of that replica listens; undefined while nobody knows: what is said to it is dropped. */
  readonly addressOf: (partition: PartitionId, replica: ReplicaId) => Address | undefined
  /** A snapshot did not get to the other replica; its leader tries again. */
  readonly notSent: (error: SillokError) => void
  /** What must not happen: this node cannot go on. */
  readonly failed: (error: unknown) => void
}

/** The replicas of one node, and the way to all others. */
export class Switchboard {
  readonly #options: SwitchboardOptions
  readonly #transport: Transport
  readonly #replicas = new Map<PartitionId, OpenedReplica>()
  /** Partitions whose replicas a snapshot comes for. */
  readonly #intakes = new Set<PartitionId>()
  readonly #gate = new Gate(limits.snapshotsSentMax)
  readonly #sending = new Set<Promise<void>>()

  constructor(options: SwitchboardOptions) {
    this.#options = options
    this.#transport = new Transport({
      ...options,
      deliver: (partition, message) => this.#replicas.get(partition)?.replica.receive(message),
      intake: (partition, message) => this.#begin(partition, message),
      unreachable: address => this.#unreachable(address),
    })
  }

  /** Where this node listens. */
  get address(): Address {
    return this.#transport.address
  }

  /** Rejects with UNAVAILABLE when that cannot be. */
  listen(): Promise<void> {
    return this.#transport.listen()
  }

  /** From now on the replica gets what is said to it. */
  plug(opened: OpenedReplica): void {
    this.#replicas.set(opened.replica.partition, opened)
  }

  /** From now on it gets nothing. */
  unplug(partition: PartitionId): void {
    this.#replicas.delete(partition)
  }

  /** Says the message of a replica of that partition, or drops it. Never waits. */
  send(partition: PartitionId, message: PeerMessage): void {
    const address = this.#options.addressOf(partition, message.to)
    if (address !== undefined) this.#transport.send(address, partition, message)
  }

  /** Sends a snapshot of this node's replica; in the end the replica is told whether it arrived. */
  sendSnapshot(partition: PartitionId, message: InstallSnapshot): void {
    const from = this.#replicas.get(partition)
    if (from === undefined) return
    const sending = this.#gate
      .run(() => this.#carry(partition, from, message))
      .then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof SillokError)) this.#options.failed(error)
          else this.#options.notSent(error)
          return false
        },
      )
      .then(arrived => {
        from.replica.snapshotSent(message.to, arrived)
        this.#sending.delete(sending)
      })
    this.#sending.add(sending)
  }

  /** Nothing is said or heard any more. Resolves when no file of a snapshot is in use. */
  async close(): Promise<void> {
    this.#replicas.clear()
    await this.#transport.close()
    await Promise.all(this.#sending)
  }

  async #carry(partition: PartitionId, from: OpenedReplica, message: InstallSnapshot): Promise<void> {
    const { addressOf, disk } = this.#options
    const address = addressOf(partition, message.to)
    if (address === undefined)
      throw new SillokError('UNAVAILABLE', `nobody knows where replica ${message.to} is`)
    if (this.#replicas.get(partition) !== from) throw new SillokError('CLOSED', 'its replica takes no part')
    const pieces = snapshotPieces(disk, from, message.snapshot.index)
    await this.#transport.sendSnapshot(address, partition, message, pieces)
  }

  /** Where the pieces of a snapshot go; what becomes of it in the end is Raft's to say. */
  async #begin(partition: PartitionId, message: InstallSnapshot): Promise<Intake> {
    const into = this.#replicas.get(partition)
    if (into?.replicaId !== message.to)
      throw new SillokError(
        'UNAVAILABLE',
        `replica ${message.to} of partition ${partition} takes no part here`,
      )
    if (this.#intakes.has(partition))
      throw new SillokError('OVERLOADED', `another snapshot of partition ${partition} is coming in`)
    this.#intakes.add(partition)
    const end = (): void => void this.#intakes.delete(partition)
    const { disk, folder, clusterEpoch, clock } = this.#options
    const { replicaId, cutBytes, generation } = into
    const place = { disk, clock, folder, partition, replicaId, cutBytes, clusterEpoch }
    const options = { ...place, generation: generation + 1 }
    const intake = await this.#guarded(() => SnapshotIntake.begin(options, message)).catch(error => {
      end()
      throw error
    })
    const finish = async (): Promise<void> => {
      const prepared = await intake.finish()
      if (this.#replicas.get(partition) !== into) throw new SillokError('CLOSED', 'its replica takes no part')
      // The one who installs it has ended; nobody may take in the next one into the same folder.
      if (into.replica.receiveSnapshot(message, prepared)) this.unplug(partition)
      else await discardSnapshot(disk, folder, prepared)
      end()
    }
    return {
      take: piece => this.#guarded(() => intake.take(piece)),
      abandon: () => this.#guarded(() => intake.abandon()).finally(end),
      finish: () => this.#guarded(finish),
    }
  }

  /** Whoever sends hears of what must not happen here only that this node stopped. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof SillokError) throw error
      this.#options.failed(error)
      throw asFailure(error)
    }
  }

  #unreachable(address: Address): void {
    for (const [partition, { replica }] of this.#replicas) {
      for (const { replica: other } of replica.group().members) {
        if (this.#options.addressOf(partition, other) === address) replica.unreachable(other)
      }
    }
  }
}
