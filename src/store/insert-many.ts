/**
 * Many inserts, each on its own: one result per document, in order.
 *
 * So many are in flight at a time, and documents are taken only as there is room: memory does not grow with
 * their number, but for the results. When it rejects, nothing is in flight any more.
 */
import { isSillokError, type SillokError } from '../base/errors.js'
import { rowRequestId } from '../base/request-id.js'
import type { Clock } from '../env/clock.js'
import { checkCall, invalid, noOptions, optionNames, show } from './check-options.js'
import type { InsertManyOptions, RequestOptions, Written } from './options.js'
import { unlessAnswered } from './requests.js'

/** What one row of `insertMany` came to. */
export type InsertResult =
  | ({ readonly ok: true } & Written)
  | { readonly ok: false; readonly error: SillokError }

/** Rows that are in flight at a time. */
const insertsInFlight = 1024
/** Rows that are taken in one turn of the event loop: for what is refused at once nothing else is waited. */
const rowsPerTurn = 1024

/** Inserts all; rejects with what the documents' own iterator throws, or INVALID before anything is sent. */
export async function insertMany<T>(
  documents: Iterable<T>,
  options: InsertManyOptions,
  clock: Pick<Clock, 'soon'>,
  insert: (document: T, options: RequestOptions) => Promise<Written>,
): Promise<InsertResult[]> {
  checkOptions(options)
  checkDocuments(documents)
  // As they are now: rows are sent later too, and the object is the caller's.
  const { requestId, deadlineMs, signal } = options
  const common = options === noOptions ? noOptions : { deadlineMs, signal }
  const results: InsertResult[] = []
  const rows = documents[Symbol.iterator]()
  if (typeof rows?.next !== 'function') {
    throw invalid(`insertMany: what goes through the documents must be an iterator, not ${show(rows)}`)
  }
  /** Rows were taken, and more may come: whoever makes them is told when that is over. */
  let isOpen = true
  let next = 0
  let failure: { readonly error: unknown } | undefined
  /** Until it comes no row is taken. */
  let turn: Promise<void> | undefined
  const begin = (): void => {
    turn = undefined
  }
  const lane = async (): Promise<void> => {
    try {
      while (failure === undefined) {
        while (turn !== undefined) await turn
        if (failure !== undefined) return
        isOpen = false
        const row = rows.next()
        isOpen = row.done !== true
        if (!isOpen) return
        const place = next++
        if (next % rowsPerTurn === 0) turn = new Promise<void>(resolve => clock.soon(resolve)).then(begin)
        const own =
          requestId === undefined ? common : { ...common, requestId: rowRequestId(requestId, place) }
        results[place] = await resultOf(insert(row.value, own))
      }
    } catch (error) {
      failure ??= { error }
    }
  }
  await Promise.all(Array.from({ length: insertsInFlight }, lane))
  if (failure === undefined) return results
  try {
    if (isOpen) rows.return?.()
  } catch {
    // What failed first is told.
  }
  throw failure.error
}

/** What refuses this call says nothing about an earlier one under the same id. */
function checkOptions(options: InsertManyOptions): void {
  try {
    checkCall(options, optionNames.request)
  } catch (error) {
    throw options?.requestId === undefined ? error : unlessAnswered(error)
  }
  if (options.requestId !== undefined) rowRequestId(options.requestId, 0)
}

/** Throws INVALID for what cannot be gone through. */
export function checkDocuments(documents: Iterable<unknown>): void {
  if (typeof documents === 'object' && typeof documents?.[Symbol.iterator] === 'function') return
  throw invalid(`insertMany: the documents must be a list, or iterable, not ${show(documents)}`)
}

async function resultOf(inserting: Promise<Written>): Promise<InsertResult> {
  try {
    return { ok: true, ...(await inserting) }
  } catch (error) {
    if (isSillokError(error)) return { ok: false, error }
    throw error
  }
}
