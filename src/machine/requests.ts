/**
 * Exactly-once by request id: what is kept under an id, and how much of it a slot may hold.
 *
 *   key     r | slot | id                      the slot is a function of the request's bytes alone
 *   value   u48 log time at which it was logged | 16 bytes hash of the request | msgpack of the reply
 *           u48 log time                        a fence: the request never executes
 *   count   mk | slot: u32 ids | u48 bytes of their keys and values
 *
 * A kept id stays for its life in log time, whatever comes; at the limit new ones are refused. Checks run in
 * this order: kept answer, age of the id, then what the session says. So what is said of an id never depends
 * on the session in which it was sent again.
 */
import { assert } from '../base/assert.js'
import type { LogTime, SlotId } from '../base/ids.js'
import { issueTimeOf } from '../base/request-id.js'
import type { Row, RowKey } from '../codec/row.js'
import type { Decision, RequestMark, RequestName } from './command.js'
import type { Draft } from './draft.js'
import { requestCountKey, requestKey } from './keys.js'
import { packReply, type Refused, type Reply, refuse, requestHashBytes, unpackReply } from './reply.js'
import type { DecideContext } from './view.js'

const timeBytes = 6
const replyAt = timeBytes + requestHashBytes

/** How many request ids a slot keeps: the value of an `mk` row. */
export interface RequestCount {
  readonly ids: number
  readonly bytes: number
}

/** Reads the value of an `mk` row; undefined: there is none. */
export function decodeRequestCount(value: Buffer | undefined): RequestCount {
  return value === undefined
    ? { ids: 0, bytes: 0 }
    : { ids: value.readUInt32LE(0), bytes: value.readUIntLE(4, 6) }
}

/** The value of an `mk` row. */
export function encodeRequestCount({ ids, bytes }: RequestCount): Buffer {
  const value = Buffer.alloc(10)
  value.writeUInt32LE(ids, 0)
  value.writeUIntLE(bytes, 4, 6)
  return value
}

/** When the id was logged. */
export function requestTime(value: Buffer): LogTime {
  return value.readUIntLE(0, timeBytes)
}

/** What the row weighs in its slot's count. */
export function requestBytes(key: RowKey, value: Buffer): number {
  return key.length + value.length
}

/** The first answer to the request; undefined of a fence. `version` is that of the row. */
export function keptAnswer({ value, version }: Pick<Row, 'value' | 'version'>): Reply | undefined {
  return value.length === timeBytes ? undefined : unpackReply(value.subarray(replyAt), version)
}

/** True if the row is no fence and belongs to a request with this hash. */
export function isSameRequest(value: Buffer, hash: Buffer): boolean {
  return value.compare(hash, 0, requestHashBytes, timeBytes, replyAt) === 0
}

/** What the id says about the write before anything else is decided; undefined: go on. */
export function checkRequest(
  draft: Draft,
  request: RequestMark,
  context: DecideContext,
): Decision | undefined {
  const key = requestKey(request.slot, request.id)
  const row = draft.get(key)
  if (row === undefined) return { type: 'need', keys: draft.needs }
  if (row === null) {
    const refused = checkAge(request, context)
    return refused && { type: 'answer', reply: refused }
  }
  const reply = keptAnswer(row)
  if (reply === undefined) return { type: 'answer', reply: fenced(request) }
  if (!isSameRequest(row.value, request.hash)) return { type: 'answer', reply: reused(request) }
  const index = draft.view.inFlight(key)
  return index === undefined ? { type: 'replay', reply } : { type: 'latch', index }
}

/** Refuses an id of which nothing is kept if its answer may have been forgotten. */
export function checkAge({ id }: RequestName, { wallMs, limits }: DecideContext): Refused | undefined {
  const issued = issueTimeOf(id)
  if (issued === undefined) return undefined
  const age = wallMs - issued
  const max = limits.requestIdAgeMsMax
  if (age > max) {
    return refuse('REQUEST_ID_EXPIRED', `the request id was made ${age} ms ago, ${max} allowed`, { id })
  }
  if (-age <= max) return undefined
  return refuse('INVALID', `the request id says that it was made ${-age} ms from now: check the clocks`, {
    id,
  })
}

/** The refusal of a request that was fenced. */
export function fenced({ id }: RequestName): Refused {
  return refuse('REQUEST_FENCED', 'the outcome of this request was asked for before it came', { id })
}

/** The refusal of another request under the same id. */
export function reused({ id }: RequestName): Refused {
  return refuse('REQUEST_ID_REUSED', 'the request id belongs to another request', { id })
}

/** Keeps the reply under the id. What it returns, if anything, is the decision instead. */
export function keepRequest(
  draft: Draft,
  request: RequestMark,
  reply: Reply,
  context: DecideContext,
): Decision | undefined {
  const packed = packReply(reply)
  const value = Buffer.allocUnsafe(replyAt + packed.length)
  value.writeUIntLE(context.time, 0, timeBytes)
  request.hash.copy(value, timeBytes, 0, requestHashBytes)
  value.set(packed, replyAt)
  return keep(draft, request, value, context)
}

/** Keeps that the request must never execute. What it returns, if anything, is the decision instead. */
export function keepFence(draft: Draft, name: RequestName, context: DecideContext): Decision | undefined {
  const value = Buffer.allocUnsafe(timeBytes)
  value.writeUIntLE(context.time, 0, timeBytes)
  return keep(draft, name, value, context)
}

/** The row is not there: the caller has looked. */
function keep(
  draft: Draft,
  { id, slot }: RequestName,
  value: Buffer,
  { limits }: DecideContext,
): Decision | undefined {
  const count = countOf(draft, slot)
  if (count === undefined) return { type: 'need', keys: draft.needs }
  const key = requestKey(slot, id)
  const ids = count.ids + 1
  const bytes = count.bytes + requestBytes(key, value)
  if (ids > limits.requestIdsPerSlotMax || bytes > limits.requestIdBytesPerSlotMax) {
    const message = `slot ${slot} keeps ${count.ids} request ids, ${count.bytes} bytes: no room for a new one`
    return { type: 'answer', reply: refuse('REQUEST_IDS_FULL', message, { slot, ...count }) }
  }
  draft.put(key, value)
  draft.put(requestCountKey(slot), encodeRequestCount({ ids, bytes }))
  return undefined
}

/** Counts the slot's ids anew, so many being gone; the count of none is no row. */
export function countLess(draft: Draft, slot: SlotId, gone: RequestCount): void {
  const count = countOf(draft, slot)
  if (count === undefined) return
  const left = { ids: count.ids - gone.ids, bytes: count.bytes - gone.bytes }
  assert(left.ids >= 0 && left.bytes >= 0, () => `slot ${slot}: ${count.ids} ids, ${gone.ids} of them go`)
  if (left.ids === 0) draft.delete(requestCountKey(slot))
  else draft.put(requestCountKey(slot), encodeRequestCount(left))
}

function countOf(draft: Draft, slot: SlotId): RequestCount | undefined {
  const row = draft.get(requestCountKey(slot))
  return row === undefined ? undefined : decodeRequestCount(row?.value)
}
