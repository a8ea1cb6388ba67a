/**
 * Who holds a unique value: its claim names the document, and the document lists the claim or has the value.
 *
 * These are two rows. A change between the two reads shows as a mismatch; then both are read again, at last
 * as of one moment, which costs more: there they belong together, or something is damaged.
 */
import { SillokError } from '../base/errors.js'
import { decodeDocument } from '../codec/document.js'
import type { Row, RowKey } from '../codec/row.js'
import { tryClaims } from '../machine/change-claims.js'
import { type Claim, decodeClaim } from '../machine/claims.js'
import { documentBytes, heldClaims } from '../machine/documents.js'
import { documentRow } from '../machine/keys.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { Reader } from './reader.js'

type ReadRow = (key: RowKey) => Row | null | Promise<Row | null>

/** How often two reads are tried that need not be of one moment. */
const triesMax = 3

/** The row of the document that holds the claim; null if there is none. DAMAGED if it lacks the claim. */
export async function holderOf(
  reader: Pick<Reader, 'row' | 'ofOneMoment'>,
  schema: CollectionSchema,
  claim: Claim,
): Promise<Row | null> {
  for (let tries = 1; tries <= triesMax; tries++) {
    const found = await tryHolder(key => reader.row(key), schema, claim)
    if (found !== undefined) return found
  }
  const found = await reader.ofOneMoment(view =>
    tryHolder(async key => (await view.getMany([key]))[0] ?? null, schema, claim),
  )
  if (found !== undefined) return found
  throw new SillokError('DAMAGED', `${schema.name}: a unique value is held by a document that lacks it`)
}

/** The document's row; null: nobody holds the value; undefined: the rows do not belong together. */
async function tryHolder(
  read: ReadRow,
  schema: CollectionSchema,
  wanted: Claim,
): Promise<Row | null | undefined> {
  const claim = await read(wanted.key)
  if (claim === null) return null
  const row = await read(documentRow(schema.id, decodeClaim(claim.value).holder))
  return row !== null && has(row, wanted) ? row : undefined
}

/** The document lists the claim; or, since it came to it without a write, its fields say so. */
function has({ value }: Row, { key, constraint }: Claim): boolean {
  if (heldClaims(value).includes(key)) return true
  if (constraint.online !== true) return false
  return tryClaims(constraint, decodeDocument(documentBytes(value)))?.some(one => one.key === key) === true
}
