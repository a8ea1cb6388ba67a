/**
 * Has commands decided by replicas of other nodes, and decides for others.
 *
 * A request is sent once, over the connection that carries the messages of replicas, and answered once, by
 * the way back. Requests of one sender to one node arrive in call order. A request that never left this node
 * is answered UNAVAILABLE; one that is no command there is refused, and costs nobody else the connection.
 * When a connection is lost, or the answer does not come in time, what waits for that node is answered
 * UNAVAILABLE with an unknown outcome: it may have been decided. Nothing is asked twice here: whether that is
 * safe is for those to know who asked.
 */
import { type Outcome, SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import type { Clock, Timer } from '../env/clock.js'
import type { Address } from '../env/network.js'
import type { AskedCommand } from '../machine/command-codec.js'
import type { Reply } from '../machine/reply.js'
import type { Ticket } from './admission.js'
import { type Ask, decodeAsk, encodeAnswer, encodeAsk } from './ask-codec.js'
import { asSeenFromHere } from './failure-form.js'
import type { Asker } from './waiters.js'

/** What forwarding works with. */
export interface ForwardingOptions {
  readonly clock: Clock
  readonly random: Random
  /** Sends the frame to the node at the address; calls `notSent`, later, if it drops it before it left. */
  readonly send: (address: Address, frame: Buffer, notSent?: () => void) => void
  /** Has the command decided by this node's replica, which answers; false if there is none. */
  readonly submit: (partition: PartitionId, ticket: Ticket) => boolean
}

interface Waiting extends Asker {
  readonly address: Address
  readonly sinceMs: number
}

/** Another node's sender: as long as something of it is under way here. */
interface Lane {
  readonly sender: object
  inFlight: number
}

/** How long an answer may take: then nobody knows what became of the request. */
const patienceMs = 30_000

/** How often it is looked for those that took too long. */
const lookMs = 1000

/** The requests of one node to others, and of others to this one. */
export class Forwarding {
  readonly #options: ForwardingOptions
  /** By number, the oldest first. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #lanes = new Map<string, Lane>()
  readonly #laneOf = new WeakMap<object, number>()
  readonly #run: number
  #number = 0
  #laneCount = 0
  #look: Timer | undefined
  #closed: SillokError | undefined

  constructor(options: ForwardingOptions) {
    this.#options = options
    this.#run = options.random.uint32()
  }

  /**
   * Has the replica of the node at the address decide the command. The answer is that of the replica, say
   * NOT_LEADER, or UNAVAILABLE, with an unknown outcome if it may have been decided, or OVERLOADED.
   */
  ask(
    address: Address,
    partition: PartitionId,
    command: AskedCommand,
    { sender, answer }: Omit<Ticket, 'command'>,
  ): void {
    if (this.#closed !== undefined || this.#waiting.size >= limits.pendingCommandsMax) {
      answer(
        this.#closed ?? new SillokError('OVERLOADED', `${this.#waiting.size} requests to other nodes wait`),
      )
      return
    }
    const number = ++this.#number
    let frame: Buffer
    try {
      frame = encodeAsk({
        partition,
        request: { run: this.#run, number },
        lane: this.#laneFor(sender),
        command,
      })
    } catch (error) {
      if (!(error instanceof SillokError)) throw error
      answer(error)
      return
    }
    const { clock, send } = this.#options
    this.#waiting.set(number, { address, answer, sinceMs: clock.monotonicMs() })
    const notSent = (): void => this.#answer(number, address, failure('it never left'))
    send(address, frame, notSent)
    this.#watch()
  }

  /** A request or answer came from that node. Throws DAMAGED, TOO_LARGE or INVALID. */
  take(frame: Buffer, from: Address): void {
    const said = decodeAsk(frame)
    if (said.type === 'ask') this.#serve(said, from)
    else if (said.type === 'unknown') this.#reply(from, said, said.error)
    else if (said.request.run === this.#run) this.#answer(said.request.number, from, seen(said.result, from))
  }

  /** A connection to that node was lost, with what was on it. */
  lost(address: Address): void {
    for (const [number, waiting] of this.#waiting) {
      if (waiting.address === address)
        this.#answer(number, address, failure('messages to the node were lost', 'unknown'))
    }
  }

  /** Nobody waits any more, and nothing is asked. */
  close(): void {
    this.#closed = new SillokError('CLOSED', 'this node is being closed')
    this.#look?.stop()
    for (const [number, { address }] of this.#waiting) {
      const message = 'this node was closed while it waited for another one'
      this.#answer(number, address, new SillokError('CLOSED_WHILE_WAITING', message))
    }
  }

  /** An answer of a node that was not asked counts for nothing. */
  #answer(number: number, from: Address, result: Reply | SillokError): void {
    const waiting = this.#waiting.get(number)
    if (waiting?.address !== from) return
    this.#waiting.delete(number)
    waiting.answer(result)
  }

  #serve({ partition, request, lane, command, bytes }: Ask, from: Address): void {
    const { submit } = this.#options
    const key = `${from} ${request.run} ${lane}`
    const known = this.#lanes.get(key) ?? { sender: {}, inFlight: 0 }
    this.#lanes.set(key, known)
    known.inFlight += 1
    const answer = (result: Reply | SillokError): void => {
      known.inFlight -= 1
      if (known.inFlight === 0) this.#lanes.delete(key)
      this.#reply(from, { partition, request }, result)
    }
    const isTaken = submit(partition, { command, sender: known.sender, bytes, answer })
    if (!isTaken) answer(new SillokError('NOT_LEADER', `this node has no replica of partition ${partition}`))
  }

  #reply(
    to: Address,
    { partition, request }: Pick<Ask, 'partition' | 'request'>,
    result: Reply | SillokError,
  ): void {
    if (this.#closed === undefined) this.#options.send(to, encodeAnswer(partition, request, result))
  }

  #laneFor(sender: object): number {
    const known = this.#laneOf.get(sender)
    if (known !== undefined) return known
    this.#laneCount += 1
    this.#laneOf.set(sender, this.#laneCount)
    return this.#laneCount
  }

  /** While somebody waits it is looked now and then who waits for too long. */
  #watch(): void {
    const { clock } = this.#options
    this.#look ??= clock.after(
      lookMs,
      () => {
        this.#look = undefined
        for (const [number, { address, sinceMs }] of this.#waiting) {
          if (clock.monotonicMs() - sinceMs < patienceMs) break
          this.#answer(number, address, failure(`no answer for ${patienceMs / 1000} s`, 'unknown'))
        }
        if (this.#waiting.size > 0) this.#watch()
      },
      { idle: true },
    )
  }
}

function seen(result: Reply | SillokError, from: Address): Reply | SillokError {
  return result instanceof SillokError ? asSeenFromHere(result, from) : result
}

function failure(why: string, outcome: Outcome = 'not-applied'): SillokError {
  return new SillokError('UNAVAILABLE', `a request to another node: ${why}`, { outcome })
}
