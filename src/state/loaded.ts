/**
 * Rows read from the key-value store for commands that wait, all from one snapshot, and what changed since.
 *
 * However many flushes come between: a row is what memory knows, else what `get` says, since every change
 * after the snapshot is reached from the view that is held here.
 */
import { assert } from '../base/assert.js'
import type { Row, RowKey } from '../codec/row.js'
import { changeSince, type Layers, type View } from './layers.js'

/** The result of a load; `release` it when the commands that waited for it are decided. */
export class Loaded {
  readonly #layers: Layers
  readonly #rows: ReadonlyMap<RowKey, Row | null>
  #view: View | undefined

  constructor(layers: Layers, view: View, rows: ReadonlyMap<RowKey, Row | null>) {
    this.#layers = layers
    this.#view = view
    this.#rows = rows
  }

  /** The row as of now, null if there is none, undefined if it was neither asked for nor changed since. */
  get(key: RowKey): Row | null | undefined {
    assert(this.#view !== undefined, 'loaded rows were released')
    const change = changeSince(this.#view, key)
    return change === undefined ? this.#rows.get(key) : change
  }

  /** Lets the snapshot go. A second call does nothing. */
  release(): void {
    const view = this.#view
    this.#view = undefined
    if (view !== undefined) this.#layers.release(view)
  }
}
