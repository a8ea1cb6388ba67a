/**
 * A decision while it is being made: the view, the rows that it would change, and those that it still needs.
 *
 * Each row is named by one fact, however often a batch touches it; `prev` is the row as it was before the
 * entry.
 */
import type { Version } from '../base/ids.js'
import { type DeleteRangeFact, type Fact, factBytes, rowFactBytes } from '../codec/facts.js'
import type { Row, RowKey } from '../codec/row.js'
import type { View } from './view.js'

/** A row as this decision sees it: its own changes included. */
export interface Current {
  readonly version: Version
  readonly value: Buffer
}

interface Change {
  readonly value: Buffer | null
  readonly before: Row | null
}

/** One decision: used once, then forgotten. */
export class Draft {
  readonly view: View
  readonly #version: Version
  readonly #changes = new Map<RowKey, Change>()
  readonly #ranges: DeleteRangeFact[] = []
  readonly #needs: RowKey[] = []
  #lookedAt: RowKey | undefined
  #found: Row | null | undefined

  constructor(view: View, version: Version) {
    this.view = view
    this.#version = version
  }

  /**
   * The row, null if there is none, undefined if it must be loaded first (then the draft remembers to ask).
   */
  get(key: RowKey): Current | null | undefined {
    const change = this.#changes.get(key)
    if (change !== undefined) {
      return change.value === null ? null : { version: this.#version, value: change.value }
    }
    const row = this.#look(key)
    if (row === undefined) this.#needs.push(key)
    return row
  }

  /** Asks for a row that the view does not have in memory. */
  need(key: RowKey): void {
    this.#needs.push(key)
  }

  /** Sets the row. It must have been looked at before. */
  put(key: RowKey, value: Buffer): void {
    this.#change(key, value)
  }

  /** Removes the row, if it is there. */
  delete(key: RowKey): void {
    this.#change(key, null)
  }

  /** Removes kept replies by a range. */
  deleteRange(fact: DeleteRangeFact): void {
    this.#ranges.push(fact)
  }

  /** Keys that must be loaded before this decision can be made. */
  get needs(): readonly RowKey[] {
    return this.#needs
  }

  /** Forgets what was drafted: a refusal changes nothing. */
  reset(): void {
    this.#changes.clear()
    this.#ranges.length = 0
  }

  /** Bytes that the facts take in an entry. */
  factBytes(): number {
    let bytes = 0
    for (const [key, { value }] of this.#changes) bytes += rowFactBytes(key, value)
    for (const range of this.#ranges) bytes += factBytes(range)
    return bytes
  }

  facts(): Fact[] {
    const facts: Fact[] = []
    for (const [key, { value, before }] of this.#changes) {
      const prev0 = before?.hash0 ?? 0
      const prev1 = before?.hash1 ?? 0
      if (value !== null) facts.push({ op: 'put', key, value, prev0, prev1 })
      else if (before !== null) facts.push({ op: 'delete', key, prev0, prev1 })
    }
    facts.push(...this.#ranges)
    return facts
  }

  /** The view's row, remembered: one that is looked at and then changed is looked up once. */
  #look(key: RowKey): Row | null | undefined {
    if (key !== this.#lookedAt) {
      this.#lookedAt = key
      this.#found = this.view.get(key)
    }
    return this.#found
  }

  #change(key: RowKey, value: Buffer | null): void {
    const change = this.#changes.get(key)
    if (change !== undefined) {
      this.#changes.set(key, { value, before: change.before })
      return
    }
    const before = this.#look(key)
    if (before === undefined) this.#needs.push(key)
    else this.#changes.set(key, { value, before })
  }
}
