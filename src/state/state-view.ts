/**
 * The state as of one applied index, for point reads: what changes meanwhile is not seen. It keeps its view
 * of the layers until it is released, which its owner must do.
 */
import { assert } from '../base/assert.js'
import { storeClosed } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { keyBytes, type Row, type RowKey } from '../codec/row.js'
import type { KeyValueStore } from '../env/key-value.js'
import type { Generation } from './generation.js'
import { generationsAbove, type Layers, type View } from './layers.js'
import { checkedRow } from './scan.js'

/** Rows as they were at `index`. */
export class StateView {
  /** The applied index of the view. */
  readonly index: LogIndex
  readonly #layers: Layers
  readonly #store: KeyValueStore
  readonly #view: View
  readonly #generations: readonly Generation[]
  readonly #released: (view: StateView) => void
  #isOpen = true
  #isEnded = false

  /** As of `index`, which is the applied one now; `released` is called once. */
  constructor(layers: Layers, store: KeyValueStore, index: LogIndex, released: (view: StateView) => void) {
    this.index = index
    this.#layers = layers
    this.#store = store
    this.#released = released
    this.#view = layers.hold()
    layers.openReader(index)
    // Later generations hold nothing that is as old as this.
    this.#generations = generationsAbove(this.#view)
  }

  /**
   * The rows in the order of the keys; null where there is none. DAMAGED names a row that fails its check;
   * CLOSED once the state is closed.
   */
  async getMany(keys: readonly RowKey[]): Promise<(Row | null)[]> {
    this.#checkState()
    assert(this.#isOpen, 'a view was released')
    const rows = keys.map(key => this.#inMemory(key))
    const missing = keys.filter((_, i) => rows[i] === undefined).map(keyBytes)
    if (missing.length === 0) return rows as (Row | null)[]
    const found = await this.#read(missing)
    let next = 0
    return rows.map(row => {
      if (row !== undefined) return row
      const at = next++
      const bytes = found[at]
      return bytes === undefined ? null : checkedRow(missing[at] as Buffer, bytes)
    })
  }

  /** Lets the view go. A second call does nothing. */
  release(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#layers.closeReader(this.index)
    this.#layers.release(this.#view)
    this.#released(this)
  }

  /** The state is being closed: reads reject with CLOSED from now on. */
  end(): void {
    this.#isEnded = true
    this.release()
  }

  async #read(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    try {
      return await this.#store.getMany(keys, this.#view.snapshot)
    } catch (error) {
      this.#checkState()
      throw error
    }
  }

  #checkState(): void {
    if (this.#isEnded) throw storeClosed()
  }

  #inMemory(key: RowKey): Row | null | undefined {
    for (const generation of this.#generations) {
      const row = generation.at(key, this.index)
      if (row !== undefined) return row
    }
    return undefined
  }
}
