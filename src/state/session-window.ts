/**
 * The kept replies of one session in one slot, ordered by epoch and sequence.
 *
 * Few rows, nearly always added at the end and removed at the front: two parallel arrays.
 */
import type { Sequence, SessionEpoch, SessionId, SlotId } from '../base/ids.js'
import { lowerBound } from '../base/lower-bound.js'
import type { Row, RowKey } from '../codec/row.js'

/** Bytes of the key under which a window is stored: kind, slot, session. */
export const storedKeyLength = 8

/** One window; its rows are found by full key or by epoch and sequence. */
export class SessionWindow {
  readonly slot: SlotId
  readonly session: SessionId
  /** The first bytes of all its rows' keys, and its key in the store. */
  readonly storedKey: RowKey
  /** The store may hold a row for this window. */
  stored = false
  readonly #keys: RowKey[] = []
  readonly #rows: Row[] = []

  constructor(slot: SlotId, session: SessionId) {
    this.slot = slot
    this.session = session
    this.storedKey = `s${String.fromCharCode(slot)}${bigEndian(session, 6)}`
  }

  get size(): number {
    return this.#keys.length
  }

  /** In order of epoch and sequence. */
  get rows(): readonly Row[] {
    return this.#rows
  }

  get keys(): readonly RowKey[] {
    return this.#keys
  }

  /** The newest epoch of which a reply is kept, and its highest sequence. */
  get highest(): { epoch: SessionEpoch; sequence: Sequence } | undefined {
    return this.size === 0 ? undefined : this.numbersAt(this.size - 1)
  }

  numbersAt(place: number): { epoch: SessionEpoch; sequence: Sequence } {
    const key = this.#keys[place] ?? ''
    return { epoch: fromBigEndian(key, 8, 4), sequence: fromBigEndian(key, 12, 6) }
  }

  /** The key of a reply of this window. */
  keyOf(epoch: SessionEpoch, sequence: Sequence): RowKey {
    return this.storedKey + bigEndian(epoch, 4) + bigEndian(sequence, 6)
  }

  get(epoch: SessionEpoch, sequence: Sequence): Row | undefined {
    return this.row(this.keyOf(epoch, sequence))
  }

  row(key: RowKey): Row | undefined {
    const place = this.#place(key)
    return this.#keys[place] === key ? this.#rows[place] : undefined
  }

  set(key: RowKey, row: Row | null): void {
    const place = this.#place(key)
    const there = this.#keys[place] === key
    if (row === null) {
      if (there) this.#splice(place, place + 1)
    } else if (there) {
      this.#rows[place] = row
    } else if (place === this.#keys.length) {
      this.#keys.push(key)
      this.#rows.push(row)
    } else {
      this.#keys.splice(place, 0, key)
      this.#rows.splice(place, 0, row)
    }
  }

  /** Removes the rows with from <= key < to. */
  deleteRange(from: RowKey, to: RowKey): void {
    this.#splice(this.#place(from), this.#place(to))
  }

  /** How many rows have from <= key < to. */
  countRange(from: RowKey, to: RowKey): number {
    if (this.size === 0 || to <= from) return 0
    return this.#place(to) - this.#place(from)
  }

  /** How many rows have from <= key < to, and the sums of their hash pairs. */
  sumRange(from: RowKey, to: RowKey): { count: number; sum0: number; sum1: number } {
    const start = this.#place(from)
    const end = this.#place(to)
    let sum0 = 0
    let sum1 = 0
    for (let place = start; place < end; place++) {
      const row = this.#rows[place] as Row
      sum0 = (sum0 + row.hash0) >>> 0
      sum1 = (sum1 + row.hash1) >>> 0
    }
    return { count: Math.max(0, end - start), sum0, sum1 }
  }

  #place(key: RowKey): number {
    const last = this.#keys.at(-1)
    return last === undefined || last < key ? this.#keys.length : lowerBound(this.#keys, key)
  }

  #splice(start: number, end: number): void {
    if (end <= start) return
    this.#keys.splice(start, end - start)
    this.#rows.splice(start, end - start)
  }
}

function bigEndian(value: number, size: number): string {
  let text = ''
  for (let scale = 256 ** (size - 1); scale >= 1; scale /= 256) {
    text += String.fromCharCode(Math.floor(value / scale) % 256)
  }
  return text
}

function fromBigEndian(text: string, start: number, size: number): number {
  let value = 0
  for (let at = start; at < start + size; at++) value = value * 256 + text.charCodeAt(at)
  return value
}
