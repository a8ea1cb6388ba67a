/**
 * Joins the replicas of one node to those of other nodes: what they say goes out over the transport, what
 * comes is handed to the replica that it is for. Commands go to who leads (`forwarding.ts`). Snapshots too:
 * those that a replica sends, of which each is told how it ended, and those that come in
 * (`snapshot-intakes.ts`).
 *
 * A replica is plugged in while it takes part. What comes for one that is not is dropped, or refused.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import type { PartitionId, ReplicaId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Disk } from '../env/disk.js'
import type { Address } from '../env/network.js'
import type { AskedCommand } from '../machine/command-codec.js'
import type { InstallSnapshot, PeerMessage } from '../raft/messages.js'
import { Gate } from '../state/gate.js'
import type { Ticket } from './admission.js'
import { Forwarding } from './forwarding.js'
import { handOver } from './hand-over.js'
import type { OpenedReplica } from './open-replica.js'
import { notLeader } from './refusals.js'
import type { Loss } from './sender.js'
import { SnapshotIntakes } from './snapshot-intakes.js'
import { snapshotPieces } from './snapshot-parcel.js'
import { Transport, type TransportOptions } from './transport.js'

/** What a switchboard is made from. */
export interface SwitchboardOptions
  extends Omit<TransportOptions, 'deliver' | 'intake' | 'asked' | 'unreachable'> {
  readonly disk: Disk
  /** Holds the folders of all replicas. */
  readonly folder: string
  readonly clusterEpoch: number
  /** Where the node of that replica listens; undefined while nobody knows: what is said to it is dropped. */
  readonly addressOf: (partition: PartitionId, replica: ReplicaId) => Address | undefined
  /** A message of that replica came from the node at that address. */
  readonly heard?: (partition: PartitionId, replica: ReplicaId, from: Address) => void
  /** A snapshot did not get to the other replica; its leader tries again. */
  readonly notSent: (error: SillokError) => void
  /** What must not happen: this node cannot go on. */
  readonly failed: (error: unknown) => void
}

/** The replicas of one node, and the way to all others. */
export class Switchboard {
  readonly #options: SwitchboardOptions
  readonly #transport: Transport
  readonly #forwarding: Forwarding
  readonly #replicas = new Map<PartitionId, OpenedReplica>()
  readonly #intakes: SnapshotIntakes
  readonly #gate = new Gate(limits.snapshotsSentMax)
  readonly #sending = new Set<Promise<void>>()
  /** What was last to be sent to each replica: of an earlier one nobody wants to know the end. */
  readonly #newest = new Map<string, InstallSnapshot>()

  constructor(options: SwitchboardOptions) {
    this.#options = options
    this.#intakes = new SnapshotIntakes({
      ...options,
      replicaOf: partition => this.#replicas.get(partition),
      installing: partition => this.unplug(partition),
    })
    this.#transport = new Transport({
      ...options,
      deliver: (partition, message, from) => {
        options.heard?.(partition, message.from, from)
        this.#replicas.get(partition)?.replica.receive(message)
      },
      intake: (partition, message) => this.#intakes.begin(partition, message),
      asked: (frame, from) => this.#forwarding.take(frame, from),
      unreachable: (address, loss) => this.#unreachable(address, loss),
    })
    this.#forwarding = new Forwarding({
      clock: options.clock,
      random: options.random.split('forwarding'),
      send: (address, frame, notSent) => this.#transport.sendFrame(address, frame, notSent),
      submit: (partition, ticket) => {
        const replica = this.#replicas.get(partition)?.replica
        replica?.submit(ticket)
        return replica !== undefined
      },
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

  /**
   * Has the command decided by who leads the partition, as far as this node's replica knows. Answered by it,
   * or with NOT_LEADER if nobody is known, or as `Forwarding.ask` says.
   */
  submit(partition: PartitionId, ticket: Ticket & { readonly command: AskedCommand }): void {
    const own = this.#replicas.get(partition)
    const leader = own?.replica.servedBy ?? 0
    if (own?.replicaId === leader) {
      own.replica.submit(ticket)
      return
    }
    const address = leader === 0 ? undefined : this.#options.addressOf(partition, leader)
    if (address === undefined) ticket.answer(notLeader(leader))
    else this.#forwarding.ask(address, partition, ticket.command, ticket)
  }

  /**
   * Sends a snapshot of this node's replica; in the end the replica is told whether it arrived, unless it has
   * another one sent there by then.
   */
  sendSnapshot(partition: PartitionId, message: InstallSnapshot): void {
    const from = this.#replicas.get(partition)
    if (from === undefined) return
    const member = `${partition}/${message.to}`
    this.#newest.set(member, message)
    const sending = this.#gate
      .run(() => this.#carry(partition, from, message))
      .then(
        () => true,
        async (error: unknown) => {
          this.#notSent(error)
          const isOurs = isSillokError(error, 'DAMAGED') && error.details['refused'] !== true
          // Another replica has what cannot be read here, and leads those who wait for it.
          if (isOurs) handOver(from.replica)
          await this.#prove(from, message, error).catch((other: unknown) => this.#notSent(other))
          return false
        },
      )
      .then(arrived => {
        this.#sending.delete(sending)
        if (this.#newest.get(member) !== message) return
        this.#newest.delete(member)
        from.replica.snapshotSent(message.to, arrived)
      })
    this.#sending.add(sending)
  }

  /** Nothing is said or heard any more. Resolves when no file of a snapshot is in use. */
  async close(): Promise<void> {
    this.#replicas.clear()
    this.#forwarding.close()
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

  #notSent(error: unknown): void {
    if (error instanceof SillokError) this.#options.notSent(error)
    else this.#options.failed(error)
  }

  /** What the other side does not take may be damaged here: then another one is made, and sent next. */
  async #prove({ snapshots }: OpenedReplica, { snapshot }: InstallSnapshot, error: unknown): Promise<void> {
    if (!isSillokError(error) || (error.code !== 'DAMAGED' && error.details['refused'] !== true)) return
    const wrong = await snapshots.prove(snapshot.index)
    if (wrong !== undefined) this.#options.notSent(new SillokError('DAMAGED', wrong))
  }

  #unreachable(address: Address, loss: Loss): void {
    if (loss === 'in-doubt') this.#forwarding.lost(address)
    for (const [partition, { replica }] of this.#replicas) {
      for (const { replica: other } of replica.group().members) {
        if (this.#options.addressOf(partition, other) === address) replica.unreachable(other)
      }
    }
  }
}
