/**
 * A gate that lets a fixed number of tasks through at a time; the others wait in order.
 *
 * Shared by all replicas of a node: one flush or checkpoint at a time, two bulk reads at a time (the
 * key-value store has one pool of threads and one compaction thread for the whole process).
 */
import { assert } from '../base/assert.js'

/**
 * Lets `limit` tasks run at a time; first come, first served. A failing task passes its place on like any
 * other.
 */
export class Gate {
  readonly #limit: number
  #inside = 0
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    assert(limit >= 1, () => `gate of ${limit}`)
    this.#limit = limit
  }

  /** Tasks inside, and tasks that wait. */
  get inside(): number {
    return this.#inside
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Runs the task when its turn comes; settles as the task does. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#limit) this.#inside++
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      // The place is handed over, not given back: a newcomer cannot overtake the one that waits.
      const next = this.#waiting.shift()
      if (next === undefined) this.#inside--
      else next()
    }
  }
}
