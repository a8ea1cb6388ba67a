/**
 * Request ids: what a caller names a request by, so that it takes effect once, whoever sends it again, from
 * whichever process.
 *
 *   own form   rq_ | 12 hex digits: milliseconds since 1970 | 20 hex digits of chance
 *   any other  a text of 1 to 256 bytes that does not begin with rq_, say an HTTP Idempotency-Key
 *
 * The own form says when it was made: once it is too old it is refused, for ever. A bare text is forgotten
 * after its time, and then it is a new one.
 */
import { hash } from 'node:crypto'
import { SillokError } from './errors.js'
import type { WallMs } from './ids.js'
import { limits } from './limits.js'
import type { Random } from './random.js'
import { isWellFormed } from './text.js'

const prefix = 'rq_'
const form = /^rq_[0-9a-f]{32}$/
const chanceBytes = 10
/** `#` and the digits of the largest safe integer. */
const rowBytesMax = 17

/** A new id, made at this time. */
export function makeRequestId(issuedAt: WallMs, random: Random): string {
  return prefix + issuedAt.toString(16).padStart(12, '0') + random.bytes(chanceBytes).toString('hex')
}

/**
 * The id of row `row`, from 0, of a call that sends many rows under one id: what `insertMany` names its rows
 * by, to ask `outcome` about one. As old as the id, and the same every time. Throws INVALID or TOO_LARGE for
 * what is no id, or has more than 239 bytes.
 */
export function rowRequestId(id: string, row: number): string {
  checkRequestId(id)
  if (!Number.isSafeInteger(row) || row < 0) {
    throw new SillokError('INVALID', 'a row of a request is a whole number from 0')
  }
  const text = `${id}#${row}`
  if (form.test(id)) {
    const chance = hash('sha256', text, 'hex').slice(0, 2 * chanceBytes)
    return id.slice(0, -2 * chanceBytes) + chance
  }
  const allowed = limits.requestIdBytesMax - rowBytesMax
  if (Buffer.byteLength(id) <= allowed) return text
  throw new SillokError('TOO_LARGE', `the request id of many rows has at most ${allowed} bytes`)
}

/** When the id was made; undefined of a bare text, which does not say. */
export function issueTimeOf(id: string): WallMs | undefined {
  return form.test(id) ? Number.parseInt(id.slice(prefix.length, prefix.length + 12), 16) : undefined
}

/** The id, as it was given. Throws INVALID or TOO_LARGE for what is none. */
export function checkRequestId(id: unknown): string {
  if (typeof id !== 'string' || id === '') {
    throw new SillokError('INVALID', 'a request id is a non-empty string')
  }
  if (!isWellFormed(id)) throw new SillokError('INVALID', 'a request id must be well-formed text')
  const bytes = Buffer.byteLength(id)
  if (bytes > limits.requestIdBytesMax) {
    throw new SillokError('TOO_LARGE', `a request id of ${bytes} bytes, ${limits.requestIdBytesMax} allowed`)
  }
  if (id.startsWith(prefix) && !form.test(id)) {
    throw new SillokError('INVALID', `a request id that begins with ${prefix} is one that requestId() made`)
  }
  return id
}
