/**
 * A document's row: the claims that it holds, then the document.
 *
 *   u8 count | count x (u32 constraint | u16 n | encoded value) | msgpack of the document
 *
 * The list of claims is kept so that releasing them never normalises again under a newer rule.
 */

import type { Entry } from '../base/entry.js'
import type { DeleteFact, PutFact } from '../codec/facts.js'
import { type RowKey, rowKinds } from '../codec/row.js'
import type { Claim } from './claims.js'
import { claimKeyOf } from './claims.js'
import { evolve } from './evolve.js'

/** The value of a document's row. */
export function encodeDocumentRow(claims: readonly Claim[], document: Buffer): Buffer {
  let size = 1 + document.length
  for (const claim of claims) size += 6 + claim.value.length
  const row = Buffer.allocUnsafe(size)
  let at = row.writeUInt8(claims.length, 0)
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

/** What the entry does to documents, in its order. */
export function documentFacts(entry: Entry): (PutFact | DeleteFact)[] {
  const facts: (PutFact | DeleteFact)[] = []
  for (const fact of evolve(entry).facts) {
    if (fact.op !== 'deleteRange' && fact.key.startsWith(rowKinds.document)) facts.push(fact)
  }
  return facts
}
