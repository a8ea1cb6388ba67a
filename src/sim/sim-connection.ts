/**
 * One simulated connection: two sides, and a way from each to the other.
 *
 * On each way messages arrive whole and in order, after latencies of their own, as far as the way holds. It
 * breaks once and for ever, when a message meets a cut cable or when a side goes: then some of what is under
 * way still arrives, from the first on, and nothing behind. A side whose process is dead is told nothing, one
 * whose process is held is told when that goes on. Who is held for too long gives no sign of life, and is
 * given up by the other side.
 */
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import type { Address, Connection } from '../env/network.js'
import type { FaultCounts, FaultKind } from './fault-counts.js'
import type { SimClock } from './sim-clock.js'
import { drawMs, type Span } from './sim-span.js'

/** What connections know of the world around them. */
export interface Cables {
  readonly clock: SimClock
  /** How late a side hears that the connection broke. */
  readonly lateMs: Span
  /** After how long a side finds out that nothing gets over the connection any more. */
  readonly silenceMs: Span
  /** Bytes that a way takes before they have arrived. */
  readonly waitingBytesMax: number
  readonly faults: FaultCounts | undefined
  isCut(from: string, to: string): boolean
  /** How long a message takes, at present. */
  latencyOf(from: string, to: string): Span
  /** The longest that a message takes when nothing is wrong. */
  readonly latencyMsMax: number
  /** What a cut between the two is, to who counts. */
  cutKinds(from: string, to: string): FaultKind[]
  /** Whether the next message is the one in whose middle the connection dies. */
  tears(from: string, to: string): boolean
  /** Whether a process runs there. */
  isUp(host: string): boolean
}

/** The process at a side. */
export interface SimOwner {
  readonly host: string
  readonly isDead: boolean
  /** How often it has come to be held. */
  readonly holds: number
  readonly isHeld: boolean
  /** Calls when the process can be called; never once it is dead. */
  arrive(call: () => void): void
}

/** A message, or word that the other side is gone. */
type Arrival = Buffer | 'end'

/** From one side to the other. */
class Way {
  readonly from: string
  readonly to: string
  readonly #cables: Cables
  readonly #random: Random
  #sent = 0
  #arrived = 0
  /** So many arrive, those behind them never. */
  #holds = Number.POSITIVE_INFINITY
  #lastMs = 0
  /** Bytes that were taken and did not arrive. */
  waitingBytes = 0

  constructor(cables: Cables, random: Random, [from, to]: readonly [string, string]) {
    this.#cables = cables
    this.#random = random
    this.from = from
    this.to = to
  }

  get isBroken(): boolean {
    return this.#holds < Number.POSITIVE_INFINITY
  }

  get isCut(): boolean {
    return this.#cables.isCut(this.from, this.to)
  }

  /** How long a message takes, at present. */
  get latencyMs(): Span {
    return this.#cables.latencyOf(this.from, this.to)
  }

  carry(message: Buffer, arrive: (message: Buffer) => void): void {
    const place = this.#sent++
    const holds = (): boolean => {
      const holdsYet = place < this.#holds
      if (holdsYet && this.isCut) this.#meetCut()
      else if (!holdsYet) this.#cables.faults?.count('lost-with-connection')
      return place < this.#holds
    }
    if (!holds()) return
    const ms = this.#nextMs(this.latencyMs)
    if (ms > this.#cables.latencyMsMax) this.#cables.faults?.count('late-message')
    this.#cables.clock.after(ms, () => {
      if (!holds()) return
      this.#arrived++
      arrive(message)
    })
  }

  /** What is sent from now on never arrives. */
  tear(): void {
    this.#holds = Math.min(this.#holds, this.#sent)
    this.#cables.faults?.count('torn-message')
  }

  #meetCut(): void {
    this.break(0)
    for (const kind of this.#cables.cutKinds(this.from, this.to)) this.#cables.faults?.count(kind)
  }

  /** Of what is under way no more than a share arrives. */
  break(share = this.#random.fraction()): void {
    const underWay = this.#sent - this.#arrived
    this.#holds = Math.min(this.#holds, this.#arrived + Math.floor(share * (underWay + 1)))
  }

  /** Breaks, and brings word of that behind what still arrives. */
  end(span: Span, arrive: () => void): void {
    this.break()
    this.#cables.clock.after(this.#nextMs(span), () => {
      if (this.isCut) this.#meetCut()
      else arrive()
    })
  }

  /** From now: not before what was sent last. */
  #nextMs(span: Span): number {
    const nowMs = this.#cables.clock.monotonicMs()
    this.#lastMs = Math.max(this.#lastMs, nowMs + drawMs(this.#random, span))
    return this.#lastMs - nowMs
  }
}

/** A side's process, and where it finds the other one. */
type End = readonly [SimOwner, Address]

/** A connection as one side has it. */
export class SimSide implements Connection {
  readonly remote: Address
  readonly owner: SimOwner
  readonly #cables: Cables
  readonly #random: Random
  readonly #out: Way
  readonly #in: Way
  /** Itself until it is one of a pair. */
  #other: SimSide = this
  #isOpen = true
  /** The other side is gone, and this one has not heard of it. */
  #isAlone = false
  readonly #inbox: Arrival[] = []
  #call: ((message: Buffer) => void) | undefined
  /** Undefined once they were called. */
  #closeCalls: (() => void)[] | undefined = []

  private constructor(cables: Cables, random: Random, [owner, remote]: End, out: Way, back: Way) {
    this.#cables = cables
    this.#random = random
    this.owner = owner
    this.remote = remote
    this.#out = out
    this.#in = back
  }

  /** Both sides of a connection. */
  static pair(cables: Cables, random: Random, near: End, far: End): [SimSide, SimSide] {
    const [here, there] = [near[0].host, far[0].host]
    const out = new Way(cables, random, [here, there])
    const back = new Way(cables, random, [there, here])
    const sides: [SimSide, SimSide] = [
      new SimSide(cables, random, near, out, back),
      new SimSide(cables, random, far, back, out),
    ]
    sides[0].#other = sides[1]
    sides[1].#other = sides[0]
    for (const side of sides) side.#expectsReading()
    return sides
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** True if the connection is between the two hosts. */
  joins(a: string, b: string): boolean {
    const { from, to } = this.#out
    return (from === a && to === b) || (from === b && to === a)
  }

  send(message: Uint8Array): boolean {
    if (!this.#isOpen) return false
    if (this.#out.waitingBytes + message.length > this.#cables.waitingBytesMax) return false
    this.#out.waitingBytes += message.length
    // A view until it arrives: as with a real one, who changes the bytes meanwhile changes the message.
    const view = Buffer.from(message.buffer, message.byteOffset, message.length)
    if (this.#cables.tears(this.#out.from, this.#out.to)) this.#tear()
    this.#out.carry(view, arrived => this.#other.#arrive(arrived))
    if (this.#isAlone && this.#cables.isUp(this.#out.to)) this.hearWithin(this.#out.latencyMs)
    return true
  }

  onMessage(call: (message: Buffer) => void): void {
    this.#call = call
    this.#cables.clock.soon(() => this.owner.arrive(() => this.#read()))
  }

  onClose(call: () => void): void {
    if (this.#closeCalls !== undefined) this.#closeCalls.push(call)
    else this.#cables.clock.soon(() => this.owner.arrive(call))
  }

  close(): void {
    if (!this.#isOpen) return
    this.#end(this.#out.latencyMs)
    this.#cables.clock.soon(() => this.owner.arrive(() => this.#tellClosed()))
  }

  /** The way from this side breaks; it hears of it after a time of the span. */
  breakWithin(span: Span): void {
    this.#out.break()
    this.hearWithin(span)
  }

  /** Finds out after some silence, unless the cables are whole again by then and nothing was lost. */
  suspect(): void {
    this.#later(this.#cables.silenceMs, () => {
      const ways = [this.#out, this.#in]
      if (ways.some(way => way.isCut || way.isBroken)) this.#hearSilence()
    })
  }

  /** Its process has come to be held: if that lasts, the other side gives it up. */
  fallSilent(): void {
    const { holds } = this.owner
    this.#later(this.#cables.silenceMs, () => {
      this.#other.owner.arrive(() => {
        if (this.owner.isHeld && this.owner.holds === holds && this.#other.isOpen) this.#other.#giveUp()
      })
    })
  }

  /** Its process is gone. The other side is told within the span, or not at all if none is given. */
  die(span: Span | undefined): void {
    if (!this.#isOpen) return
    if (span !== undefined) this.#end(span)
    else {
      this.#isOpen = false
      this.#out.break()
      this.#other.#isAlone = true
      this.#other.#later(this.#cables.silenceMs, () => this.#other.#hearSilence())
    }
  }

  /** Word of the end comes by itself, after a time of the span. */
  hearWithin(span: Span): void {
    this.#later(span, () => this.owner.arrive(() => this.#hear()))
  }

  #hearSilence(): void {
    this.owner.arrive(() => {
      if (this.#isOpen) this.#cables.faults?.count('silent-peer')
      this.#hear()
    })
  }

  /** From the next message on nothing gets to the other side; both hear of it late. */
  #tear(): void {
    this.#out.tear()
    this.hearWithin(this.#cables.lateMs)
    this.#other.hearWithin(this.#cables.lateMs)
  }

  /** Who does not read gives no sign of life either: the other side closes. */
  #expectsReading(): void {
    this.#later(this.#cables.silenceMs, () => {
      if (this.#call !== undefined) return
      this.#other.owner.arrive(() => this.#other.#isOpen && this.#other.#giveUp())
    })
  }

  /** Hears nothing of the other side any more, and closes. */
  #giveUp(): void {
    this.#cables.faults?.count('silent-peer')
    this.#end(this.#out.latencyMs)
    this.#tellClosed()
  }

  #arrive(arrival: Arrival): void {
    if (!this.#isOpen) return
    if (arrival === 'end') this.#isAlone = true
    this.#inbox.push(arrival)
    this.owner.arrive(() => this.#read())
  }

  #read(): void {
    while (this.#call !== undefined && this.#isOpen) {
      const arrival = this.#inbox.shift()
      if (arrival === undefined) return
      if (arrival === 'end') {
        this.#hear()
        return
      }
      this.#in.waitingBytes -= arrival.length
      if (arrival.length > limits.walBatchBytesMax) this.close()
      else this.#call(Buffer.from(arrival))
    }
  }

  #hear(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#out.break()
    this.#tellClosed()
  }

  #end(span: Span): void {
    this.#isOpen = false
    this.#out.end(span, () => this.#other.#arrive('end'))
  }

  #tellClosed(): void {
    const calls = this.#closeCalls ?? []
    this.#closeCalls = undefined
    for (const call of calls) if (!this.owner.isDead) call()
  }

  #later(span: Span, call: () => void): void {
    this.#cables.clock.after(drawMs(this.#random, span), call)
  }
}
