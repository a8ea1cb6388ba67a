/**
 * A document's row: the claims that it holds, then the document.
 *
 *   varint count | count x (u32 constraint | u16 n | encoded value) | msgpack of the document
 *
 * The list of claims is kept so that releasing them never normalises again under a newer rule.
 */

import type { RowKey } from '../codec/row.js'
import type { Claim } from './claims.js'
import { claimKeyOf } from './claims.js'

function withoutClaims(document: Buffer): Buffer {
  const value = Buffer.allocUnsafe(1 + document.length)
  value[0] = 0
  value.set(document, 1)
  return value
}

/** The value of a document's row. */
export function encodeDocumentRow(claims: readonly Claim[], document: Buffer): Buffer {
  if (claims.length === 0) return withoutClaims(document)
  const parts: Buffer[] = [Buffer.from([claims.length])]
  for (const claim of claims) {
    const head = Buffer.allocUnsafe(6)
    head.writeUInt32LE(claim.constraint.id, 0)
    head.writeUInt16LE(claim.value.length, 4)
    parts.push(head, claim.value)
  }
  parts.push(document)
  return Buffer.concat(parts)
}

/** The rows of the claims that the document holds. */
export function heldClaims(value: Buffer): RowKey[] {
  const keys: RowKey[] = []
  let at = 1
  for (let i = 0; i < (value[0] ?? 0); i++) {
    const length = value.readUInt16LE(at + 4)
    keys.push(claimKeyOf(value.readUInt32LE(at), value.subarray(at + 6, at + 6 + length)))
    at += 6 + length
  }
  return keys
}

/** The document's msgpack form. A view. */
export function documentBytes(value: Buffer): Buffer {
  let at = 1
  for (let i = 0; i < (value[0] ?? 0); i++) at += 6 + value.readUInt16LE(at + 4)
  return value.subarray(at)
}
