/**
 * One generation of the memtable: the rows that changed above one applied index and up to another, newest
 * first per key. The active one takes facts; a frozen one never changes again and is being flushed.
 *
 * A row keeps its older forms only while a reader that needs them is open. Keys are sorted for scans in runs
 * that merge as they grow, so that a scan among writes costs what was written since the last one, not all of
 * it.
 */
import { assert } from '../base/assert.js'
import type { LogIndex } from '../base/ids.js'
import type { Row, RowKey } from '../codec/row.js'

/** A row, or its absence, as of an index; `older` is what it replaced, while somebody may still read that. */
export interface RowForm {
  row: Row | null
  index: LogIndex
  older: RowForm | undefined
  /** No row under this key existed below this generation, in memory or in the store. */
  readonly born: boolean
}

/** What a row costs in memory besides its key and bytes: measured, roughly. */
const rowOverheadBytes = 160

/** The rows that changed in (from, upTo]; reading it costs one map lookup, whatever its size. */
export class Generation {
  /** Rows of this generation changed above this index. */
  readonly from: LogIndex
  /** And up to this one; unknown while it is the active one. */
  #upTo: LogIndex | undefined
  #next: Generation | undefined
  #bytes = 0
  readonly #forms = new Map<RowKey, RowForm>()
  /** Keys not yet in a run, as they came. */
  #tail: RowKey[] = []
  /** Sorted, disjoint, each at least twice as long as the next. Never changed in place: scans hold them. */
  #runs: (readonly RowKey[])[] = []

  constructor(from: LogIndex) {
    this.from = from
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#forms.size
  }

  get upTo(): LogIndex | undefined {
    return this.#upTo
  }

  /** The generation after this one: whoever holds an old one sees all changes since. */
  get next(): Generation | undefined {
    return this.#next
  }

  /** The newest form: null is a known absence, undefined means that this generation does not know. */
  get(key: RowKey): Row | null | undefined {
    return this.#forms.get(key)?.row
  }

  /** The form as of an index at which a reader is open. */
  at(key: RowKey, index: LogIndex): Row | null | undefined {
    let form = this.#forms.get(key)
    while (form !== undefined && form.index > index) form = form.older
    return form?.row
  }

  /**
   * Takes a row, or null for its absence, at an index not below any before. Forms that a reader at
   * `newestReader` or below may still need are kept. `born`: the key had no row before, anywhere.
   */
  set(key: RowKey, row: Row | null, index: LogIndex, newestReader: LogIndex, born: boolean): void {
    assert(this.#upTo === undefined, 'a frozen generation takes no rows')
    const form = this.#forms.get(key)
    if (form === undefined) {
      this.#forms.set(key, { row, index, older: undefined, born })
      this.#tail.push(key)
      this.#bytes += key.length + rowOverheadBytes + (row === null ? 0 : row.value.length)
      return
    }
    const bytes = row === null ? 0 : row.value.length
    if (form.index <= newestReader) {
      this.#forms.set(key, { row, index, older: form, born: form.born })
      this.#bytes += bytes + rowOverheadBytes
      return
    }
    this.#bytes += bytes - (form.row === null ? 0 : form.row.value.length)
    form.row = row
    form.index = index
    if (newestReader < 0) form.older = undefined
  }

  /** Ends this generation at the index and begins the next. */
  freeze(upTo: LogIndex): Generation {
    assert(this.#upTo === undefined && upTo >= this.from, () => `freeze ${this.from} at ${upTo}`)
    this.#upTo = upTo
    this.#next = new Generation(upTo)
    return this.#next
  }

  /** Keys with their newest forms, in no order. */
  forms(): IterableIterator<[RowKey, RowForm]> {
    return this.#forms.entries()
  }

  /**
   * Sorts some of the keys that are in no run yet; false when none is left. A step of about a millisecond.
   */
  sortSome(): boolean {
    if (this.#tail.length === 0) return false
    const runs = this.#runs.slice()
    let last: readonly RowKey[] = this.#tail.splice(-keysPerStep).sort(byBytes)
    for (let before = runs.at(-1); before !== undefined && before.length < 2 * last.length; ) {
      last = mergeRuns(before, last)
      runs.pop()
      before = runs.at(-1)
    }
    runs.push(last)
    this.#runs = runs
    return this.#tail.length > 0
  }

  /** The sorted runs so far; each stays as it is. */
  get runs(): readonly (readonly RowKey[])[] {
    return this.#runs
  }
}

/** Keys sorted at a time: a scan after many writes must not hold the event loop. */
const keysPerStep = 2048

/** Row keys have one character per byte: this is byte order. */
export function byBytes(left: RowKey, right: RowKey): number {
  return left < right ? -1 : left > right ? 1 : 0
}

function mergeRuns(left: readonly RowKey[], right: readonly RowKey[]): RowKey[] {
  const merged: RowKey[] = []
  let j = 0
  for (const key of left) {
    for (let other = right[j]; other !== undefined && other < key; other = right[++j]) merged.push(other)
    merged.push(key)
  }
  for (; j < right.length; j++) merged.push(right[j] as RowKey)
  return merged
}
