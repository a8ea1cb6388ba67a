/**
 * Linearizable reads: one ReadIndex round serves everybody who asked in the same turn (thesis 6.4).
 *
 * A caller goes on when the index that its round confirmed is applied, and at least `atLeast`. An answer that
 * was decided goes on only in the leadership that decided it: later, what it saw at those indexes may have
 * been replaced, however far the log is applied.
 */
import type { SillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import type { ReadState } from '../raft/messages.js'
import { notLeader } from './refusals.js'

/** Called when the read may be done; with the error if it may not. */
export type Passed = (error?: SillokError) => void

interface Read {
  readonly atLeast: LogIndex
  /** Rests on what a leader saw, proposals in flight included. */
  readonly isDecided: boolean
  readonly passed: Passed
}

/** The reads of one partition that wait for their round. */
export class ReadBarrier {
  #asking: Read[] = []
  readonly #rounds = new Map<number, Read[]>()
  #waiting: Read[] = []

  /** A read joins the round that begins next. */
  ask(passed: Passed): void {
    this.#asking.push({ atLeast: 0, isDecided: false, passed })
  }

  /** So does an answer that was decided by what the entries up to that one hold. */
  askDecided(atLeast: LogIndex, passed: Passed): void {
    this.#asking.push({ atLeast, isDecided: true, passed })
  }

  /** The leadership is over in which answers were decided: they never go on. */
  lose(error: SillokError): void {
    const lost: Read[] = []
    const keep = (reads: readonly Read[]): Read[] => {
      lost.push(...reads.filter(read => read.isDecided))
      return reads.filter(read => !read.isDecided)
    }
    this.#asking = keep(this.#asking)
    this.#waiting = keep(this.#waiting)
    for (const [token, reads] of this.#rounds) this.#rounds.set(token, keep(reads))
    for (const read of lost) read.passed(error)
  }

  /** Begins a round for all who asked; `readIndex` gives its token, or undefined without leadership. */
  begin(readIndex: () => number | undefined): void {
    if (this.#asking.length === 0) return
    const reads = this.#asking
    this.#asking = []
    const token = readIndex()
    if (token === undefined) {
      for (const read of reads) read.passed(notLeader(0))
    } else this.#rounds.set(token, reads)
  }

  /** A round is confirmed, or was dropped: then its reads join the one that begins next. */
  confirmed({ token, index }: ReadState, applied: LogIndex): void {
    const reads = this.#rounds.get(token) ?? []
    this.#rounds.delete(token)
    if (index === undefined) {
      this.#asking.unshift(...reads)
      return
    }
    for (const read of reads) this.#waiting.push({ ...read, atLeast: Math.max(read.atLeast, index) })
    this.applied(applied)
  }

  /** Everything up to the index is applied. */
  applied(index: LogIndex): void {
    if (this.#waiting.length === 0) return
    const passed = this.#waiting.filter(read => read.atLeast <= index)
    if (passed.length === 0) return
    this.#waiting = this.#waiting.filter(read => read.atLeast > index)
    for (const read of passed) read.passed()
  }

  /** No read will pass any more. */
  fail(error: SillokError): void {
    const reads = [...this.#asking, ...this.#waiting, ...[...this.#rounds.values()].flat()]
    this.#asking = []
    this.#waiting = []
    this.#rounds.clear()
    for (const read of reads) read.passed(error)
  }
}
