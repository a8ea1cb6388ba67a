/**
 * The answer to a command: kept whole, so that a retry gets the first answer.
 *
 * The stored form never holds the entry's own index: the version in it is filled in from the row.
 *   reply row   16 bytes hash of the request | u48 lowWater as sent | msgpack
 */
import { type Code, type ErrorDetails, SillokError } from '../base/errors.js'
import type { Sequence, Version } from '../base/ids.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'
import type { Row } from '../codec/row.js'

/** The request took effect; `value` is what its command answers (see command.ts). */
export interface Done {
  readonly ok: true
  readonly version: Version
  readonly value: unknown
}

/** The request was refused, without effect. */
export interface Refused {
  readonly ok: false
  readonly code: Code
  readonly message: string
  readonly details: ErrorDetails
}

/** The answer to a command. */
export type Reply = Done | Refused

/** A refusal with the code, for people and for programs. */
export function refuse(code: Code, message: string, details: ErrorDetails = {}): Refused {
  return { ok: false, code, message, details }
}

/** The refusal as the error that a caller gets. */
export function errorOf({ code, message, details }: Omit<Refused, 'ok'>): SillokError {
  return new SillokError(code, message, { details })
}

/** Length of the hash that binds a sequence number to its request. */
export const requestHashBytes = 16

const packedConstants = new WeakMap<object, Buffer>()

/** The value, packed once for all replies that carry it. It must never change. */
export function constantValue<T extends object>(value: T): T {
  packedConstants.set(value, packStrict({ v: value }))
  return value
}

/** The reply without its version. */
export function packReply(reply: Reply): Buffer {
  if (!reply.ok) return packStrict({ c: reply.code, m: reply.message, d: reply.details })
  const { value } = reply
  const known = typeof value === 'object' && value !== null ? packedConstants.get(value) : undefined
  return known ?? packStrict({ v: value })
}

/** The value of a reply row. */
export function encodeReply(reply: Reply, hash: Buffer, lowWater: Sequence): Buffer {
  const packed = packReply(reply)
  const bytes = Buffer.allocUnsafe(requestHashBytes + 6 + packed.length)
  if (hash.length === requestHashBytes) bytes.set(hash, 0)
  else hash.copy(bytes, 0, 0, requestHashBytes)
  bytes.writeUIntLE(lowWater, requestHashBytes, 6)
  bytes.set(packed, requestHashBytes + 6)
  return bytes
}

/** True if the kept reply belongs to a request with this hash. */
export function sameRequest(row: Row, hash: Buffer): boolean {
  return row.value.compare(hash, 0, requestHashBytes, 0, requestHashBytes) === 0
}

/** The lowWater that came with the request of this reply. */
export function lowWaterOf(row: Row): Sequence {
  return row.value.readUIntLE(requestHashBytes, 6)
}

/** The answer as it was first given. */
export function decodeReply(row: Row): Reply {
  return unpackReply(row.value.subarray(requestHashBytes + 6), row.version)
}

/** Reads what `packReply` wrote, into the reply of the entry with that version. */
export function unpackReply(packed: Buffer, version: Version): Reply {
  const stored = unpackTrusted(packed) as { v?: unknown; c?: Code; m?: string; d?: ErrorDetails }
  if (stored.c === undefined) return { ok: true, version, value: stored.v }
  return refuse(stored.c, stored.m ?? '', stored.d)
}
