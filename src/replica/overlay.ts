/**
 * This leader's own proposals in flight: rows that later decisions see and nobody else does.
 *
 * A structure of its own, never part of the memtable: it is cleared in the very step in which Raft changes
 * role or term, before anything is applied, so
 * nothing of a lost term is seen; and each entry leaves it when it is applied.
 */
import { assert } from '../base/assert.js'
import {
  type LogIndex,
  type LogTime,
  type SessionId,
  type SlotId,
  slotCount,
  type Term,
  type Version,
} from '../base/ids.js'
import type { DeleteRangeFact, Fact } from '../codec/facts.js'
import { makeRow, type Row, type RowKey, rowKinds } from '../codec/row.js'
import { uint48FromText } from '../machine/keys.js'

/** A proposal in flight, with its rows as they will stand in the state. */
export interface InFlight {
  readonly index: LogIndex
  readonly term: Term
  readonly time: LogTime
  readonly facts: readonly Fact[]
  /** Rows of the put facts, in their order. */
  readonly rows: readonly Row[]
}

const replyKind = rowKinds.reply.charCodeAt(0)

interface Pending {
  readonly row: Row | null
  readonly index: LogIndex
}

/** Kept replies in flight of one session in one slot. */
export interface PendingReplies {
  readonly rows: Map<RowKey, { readonly row: Row; readonly index: LogIndex }>
  readonly ranges: { readonly fact: DeleteRangeFact; readonly index: LogIndex }[]
}

/** Windows without a reply in flight that are kept for the next: a busy session has one per slot. */
const emptyWindowsMax = 1024

/** True for the key of a kept reply. */
export function isReply(key: RowKey): boolean {
  return key.charCodeAt(0) === replyKind
}

/** Slot and session of a reply key as one number. */
export function windowOf(key: RowKey): number {
  return windowNumber(key.charCodeAt(1), uint48FromText(key, 2))
}

/** Slot and session as one number. */
export function windowNumber(slot: SlotId, session: SessionId): number {
  return session * slotCount + slot
}

/** The proposals in flight of one leader, in index order. */
export class Overlay {
  #entries: InFlight[] = []
  #head = 0
  readonly #rows = new Map<RowKey, Pending>()
  readonly #replies = new Map<number, PendingReplies>()

  /** The row as proposed, null if its removal is proposed, undefined if nothing in flight names it. */
  get(key: RowKey): Row | null | undefined {
    return this.#rows.get(key)?.row
  }

  /** The newest entry in flight that names the row; not of kept replies. */
  indexOf(key: RowKey): LogIndex | undefined {
    return this.#rows.get(key)?.index
  }

  replies(slot: SlotId, session: SessionId): PendingReplies | undefined {
    return this.#replies.get(windowNumber(slot, session))
  }

  /** Takes the facts of a proposal in, in index order, and returns the rows of its put facts. */
  add(index: LogIndex, term: Term, time: LogTime, facts: readonly Fact[], version: Version): readonly Row[] {
    const last = this.#entries.at(-1)
    assert(
      this.#size === 0 || last === undefined || index > last.index,
      () => `overlay: ${index} after ${last?.index}`,
    )
    const rows: Row[] = []
    for (const fact of facts) {
      if (fact.op === 'deleteRange') this.#window(fact.from).ranges.push({ fact, index })
      else if (fact.op === 'delete') this.#rows.set(fact.key, { row: null, index })
      else {
        const row = makeRow(fact.key, version, fact.value)
        rows.push(row)
        if (isReply(fact.key)) this.#window(fact.key).rows.set(fact.key, { row, index })
        else this.#rows.set(fact.key, { row, index })
      }
    }
    this.#entries.push({ index, term, time, facts, rows })
    return rows
  }

  /** Takes out the oldest proposal, which was applied: undefined if the entry at that place is not ours. */
  take(index: LogIndex, term: Term): InFlight | undefined {
    const entry = this.#size > 0 ? this.#entries[this.#head] : undefined
    if (entry === undefined || entry.index !== index || entry.term !== term) return undefined
    this.#head += 1
    if (this.#head >= 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    return entry
  }

  /** Forgets the rows of a proposal whose rows now stand in the state. */
  forget(entry: InFlight): void {
    for (const fact of entry.facts) {
      if (fact.op === 'deleteRange') this.#forgetRange(fact, entry.index)
      else if (isReply(fact.key)) this.#forgetReply(fact.key, entry.index)
      else if (this.#rows.get(fact.key)?.index === entry.index) this.#rows.delete(fact.key)
    }
  }

  clear(): void {
    this.#entries = []
    this.#head = 0
    this.#rows.clear()
    this.#replies.clear()
  }

  get #size(): number {
    return this.#entries.length - this.#head
  }

  #window(key: RowKey): PendingReplies {
    const number = windowOf(key)
    let window = this.#replies.get(number)
    if (window === undefined) {
      window = { rows: new Map(), ranges: [] }
      this.#replies.set(number, window)
    }
    return window
  }

  #forgetReply(key: RowKey, index: LogIndex): void {
    const window = this.#window(key)
    if (window.rows.get(key)?.index === index) window.rows.delete(key)
    this.#dropEmpty(key, window)
  }

  #forgetRange(fact: DeleteRangeFact, index: LogIndex): void {
    const window = this.#window(fact.from)
    while (window.ranges[0] !== undefined && window.ranges[0].index <= index) window.ranges.shift()
    this.#dropEmpty(fact.from, window)
  }

  #dropEmpty(key: RowKey, window: PendingReplies): void {
    const isEmpty = window.rows.size === 0 && window.ranges.length === 0
    if (isEmpty && this.#replies.size > emptyWindowsMax) {
      this.#replies.delete(windowOf(key))
    }
  }
}
