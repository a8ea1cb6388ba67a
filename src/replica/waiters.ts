/**
 * Callers that wait for an entry: each waits on (index, term) and gets its reply when that entry is applied,
 * not-applied when an entry of another term took the index, unknown when the replica stops first:
 * what was proposed may still commit. So a lost leadership answers nobody, not even when this replica leads
 * again with other entries in those places: another one may hold the old ones, and bring them to commit.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, Term } from '../base/ids.js'
import type { Reply } from '../machine/reply.js'

/** Gets the answer to a command, once. */
export interface Asker {
  answer(result: Reply | SillokError): void
}

interface Waiter {
  readonly index: LogIndex
  readonly term: Term
  readonly reply: Reply
  readonly asker: Asker
  /** Duplicates of the request. */
  latched: Asker[] | undefined
}

/** The callers of one partition, in index order. */
export class Waiters {
  #queue: Waiter[] = []
  #head = 0
  /** Proposals of earlier terms in whose places, or before them, this replica proposed again. */
  #overtaken: Waiter[] = []

  get isEmpty(): boolean {
    return this.#head === this.#queue.length && this.#overtaken.length === 0
  }

  /** Waits for a proposal of this replica; in index order within a term. */
  add(index: LogIndex, term: Term, reply: Reply, asker: Asker): void {
    for (let last = this.#last; last !== undefined && last.index >= index; last = this.#last) {
      assert(last.term < term, () => `waiters: ${index}/${term} after ${last?.index}/${last?.term}`)
      this.#overtaken.push(last)
      this.#queue.pop()
    }
    this.#queue.push({ index, term, reply, asker, latched: undefined })
  }

  /** Waits for the same entry as somebody else: a duplicate of a request in flight. */
  latch(index: LogIndex, asker: Asker): void {
    for (let i = this.#head; i < this.#queue.length; i++) {
      const waiter = this.#queue[i]
      if (waiter?.index === index) {
        waiter.latched = [...(waiter.latched ?? []), asker]
        return
      }
    }
    assert(false, () => `no request in flight at ${index}`)
  }

  /** The entry at index, of that term, is applied. */
  applied(index: LogIndex, term: Term): void {
    if (this.#overtaken.length > 0) this.#appliedOvertaken(index, term)
    for (;;) {
      const waiter = this.#queue[this.#head]
      if (waiter === undefined || waiter.index > index) return
      this.#head += 1
      this.#compact()
      tell(waiter, outcomeOf(waiter, index, term))
    }
  }

  /** Nobody will know: everybody gets the error. */
  fail(error: SillokError): void {
    const rest = [...this.#overtaken, ...this.#queue.slice(this.#head)]
    this.#queue = []
    this.#overtaken = []
    this.#head = 0
    for (const waiter of rest) tell(waiter, error)
  }

  get #last(): Waiter | undefined {
    return this.#head < this.#queue.length ? this.#queue.at(-1) : undefined
  }

  #appliedOvertaken(index: LogIndex, term: Term): void {
    const passed = this.#overtaken.filter(waiter => waiter.index <= index)
    this.#overtaken = this.#overtaken.filter(waiter => waiter.index > index)
    for (const waiter of passed) tell(waiter, outcomeOf(waiter, index, term))
  }

  #compact(): void {
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }
}

/** What an applied entry says to a caller that waits at or before its index. */
function outcomeOf(waiter: Waiter, index: LogIndex, term: Term): Reply | SillokError {
  if (waiter.index < index) {
    const message = 'the log went past the request, as in a snapshot'
    return new SillokError('LEADERSHIP_LOST', message, { outcome: 'unknown' })
  }
  if (waiter.term === term) return waiter.reply
  return new SillokError('LEADERSHIP_LOST', 'another leader wrote another entry there')
}

function tell(waiter: Waiter, result: Reply | SillokError): void {
  waiter.asker.answer(result)
  if (waiter.latched !== undefined) for (const asker of waiter.latched) asker.answer(result)
}
