/**
 * The index type `secondary`: documents in the order of some of their fields.
 *
 * A document whose value in a field has no order (an object, or an array that holds one) is stored like any
 * other and has no row; of a field with many values only such elements have none. A field that is missing
 * counts as null; in a sparse index a document that lacks one has no row, and a null element has none.
 * A field with many values: an empty array has no row, what is no array counts as its only element.
 *
 * Values of more than `limits.indexedValueBytesMax` encoded bytes are cut in the row. Documents whose values
 * agree up to there are not ordered by the rest of them, and a hit that rests on it is told as not exact.
 *
 * Keys of a document's rows take `limits.indexedRowsBytesMax` at most: a document with more is refused.
 *
 * A document answers a question once: at the first of its rows, in the order asked for, that lies in the
 * range. Between pages documents may change: each page holds for the rows as of its own scan. A document that
 * does not change comes exactly once; one whose rows move may be missed, or come again.
 */
import { SillokError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type DocumentKey, decodeKey, encodeKey } from '../../base/tuple.js'
import type {
  DerivedIndex,
  IndexChange,
  IndexOps,
  IndexRange,
  IndexRow,
  IndexRows,
  IndexType,
  KeyedDocument,
} from '../contract.js'
import { configureSecondary, type SecondaryConfig } from './config.js'
import { checkQuery, queryRange, type RowRange, type SecondaryQuery } from './query.js'
import {
  type DocumentRows,
  documentRows,
  type IndexShape,
  indexShape,
  neighbour,
  notedRows,
  rowDocument,
  rowKeysBytes,
  rowsNote,
  storedRows,
} from './rows.js'

/** A document that answers: what `query()` yields for a secondary index, where `find` reads the documents. */
export interface SecondaryHit {
  /** The document's key. */
  readonly key: DocumentKey
  /** The key of its row: a later query with `after: row` goes on behind it. */
  readonly row: Buffer
  /**
   * False: a value of more than `limits.indexedValueBytesMax` was cut in the row or in the question, so only
   * the document itself tells whether it answers. `find` looks, and leaves out those that do not.
   */
  readonly exact: boolean
}

const cutBytes = limits.indexedValueBytesMax
/** Changes between two looks at the clock. */
const changesPerLook = 32

/** The index type. */
export const secondary: IndexType<SecondaryConfig, SecondaryQuery, SecondaryHit> = {
  type: 'secondary',
  version: 1,
  configure: configureSecondary,
  open: config => new SecondaryIndex(config),
  // Other fields are asked otherwise, and one that is sparse now lacks what the other one has.
  sameQuestions: () => false,
}

/**
 * True if the document answers the question, `after` and `limit` aside: what the index says, from the whole
 * values. INVALID as for the query itself.
 */
export function matches(
  config: SecondaryConfig,
  query: SecondaryQuery,
  document: Readonly<Record<string, unknown>>,
): boolean {
  checkQuery(query)
  const range = queryRange(config, query, Number.POSITIVE_INFINITY)
  const rows = documentRows(indexShape(config), document, Number.POSITIVE_INFINITY)
  if (rows === undefined) return false
  return rows.elements.some(element => within(Buffer.concat([rows.head, element, rows.tail]), range))
}

/** A name for what is asked, the same for all pages: for cursors. INVALID as for the query itself. */
export function queryIdentity(config: SecondaryConfig, query: SecondaryQuery): Buffer {
  checkQuery(query)
  const { gte, lt } = queryRange(config, query, Number.POSITIVE_INFINITY)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(gte.length)
  return Buffer.concat([length, gte, lt])
}

class SecondaryIndex implements DerivedIndex<SecondaryQuery, SecondaryHit> {
  readonly #config: SecondaryConfig
  readonly #shape: IndexShape

  constructor(config: SecondaryConfig) {
    this.#config = config
    this.#shape = indexShape(config)
  }

  check({ key, document }: KeyedDocument): void {
    // Without many values it has one row, and a row fits.
    if (this.#shape.each < 0) return
    const rows = documentRows(this.#shape, document, cutBytes)
    if (rows !== undefined) checkedNote(rows, encodeKey(key))
  }

  async apply(changes: readonly IndexChange[], rows: IndexRows, ops: IndexOps): Promise<void> {
    for (const [n, change] of changes.entries()) {
      this.#apply(change, ops)
      const late = n % changesPerLook === 0 ? rows.pause() : undefined
      if (late !== undefined) await late
    }
  }

  query(query: SecondaryQuery, rows: IndexRows): AsyncIterable<readonly SecondaryHit[]> {
    checkQuery(query)
    return hitPages(query, queryRange(this.#config, query, cutBytes), rows)
  }

  #apply(change: IndexChange, ops: IndexOps): void {
    const { keyBytes, document, note } = change
    const now = document === undefined ? undefined : documentRows(this.#shape, document, cutBytes)
    const nowNote = now === undefined ? undefined : checkedNote(now, keyBytes)
    if (nowNote === undefined ? note === undefined : note?.equals(nowNote)) return
    const rows = now === undefined ? [] : storedRows(now, keyBytes)
    if (note !== undefined) {
      const kept = new Set(rows.map(([row]) => row.toString('latin1')))
      for (const [row] of storedRows(notedRows(note), keyBytes)) {
        if (!kept.has(row.toString('latin1'))) ops.delete(row)
      }
    }
    for (const [row, value] of rows) ops.put(row, value)
    ops.note(change, nowNote)
  }
}

/** The note of the rows. TOO_LARGE if there are too many of them; one alone fits. */
function checkedNote(rows: DocumentRows, keyBytes: Buffer): Buffer {
  if (rows.elements.length === 1) return rowsNote(rows)
  const allowed = limits.indexedRowsBytesMax
  const bytes = rowKeysBytes(rows, keyBytes)
  const note = bytes > allowed ? undefined : rowsNote(rows)
  if (note !== undefined && note.length <= allowed) return note
  const [key, count] = [decodeKey(keyBytes), rows.elements.length]
  const size = `${count} rows in one index, ${note?.length ?? bytes} bytes`
  const message = `document ${JSON.stringify(key)} has ${size}; at most ${allowed}`
  throw new SillokError('TOO_LARGE', message, { details: { key, rows: count, limit: allowed } })
}

async function* hitPages(
  query: SecondaryQuery,
  range: RowRange,
  rows: IndexRows,
): AsyncGenerator<readonly SecondaryHit[]> {
  const reverse = query.reverse ?? false
  const scanned = scanRange(range, query.after, reverse)
  if (scanned === undefined) return
  let left = query.limit ?? Number.POSITIVE_INFINITY
  for await (const page of rows.scan(scanned, Math.min(left, limits.scanPageRows))) {
    const hits: SecondaryHit[] = []
    for (const row of page) {
      if (left === 0) break
      // An earlier row of the same document lies in the range: it was told there.
      const earlier = neighbour(row, reverse ? 'after' : 'before')
      if (earlier !== undefined && within(earlier, range)) continue
      hits.push({ key: rowDocument(row), row: row[0], exact: !isDoubtful(row, range) })
      left--
    }
    if (hits.length > 0) yield hits
    if (left === 0) return
  }
}

/** The rows to read: the range, from the cursor on; undefined if there can be none. */
function scanRange(range: RowRange, after: Uint8Array | undefined, reverse: boolean): IndexRange | undefined {
  const { gte, lt } = range
  if (after !== undefined && !reverse && Buffer.compare(after, gte) >= 0) {
    return Buffer.compare(after, lt) < 0 ? { gt: after, lt } : undefined
  }
  const end = after !== undefined && reverse && Buffer.compare(after, lt) < 0 ? after : lt
  return Buffer.compare(gte, end) < 0 ? { gte, lt: end, reverse } : undefined
}

function within(row: Buffer, { gte, lt }: RowRange): boolean {
  return row.compare(gte) >= 0 && row.compare(lt) < 0
}

function isDoubtful([row]: IndexRow, { doubtful }: RowRange): boolean {
  return doubtful.some(begin => row.subarray(0, begin.length).equals(begin))
}
