/**
 * Writes the rows of an input, each exactly once, over as many crashes as it takes.
 *
 * Rows go in groups, each of them one request whose sequence in a caller-numbered session is the number of
 * its first row; so what was executed before a crash is answered from its kept reply. Where a group ends
 * depends on the input and on where the group begins, on nothing else, and the session's lowWater stands
 * between two groups: so a group that is sent again is the same. Groups are sent in order, and the store
 * decides them and the rows in them in order: of two rows with one unique value the first wins, whatever
 * happened in between. lowWater moves past a group only when its answer is known, and the lines of the
 * report, for the rows that were rejected, are synced.
 *
 *   crash after                  lowWater in the log     on resume
 *   answer                       not past the group      sent again, same answers, lines written
 *   lines written or torn        not past the group      lines cut off, sent again, written again
 *   lines synced                 not past the group      the same
 *   release                      maybe past the group    the same, or the lines stay and it is not sent
 *   last group                   not past the last       the last groups are sent again, then the end mark
 *   end mark                     past the last           nothing is sent
 */
import { assert } from '../../base/assert.js'
import type { Code, SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { InsertResult } from '../../store/insert-many.js'
import type { RowReader } from './input-format.js'
import type { Rejection, Report } from './rejection-report.js'
import { type GroupLimits, type RowGroup, RowGroups } from './row-groups.js'
import type { RawRow } from './row-splitter.js'

/** What the importer needs of a session, caller-numbered, and of its collection. */
export interface ImportSession {
  readonly lowWater: number
  /** Inserts each by itself, all under the number: a result for each document. */
  insert(documents: readonly object[], sequence: number): Promise<readonly InsertResult[]>
  release(through: number): void
}

/** An import in motion. */
export interface ImportOptions {
  readonly session: ImportSession
  readonly report: Report
  readonly read: RowReader
  /** Rows in flight at most, but for one group. */
  readonly concurrency: number
  readonly groups: GroupLimits
  /** Told of every row that has its answer, also those of earlier runs. */
  readonly answered?: (rows: number) => void
  /** Asked before each group: true ends the sending. */
  readonly isStopped?: () => boolean
}

/** Refusals that concern one row; any other error ends the import. */
const rowCodes: ReadonlySet<Code> = new Set(['INVALID', 'TOO_LARGE', 'EXISTS', 'UNIQUE_TAKEN', 'CONFLICT'])

/** Bytes of rows in flight at most; the store refuses over 64 MiB. */
const flyingBytesMax = 16 * 1024 * 1024

/** What came of a group: the rows that were not inserted, in order. */
interface Answered {
  readonly group: RowGroup
  readonly rejected: readonly Rejection[]
}

/** Imports the rows of one input. Use once. */
export class Importer {
  readonly #options: ImportOptions
  /** Groups that were answered before those in front of them, by their first row. */
  readonly #answers = new Map<number, Answered>()
  readonly #unsaved: Rejection[] = []
  /** All rows up to here have their answer. */
  #known: number
  /** All rows up to here are released. */
  #released: number
  #sent = 0
  #flyingCount = 0
  #flyingBytes = 0
  #failure: unknown
  #hasFailed = false
  #isSaving = false
  #isUnsaveable = false
  #wake: (() => void) | undefined

  constructor(options: ImportOptions) {
    this.#options = options
    this.#known = options.session.lowWater - 1
    this.#released = this.#known
  }

  /** Rows that were sent in this run. */
  get sent(): number {
    return this.#sent
  }

  /**
   * Sends the rows that have no answer yet, all in order from the first of the input. Resolves when every row
   * that was sent has its answer, its line is durable, and it is released: true if all were sent, false if it
   * was stopped. Rejects with the first error that does not concern one row; what was answered before it is
   * saved as far as possible.
   */
  async run(batches: AsyncIterable<readonly RawRow[]>): Promise<boolean> {
    let isWhole = false
    try {
      isWhole = await this.#sendAll(batches)
    } catch (error) {
      this.#fail(error)
    }
    await this.#until(() => this.#flyingCount === 0 && !this.#isSaving)
    if (this.#hasFailed) throw this.#failure
    assert(
      this.#released === this.#known && this.#answers.size === 0,
      () => `${this.#answers.size} rows are left`,
    )
    return isWhole
  }

  async #sendAll(batches: AsyncIterable<readonly RawRow[]>): Promise<boolean> {
    const { answered } = this.#options
    const groups = new RowGroups(this.#released + 1, this.#options.groups)
    for await (const batch of batches) {
      const known = groups.skip(batch)
      if (known > 0) answered?.(known)
      for (const group of groups.push(batch, known)) if (!(await this.#sendWhenRoom(group))) return false
    }
    const last = groups.end()
    return last === undefined || (await this.#sendWhenRoom(last))
  }

  /** Sends the group when there is room for it; false: nothing may be sent any more. */
  async #sendWhenRoom(group: RowGroup): Promise<boolean> {
    if (!this.#hasRoom(group)) await this.#until(() => this.#hasFailed || this.#hasRoom(group))
    if (this.#hasFailed || this.#options.isStopped?.()) return false
    this.#send(group)
    return true
  }

  #hasRoom({ first, rows, bytes }: RowGroup): boolean {
    if (first + rows.length - 1 > this.#released + limits.sessionWindow) return false
    if (this.#flyingCount === 0) return true
    return (
      this.#flyingCount + rows.length <= this.#options.concurrency &&
      this.#flyingBytes + bytes <= flyingBytesMax
    )
  }

  #send(group: RowGroup): void {
    const rejected: Rejection[] = []
    const sent: RawRow[] = []
    const documents: object[] = []
    for (const raw of group.rows) {
      const { row, offset } = raw
      const read = this.#options.read(raw)
      if ('fault' in read) {
        rejected.push({ row, offset, code: 'INVALID', message: read.fault, unreadable: true })
      } else {
        sent.push(raw)
        documents.push(read.document)
      }
    }
    this.#sent += group.rows.length
    if (sent.length === 0) {
      this.#answer({ group, rejected })
      return
    }
    this.#flyingCount += group.rows.length
    this.#flyingBytes += group.bytes
    this.#options.session.insert(documents, group.first).then(
      results => this.#land(group, rejected, sent, results),
      (error: unknown) => {
        this.#fail(error)
        this.#landed(group)
      },
    )
  }

  #land(
    group: RowGroup,
    unreadable: readonly Rejection[],
    sent: readonly RawRow[],
    results: readonly InsertResult[],
  ): void {
    this.#landed(group)
    const rejected = [...unreadable]
    for (const [n, result] of results.entries()) {
      if (result.ok) continue
      if (!rowCodes.has(result.error.code)) {
        this.#fail(result.error)
        return
      }
      rejected.push(rejection(sent[n] as RawRow, result.error))
    }
    this.#answer({ group, rejected: rejected.sort((one, other) => one.row - other.row) })
  }

  #landed(group: RowGroup): void {
    this.#flyingCount -= group.rows.length
    this.#flyingBytes -= group.bytes
    this.#wake?.()
  }

  #answer(answer: Answered): void {
    this.#options.answered?.(answer.group.rows.length)
    this.#answers.set(answer.group.first, answer)
    for (;;) {
      const next = this.#answers.get(this.#known + 1)
      if (next === undefined) break
      this.#answers.delete(next.group.first)
      this.#known += next.group.rows.length
      this.#unsaved.push(...next.rejected)
    }
    this.#save()
  }

  /** Releases what is known; before that, its lines of the report become durable. One writing at a time. */
  #save(): void {
    // What could not be written must not be released, nor anything after it.
    if (this.#isSaving || this.#isUnsaveable || this.#released === this.#known) return
    const through = this.#known
    if (this.#unsaved.length === 0) {
      this.#release(through)
      return
    }
    this.#isSaving = true
    this.#options.report.append(this.#unsaved.splice(0)).then(
      () => {
        this.#isSaving = false
        this.#release(through)
        this.#save()
      },
      (error: unknown) => {
        this.#isSaving = false
        this.#isUnsaveable = true
        this.#fail(error)
      },
    )
  }

  #release(through: number): void {
    this.#released = through
    this.#options.session.release(through)
    this.#wake?.()
  }

  #fail(error: unknown): void {
    if (!this.#hasFailed) this.#failure = error
    this.#hasFailed = true
    this.#wake?.()
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }
}

function rejection({ row, offset }: RawRow, { code, message, details }: SillokError): Rejection {
  const { constraint, holder, version } = details
  return { row, offset, code, message, constraint, holder, version }
}
