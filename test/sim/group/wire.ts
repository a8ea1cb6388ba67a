/**
 * What lies between the nodes of a simulated group: a message goes as bytes, is lost, late, repeated,
 * overtakes others; a direction between two nodes can be cut. Worse than connections are.
 */
import type { Random } from '../../../src/base/random.js'
import type { Clock } from '../../../src/env/clock.js'
import type { PeerMessage } from '../../../src/raft/messages.js'
import { decodePeerMessage, encodePeerMessage } from '../../../src/replica/message-codec.js'

/** How bad it is; all can be changed while it is in use. */
export interface Weather {
  lossChance: number
  repeatChance: number
  delayMsMax: number
}

export const fineWeather: Readonly<Weather> = { lossChance: 0, repeatChance: 0, delayMsMax: 2 }

/** Carries messages from node to node. */
export class Wire {
  readonly #clock: Clock
  readonly #random: Random
  readonly #deliver: (message: PeerMessage) => void
  readonly #cut = new Set<string>()
  weather: Weather = { ...fineWeather }
  lost = 0

  constructor(clock: Clock, random: Random, deliver: (message: PeerMessage) => void) {
    this.#clock = clock
    this.#random = random
    this.#deliver = deliver
  }

  send(message: PeerMessage): void {
    const { lossChance, repeatChance } = this.weather
    if (this.#cut.has(direction(message.from, message.to)) || this.#random.chance(lossChance)) {
      this.lost += 1
      return
    }
    const bytes = encodePeerMessage(1, message)
    this.#later(bytes)
    if (this.#random.chance(repeatChance)) this.#later(bytes)
  }

  /** What one says to the other is lost from now on. */
  cut(from: number, to: number): void {
    this.#cut.add(direction(from, to))
  }

  isCut(from: number, to: number): boolean {
    return this.#cut.has(direction(from, to))
  }

  /** As long as a message takes. */
  pause(): Promise<void> {
    return new Promise(resolve => this.#clock.after(this.#delay(), resolve))
  }

  /** The work of a process that may be crashed meanwhile: then nobody tells. */
  inTime<T>(work: Promise<T>): Promise<T> {
    const late = new Promise<never>((_, reject) => {
      this.#clock.after(3000, () => reject(new Error('no answer')))
    })
    return Promise.race([work, late])
  }

  /** All directions carry again, in fine weather. */
  heal(): void {
    this.#cut.clear()
    this.weather = { ...fineWeather }
  }

  #later(bytes: Buffer): void {
    this.#clock.after(this.#delay(), () => this.#deliver(decodePeerMessage(bytes).message))
  }

  #delay(): number {
    return 0.1 + this.#random.below(1000 * this.weather.delayMsMax) / 1000
  }
}

function direction(from: number, to: number): string {
  return `${from}>${to}`
}
