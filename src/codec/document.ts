/**
 * A document as bytes: one MessagePack map. What is stored comes back equal, or it was refused; these bytes
 * are made once, by the leader, and stored by every replica as they came.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import { packStrict, unpackTrusted } from './msgpack.js'
import { documentValueLimits, isPlainObject } from './value.js'

/** A document, decoded. */
export type Document = Record<string, unknown>

/**
 * The document's bytes. INVALID unless it is a plain object of what may be stored (the path is named);
 * TOO_LARGE above `limits.documentBytesMax`, with the measured size in `details.bytes`.
 */
export function encodeDocument(value: unknown): Buffer {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !isPlainObject(value)) {
    throw new SillokError('INVALID', `a document is a plain object, not ${kindOf(value)}`, {
      details: { path: '$' },
    })
  }
  return packStrict(value, documentValueLimits)
}

/** The document in bytes of our own, which a checksum has passed. Shares no memory with them. */
export function decodeDocument(bytes: Uint8Array): Document {
  const first = bytes[0] ?? 0
  assert(
    (first & 0xf0) === 0x80 || first === 0xde || first === 0xdf,
    () => `no document: begins with ${first}`,
  )
  return unpackTrusted(bytes) as Document
}

function kindOf(value: unknown): string {
  if (value === null || typeof value === 'undefined') return String(value)
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an instance of a class' : `a ${typeof value}`
}
