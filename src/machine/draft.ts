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
  readonly key: RowKey
  value: Buffer | null
  readonly before: Row | null
}

/** Up to so many changes are looked through; beyond, a map finds them. */
const listedMax = 8

/** One decision: used once, then forgotten. */
export class Draft {
  readonly view: View
  readonly #version: Version
  /** In the order of the first change of each row. */
  readonly #changes: Change[] = []
  #byKey: Map<RowKey, Change> | undefined
  readonly #ranges: DeleteRangeFact[] = []
  readonly #needs: RowKey[] = []
  /** How many changes there were at the mark; what was changed again since, as it was, the newest last. */
  #marked = 0
  #undo: { readonly change: Change; readonly value: Buffer | null }[] | undefined
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
    const change = this.#changeOf(key)
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

  /** Where `back` goes back to; the newest mark counts. Ranges are not undone. */
  mark(): void {
    this.#marked = this.#changes.length
    this.#undo = []
  }

  /** Undoes the changes since the mark. */
  back(): void {
    for (const { change, value } of (this.#undo ?? []).reverse()) change.value = value
    this.#undo = []
    for (const { key } of this.#changes.splice(this.#marked)) this.#byKey?.delete(key)
  }

  /** Keys that must be loaded before this decision can be made. */
  get needs(): readonly RowKey[] {
    return this.#needs
  }

  /** Forgets what was drafted: a refusal changes nothing. */
  reset(): void {
    this.#changes.length = 0
    this.#byKey = undefined
    this.#ranges.length = 0
  }

  /** Bytes that the facts take in an entry. */
  factBytes(): number {
    let bytes = 0
    for (const { key, value } of this.#changes) bytes += rowFactBytes(key, value)
    for (const range of this.#ranges) bytes += factBytes(range)
    return bytes
  }

  facts(): Fact[] {
    const facts: Fact[] = []
    for (const { key, value, before } of this.#changes) {
      const prev0 = before?.hash0 ?? 0
      const prev1 = before?.hash1 ?? 0
      if (value !== null) facts.push({ op: 'put', key, value, prev0, prev1 })
      else if (before !== null) facts.push({ op: 'delete', key, prev0, prev1 })
    }
    for (const range of this.#ranges) facts.push(range)
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
    const known = this.#changeOf(key)
    if (known !== undefined) {
      this.#undo?.push({ change: known, value: known.value })
      known.value = value
      return
    }
    const before = this.#look(key)
    if (before === undefined) {
      this.#needs.push(key)
      return
    }
    const change = { key, value, before }
    this.#changes.push(change)
    this.#byKey?.set(key, change)
  }

  #changeOf(key: RowKey): Change | undefined {
    const changes = this.#changes
    if (changes.length > listedMax) {
      this.#byKey ??= new Map(changes.map(change => [change.key, change]))
      return this.#byKey.get(key)
    }
    for (const change of changes) if (change.key === key) return change
    return undefined
  }
}
