/**
 * What another node says, over a connection that it made: a hello, then messages, which are not answered, or
 * a snapshot, whose frames are; or calls of whoever has some, say a node that is not yet one of the cluster.
 * With the first thing that is wrong the connection is closed, and what it was is told: what comes behind it
 * may mean anything. (What is wrong with a snapshot its sender is told, who closes; see IncomingSnapshot.)
 */
import { messageOf, SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import type { Clock, Timer } from '../env/clock.js'
import type { Address, Connection } from '../env/network.js'
import type { PeerMessage } from '../raft/messages.js'
import { isAskFrame } from './ask-codec.js'
import { decodeHello, type Hello } from './hello.js'
import { type BeginIntake, IncomingSnapshot } from './incoming-snapshot.js'
import { decodePeerMessage } from './message-codec.js'

/** Takes what a caller says over one connection, and answers over the same. */
export interface CallTaker {
  /** A frame came. Throws DAMAGED, TOO_LARGE or INVALID: then the connection is closed. */
  take(frame: Buffer): void
  /** Nothing more comes, and nobody hears an answer. */
  close(): void
}

/** Somebody is about to call. */
export type BeginCalls = (connection: Connection) => CallTaker

/** Who hears of what comes. */
export interface Hearing {
  /** A node of the own cluster has said who it is, and that messages follow. */
  greeted(receiver: Receiver): void
  /** A message came, whole, from the node that says to listen at that address. */
  deliver(partition: PartitionId, message: PeerMessage, from: Address): void
  /** A request or an answer came from that node. Throws DAMAGED, TOO_LARGE or INVALID. */
  asked(frame: Buffer, from: Address): void
  /** A snapshot comes. */
  readonly intake: BeginIntake
  /** Calls come, which are answered; undefined where none are. */
  readonly calls: BeginCalls | undefined
  /** The connection is being closed because of that. */
  refused(reason: string, remote: Address): void
  /** Nothing more comes. */
  closed(receiver: Receiver): void
}

/** How long a node may take to say who it is. */
const helloMs = 5000

/** Takes what comes over one connection. */
export class Receiver {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #cluster: string
  readonly #hearing: Hearing
  readonly #patience: Timer
  #hello: Hello | undefined
  #snapshot: IncomingSnapshot | undefined
  #calls: CallTaker | undefined

  constructor(connection: Connection, clock: Clock, cluster: string, hearing: Hearing) {
    this.#connection = connection
    this.#clock = clock
    this.#cluster = cluster
    this.#hearing = hearing
    this.#patience = clock.after(helloMs, () => this.#refuse('it does not say who it is'))
    connection.onClose(() => {
      this.#patience.stop()
      void this.#ended()
      hearing.closed(this)
    })
    connection.onMessage(bytes => this.#take(bytes))
  }

  /** Who the node at the other side says that it is; undefined before it does. */
  get hello(): Hello | undefined {
    return this.#hello
  }

  /** Nothing is delivered or refused any more. Resolves when nothing is left to do for what came. */
  async close(): Promise<void> {
    this.#patience.stop()
    this.#connection.close()
    await this.#ended()
  }

  async #ended(): Promise<void> {
    this.#calls?.close()
    await this.#snapshot?.close()
  }

  #take(bytes: Buffer): void {
    if (this.#hello === undefined) {
      const hello = this.#read(() => decodeHello(bytes))
      if (hello !== undefined) this.#meet(hello)
    } else if (this.#snapshot !== undefined) {
      const snapshot = this.#snapshot
      this.#read(() => snapshot.take(bytes))
    } else if (this.#calls !== undefined) {
      const calls = this.#calls
      this.#read(() => calls.take(bytes))
    } else if (isAskFrame(bytes)) {
      const { address } = this.#hello
      this.#read(() => this.#hearing.asked(bytes, address))
    } else {
      const { address } = this.#hello
      const said = this.#read(() => decodePeerMessage(bytes))
      if (said !== undefined) this.#hearing.deliver(said.partition, said.message, address)
    }
  }

  #meet(hello: Hello): void {
    const { purpose, address, cluster } = hello
    const mayNotKnow = purpose === 'calls' && cluster === ''
    if (cluster !== this.#cluster && !mayNotKnow) {
      this.#refuse(`${address || 'a caller'} is of cluster ${cluster}, this node of ${this.#cluster}`)
      return
    }
    this.#patience.stop()
    this.#hello = hello
    if (purpose === 'messages') this.#hearing.greeted(this)
    else if (purpose === 'calls') this.#serve()
    else this.#snapshot = new IncomingSnapshot(this.#connection, this.#clock, this.#hearing.intake)
  }

  #serve(): void {
    const { calls } = this.#hearing
    if (calls === undefined) this.#refuse('this node answers no calls')
    else this.#calls = calls(this.#connection)
  }

  /** What was read; undefined, and the connection closed, if it cannot be. Bugs of ours come out. */
  #read<T>(decode: () => T): T | undefined {
    try {
      return decode()
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
      this.#refuse(messageOf(error))
      return undefined
    }
  }

  #refuse(reason: string): void {
    const { remote } = this.#connection
    void this.close()
    this.#hearing.refused(reason, this.#hello?.address || remote)
  }
}
