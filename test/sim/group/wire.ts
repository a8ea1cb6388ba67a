/**
 * What lies between the nodes of a simulated group: a message is lost, late, repeated, overtakes others; a
 * direction between two nodes can be cut.
 */
import type { Random } from '../../../src/base/random.js'
import type { Clock } from '../../../src/env/clock.js'
import type { PeerMessage } from '../../../src/raft/messages.js'

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
    this.#later(message)
    if (this.#random.chance(repeatChance)) this.#later(message)
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

  /** All directions carry again, in fine weather. */
  heal(): void {
    this.#cut.clear()
    this.weather = { ...fineWeather }
  }

  #later(message: PeerMessage): void {
    this.#clock.after(this.#delay(), () => this.#deliver(message))
  }

  #delay(): number {
    return 0.1 + this.#random.below(1000 * this.weather.delayMsMax) / 1000
  }
}

function direction(from: number, to: number): string {
  return `${from}>${to}`
}
