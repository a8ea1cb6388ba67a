/**
 * Writes the rows of an input, each exactly once, over as many crashes as it takes.
 *
 * Row k has sequence k in a caller-numbered session, so what was executed before a crash is answered from its
 * kept reply. Rows are sent in order and the store decides them in order: of two rows with one unique value
 * the first wins, whatever happened in between. The session's lowWater moves past a row only when its answer
 * is known, and the line of the report, if it was rejected, is synced.
 *
 *   crash after                  lowWater in the log     on resume
 *   answer                       not past the row        sent again, same answer, line written
 *   line written or torn         not past the row        line cut off, sent again, written again
 *   line synced                  not past the row        the same
 *   release                      maybe past the row      the same, or the line stays and the row is not sent
 *   last row                     not past the last       the last rows are sent again, then the end mark
 *   end mark                     past the last           nothing is sent
 */
import { assert } from '../../base/assert.js'
import { type Code, isSillokError, type SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RowReader } from './input-format.js'
import type { Rejection, Report } from './rejection-report.js'
import type { RawRow } from './row-splitter.js'

/** What the importer needs of a session, caller-numbered, and of its collection. */
export interface ImportSession {
  readonly lowWater: number
  insert(document: object, sequence: number): Promise<unknown>
  release(through: number): void
}

/** An import in motion. */
export interface ImportOptions {
  readonly session: ImportSession
  readonly report: Report
  readonly read: RowReader
  /** Rows in flight at most. */
  readonly concurrency: number
  /** Told of every row that has its answer, also those of earlier runs. */
  readonly answered?: (rows: number) => void
  /** Asked before each row: true ends the sending. */
  readonly isStopped?: () => boolean
}

/** Refusals that concern one row; any other error ends the import. */
const rowCodes: ReadonlySet<Code> = new Set(['INVALID', 'TOO_LARGE', 'EXISTS', 'UNIQUE_TAKEN', 'CONFLICT'])

/** Bytes of rows in flight at most; the store refuses over 64 MiB. */
const flyingBytesMax = 16 * 1024 * 1024

/** What came of a row. */
type Answer = Rejection | 'inserted'

/** Imports the rows of one input. Use once. */
export class Importer {
  readonly #options: ImportOptions
  /** Answers of rows over the first gap, by row. */
  readonly #answers = new Map<number, Answer>()
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
    const { isStopped, answered } = this.#options
    const first = this.#released + 1
    for await (const batch of batches) {
      const known = Math.min(batch.length, Math.max(0, first - (batch[0]?.row ?? first)))
      if (known > 0) answered?.(known)
      for (let i = known; i < batch.length; i++) {
        const raw = batch[i] as RawRow
        if (!this.#hasRoom(raw)) await this.#until(() => this.#hasFailed || this.#hasAmpleRoom(raw))
        if (this.#hasFailed || isStopped?.()) return false
        this.#send(raw)
      }
    }
    return true
  }

  /** Answers come many at a time: sending goes on when some rows may follow, not for each by itself. */
  #hasAmpleRoom(raw: RawRow): boolean {
    const { concurrency } = this.#options
    return this.#flyingCount <= concurrency - Math.ceil(concurrency / 8) && this.#hasRoom(raw)
  }

  #hasRoom({ row, bytes }: RawRow): boolean {
    return (
      this.#flyingCount < this.#options.concurrency &&
      row <= this.#released + limits.sessionWindow &&
      (this.#flyingCount === 0 || this.#flyingBytes + bytes.length <= flyingBytesMax)
    )
  }

  #send(raw: RawRow): void {
    const { session } = this.#options
    const { row, offset, bytes } = raw
    this.#sent += 1
    const read = this.#options.read(raw)
    if ('fault' in read) {
      this.#answer(row, { row, offset, code: 'INVALID', message: read.fault, unreadable: true })
      return
    }
    this.#flyingCount += 1
    this.#flyingBytes += bytes.length
    session.insert(read.document, row).then(
      () => this.#land(raw, 'inserted'),
      (error: unknown) => {
        if (isSillokError(error) && rowCodes.has(error.code)) this.#land(raw, rejection(raw, error))
        else {
          this.#fail(error)
          this.#land(raw, undefined)
        }
      },
    )
  }

  #land({ row, bytes }: RawRow, answer: Answer | undefined): void {
    this.#flyingCount -= 1
    this.#flyingBytes -= bytes.length
    if (answer !== undefined) this.#answer(row, answer)
    this.#wake?.()
  }

  #answer(row: number, answer: Answer): void {
    this.#options.answered?.(1)
    if (row === this.#known + 1) this.#know(answer)
    else this.#answers.set(row, answer)
    for (let next = this.#take(); next !== undefined; next = this.#take()) this.#know(next)
    this.#save()
  }

  /** The answer of the next row. */
  #know(answer: Answer): void {
    this.#known += 1
    if (answer !== 'inserted') this.#unsaved.push(answer)
  }

  /** The answer of the first row that was not known so far, if it is there. */
  #take(): Answer | undefined {
    if (this.#answers.size === 0) return undefined
    const row = this.#known + 1
    const answer = this.#answers.get(row)
    if (answer !== undefined) this.#answers.delete(row)
    return answer
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
