/**
 * Reads rows: those that are asked for in one turn share one look at the log and one look at the disk.
 */
import { isSillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Row, RowKey } from '../codec/row.js'
import type { Clock } from '../env/clock.js'
import type { Partition } from '../replica/partition.js'
import { isReplaced, wasCutShort } from '../replica/replaced.js'
import type { State } from '../state/state.js'
import type { StateView } from '../state/state-view.js'
import type { Asking } from './asking.js'
import type { ReadOptions } from './options.js'
import { rowsReplaced } from './replaced.js'
import { piecesUntilAborted } from './until-aborted.js'
import { WaitingRoom } from './waiting-room.js'

interface Wanted {
  readonly key: RowKey
  readonly resolve: (row: Row | null) => void
  readonly reject: (error: unknown) => void
}

/** Some rows in order. */
type Page = readonly (readonly [RowKey, Row])[]

/** Reads rows of the data partition. */
export class Reader {
  readonly #clock: Clock
  readonly #partition: Pick<Partition, 'state' | 'replica'>
  readonly #asking: Asking
  readonly #room: WaitingRoom
  /** A read has ended, whoever still waits for it. */
  readonly #left = (): void => this.#room.leave()
  #wanted: Wanted[] = []

  constructor(
    clock: Clock,
    partition: Pick<Partition, 'state' | 'replica'>,
    asking: Asking,
    waitingMax: number = limits.waitingReadsMax,
  ) {
    this.#room = new WaitingRoom(waitingMax, 'reads')
    this.#clock = clock
    this.#partition = partition
    this.#asking = asking
  }

  /** How many reads have not ended. */
  get waiting(): number {
    return this.#room.count
  }

  /**
   * Waits until the state may be read at that level, then does the reading; the options are checked, and
   * their deadline and signal hold for both. Rejects with OVERLOADED when `limits.waitingReadsMax` reads have
   * not ended, those counted whose callers have gone.
   */
  async read<R>(options: ReadOptions, reading: () => R | Promise<R>): Promise<R> {
    this.#room.enter()
    this.#asking.counts.reads += 1
    try {
      return await this.#read(options, reading)
    } catch (error) {
      throw this.#noticed(error)
    }
  }

  /**
   * The pages of a scan, until the signal says stop; see `State.scan`. Another replica that takes the place
   * of the one that is read has rows of a later moment: before the first page it is read instead, later the
   * scan rejects with UNAVAILABLE.
   */
  async *pages(range: Parameters<State['scan']>[0], options: ReadOptions): AsyncGenerator<Page, void> {
    for (let isBegun = false; ; ) {
      const { replica } = this.#partition
      try {
        for await (const page of this.#pagesHere(range, options)) {
          isBegun = true
          yield page
        }
        return
      } catch (error) {
        if (!wasCutShort(error, this.#partition, replica)) throw this.#noticed(error)
        if (isBegun) throw rowsReplaced()
      }
      await this.#asking.read(
        options,
        () => {},
        () => {},
      )
    }
  }

  #pagesHere(range: Parameters<State['scan']>[0], options: ReadOptions): AsyncGenerator<Page, void> {
    return piecesUntilAborted<Page>(() => this.#partition.state.scan(range), options, 'the scan')
  }

  #noticed(error: unknown): unknown {
    if (isSillokError(error, 'DAMAGED')) this.#asking.damaged(error.message)
    return error
  }

  #read<R>(options: ReadOptions, reading: () => R | Promise<R>): Promise<R> {
    const { level } = options
    if (level === undefined || level === 'linearizable') {
      return this.#asking.read(options, reading, this.#left)
    }
    const { replica } = this.#partition
    let work: R | Promise<R>
    try {
      work = reading()
    } catch (error) {
      work = Promise.reject(error)
    }
    if (!(work instanceof Promise)) return Promise.resolve(work).finally(this.#left)
    const read = work.catch(error => {
      // Another replica took the place of the one that was read: there it is known.
      if (!isReplaced(this.#partition, replica)) throw error
      return this.#asking.read(options, reading, () => {})
    })
    return this.#asking.until(() => read.finally(this.#left), options, false)
  }

  /** Reads rows as they are at this moment, whatever changes meanwhile; null where there is none. */
  async ofOneMoment<R>(reading: (view: Pick<StateView, 'getMany'>) => Promise<R>): Promise<R> {
    const view = this.#partition.state.view()
    try {
      return await reading(view)
    } finally {
      view.release()
    }
  }

  /**
   * The row as the state has it now, null if there is none. Rejects with DAMAGED if its bytes fail their
   * check.
   */
  row(key: RowKey): Row | null | Promise<Row | null> {
    const known = this.#partition.state.lookup(key)
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
    const loading = keys.length === 1 ? this.#loadSync(keys) : this.#partition.state.load(keys)
    Promise.resolve(loading).then(
      loaded => {
        for (const { key, resolve } of wanted)
          resolve(newest(this.#partition.state.lookup(key), loaded.get(key)))
        loaded.release()
      },
      error => {
        for (const { reject } of wanted) reject(error)
      },
    )
  }

  async #loadSync(keys: readonly RowKey[]): ReturnType<State['load']> {
    return this.#partition.state.loadSync(keys)
  }
}

/** Memory knows better, also that a row is gone. */
function newest(memory: Row | null | undefined, loaded: Row | null | undefined): Row | null {
  return (memory === undefined ? loaded : memory) ?? null
}
