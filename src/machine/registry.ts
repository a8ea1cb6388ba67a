/**
 * The register of sessions, in meta: who exists, which epoch a name has, when each was last heard of.
 *
 * A session ends only here, by an entry; its id is the index of the entry that made it, so it is never given
 * out twice. All times are log times of meta.
 */
import type { LogTime, SessionEpoch, SessionId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import { packStrict, unpackTrusted } from '../codec/msgpack.js'
import type { Numbering } from './command.js'

/** A registered session: the value of an `mr` row. */
export interface Registered {
  readonly epoch: SessionEpoch
  readonly numbering: Numbering
  readonly name: string | null
  readonly input: string | null
  /** Of the registration that gave out this epoch: the same one again gets the same answer. */
  readonly nonce: string
  readonly active: LogTime
}

/** Numbers given out and sessions alive: the value of the `mi` row. */
export interface Counters {
  readonly collections: number
  readonly constraints: number
  readonly indexes: number
  readonly sessions: number
}

/** The counters of a store in which nothing was ever defined. */
export const noCounters: Counters = { collections: 0, constraints: 0, indexes: 0, sessions: 0 }

/** The value of an `mr` row. */
export function encodeRegistered(registered: Registered): Buffer {
  return packStrict(registered)
}

/** Reads the value of an `mr` row. */
export function decodeRegistered(value: Buffer): Registered {
  return unpackTrusted(value) as Registered
}

/** The value of the `mi` row. */
export function encodeCounters(counters: Counters): Buffer {
  return packStrict(counters)
}

/** Reads the value of the `mi` row. */
export function decodeCounters(value: Buffer): Counters {
  return { ...noCounters, ...(unpackTrusted(value) as Partial<Counters>) }
}

/** True once the session has been idle for too long. */
export function isIdle(registered: Registered, time: LogTime, limits: Limits): boolean {
  const life = registered.name === null ? limits.sessionIdleMs : limits.namedSessionIdleMs
  return registered.active + life < time
}

/** The value of a row that holds a session id. */
export function encodeSessionId(session: SessionId): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntLE(session, 0, 6)
  return bytes
}

/** Reads what `encodeSessionId` wrote. */
export function decodeSessionId(value: Buffer): SessionId {
  return value.readUIntLE(0, 6)
}
