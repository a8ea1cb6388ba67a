/**
 * The partition's own rows (schema, cursors, sessions), all in memory: every decision looks at them.
 *
 * They are stored and flushed like any other row; this is a second, complete copy of the newest ones. Their
 * number is bounded by the limits on collections and sessions.
 */
import { keyText, type Row, type RowKey, readRow, rowKinds } from '../codec/row.js'

const partitionKind = rowKinds.partition.charCodeAt(0)

/** True for a key of the partition's own rows. */
export function isPartitionRow(key: RowKey): boolean {
  return key.charCodeAt(0) === partitionKind
}

/** The newest form of every row of kind `m`, as of the applied index. */
export class PartitionRows {
  readonly #rows = new Map<RowKey, Row>()
  /** How often rows of a kind (their first two letters) were set or removed. */
  readonly #changes = new Map<RowKey, number>()

  /** The row; null if there is none. Nothing has to be loaded to know that. */
  get(key: RowKey): Row | null {
    return this.#rows.get(key) ?? null
  }

  set(key: RowKey, row: Row | null): void {
    const kind = key.slice(0, 2)
    this.#changes.set(kind, this.changes(kind) + 1)
    if (row === null) this.#rows.delete(key)
    else this.#rows.set(key, row)
  }

  /** How often rows of that kind, the first two letters of their keys, changed. */
  changes(kind: RowKey): number {
    return this.#changes.get(kind) ?? 0
  }

  /** The rows whose keys begin so, in no order. */
  startingWith(prefix: RowKey): [RowKey, Row][] {
    return [...this.#rows].filter(([key]) => key.startsWith(prefix))
  }

  /** Takes in a stored row; false if it fails its check. */
  restore(key: Buffer, value: Buffer): boolean {
    const row = readRow(key, value)
    if (row === undefined) return false
    this.#rows.set(keyText(key), row)
    return true
  }
}
