/**
 * Decides document operations: existence, versions, unique values. One operation or an atomic batch.
 *
 * Either every operation of the command is drafted, or the whole command is refused and nothing is; unless
 * its operations stand each by itself: then a refusal is part of the answer.
 */
import { assert } from '../base/assert.js'
import { entryHeadBytes } from '../base/entry.js'
import { isSillokError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { decodeKey } from '../base/tuple.js'
import { changeClaims } from './change-claims.js'
import type { Claim } from './claims.js'
import type { Decision, Operation, RefusedOperation, RequestMark, Write, WriteValue } from './command.js'
import { encodeDocumentRow } from './documents.js'
import { type Current, Draft } from './draft.js'
import { documentPrefixBytes, schemaKey } from './keys.js'
import { claimsOfOperation } from './read-set.js'
import { constantValue, packReply, type Refused, type Reply, refuse } from './reply.js'
import { checkRequest, keepRequest } from './requests.js'
import { type CollectionSchema, schemaOfRow } from './schema.js'
import { checkMark, keepReply } from './sessions.js'
import type { DecideContext, View } from './view.js'

/** Every operation as facts, or the first refusal. */
export function decideWrite(write: Write, view: View, context: DecideContext): Decision {
  const draft = new Draft(view, context.version)
  if (write.request !== undefined) {
    const known = checkRequest(draft, write.request, context)
    if (known !== undefined) return known
  }
  if (write.mark !== undefined) {
    const checked = checkMark(draft, write.mark)
    if (checked !== undefined) return checked
  }
  const made = write.isEach === true ? decideEach(draft, write) : decideAll(draft, write)
  if (draft.needs.length > 0) return { type: 'need', keys: draft.needs }
  let reply: Reply = 'ok' in made ? made : { ok: true, version: context.version, value: made }
  if (reply.ok) reply = checkSize(draft, write, reply) ?? reply
  if (!reply.ok) draft.reset()
  return finish(draft, write, reply, context)
}

/** All operations, or the first refusal. */
function decideAll(draft: Draft, { operations }: Write): WriteValue | Refused {
  const existed: boolean[] = []
  for (const operation of operations) {
    const result = decideOperation(draft, operation)
    if (typeof result === 'boolean') existed.push(result)
    else if (result !== undefined) return result
  }
  return writeValue(existed)
}

/** Those operations that are not refused, in their order: each sees what those before it left. */
function decideEach(draft: Draft, { operations, refused: before = [] }: Write): WriteValue {
  const existed: boolean[] = []
  const refused: RefusedOperation[] = [...before]
  const isRefused = new Set(before.map(({ at }) => at))
  for (const [at, operation] of operations.entries()) {
    if (isRefused.has(at)) {
      existed.push(false)
      continue
    }
    draft.mark()
    const result = decideOperation(draft, operation)
    existed.push(result === true)
    if (result === undefined || typeof result === 'boolean') continue
    draft.back()
    const { code, message, details } = result
    refused.push({ at, code, message, details })
  }
  return refused.length === 0 ? writeValue(existed) : { existed, refused }
}

/**
 * A reply that must be kept is an entry, also a refusal. Without a session, a command that changes nothing
 * logs nothing; then its version is that of the next entry, which another write will get too.
 */
function finish(draft: Draft, write: Write, reply: Reply, context: DecideContext): Decision {
  if (write.request !== undefined && !isOpen(write.request, reply)) {
    const notKept = keepRequest(draft, write.request, reply, context)
    if (notKept !== undefined) return notKept
  }
  if (write.mark !== undefined) keepReply(draft, write.mark, reply)
  const facts = draft.facts()
  return facts.length === 0 ? { type: 'answer', reply } : { type: 'entry', facts, reply }
}

/** The caller goes on with the request: this is not its answer. */
function isOpen({ isRetriedOnConflict }: RequestMark, reply: Reply): boolean {
  return isRetriedOnConflict === true && !reply.ok && reply.code === 'CONFLICT'
}

/** The answers of nearly all writes, whose stored form is made once. */
const alone: Readonly<Record<'existed' | 'absent', WriteValue>> = {
  existed: constantValue({ existed: [true] }),
  absent: constantValue({ existed: [false] }),
}

function writeValue(existed: readonly boolean[]): WriteValue {
  if (existed.length !== 1) return { existed }
  return existed[0] === true ? alone.existed : alone.absent
}

/** A kept reply holds a byte for each operation; the one of a request id stands beside the session's. */
function checkSize(
  draft: Draft,
  { mark, request, operations, isEach }: Write,
  reply: Reply,
): Refused | undefined {
  const kept = (mark === undefined ? 0 : 1) + (request === undefined ? 0 : 1)
  const replyBytes = isEach === true ? packReply(reply).length : operations.length
  const bytes = entryHeadBytes + limits.keyBytesMax + draft.factBytes() + kept * replyBytes
  if (bytes <= limits.entryBytesMax) return undefined
  return refuse('TOO_LARGE', `the change takes ${bytes} bytes of log, ${limits.entryBytesMax} allowed`)
}

/** Drafts one operation. True or false: whether the document existed; undefined: rows are missing. */
function decideOperation(draft: Draft, operation: Operation): boolean | Refused | undefined {
  const schema = schemaOf(draft, operation)
  const current = draft.get(operation.key)
  const claims = schema === undefined ? undefined : claimsFor(draft, schema, operation)
  if (schema === undefined || current === undefined || claims === undefined) return undefined
  if (schema === null) return refuse('NOT_FOUND', `collection ${operation.collection} is not defined`)
  if ('ok' in claims) return claims
  const refused = checkCondition(operation, current)
  if (refused !== undefined) return refused
  if (operation.op === 'check') return current !== null
  const held = changeClaims(draft, { schema, key: operation.key, current }, claims)
  if (held === undefined || 'ok' in held) return held
  if (operation.op === 'delete') draft.delete(operation.key)
  else {
    assert(operation.document !== undefined, `${operation.op} without a document`)
    draft.put(operation.key, encodeDocumentRow(held, operation.document))
  }
  return current !== null
}

/** The collection, as this partition's own log has it: meta may be ahead of it. */
function schemaOf(draft: Draft, operation: Operation): CollectionSchema | null | undefined {
  const row = draft.view.get(schemaKey(operation.collection))
  if (row === undefined) draft.need(schemaKey(operation.collection))
  return row ? schemaOfRow(row) : row
}

/** What the new document claims, with the claim rows looked up. */
function claimsFor(
  draft: Draft,
  schema: CollectionSchema | null,
  operation: Operation,
): readonly Claim[] | Refused | undefined {
  if (schema === null) return []
  let claims: readonly Claim[]
  try {
    claims = claimsOfOperation(schema, operation)
  } catch (error) {
    if (isSillokError(error)) return refuse(error.code, error.message, error.details)
    throw error
  }
  let missing = false
  for (const claim of claims) missing = draft.get(claim.key) === undefined || missing
  return missing ? undefined : claims
}

function checkCondition(operation: Operation, current: Current | null): Refused | undefined {
  const key = (): unknown => decodeKey(keyOf(operation))
  if (operation.op === 'insert' && current !== null) {
    const message = `insert: the key ${JSON.stringify(key())} exists, version ${current.version}`
    return refuse('EXISTS', message, { key: key(), version: current.version })
  }
  const wanted = operation.ifVersion
  if (wanted === undefined || wanted === (current?.version ?? null)) return undefined
  const is = current === null ? 'absent' : `version ${current.version}`
  const asked = wanted === null ? 'absent' : `version ${wanted}`
  const message = `${operation.op}: the document ${JSON.stringify(key())} is ${is}, not ${asked}`
  return refuse('CONFLICT', message, { key: key(), version: current?.version ?? null })
}

/** The encoded key of the document. */
function keyOf(operation: Operation): Buffer {
  return Buffer.from(operation.key.slice(documentPrefixBytes), 'latin1')
}
