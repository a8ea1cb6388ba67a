/** How many wait for one thing at a time: a counter with a limit, for what keeps no queue of its own. */
import { SillokError } from '../base/errors.js'

/** Who comes in leaves once, however the wait ends. */
export class WaitingRoom {
  readonly #max: number
  readonly #who: string
  #count = 0

  /** For `max` at a time; `who` names them in the refusal. */
  constructor(max: number, who: string) {
    this.#max = max
    this.#who = who
  }

  /** How many wait. */
  get count(): number {
    return this.#count
  }

  /** One more waits. Throws OVERLOADED (not applied) when there is no room. */
  enter(): void {
    if (this.#count >= this.#max) throw new SillokError('OVERLOADED', `${this.#count} ${this.#who} wait`)
    this.#count += 1
  }

  /** One waits no more. */
  leave(): void {
    this.#count -= 1
  }
}
