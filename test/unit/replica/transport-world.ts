/** Some nodes under one seed, each with a transport over simulated cables, and what each of them was told. */
import { must } from '../../../src/base/assert.js'
import { encodeEntry, entryHeadBytes } from '../../../src/base/entry.js'
import { Random } from '../../../src/base/random.js'
import type { Address, Connection } from '../../../src/env/network.js'
import type { Append, PeerMessage } from '../../../src/raft/messages.js'
import type { BeginIntake } from '../../../src/replica/incoming-snapshot.js'
import type { BeginCalls } from '../../../src/replica/receiver.js'
import type { Loss } from '../../../src/replica/sender.js'
import { Transport } from '../../../src/replica/transport.js'
import { SimClock, type SimProcessClock } from '../../../src/sim/sim-clock.js'
import { type SimDoor, SimNetwork, type SimNetworkOptions } from '../../../src/sim/sim-network.js'

/** What was delivered. */
export interface Delivery {
  readonly from: Address
  readonly partition: number
  readonly message: PeerMessage
  readonly ms: number
}

/** One process of a node. */
export interface Node {
  readonly id: number
  readonly host: string
  readonly door: SimDoor
  readonly clock: SimProcessClock
  readonly transport: Transport
  readonly delivered: Delivery[]
  /** Requests and answers that came. */
  readonly asked: Buffer[]
  readonly unreachable: { readonly address: Address; readonly loss: Loss; readonly ms: number }[]
  readonly refused: string[]
}

/** No snapshots are expected. */
export const noIntake = (): Promise<never> => Promise.reject(new Error('a snapshot'))

/** A message with a number: the token. Its run names the process that sent it. */
export const numbered = (run: number, token: number): PeerMessage => ({
  type: 'readRequest',
  from: 1,
  to: 2,
  term: 1,
  run,
  token,
})

/** An append of about that many bytes. */
export function append(bytes: number): Append {
  const body = Buffer.alloc(bytes - entryHeadBytes, 7)
  const entries = [encodeEntry({ partition: 1, index: 5, term: 1, kind: 2 }, body)]
  return { type: 'append', from: 1, to: 2, term: 1, previousIndex: 4, previousTerm: 1, entries, commit: 4 }
}

export class TransportWorld {
  readonly clock = new SimClock()
  readonly network: SimNetwork
  readonly random: Random
  readonly nodes: Node[] = []

  constructor(seed: string, options: Partial<SimNetworkOptions> = {}) {
    this.random = new Random(seed)
    this.network = new SimNetwork({ clock: this.clock, random: this.random.split('network'), ...options })
  }

  run(work: () => Promise<void>): Promise<void> {
    return this.clock.run(work)
  }

  wait(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  /** A new process on the host; it listens at port 1. */
  async start(
    host: string,
    cluster = 'cluster',
    intake: BeginIntake = noIntake,
    calls?: BeginCalls,
  ): Promise<Node> {
    const id = this.nodes.length
    const door = this.network.process(host)
    const clock = this.clock.process()
    const [delivered, unreachable, refused]: [Delivery[], Node['unreachable'], string[]] = [[], [], []]
    const asked: Buffer[] = []
    const transport = new Transport({
      network: door,
      clock,
      random: this.random.split(`process ${id}`),
      address: `${host}:1`,
      cluster,
      deliver: (partition, message, from) => {
        delivered.push({ from, partition, message, ms: this.clock.monotonicMs() })
      },
      asked: frame => asked.push(frame),
      intake,
      calls,
      unreachable: (address, loss) => unreachable.push({ address, loss, ms: this.clock.monotonicMs() }),
      refused: reason => refused.push(reason),
    })
    const node = { id, host, door, clock, transport, delivered, asked, unreachable, refused }
    this.nodes.push(node)
    await transport.listen()
    return node
  }

  /** The process ends. */
  kill({ door, clock }: Node): void {
    door.kill({ isSilent: this.random.chance(0.5) })
    clock.kill()
  }

  /** A connection of somebody who is no node. */
  async stranger(address: Address): Promise<{ connection: Connection; closed(): boolean }> {
    const connection = await this.network.process('stranger').connect(address)
    let isClosed = false
    connection.onMessage(() => {})
    connection.onClose(() => {
      isClosed = true
    })
    return { connection, closed: () => isClosed }
  }

  /** The tokens that the node got from processes of the host, in the order in which they came. */
  tokens(node: Node, host: string): number[] {
    const own = node.delivered.filter(one => one.from === `${host}:1`)
    return own.map(({ message }) =>
      must(message.type === 'readRequest' ? message.token : undefined, 'a token'),
    )
  }
}
