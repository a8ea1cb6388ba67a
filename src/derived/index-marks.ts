/**
 * The marks in an index store: what proves that no batch is missing.
 *
 *   !p             u64 position | u64 number of the batch | u8 flags | key after which the build goes on
 *   !m | u64be n   batch n was written: empty
 *   !c             u64 n: batches up to n are in synced tables
 *   !s             u64 n: the synced write that proves it
 *   !k             u64: documents that are skipped; none if it is not there
 *   !b             u64 wall time in ms | u64 position: when the index was built
 *
 * Each batch carries `!p` and its own `!m`, so a batch that LevelDB lost from the middle leaves a gap. The
 * newest ones may be lost without a trace: the index is then as it was before them.
 */
import { readIndex, writeIndex } from '../base/entry.js'
import type { LogIndex } from '../base/ids.js'
import { type DocumentKey, decodeKey } from '../base/tuple.js'
import { noBytes, sealValue } from './stored-value.js'

/** How far the build from the state has come. */
export type BuildProgress =
  | { readonly done: true }
  /** The encoded key after which the build goes on; undefined: from the first. */
  | { readonly done: false; readonly after: Buffer | undefined }

/** The last key that the build has read; undefined before the first, and when it is done. */
export function builtThrough(build: BuildProgress | undefined): DocumentKey | undefined {
  return build === undefined || build.done || build.after === undefined ? undefined : decodeKey(build.after)
}

/** How far an index is. */
export interface IndexPosition {
  readonly position: LogIndex
  /** The number of the batch that wrote it, from 1. */
  readonly batch: number
  readonly build: BuildProgress
}

/** When an index was built from its documents. */
export interface BuiltAt {
  /** By the wall clock. */
  readonly wallMs: number
  readonly position: LogIndex
}

/** Names of the marks that stand alone. */
export const markKeys = {
  position: Buffer.from('!p'),
  checkpoint: Buffer.from('!c'),
  probe: Buffer.from('!s'),
  skipped: Buffer.from('!k'),
  built: Buffer.from('!b'),
} as const

const headBytes = 17
const flagDone = 1
const flagAfter = 2

/** The key of batch n's mark: ordered by n. */
export function markerKey(batch: number): Buffer {
  const bytes = Buffer.from('!m        ')
  bytes.writeUInt32BE(Math.floor(batch / 2 ** 32), 2)
  bytes.writeUInt32BE(batch % 2 ** 32, 6)
  return bytes
}

/** The number in a batch's mark; undefined for another key. */
export function markerBatch(key: Buffer): number | undefined {
  if (key.length !== 10 || key[0] !== 0x21 || key[1] !== 0x6d) return undefined
  return key.readUInt32BE(2) * 2 ** 32 + key.readUInt32BE(6)
}

/** The range of the marks of batches after n. */
export function markersAfter(batch: number): { gt: Buffer; lt: Buffer } {
  return { gt: markerKey(batch), lt: Buffer.from('!n') }
}

/** The stored form of batch n's mark. */
export function sealMarker(key: Buffer): Buffer {
  return sealValue(key, noBytes)
}

/** The stored form of a mark that holds a number. */
export function sealNumber(key: Buffer, number: number): Buffer {
  const bytes = Buffer.alloc(8)
  writeIndex(bytes, number, 0)
  return sealValue(key, bytes)
}

/** The number in such a mark, checked before; undefined if it holds none. */
export function readNumber(rest: Buffer): number | undefined {
  return rest.length === 8 ? readIndex(rest, 0) : undefined
}

/** The stored form of `!b`. */
export function sealBuilt({ wallMs, position }: BuiltAt): Buffer {
  const bytes = Buffer.alloc(16)
  writeIndex(bytes, Math.max(0, Math.floor(wallMs)), 0)
  writeIndex(bytes, position, 8)
  return sealValue(markKeys.built, bytes)
}

/** What `!b` says, checked before; undefined if it is none. */
export function readBuilt(rest: Buffer): BuiltAt | undefined {
  return rest.length === 16 ? { wallMs: readIndex(rest, 0), position: readIndex(rest, 8) } : undefined
}

/** The stored form of `!p`. */
export function sealPosition({ position, batch, build }: IndexPosition): Buffer {
  const after = build.done ? undefined : build.after
  const bytes = Buffer.alloc(headBytes + (after?.length ?? 0))
  writeIndex(bytes, position, 0)
  writeIndex(bytes, batch, 8)
  bytes[16] = (build.done ? flagDone : 0) | (after === undefined ? 0 : flagAfter)
  if (after !== undefined) bytes.set(after, headBytes)
  return sealValue(markKeys.position, bytes)
}

/** What `!p` says, checked before; undefined if it is none. */
export function readPosition(rest: Buffer): IndexPosition | undefined {
  const flags = rest[16]
  if (flags === undefined) return undefined
  const after = (flags & flagAfter) === 0 ? undefined : Buffer.from(rest.subarray(headBytes))
  const build: BuildProgress = (flags & flagDone) === 0 ? { done: false, after } : { done: true }
  return { position: readIndex(rest, 0), batch: readIndex(rest, 8), build }
}
