/**
 * What one node says to another: over one connection at a time, which is made when there is something to say.
 *
 *   resting ──something to say──► pausing ──► connecting ──► open
 *      ▲                                          │            │
 *      └──────────────── refused ─────────────────┴─── lost ───┘
 *
 * What is sent leaves in its order, each message at most once; while there is no connection a bounded number
 * of bytes waits for it. Messages are dropped when one is refused or lost, and when too much waits. That is
 * told, not for each message, but behind each that does not arrive word comes that some did not: when an
 * attempt or a connection fails, and when more is said than waits, then at most once a second. Who wants to
 * hear of each message that never left says so with it, and is told before anything that it says later
 * leaves: so these keep their order when they are sent again. Of what was on a connection that is lost nobody
 * knows whether it arrived. A pause before each attempt but the first grows while they fail, and is drawn, so
 * that many nodes do not come at once. A connection that nobody used for a while is closed.
 */
import type { MonotonicMs } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import type { Clock, Timer } from '../env/clock.js'
import type { Address, Connection, Network } from '../env/network.js'

/** `unsent`: those that did not arrive never left; `in-doubt`: a connection was lost with what was on it. */
export type Loss = 'unsent' | 'in-doubt'

/** What a sender is made from. */
export interface SenderOptions {
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  /** Of the node that is spoken to. */
  readonly address: Address
  /** What is said first on each connection. */
  readonly hello: () => Buffer
  /** Some of what was said is lost, or may be. Never called from inside `send`. */
  readonly unreachable: (loss: Loss) => void
  /** Nothing was said for a while: the sender is closed. */
  readonly unused: () => void
}

/** The first pause lies between this and twice this. */
const pauseMsMin = 50

/** The longest pause; drawn from the upper half of it. */
const pauseMsMax = 1000

/** A connection that stood so long was a good one: the next pause is a short one again. */
const steadyMs = 1000

/** Between two words that too much is said. */
const quietMs = 1000

/** Time without a message after which a connection is closed. */
const unusedMs = 60_000

/** A message, and who hears that it never left. */
interface Unsent {
  readonly message: Buffer
  readonly notSent: (() => void) | undefined
}

/** Says messages to one other node. */
export class Sender {
  readonly #options: SenderOptions
  #waiting: Unsent[] = []
  #waitingBytes = 0
  #connection: Connection | undefined
  /** Pausing or connecting. */
  #isBusy = false
  #isClosed = false
  /** Messages were dropped that are not told. */
  #hasDropped = false
  /** What is to be told next. */
  #notSent: (() => void)[] = []
  #loss: Loss | undefined
  #isTelling = false
  #failures = 0
  /** Before that there is no next attempt. */
  #pauseEndMs: MonotonicMs = 0
  #lastUseMs: MonotonicMs = 0
  #pause: Timer | undefined
  #rest: Timer | undefined
  #quiet: Timer | undefined

  constructor(options: SenderOptions) {
    this.#options = options
    this.#watchUse(unusedMs)
  }

  /**
   * Takes the message, which is on its way then, waits, or is dropped. If it is dropped before it left,
   * `notSent` is called, never from in here, and not once this is closed.
   */
  send(message: Buffer, notSent?: () => void): void {
    const unsent: Unsent = { message, notSent }
    this.#lastUseMs = this.#options.clock.monotonicMs()
    // What comes before it did not leave, and nobody knows yet.
    if (this.#isTelling && notSent !== undefined) this.#tell({ notSent })
    else if (this.#connection !== undefined) this.#put(this.#connection, unsent)
    else if (this.#waitingBytes + message.length > limits.unsentBytesMax) this.#drop(unsent)
    else {
      this.#waiting.push(unsent)
      this.#waitingBytes += message.length
      if (!this.#isBusy) this.#begin()
    }
  }

  /** For good: drops what waits and closes the connection; nothing is told any more. */
  close(): void {
    this.#isClosed = true
    this.#pause?.stop()
    this.#rest?.stop()
    this.#quiet?.stop()
    this.#forget()
    this.#connection?.close()
    this.#connection = undefined
  }

  #begin(): void {
    const { clock } = this.#options
    const ms = this.#pauseEndMs - clock.monotonicMs()
    this.#isBusy = true
    if (ms <= 0) this.#connect()
    else this.#pause = clock.after(ms, () => this.#connect())
  }

  #connect(): void {
    const { network, address } = this.#options
    network.connect(address).then(
      connection => this.#stands(connection),
      () => {
        this.#isBusy = false
        this.#failed('unsent')
      },
    )
  }

  #stands(connection: Connection): void {
    this.#isBusy = false
    if (this.#isClosed) {
      connection.close()
      return
    }
    const { clock, hello } = this.#options
    const sinceMs = clock.monotonicMs()
    this.#connection = connection
    connection.onClose(() => {
      this.#connection = undefined
      if (clock.monotonicMs() - sinceMs >= steadyMs) this.#failures = 0
      this.#failed('in-doubt')
    })
    // Nobody answers here; but who does not read hears of no end either.
    connection.onMessage(() => connection.close())
    this.#put(connection, { message: hello(), notSent: undefined })
    const waiting = this.#waiting
    this.#forget()
    for (const unsent of waiting) this.#put(connection, unsent)
  }

  #put(connection: Connection, unsent: Unsent): void {
    if (!connection.send(unsent.message)) this.#drop(unsent)
  }

  #failed(loss: Loss): void {
    const { clock, random } = this.#options
    for (const unsent of this.#waiting) this.#tell(unsent)
    this.#forget()
    this.#failures++
    const longestMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(this.#failures, 10))
    this.#pauseEndMs = clock.monotonicMs() + longestMs * (0.5 + random.fraction() / 2)
    this.#hasDropped = false
    this.#tell({ loss })
  }

  #forget(): void {
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /** Too much waits: told at once, and while there is more of it once in a while. */
  #drop(unsent: Unsent): void {
    this.#tell(unsent)
    this.#hasDropped = true
    if (this.#quiet === undefined) this.#tellDropped()
  }

  #tellDropped(): void {
    this.#quiet = undefined
    if (!this.#hasDropped) return
    this.#hasDropped = false
    this.#tell({ loss: 'unsent' })
    this.#quiet = this.#options.clock.after(quietMs, () => this.#tellDropped())
  }

  /** Soon: first of each message that never left, then that some did not arrive. */
  #tell({ notSent, loss }: { readonly notSent?: Unsent['notSent']; readonly loss?: Loss }): void {
    if (notSent !== undefined) this.#notSent.push(notSent)
    if (loss !== undefined && this.#loss !== 'in-doubt') this.#loss = loss
    if (this.#isTelling || (notSent ?? loss) === undefined) return
    this.#isTelling = true
    this.#options.clock.soon(() => this.#tellAll())
  }

  #tellAll(): void {
    const [all, loss] = [this.#notSent, this.#loss]
    this.#notSent = []
    this.#loss = undefined
    this.#isTelling = false
    if (this.#isClosed) return
    for (const notSent of all) notSent()
    if (loss !== undefined) this.#options.unreachable(loss)
  }

  #watchUse(ms: number): void {
    const { clock, unused } = this.#options
    const look = (): void => {
      const restMs = this.#lastUseMs + unusedMs - clock.monotonicMs()
      if (restMs > 0) this.#watchUse(restMs)
      else {
        this.close()
        unused()
      }
    }
    this.#rest = clock.after(ms, look, { idle: true })
  }
}
