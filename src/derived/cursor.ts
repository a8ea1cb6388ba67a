/**
 * Cursors: where a query goes on, as text that can be handed to somebody else and back.
 *
 *   base64url of: 1 byte format · 1 byte direction · 16 bytes digest of the index's identity ·
 *   16 bytes digest of the query · the last row's key · 16 bytes HMAC-SHA256 of all before
 *
 * The digests are the first bytes of SHA-256, the HMAC is under the store's secret: whoever has a cursor can
 * read the row key in it, and cannot make another one. A cursor takes no memory in the store and never
 * expires.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { SillokError } from '../base/errors.js'

/** What a cursor belongs to. */
export interface CursorQuestion {
  /** The index and everything that its rows depend on: its id, version and configuration. */
  readonly index: string | Uint8Array
  /** What is asked, the same for all pages. */
  readonly query: Uint8Array
  readonly reverse: boolean
}

const format = 1
const digestBytes = 16
const rowAt = 2 + 2 * digestBytes
const textMax = 64 * 1024

/** The cursor that goes on after this row. */
export function encodeCursor(question: CursorQuestion, row: Uint8Array, secret: Uint8Array): string {
  const head = Buffer.of(format, question.reverse ? 1 : 0)
  const body = Buffer.concat([head, digest(question.index), digest(question.query), row])
  return Buffer.concat([body, seal(body, secret)]).toString('base64url')
}

/**
 * The row after which to go on. INVALID if the text is no cursor, is none of this store, or was given for
 * another index, query or direction: the message and `details.mismatch` say which.
 */
export function decodeCursor(text: string, question: CursorQuestion, secret: Uint8Array): Buffer {
  const bytes = Buffer.from(typeof text === 'string' && text.length <= textMax ? text : '', 'base64url')
  if (bytes.length < rowAt + digestBytes || bytes.toString('base64url') !== text) {
    throw refused('text', 'not the text of a cursor')
  }
  const body = bytes.subarray(0, -digestBytes)
  if (!timingSafeEqual(bytes.subarray(-digestBytes), seal(body, secret))) {
    throw refused('store', 'of another store, or altered')
  }
  if (body[0] !== format) throw refused('format', `of another release: format ${body[0]}, not ${format}`)
  if (!body.subarray(2, 2 + digestBytes).equals(digest(question.index))) {
    throw refused('index', 'of another index, or of another version of it')
  }
  if (!body.subarray(2 + digestBytes, rowAt).equals(digest(question.query))) {
    throw refused('query', 'of another query')
  }
  if (body[1] !== (question.reverse ? 1 : 0)) throw refused('direction', 'of the other direction')
  return Buffer.from(body.subarray(rowAt))
}

function digest(value: string | Uint8Array): Buffer {
  return createHash('sha256').update(value).digest().subarray(0, digestBytes)
}

function seal(body: Uint8Array, secret: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(body).digest().subarray(0, digestBytes)
}

function refused(mismatch: string, why: string): SillokError {
  return new SillokError('INVALID', `this cursor is ${why}`, { details: { mismatch } })
}
