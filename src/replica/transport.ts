/**
 * How the replicas of one node reach those of others: messages out and in, without answers or waiting.
 *
 * To each node one connection carries messages out, made when there are any; each node that speaks to this
 * one makes another. From one run of a node to another messages arrive in the order in which they were sent,
 * each at most once, over all connections: of those a newer one ends an older one. Some get lost, with a
 * connection or because too much waits; the sender is told that (`unreachable`), and what to do about it is
 * Raft's business. Whoever says something wrong is cut off (`refused`), and the node goes on.
 *
 * A snapshot goes over a connection of its own, at the pace of the one who takes it in.
 */

import { SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import type { Clock } from '../env/clock.js'
import type { Address, Connection, Listener, Network } from '../env/network.js'
import type { InstallSnapshot, PeerMessage } from '../raft/messages.js'
import { encodeHello, type Purpose } from './hello.js'
import type { BeginIntake } from './incoming-snapshot.js'
import { encodePeerMessage } from './message-codec.js'
import { OutgoingSnapshot } from './outgoing-snapshot.js'
import { type BeginCalls, type Hearing, Receiver } from './receiver.js'
import { type Loss, Sender } from './sender.js'
import type { SnapshotPiece } from './snapshot-parcel.js'

/** What the transport of a node is made from. */
export interface TransportOptions {
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  /** Where this node listens, as the others can reach it; with port 0 a free one is taken. */
  readonly address: Address
  /** Names the cluster: nodes of others are refused. */
  readonly cluster: string
  /** A message came, whole and checked, from the node at that address, as it says. */
  readonly deliver: (partition: PartitionId, message: PeerMessage, from: Address) => void
  /** As `Hearing.asked`. */
  readonly asked: (frame: Buffer, from: Address) => void
  /** A snapshot comes from another node. */
  readonly intake: BeginIntake
  /** As `Hearing.calls`. */
  readonly calls?: BeginCalls | undefined
  /**
   * Messages to that node were lost, or may have been: called once after each failure, not for each message,
   * and never inside `send`.
   */
  readonly unreachable: (address: Address, loss: Loss) => void
  /** What came over a connection was wrong, and it is closed. */
  readonly refused: (reason: string, remote: Address) => void
}

/** Carries messages between this node and the others. */
export class Transport {
  readonly #options: TransportOptions
  readonly #senders = new Map<Address, Sender>()
  readonly #receivers = new Set<Receiver>()
  /** They carry snapshots to others. */
  readonly #outgoing = new Set<Connection>()
  readonly #hearing: Hearing
  readonly #run: number
  #connections = 0
  #address: Address
  #listener: Listener | undefined
  #isClosed = false

  constructor(options: TransportOptions) {
    this.#options = options
    this.#address = options.address
    this.#hearing = {
      greeted: receiver => this.#greeted(receiver),
      deliver: options.deliver,
      asked: options.asked,
      intake: options.intake,
      calls: options.calls,
      refused: options.refused,
      closed: receiver => this.#receivers.delete(receiver),
    }
    this.#run = options.random.split('run').uint32()
    // What cannot be said throws here, not with the first message.
    this.#hello('messages')
  }

  /** Where this node listens, as it tells the others. */
  get address(): Address {
    return this.#address
  }

  /** Listens. Rejects with UNAVAILABLE when that cannot be. */
  async listen(): Promise<void> {
    const listener = await this.#options.network.listen(this.#address, one => this.#accept(one))
    this.#listener = listener
    this.#address = listener.address
    if (this.#isClosed) await listener.close()
  }

  /** Sends the message to the node at the address, or drops it. Never waits. */
  send(address: Address, partition: PartitionId, message: PeerMessage): void {
    this.sendFrame(address, encodePeerMessage(partition, message))
  }

  /** The same for a request or an answer, as a frame; `notSent` as in `Sender.send`. */
  sendFrame(address: Address, frame: Buffer, notSent?: () => void): void {
    if (!this.#isClosed) this.#senderTo(address).send(frame, notSent)
  }

  /**
   * Sends the snapshot of the message to the node at the address, over a connection of its own. Resolves when
   * it is there; see `OutgoingSnapshot.run` for that, and for how it fails.
   */
  async sendSnapshot(
    address: Address,
    partition: PartitionId,
    message: InstallSnapshot,
    pieces: AsyncIterable<SnapshotPiece>,
  ): Promise<void> {
    const { network, clock } = this.#options
    const connection = await network.connect(address)
    this.#outgoing.add(connection)
    try {
      if (this.#isClosed) throw new SillokError('CLOSED', 'this node is being closed')
      const hello = this.#hello('snapshot')
      await new OutgoingSnapshot({ connection, clock, hello, partition, message, pieces }).run()
    } finally {
      connection.close()
      this.#outgoing.delete(connection)
    }
  }

  /** Nothing is delivered or told any more. Resolves when nobody listens, and nothing is taken in. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const sender of this.#senders.values()) sender.close()
    for (const connection of this.#outgoing) connection.close()
    this.#senders.clear()
    await Promise.all([...this.#receivers].map(receiver => receiver.close()))
    await this.#listener?.close()
  }

  #senderTo(address: Address): Sender {
    const known = this.#senders.get(address)
    if (known !== undefined) return known
    const { network, clock, random, unreachable } = this.#options
    const sender = new Sender({
      network,
      clock,
      random: random.split(`to ${address}`),
      address,
      hello: () => this.#hello('messages'),
      unreachable: loss => unreachable(address, loss),
      unused: () => this.#senders.delete(address),
    })
    this.#senders.set(address, sender)
    return sender
  }

  #accept(connection: Connection): void {
    const { clock, cluster, refused } = this.#options
    if (this.#isClosed) connection.close()
    else if (this.#receivers.size >= limits.connectionsMax) {
      connection.close()
      refused(`${this.#receivers.size} connections from others are open`, connection.remote)
    } else this.#receivers.add(new Receiver(connection, clock, cluster, this.#hearing))
  }

  #hello(purpose: Purpose): Buffer {
    const { cluster } = this.#options
    const number = this.#connections++
    return encodeHello({ purpose, address: this.#address, cluster, run: this.#run, number })
  }

  /** Of the connections that a node made only the newest counts; an older one may come to be heard later. */
  #greeted(receiver: Receiver): void {
    const { hello } = receiver
    for (const other of this.#receivers) {
      const theirs = other.hello
      if (other === receiver || theirs?.purpose !== 'messages' || theirs.address !== hello?.address) continue
      const isNewer = theirs.run === hello.run && theirs.number > hello.number
      void (isNewer ? receiver : other).close()
    }
  }
}
