/**
 * A document's row: the claims that it holds, then the document.
 *
 *   u8 count | count x (u32 constraint | u16 n | encoded value) | msgpack of the document
 *
 * From 255 claims on, the count is 255 and a u16 follows it that says how many. The list of claims is kept so
 * that releasing them never normalises again under a newer rule. It names none that the document does not
 * hold; but it may lack some that came to the document without a write of it, under a constraint that was
 * built online.
 */

import type { Entry } from '../base/entry.js'
import type { DeleteFact, PutFact } from '../codec/facts.js'
import { type RowKey, rowKinds } from '../codec/row.js'
import type { Claim } from './claims.js'
import { claimKeyOf } from './claims.js'
import { evolve } from './evolve.js'

/** A count that is followed by the real one. */
const longCount = 255

/** The value of a document's row. */
export function encodeDocumentRow(claims: readonly Claim[], document: Buffer): Buffer {
  const isLong = claims.length >= longCount
  let size = (isLong ? 3 : 1) + document.length
  for (const claim of claims) size += 6 + claim.value.length
  const row = Buffer.allocUnsafe(size)
  let at = row.writeUInt8(isLong ? longCount : claims.length, 0)
  if (isLong) at = row.writeUInt16LE(claims.length, at)
  for (const { constraint, value } of claims) {
    at = row.writeUInt32LE(constraint.id, at)
    at = row.writeUInt16LE(value.length, at)
    row.set(value, at)
    at += value.length
  }
  row.set(document, at)
  return row
}

/** The rows of the claims that the document holds. */
export function heldClaims(value: Buffer): RowKey[] {
  const keys: RowKey[] = []
  let { count, at } = listStart(value)
  for (; count > 0; count--) {
    const length = value.readUInt16LE(at + 4)
    keys.push(claimKeyOf(value.readUInt32LE(at), value.subarray(at + 6, at + 6 + length)))
    at += 6 + length
  }
  return keys
}

/** The document's msgpack form. A view. */
export function documentBytes(value: Buffer): Buffer {
  let { count, at } = listStart(value)
  for (; count > 0; count--) at += 6 + value.readUInt16LE(at + 4)
  return value.subarray(at)
}

/** How many claims are listed, and where the first one is. */
function listStart(value: Buffer): { count: number; at: number } {
  const count = value[0] ?? 0
  return count === longCount ? { count: value.readUInt16LE(1), at: 3 } : { count, at: 1 }
}

/** What the entry does to documents, in its order. */
export function documentFacts(entry: Entry): (PutFact | DeleteFact)[] {
  const facts: (PutFact | DeleteFact)[] = []
  for (const fact of evolve(entry).facts) {
    if (fact.op !== 'deleteRange' && fact.key.startsWith(rowKinds.document)) facts.push(fact)
  }
  return facts
}
