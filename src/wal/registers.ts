/**
 * Registers: what the log remembers per partition besides entries. A register is (partition, kind) ->
 * payload, and the last one wins; the head of every file restates all of them, so the restatement is complete
 * by construction.
 *
 * The log itself looks into three kinds only: `created` and `truncation` shape the tail, `destroyed` drops
 * all else. The other payloads are stored as they come. Numbers are little-endian. A payload that a reader
 * cannot take apart is DAMAGED: it passed the batch's CRC, so it was written wrong.
 */
import { assert } from '../base/assert.js'
import { readIndex, writeIndex } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { LogIndex, LogTime, ReplicaId, Term } from '../base/ids.js'

/** The kinds, by their number on disk: never renumbered, below 32. */
export const registerKinds = {
  created: 1,
  hardState: 2,
  configuration: 3,
  truncation: 4,
  segmentSynced: 5,
  segmentSealed: 6,
  checkpoint: 7,
  snapshot: 8,
  recovering: 9,
  destroyed: 10,
  installed: 11,
  /** The log's own: entries up to this index stand elsewhere. Not for callers. */
  released: 31,
} as const

/** One of the kinds, as its number. */
export type RegisterKind = (typeof registerKinds)[keyof typeof registerKinds]

/** One value to be remembered. The payload must not be changed after it was handed over. */
export interface Register {
  readonly kind: RegisterKind
  readonly payload: Buffer
}

/** Bytes that one payload may have: a batch must hold the largest entry and its registers. */
export const registerBytesMax = 48 * 1024

/** The replica that this node holds, and the length at which its segments are cut. */
export interface Created {
  readonly replicaId: ReplicaId
  readonly cutBytes: number
}

/** Raft's hard state; `vote` is 0 for none. */
export interface HardState {
  readonly term: Term
  readonly vote: ReplicaId
  readonly commit: LogIndex
}

/** The log begins after this entry. */
export interface Truncation {
  readonly index: LogIndex
  readonly term: Term
}

/** What of the open segment is durable. */
export interface SegmentSynced {
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly length: number
  readonly crc: number
}

/** The newest sealed segment. */
export interface SegmentSealed {
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  /** 32 bytes. */
  readonly sha256: Buffer
}

/** Entries from here on may be missing: the replica does not vote. */
export interface Recovering {
  readonly fromIndex: LogIndex
}

/** The newest snapshot that came from another replica, and took the place of state and log. */
export interface Installed {
  /** Counts them: each has a folder of its own for what it brought. */
  readonly generation: number
  /** The state was of this entry. */
  readonly index: LogIndex
  /** The log that came with it begins after this entry, where a segment ends. */
  readonly cutIndex: LogIndex
  readonly cutTerm: Term
  /** Log time of the entry at `index`. */
  readonly time: LogTime
}

/** Tombstone: no replica with this id or a lower one may come back. */
export interface Destroyed {
  readonly highestReplicaId: ReplicaId
}

/** The register that says that a replica is here: first of its partition. */
export function createdRegister(value: Created): Register {
  return { kind: registerKinds.created, payload: numbers(value.replicaId, value.cutBytes) }
}

/** What `createdRegister` wrote. */
export function decodeCreated(payload: Buffer): Created {
  const [replicaId, cutBytes] = parts(payload, 2, 'created')
  return { replicaId, cutBytes }
}

/** The register of Raft's hard state; repeated by the log in the batch after it. */
export function hardStateRegister(value: HardState): Register {
  return { kind: registerKinds.hardState, payload: numbers(value.term, value.vote, value.commit) }
}

/** What `hardStateRegister` wrote. */
export function decodeHardState(payload: Buffer): HardState {
  const [term, vote, commit] = parts(payload, 3, 'hard state')
  return { term, vote, commit }
}

/** The register that says where the log begins; it drops the tail up to there, or all of it. */
export function truncationRegister(value: Truncation): Register {
  return { kind: registerKinds.truncation, payload: numbers(value.index, value.term) }
}

/** What `truncationRegister` wrote. */
export function decodeTruncation(payload: Buffer): Truncation {
  const [index, term] = parts(payload, 2, 'truncation')
  return { index, term }
}

/** The register of the open segment; hand it over with the release of its entries. */
export function segmentSyncedRegister(value: SegmentSynced): Register {
  const payload = numbers(value.firstIndex, value.lastIndex, value.length, value.crc)
  return { kind: registerKinds.segmentSynced, payload }
}

/** What `segmentSyncedRegister` wrote. */
export function decodeSegmentSynced(payload: Buffer): SegmentSynced {
  const [firstIndex, lastIndex, length, crc] = parts(payload, 4, 'segment synced')
  return { firstIndex, lastIndex, length, crc }
}

/** The register of the newest sealed segment; hand it over with the release of its entries. */
export function segmentSealedRegister(value: SegmentSealed): Register {
  assert(value.sha256.length === 32, () => `a SHA-256 of ${value.sha256.length} bytes`)
  const payload = Buffer.concat([numbers(value.firstIndex, value.lastIndex), value.sha256])
  return { kind: registerKinds.segmentSealed, payload }
}

/** What `segmentSealedRegister` wrote. */
export function decodeSegmentSealed(payload: Buffer): SegmentSealed {
  if (payload.length !== 48) throw malformed('segment sealed', payload)
  const [firstIndex, lastIndex] = parts(payload.subarray(0, 16), 2, 'segment sealed')
  return { firstIndex, lastIndex, sha256: payload.subarray(16) }
}

/** The register that keeps a replica from voting. */
export function recoveringRegister(value: Recovering): Register {
  return { kind: registerKinds.recovering, payload: numbers(value.fromIndex) }
}

/** What `recoveringRegister` wrote. */
export function decodeRecovering(payload: Buffer): Recovering {
  const [fromIndex] = parts(payload, 1, 'recovering')
  return { fromIndex }
}

/** The register of an installed snapshot; in the append that truncates the log to its index. */
export function installedRegister(value: Installed): Register {
  const { generation, index, cutIndex, cutTerm, time } = value
  return { kind: registerKinds.installed, payload: numbers(generation, index, cutIndex, cutTerm, time) }
}

/** What `installedRegister` wrote. */
export function decodeInstalled(payload: Buffer): Installed {
  const [generation, index, cutIndex, cutTerm, time] = parts(payload, 5, 'installed')
  return { generation, index, cutIndex, cutTerm, time }
}

/** Takes a register back: from then on it is as if it had never been written. */
export function voidRegister(kind: RegisterKind): Register {
  return { kind, payload: Buffer.alloc(0) }
}

/** The tombstone; drops everything else of the partition. */
export function destroyedRegister(value: Destroyed): Register {
  return { kind: registerKinds.destroyed, payload: numbers(value.highestReplicaId) }
}

/** What `destroyedRegister` wrote. */
export function decodeDestroyed(payload: Buffer): Destroyed {
  const [highestReplicaId] = parts(payload, 1, 'destroyed')
  return { highestReplicaId }
}

/** A register whose bytes only its owner understands. */
export function opaqueRegister(kind: 'configuration' | 'checkpoint' | 'snapshot', payload: Buffer): Register {
  return { kind: registerKinds[kind], payload }
}

/** The log's own record of what stands elsewhere. */
export function releasedPayload(index: LogIndex): Buffer {
  return numbers(index)
}

/** What `releasedPayload` wrote; 0 if there is none. */
export function decodeReleased(payload: Buffer | undefined): LogIndex {
  if (payload === undefined) return 0
  const [index] = parts(payload, 1, 'released')
  return index
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(values.length * 8)
  values.forEach((value, i) => {
    writeIndex(bytes, value, i * 8)
  })
  return bytes
}

type Numbers<N extends number> = N extends 1
  ? [number]
  : N extends 2
    ? [number, number]
    : N extends 3
      ? [number, number, number]
      : N extends 4
        ? [number, number, number, number]
        : [number, number, number, number, number]

function parts<N extends 1 | 2 | 3 | 4 | 5>(payload: Buffer, count: N, what: string): Numbers<N> {
  if (payload.length !== count * 8) throw malformed(what, payload)
  const values: number[] = []
  for (let i = 0; i < count; i++) {
    const value = readIndex(payload, i * 8)
    if (!Number.isSafeInteger(value)) throw malformed(what, payload)
    values.push(value)
  }
  return values as Numbers<N>
}

function malformed(what: string, payload: Buffer): SillokError {
  return new SillokError('DAMAGED', `the register "${what}" has a malformed payload`, {
    details: { register: what, bytes: payload.length },
  })
}
