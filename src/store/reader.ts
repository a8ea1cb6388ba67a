/**
 * Reads rows: those that are asked for in one turn share one look at the log and one look at the disk.
 */
import type { Row, RowKey } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { State } from '../state/state.js'
import type { Asking } from './asking.js'
import type { ReadOptions } from './options.js'

interface Wanted {
  readonly key: RowKey
  readonly resolve: (row: Row | null) => void
  readonly reject: (error: unknown) => void
}

/** Reads rows of the data partition. */
export class Reader {
  readonly #clock: Clock
  readonly #state: State
  readonly #asking: Asking
  #wanted: Wanted[] = []

  constructor(clock: Clock, state: State, asking: Asking) {
    this.#clock = clock
    this.#state = state
    this.#asking = asking
  }

  /** Resolves when the state may be read at that level. The options are checked. */
  async at(options: ReadOptions): Promise<void> {
    if (options.level === 'stale' || options.level === 'session') return
    await this.#asking.barrier(options)
  }

  /**
   * The row as the state has it now, null if there is none. Rejects with DAMAGED if its bytes fail their
   * check.
   */
  row(key: RowKey): Row | null | Promise<Row | null> {
    const known = this.#state.lookup(key)
    if (known !== undefined) return known
    return new Promise((resolve, reject) => {
      this.#wanted.push({ key, resolve, reject })
      if (this.#wanted.length === 1) this.#clock.soon(() => this.#load())
    })
  }

  /** A lone row is read at once: cheaper than a trip through the pool of threads. */
  #load(): void {
    const wanted = this.#wanted
    this.#wanted = []
    const keys = wanted.map(({ key }) => key)
    const loading = keys.length === 1 ? this.#loadSync(keys) : this.#state.load(keys)
    Promise.resolve(loading).then(
      loaded => {
        for (const { key, resolve } of wanted) resolve(newest(this.#state.lookup(key), loaded.get(key)))
        loaded.release()
      },
      error => {
        for (const { reject } of wanted) reject(error)
      },
    )
  }

  async #loadSync(keys: readonly RowKey[]): ReturnType<State['load']> {
    return this.#state.loadSync(keys)
  }
}

/** Memory knows better, also that a row is gone. */
function newest(memory: Row | null | undefined, loaded: Row | null | undefined): Row | null {
  return (memory === undefined ? loaded : memory) ?? null
}
