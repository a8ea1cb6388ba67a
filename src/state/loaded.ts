/**
 * Rows read from the key-value store for commands that wait, all from one snapshot.
 *
 * While it is held, memory keeps every change since that snapshot: so at any later moment, however many flushes lie
 * between, a row is what memory knows, otherwise what was loaded.
 */
import type { Row, RowKey } from '../codec/row.js'
import type { Layers, View } from './layers.js'

export class Loaded {
  readonly #layers: Layers
  readonly #rows: ReadonlyMap<RowKey, Row | null>
  #view: View | undefined

  constructor(layers: Layers, view: View, rows: ReadonlyMap<RowKey, Row | null>) {
    this.#layers = layers
    this.#view = view
    this.#rows = rows
  }

  /** The row as of the snapshot, null if there was none, undefined if it was not asked for. Ask memory first. */
  get(key: RowKey): Row | null | undefined {
    return this.#rows.get(key)
  }

  /** Lets memory forget. Once more does nothing. */
  release(): void {
    const view = this.#view
    this.#view = undefined
    if (view !== undefined) this.#layers.release(view)
  }
}
