/**
 * Who waits for an index: for a moment of it, for something to be done with its rows, for its parked
 * documents to be tried again, or only to know what its rows are. Whoever is here is answered or refused
 * once.
 */
import { messageOf, SillokError } from '../base/errors.js'
import type { ParkedRetry } from './index-status.js'
import type { IndexStore } from './index-store.js'
import type { Moment } from './moment.js'

/** Somebody who waits. */
export interface Waiter<T> {
  readonly resolve: (answer: T) => void
  readonly reject: (error: SillokError) => void
}

/** Somebody waits for a moment, who may be gone before it comes. */
export interface MomentWait {
  readonly moment: Promise<Moment>
  /** Nobody waits any more: what comes yet is released. */
  cancel(): void
}

/** Something to be done with the rows between two batches. */
interface Task extends Waiter<void> {
  readonly work: (store: IndexStore) => Promise<void>
}

/** All who wait for one index. */
export class IndexAsks {
  readonly moments = new Set<Waiter<Moment>>()
  readonly retries = new Set<Waiter<ParkedRetry>>()
  readonly #tasks = new Set<Task>()
  #opening: (() => void)[] = []
  /** Moments that were given and are held. */
  #held = 0
  #unused: (() => void) | undefined

  /** Resolves with what the work makes of the rows, once it was carried out. */
  async task<T>(work: (store: IndexStore) => Promise<T>, added: () => void): Promise<T> {
    const done: T[] = []
    await new Promise<void>((resolve, reject) => {
      this.#tasks.add({ resolve, reject, work: async store => void done.push(await work(store)) })
      added()
    })
    return done[0] as T
  }

  /** Resolves when the parked documents were tried again. */
  retry(added: () => void): Promise<ParkedRetry> {
    return new Promise((resolve, reject) => {
      this.retries.add({ resolve, reject })
      added()
    })
  }

  /** Does what is to be done. The first that fails is refused, and throws what it failed with. */
  async carryOut(store: IndexStore): Promise<void> {
    for (const task of this.#tasks) {
      this.#tasks.delete(task)
      try {
        await task.work(store)
        task.resolve()
      } catch (error) {
        const message = `the index fails: ${messageOf(error)}`
        task.reject(new SillokError('INDEX_FAILED', message, { cause: error }))
        throw error
      }
    }
  }

  /** Resolves with the next `opened`. */
  async whenOpened(): Promise<void> {
    await new Promise<void>(resolve => this.#opening.push(resolve))
  }

  /** It is known what the rows are, or that there will be none. */
  opened(): void {
    for (const resolve of this.#opening.splice(0)) resolve()
  }

  /** A moment was made; when it is let go, the function is to be called. */
  give(): () => void {
    this.#held += 1
    return () => {
      this.#held -= 1
      this.mayBeUnused()
    }
  }

  /** Resolves when nobody waits for a moment or holds one, or with `ending`. */
  async whenUnused(): Promise<void> {
    const unused = new Promise<void>(resolve => {
      this.#unused = resolve
    })
    this.mayBeUnused()
    await unused
  }

  /** Somebody who waited for a moment is gone. */
  mayBeUnused(): void {
    if (this.#held === 0 && this.moments.size === 0) this.#unused?.()
  }

  /** The work ends: nobody waits for its end or its beginning any more. */
  ending(): void {
    this.opened()
    this.#unused?.()
  }

  /** Refuses all who wait. */
  refuse(error: SillokError): void {
    for (const waiters of [this.moments, this.retries, this.#tasks]) {
      for (const { reject } of waiters) reject(error)
      waiters.clear()
    }
    this.mayBeUnused()
  }
}
