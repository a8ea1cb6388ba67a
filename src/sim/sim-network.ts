/**
 * A simulated network: the cables between all hosts of a world, with the faults that a world may arrange.
 *
 * Each process gets a door of its own. Messages take time, keep their order on a connection, are never
 * changed, and get lost only with the connection (see SimSide): by a cut cable, by a break, with the process
 * at the other side. The same calls under the same seed give the same run. What messages lose by that, the
 * order in which they come, and whether they come twice when they are sent again, is up to who connects anew.
 *
 * A process that is held (see SimProcessClock) keeps its connections for some seconds; what comes waits at
 * its door, and so does who wants to connect to it.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import {
  type Address,
  addressOf,
  addressParts,
  type Connection,
  type Listener,
  type Network,
} from '../env/network.js'
import type { FaultCounts, FaultKind } from './fault-counts.js'
import type { SimClock } from './sim-clock.js'
import { type Cables, type SimOwner, SimSide } from './sim-connection.js'
import { SimLinks } from './sim-links.js'
import { freeProcess, type SimProcess } from './sim-process.js'
import { drawMs, type Span } from './sim-span.js'

/** How a simulated network behaves. Times are drawn from a span, mostly near its beginning. */
export interface SimNetworkOptions {
  readonly clock: SimClock
  readonly random: Random
  /** How long a message takes; default 0.05 to 2 ms. */
  readonly latencyMs?: Span
  /** How late a side hears that the connection broke, or that the other process died; default 0 to 500 ms. */
  readonly lateMs?: Span
  /** After how long a side finds out that nothing gets over a connection; default 6 to 8 s. */
  readonly silenceMs?: Span
  /** After how long a connection that nobody answers is given up; default 5 s. */
  readonly connectMs?: number
  /** Bytes that may wait on each way of a connection. */
  readonly waitingBytesMax?: number
  readonly faults?: FaultCounts | undefined
}

/** The ports that are given to who does not name one: the first, and how many. */
const freePort = 49_152
const freePorts = 16_384

/** The cables of a world. Hosts are named by the addresses, `host:port`, and come to be by being named. */
export class SimNetwork implements Cables {
  readonly clock: SimClock
  readonly silenceMs: Span
  readonly waitingBytesMax: number
  readonly lateMs: Span
  readonly faults: FaultCounts | undefined
  readonly #usualLatencyMs: Span
  readonly #connectMs: number
  readonly #random: Random
  readonly #listeners = new Map<Address, SimListener>()
  readonly #doors = new Set<SimDoor>()
  readonly #links = new SimLinks()
  readonly #refusing = new Set<string>()
  #connections: (readonly [SimSide, SimSide])[] = []
  #dialled = 0
  #given = 0
  #flaps = 0
  latencyMs: Span

  constructor(options: SimNetworkOptions) {
    const { latencyMs = [0.05, 2], lateMs = [0, 500], silenceMs = [6000, 8000], connectMs = 5000 } = options
    this.clock = options.clock
    this.#random = options.random
    this.latencyMs = latencyMs
    this.#usualLatencyMs = latencyMs
    this.lateMs = lateMs
    this.faults = options.faults
    this.silenceMs = silenceMs
    this.#connectMs = connectMs
    this.waitingBytesMax = options.waitingBytesMax ?? limits.connectionBytesMax
  }

  /** The door of one process on that host. `process`: what may be held; default: never. */
  process(host: string, process: SimProcess = freeProcess): SimDoor {
    const door = new SimDoor(this, host, process)
    this.#doors.add(door)
    process.onHold(() => {
      if (!door.isDead) for (const side of this.#sidesOf(door)) side.fallSilent()
    })
    return door
  }

  /** From now on nothing gets from one host to the other, and nobody is told. The way back stays. */
  cut(from: string, to: string): void {
    this.#links.cut(from, to)
    for (const side of this.#sidesBetween(from, to)) side.suspect()
  }

  /** Connections that lost nothing go on. */
  heal(from: string, to: string): void {
    this.#links.heal(from, to)
  }

  /**
   * From now on nothing gets from any host of one side to any of the other, or back. Hosts of neither side
   * see both: so bridges are built. Ends by `join`.
   */
  part(side: readonly string[], other: readonly string[]): void {
    for (const [a, b] of pairs(side, other)) {
      this.cut(a, b)
      this.cut(b, a)
    }
  }

  /** Ends that. */
  join(side: readonly string[], other: readonly string[]): void {
    for (const [a, b] of pairs(side, other)) {
      this.heal(a, b)
      this.heal(b, a)
    }
  }

  /** From now on the link between two hosts is gone and there in turns. Ends by `steady`. */
  flap(a: string, b: string, { upMs, downMs }: { readonly upMs: Span; readonly downMs: Span }): void {
    const flapping = this.#links.flap(a, b)
    const random = this.#random.split(`flap ${++this.#flaps}`)
    const turn = (isUp: boolean): void => {
      if (!this.#links.isFlapping(a, b, flapping)) return
      if (isUp) this.join([a], [b])
      else this.part([a], [b])
      this.clock.after(drawMs(random, isUp ? upMs : downMs), () => turn(!isUp), { idle: true })
    }
    turn(false)
  }

  /** Ends that: the link is there. */
  steady(a: string, b: string): void {
    this.#links.steady(a, b)
    this.join([a], [b])
  }

  /** From now on each message from one host to the other takes a time of this span, whatever the storm. */
  delay(from: string, to: string, latencyMs: Span | undefined): void {
    this.#links.delay(from, to, latencyMs)
  }

  /**
   * In the middle of the n-th message from now (1: the next) from one host to the other its connection dies:
   * that message and what comes behind it is lost, both sides hear of it late.
   */
  tearAt(from: string, to: string, message = 1): void {
    assert(message >= 1, () => `tear message ${message}`)
    this.#links.tear(from, to, message)
  }

  /** Breaks all connections between two hosts; each side hears of it, after a time of its own. */
  break(a: string, b: string): void {
    for (const side of this.#sidesBetween(a, b)) {
      if (side.isOpen) this.faults?.count('broken-connection')
      side.breakWithin(this.lateMs)
    }
  }

  /** From now on whoever wants to connect to the host is refused. */
  refuse(host: string): void {
    this.#refusing.add(host)
  }

  /** Ends that. */
  admit(host: string): void {
    this.#refusing.delete(host)
  }

  /** From now on each message takes a time of this span. */
  storm(latencyMs: Span): void {
    this.latencyMs = latencyMs
  }

  /** Ends all faults that last or are still to come: cuts, flapping, refusals, storms, delays, tears. */
  calm(): void {
    this.#links.calm()
    this.#refusing.clear()
    this.latencyMs = this.#usualLatencyMs
  }

  isCut(from: string, to: string): boolean {
    return this.#links.isCut(from, to)
  }

  get latencyMsMax(): number {
    return this.#usualLatencyMs[1]
  }

  latencyOf(from: string, to: string): Span {
    return this.#links.delayOf(from, to) ?? this.latencyMs
  }

  cutKinds(from: string, to: string): FaultKind[] {
    return this.#links.cutKinds(from, to, new Set([...this.#doors].map(door => door.host)))
  }

  tears(from: string, to: string): boolean {
    return this.#links.tears(from, to)
  }

  isUp(host: string): boolean {
    for (const door of this.#doors) if (door.host === host) return true
    return false
  }

  /** For a door: listens. */
  listen(door: SimDoor, address: Address, accept: (connection: Connection) => void): SimListener {
    const { host, port } = addressParts(address)
    const own = port === 0 ? this.#free(host) : address
    if (host !== door.host || this.#listeners.has(own)) throw unavailable(`cannot listen at ${address}`)
    const listener = new SimListener(this, door, own, accept)
    this.#listeners.set(own, listener)
    return listener
  }

  /** For a listener: no more of it. */
  forget(listener: SimListener): void {
    if (this.#listeners.get(listener.address) === listener) this.#listeners.delete(listener.address)
  }

  /** For a door: connects, or says why not. Neither is ever called for a process that died meanwhile. */
  dial(
    door: SimDoor,
    address: Address,
    resolve: (connection: Connection) => void,
    reject: (error: SillokError) => void,
  ): void {
    const { host } = addressParts(address)
    const random = this.#random.split(`connection ${++this.#dialled}`)
    const endMs = this.clock.monotonicMs() + this.#connectMs
    const later = (ms: number, call: () => void): void => {
      this.clock.after(ms, () => door.arrive(call))
    }
    const fail = (ms: number): void => later(ms, () => reject(unavailable(`nobody answers at ${address}`)))
    const giveUp = (): void => fail(Math.max(0, endMs - this.clock.monotonicMs()))
    const isCut = (): boolean => this.isCut(door.host, host) || this.isCut(host, door.host)
    const stand = (listener: SimListener, backMs: number): void => {
      const [near, far] = this.#connect(random, door, listener)
      later(backMs, () => {
        if (near.isOpen && !this.isCut(host, door.host)) resolve(near)
        else {
          near.close()
          giveUp()
        }
      })
      listener.take(far)
    }
    const reach = (): void => {
      const backMs = drawMs(random, this.latencyOf(host, door.host))
      const isRefused = this.#refusing.has(host)
      const listener = isRefused ? undefined : this.#listeners.get(address)
      // Where nobody is up the machine may be off as well.
      const isSilent = !this.isUp(host) && random.chance(0.5)
      if (isRefused) this.faults?.count('refused-connection')
      if (isSilent) this.faults?.count('unanswered-connection')
      if (isCut()) this.faults?.count('connect-over-cut')
      if (isCut() || isSilent) giveUp()
      else if (listener === undefined) fail(backMs)
      else if (!listener.door.isHeld) stand(listener, backMs)
      else {
        const answer = (): void => {
          if (!door.isDead) stand(listener, backMs)
        }
        this.#knock(listener, endMs, { giveUp: () => fail(0), answer })
      }
    }
    if (this.isCut(door.host, host)) {
      this.faults?.count('connect-over-cut')
      giveUp()
    } else {
      this.clock.after(drawMs(random, this.latencyOf(door.host, host)), () => door.isDead || reach())
    }
  }

  /** The listener's process is held: whoever calls waits until it goes on, but not beyond the end. */
  #knock(
    listener: SimListener,
    endMs: number,
    { giveUp, answer }: { readonly giveUp: () => void; readonly answer: () => void },
  ): void {
    const patience = this.clock.after(Math.max(0, endMs - this.clock.monotonicMs()), () => {
      isWaiting = false
      giveUp()
    })
    let isWaiting = true
    listener.door.arrive(() => {
      if (!isWaiting) return
      patience.stop()
      if (this.#listeners.get(listener.address) === listener) answer()
      else giveUp()
    })
  }

  /** For a door: its process is gone. */
  bury(door: SimDoor, isSilent: boolean): void {
    this.#doors.delete(door)
    for (const listener of this.#listeners.values()) if (listener.door === door) this.forget(listener)
    for (const side of this.#sidesOf(door)) side.die(isSilent ? undefined : this.lateMs)
  }

  #connect(random: Random, door: SimDoor, listener: SimListener): [SimSide, SimSide] {
    const caller = this.#free(door.host)
    const sides = SimSide.pair(this, random, [door, listener.address], [listener.door, caller])
    this.#connections = this.#connections.filter(([near, far]) => near.isOpen || far.isOpen)
    this.#connections.push(sides)
    return sides
  }

  #free(host: string): Address {
    for (;;) {
      const address = addressOf(host, freePort + (this.#given++ % freePorts))
      if (!this.#listeners.has(address)) return address
    }
  }

  #sidesOf(door: SimDoor): SimSide[] {
    return this.#connections.flat().filter(side => side.owner === door)
  }

  #sidesBetween(a: string, b: string): SimSide[] {
    return this.#connections.flat().filter(side => side.joins(a, b))
  }
}

/** The network as one process has it. */
export class SimDoor implements Network, SimOwner {
  readonly host: string
  readonly #network: SimNetwork
  readonly #process: SimProcess
  #isDead = false
  #holds = 0

  /** Made by `SimNetwork.process`. */
  constructor(network: SimNetwork, host: string, process: SimProcess) {
    this.#network = network
    this.#process = process
    this.host = host
    process.onHold(() => this.#holds++)
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get isHeld(): boolean {
    return this.#process.isHeld
  }

  get holds(): number {
    return this.#holds
  }

  arrive(call: () => void): void {
    this.#process.arrive(() => this.#isDead || call())
  }

  async listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    if (this.#isDead) return await never()
    const listener = this.#network.listen(this, address, accept)
    await this.turn()
    return listener
  }

  async connect(address: Address): Promise<Connection> {
    return await new Promise((resolve, reject) => this.#network.dial(this, address, resolve, reject))
  }

  /**
   * The process is gone: nothing settles or is called any more, what it listened at is free. The other sides
   * of its connections hear of it late; if `isSilent` (the machine is gone) by silence only, or when they
   * send something once another process is there.
   */
  kill({ isSilent = false }: { readonly isSilent?: boolean } = {}): void {
    assert(!this.#isDead, 'a process dies once')
    this.#isDead = true
    this.#network.bury(this, isSilent)
  }

  /** Resolves in a later turn, if the process lives. */
  turn(): Promise<void> {
    return new Promise(resolve => this.#network.clock.soon(() => this.arrive(resolve)))
  }
}

class SimListener implements Listener {
  readonly address: Address
  readonly door: SimDoor
  readonly #network: SimNetwork
  readonly #accept: (connection: Connection) => void
  #accepted: SimSide[] = []

  constructor(
    network: SimNetwork,
    door: SimDoor,
    address: Address,
    accept: (connection: Connection) => void,
  ) {
    this.#network = network
    this.door = door
    this.address = address
    this.#accept = accept
  }

  take(side: SimSide): void {
    this.#accepted = this.#accepted.filter(one => one.isOpen)
    this.#accepted.push(side)
    this.#accept(side)
  }

  async close(): Promise<void> {
    this.#network.forget(this)
    for (const side of this.#accepted.splice(0)) side.close()
    await this.door.turn()
  }
}

function pairs(side: readonly string[], other: readonly string[]): (readonly [string, string])[] {
  return side.flatMap(a => other.map(b => [a, b] as const)).filter(([a, b]) => a !== b)
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {})
}

function unavailable(message: string): SillokError {
  return new SillokError('UNAVAILABLE', message)
}
