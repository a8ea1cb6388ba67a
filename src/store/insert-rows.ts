/**
 * Many inserts under one number of a caller-numbered session: each row by itself, all in one entry of the
 * log and with one kept answer. What is cheap about it is that the log, the session and the caller count
 * requests.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Operation, RefusedOperation, WriteValue } from '../machine/command.js'
import { type Done, errorOf } from '../machine/reply.js'
import { type Asking, operationBytes, type Waiting } from './asking.js'
import { invalid, optionNames } from './check-options.js'
import { checkDocuments, type InsertResult } from './insert-many.js'
import type { Row } from './operations.js'
import type { InsertManyOptions, WriteOptions } from './options.js'
import { earlyRefusal, refusalOf, type Writer } from './writer.js'

/** What rows are made with. */
export interface RowsParts {
  readonly writer: Writer
  readonly asking: Asking
  /** The document as it is to be stored: what the schema makes of it. */
  readonly passed: (document: unknown) => object | Promise<object>
  /** The insert of that document; throws for what is no document of the collection. */
  readonly row: (document: object) => Row
}

/**
 * Inserts all: one result per document, in order. Sent again in the same form, from any holder of the
 * session, it gives the same results, and nothing takes effect twice. Rejects as one insert does when nothing
 * is known of the whole, with TOO_LARGE for too many rows or bytes, with INVALID without a number.
 *
 * The form is a matter of the documents alone: what an index refuses belongs to it, since indexes come and
 * go; only what can be no document of the collection does not.
 */
export async function insertRows(
  parts: RowsParts,
  documents: Iterable<unknown>,
  options: InsertManyOptions,
): Promise<InsertResult[]> {
  const { writer, asking } = parts
  const early = earlyRefusal(writer, options, optionNames.rows)
  if (early !== undefined) throw early
  const { sequence, deadlineMs, signal, requestId } = options
  const own = { sequence, deadlineMs, signal }
  if (requestId !== undefined)
    throw invalid('insertMany: in a caller-numbered session rows have no request id')
  checkDocuments(documents)
  let wasSent = false
  const work = async (waiting: Waiting): Promise<InsertResult[]> => {
    const rows = new GatheredRows(parts, own)
    for (const document of documents) {
      const waited = rows.take(document)
      if (waited !== undefined) await waited
      rows.checkBytes()
      if (waiting.settled) throw new SillokError('ABORTED', 'nobody waits any more')
    }
    waiting.sent = true
    wasSent = true
    return await rows.write()
  }
  return await asking.until(work, own, false).catch((error: unknown) => {
    throw wasSent ? error : refusalOf(error, writer, own)
  })
}

/** The rows of one request, as they come. */
class GatheredRows {
  readonly #parts: RowsParts
  readonly #options: WriteOptions
  readonly #results: InsertResult[] = []
  /** Of the operations, where their documents stand. */
  readonly #places: number[] = []
  readonly #operations: Operation[] = []
  readonly #refused: RefusedOperation[] = []
  #bytes = 0

  constructor(parts: RowsParts, options: WriteOptions) {
    this.#parts = parts
    this.#options = options
  }

  /** Takes the next document; a promise only if its schema gives one. Throws TOO_LARGE for too many. */
  take(document: unknown): Promise<void> | undefined {
    const place = this.#results.length
    if (place === limits.batchCommandsMax) throw tooLarge(`over ${limits.batchCommandsMax} rows`)
    this.#results.push(pending)
    try {
      const stored = this.#parts.passed(document)
      if (stored instanceof Promise) {
        return stored.then(one => this.#add(place, one)).catch(error => this.#refuse(place, error))
      }
      this.#add(place, stored)
    } catch (error) {
      this.#refuse(place, error)
    }
    return undefined
  }

  /** Throws TOO_LARGE if what was taken is too much for one entry. */
  checkBytes(): void {
    const bytesMax = limits.batchCommandBytesMax
    if (this.#bytes > bytesMax) throw tooLarge(`rows of over ${bytesMax} bytes`)
  }

  /** Has all written: one result per document. */
  async write(): Promise<InsertResult[]> {
    const { writer } = this.#parts
    if (this.#operations.length === 0) return this.#results
    if (writer.writeEach === undefined) throw invalid('insertMany: this writer numbers its requests itself')
    const written = await writer.writeEach(this.#operations, this.#refused, this.#options, resultsOf)
    for (const [n, result] of written.entries()) this.#results[this.#places[n] ?? 0] = result
    return this.#results
  }

  #add(place: number, document: object): void {
    const { operation, refused } = this.#parts.row(document)
    const at = this.#operations.length
    this.#bytes += operationBytes([operation])
    this.#operations.push(operation)
    this.#places.push(place)
    if (refused !== undefined) this.#refused.push({ at, ...plainRefusal(refused) })
  }

  /** The row is refused; what is no refusal is thrown. */
  #refuse(place: number, error: unknown): void {
    const refused = refusalOf(error, this.#parts.writer, this.#options)
    if (!isSillokError(refused)) throw refused
    this.#results[place] = { ok: false, error: refused }
  }
}

const pending: InsertResult = { ok: true, version: 0 }

/** As it can be logged: of the details, which an index of the user's may have made, only what is simple. */
function plainRefusal({ code, message, details }: SillokError): Omit<RefusedOperation, 'at'> {
  const isSimple = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)
  const simple = Object.entries(details).filter(([, value]) => isSimple(value))
  return { code, message, details: Object.fromEntries(simple) }
}

/** Nothing of it was sent; under the same number it may have been before, in another form. */
function tooLarge(message: string): SillokError {
  return new SillokError('TOO_LARGE', `insertMany: ${message}`, { outcome: 'unknown' })
}

function resultsOf({ version, value }: Done): InsertResult[] {
  const { existed, refused = [] } = value as WriteValue
  const results: InsertResult[] = existed.map(() => ({ ok: true, version }))
  for (const { at, code, message, details } of refused) {
    results[at] = { ok: false, error: errorOf({ code, message, details }) }
  }
  return results
}
