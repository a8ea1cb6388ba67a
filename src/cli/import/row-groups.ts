/**
 * The rows of an input in groups that go to the store as one request each.
 *
 * Where a group ends is a function of the rows from its first one on: after `rowsMax` rows, or before the row
 * that would take it over `bytesMax`. So it ends there again when the input is read again.
 */
import type { RawRow } from './row-splitter.js'

/** Rows that follow one another. */
export interface RowGroup {
  /** The number of its first row. */
  readonly first: number
  readonly rows: readonly RawRow[]
  readonly bytes: number
}

/** How large a group is at most; a row of more bytes is one by itself. */
export interface GroupLimits {
  readonly rowsMax: number
  readonly bytesMax: number
}

/** Of all imports: with others, one that was begun would not go on. */
export const groupLimits: GroupLimits = { rowsMax: 32, bytesMax: 256 * 1024 }

/** Makes groups of the rows from `first` on. */
export class RowGroups {
  readonly #first: number
  readonly #limits: GroupLimits
  #rows: RawRow[] = []
  #bytes = 0

  constructor(first: number, limits: GroupLimits) {
    this.#first = first
    this.#limits = limits
  }

  /** How many of the rows, which follow one another, lie before the first one. */
  skip(rows: readonly RawRow[]): number {
    return Math.min(rows.length, Math.max(0, this.#first - (rows[0]?.row ?? this.#first)))
  }

  /** Takes the rows from that place of the list on: the groups that are whole now. */
  *push(rows: readonly RawRow[], from: number): Iterable<RowGroup> {
    for (let i = from; i < rows.length; i++) {
      const raw = rows[i] as RawRow
      const isOver = this.#bytes + raw.bytes.length > this.#limits.bytesMax
      if (this.#rows.length > 0 && isOver) yield this.#take()
      this.#rows.push(raw)
      this.#bytes += raw.bytes.length
      if (this.#rows.length === this.#limits.rowsMax) yield this.#take()
    }
  }

  /** There are no more rows: the last group, if there is one. */
  end(): RowGroup | undefined {
    return this.#rows.length === 0 ? undefined : this.#take()
  }

  #take(): RowGroup {
    const rows = this.#rows
    const group = { first: rows[0]?.row ?? 0, rows, bytes: this.#bytes }
    this.#rows = []
    this.#bytes = 0
    return group
  }
}
