/** Runs tasks on one key one after the other, on different keys at once. */
import { limits } from '../base/limits.js'
import { WaitingRoom } from './waiting-room.js'

/** The keys of one store. */
export class KeyLocks {
  readonly #tails = new Map<string, Promise<void>>()
  readonly #room: WaitingRoom

  constructor(waitingMax: number = limits.waitingUpdatesMax) {
    this.#room = new WaitingRoom(waitingMax, 'updates')
  }

  /** How many have not ended. */
  get waiting(): number {
    return this.#room.count
  }

  /**
   * Runs the task when those before it on the same key have ended, however they ended, or are given up: a
   * task may be foreign code that never ends. Rejects with OVERLOADED when `limits.waitingUpdatesMax` tasks
   * have not ended, those counted that are given up.
   */
  async run<R>(key: string, task: () => Promise<R>, givenUp: Promise<void>): Promise<R> {
    this.#room.enter()
    const before = this.#tails.get(key) ?? Promise.resolve()
    const result = before.then(task)
    const ended = result.then(
      () => this.#room.leave(),
      () => this.#room.leave(),
    )
    const tail = before.then(() => Promise.race([ended, givenUp]))
    this.#tails.set(key, tail)
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
    return result
  }
}
