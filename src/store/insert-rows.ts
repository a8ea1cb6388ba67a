/**
 * Many inserts under one number of a caller-numbered session: each row by itself, all in one entry of the
 * log and with one kept answer. What is cheap about it is that the log, the session and the caller count
 * requests.
 */
import { isSillokError, SillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Operation, WriteValue } from '../machine/command.js'
import { type Done, errorOf } from '../machine/reply.js'
import { operationBytes } from './asking.js'
import { invalid, optionNames } from './check-options.js'
import { checkDocuments, type InsertResult } from './insert-many.js'
import type { InsertManyOptions } from './options.js'
import { earlyRefusal, refusalOf, type Writer } from './writer.js'

/** What rows are made with. */
export interface RowsParts {
  readonly writer: Writer
  /** The document as it is to be stored: what the schema makes of it. */
  readonly passed: (document: unknown) => object | Promise<object>
  /** The insert of that document; throws for what is no document of the collection. */
  readonly operation: (document: object) => Operation
}

/**
 * Inserts all: one result per document, in order. Sent again in the same form, from any holder of the
 * session, it gives the same results, and nothing takes effect twice. Rejects as one insert does when nothing
 * is known of the whole, with TOO_LARGE for too many rows or bytes, with INVALID without a number.
 */
export async function insertRows(
  { writer, passed, operation }: RowsParts,
  documents: Iterable<unknown>,
  options: InsertManyOptions,
): Promise<InsertResult[]> {
  const early = earlyRefusal(writer, options, optionNames.rows)
  if (early !== undefined) throw early
  const { sequence, deadlineMs, signal, requestId } = options
  const own = { sequence, deadlineMs, signal }
  if (requestId !== undefined)
    throw invalid('insertMany: in a caller-numbered session rows have no request id')
  checkDocuments(documents)
  const results: InsertResult[] = []
  const places: number[] = []
  const operations: Operation[] = []
  for (const document of documents) {
    const place = results.length
    if (place === limits.batchCommandsMax) throw tooLarge(`over ${limits.batchCommandsMax} rows`)
    try {
      const stored = passed(document)
      operations.push(operation(stored instanceof Promise ? await stored : stored))
      places.push(place)
      results.push(pending)
    } catch (error) {
      const refused = refusalOf(error, writer, own)
      if (!isSillokError(refused)) throw refused
      results.push({ ok: false, error: refused })
    }
  }
  if (operations.length === 0) return results
  const bytes = operationBytes(operations)
  if (bytes > limits.batchCommandBytesMax) {
    throw tooLarge(`rows of ${bytes} bytes, ${limits.batchCommandBytesMax} allowed`)
  }
  if (writer.writeEach === undefined) throw invalid('insertMany: this writer numbers its requests itself')
  for (const [n, result] of (await writer.writeEach(operations, own, resultsOf)).entries()) {
    results[places[n] ?? 0] = result
  }
  return results
}

const pending: InsertResult = { ok: true, version: 0 }

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
