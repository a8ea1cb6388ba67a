/**
 * Which rows a command will look at, as far as its bytes and the schema in memory tell: what to load before
 * decide.
 */
import { isSillokError } from '../base/errors.js'
import { decodeDocument } from '../codec/document.js'
import type { Row, RowKey } from '../codec/row.js'
import { type Claim, claimsOf } from './claims.js'
import type { Command, Operation } from './command.js'
import { requestKey, schemaKey } from './keys.js'
import { type CollectionSchema, schemaOfRow } from './schema.js'

/** Looks a row up in memory: undefined if it may be on disk only. */
export type InMemory = (key: RowKey) => Row | null | undefined

/** Adds the keys of the rows to load. decide may ask for more: those that only a loaded row names. */
export function missingRows(command: Command, inMemory: InMemory, missing: RowKey[]): void {
  if (command.type === 'outcome') add(requestKey(command.slot, command.id), inMemory, missing)
  if (command.type === 'dropRequests' || command.type === 'backfill' || command.type === 'dropClaims') {
    for (const key of command.keys) add(key, inMemory, missing)
  }
  if (command.type !== 'write') return
  const { request } = command
  if (request !== undefined) add(requestKey(request.slot, request.id), inMemory, missing)
  for (const operation of command.operations) {
    add(operation.key, inMemory, missing)
    for (const { key } of claimsIn(operation, inMemory)) add(key, inMemory, missing)
  }
}

function add(key: RowKey, inMemory: InMemory, missing: RowKey[]): void {
  if (inMemory(key) === undefined) missing.push(key)
}

const none: readonly Claim[] = []

/** The claims of the new document under the schema in memory. */
function claimsIn(operation: Operation, inMemory: InMemory): readonly Claim[] {
  const row = inMemory(schemaKey(operation.collection))
  if (!row) return none
  try {
    return claimsOfOperation(schemaOfRow(row), operation)
  } catch (error) {
    // decide will meet the same value and refuse the command.
    if (isSillokError(error)) return none
    throw error
  }
}

/** The claims of the new document; computed once for each schema and kept with the operation. */
export function claimsOfOperation(schema: CollectionSchema, operation: Operation): readonly Claim[] {
  if (schema.unique.length === 0 || operation.document === undefined) return none
  let { made } = operation
  // The schema may change while the command waits: then so do the claims.
  if (made?.schema !== schema) {
    made = { schema, claims: claimsOf(schema, decodeDocument(operation.document)) }
    operation.made = made
  }
  return made.claims
}
