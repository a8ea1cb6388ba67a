/**
 * What is said on a connection that carries one snapshot, behind the hello: frames (see codec/frame) whose
 * stream is the partition. The one who connected says
 *
 *    8 installSnapshot   the message that announces it (message-codec.ts)
 *   20 cut               u64 term of the log's last entry before what follows; 0 if there is none
 *   21 state             bytes of the snapshot file, at most a MiB
 *   22 entries           entries of the log, as their proposers made them
 *   23 end               nothing: all was said
 *
 * and the other side answers each frame when it has dealt with it:
 *
 *   24 taken             u64 how many frames it has dealt with; with the last one the snapshot is taken over
 *   25 refused           why, UTF-8: the transfer is over
 *
 * At most `framesAhead` frames may be without an answer. Little-endian.
 */
import { SillokError } from '../base/errors.js'
import type { PartitionId } from '../base/ids.js'
import { decodeFrame, encodeFrame, messageBodyBytesMax } from '../codec/frame.js'
import { FieldReader, FieldWriter } from './message-fields.js'
import type { SnapshotPiece } from './snapshot-parcel.js'

/** Frames that are sent before the first of them is answered. */
export const framesAhead = 4

/** What the receiver says. */
export type SnapshotAnswer =
  | { readonly type: 'taken'; readonly frames: number }
  | { readonly type: 'refused'; readonly reason: string }

const kinds = { cut: 20, state: 21, entries: 22, end: 23, taken: 24, refused: 25 } as const

const reasonBytesMax = 4096

/** The frame of the piece. */
export function encodePiece(partition: PartitionId, piece: SnapshotPiece): Buffer {
  return encodeFrame(kinds[piece.type], partition, piece.type === 'cut' ? number(piece.term) : piece.bytes)
}

/** The frame behind the last piece. */
export function encodeEnd(partition: PartitionId): Buffer {
  return encodeFrame(kinds.end, partition, Buffer.alloc(0))
}

/** The piece, or the end; its bytes are a view. Throws DAMAGED, TOO_LARGE or INVALID. */
export function decodePiece(partition: PartitionId, frame: Buffer): SnapshotPiece | 'end' {
  const { kind, stream, body } = decodeFrame(frame, messageBodyBytesMax)
  if (stream !== partition) throw invalid(`a piece of partition ${stream}, of ${partition} it is`)
  if (kind === kinds.cut) return { type: 'cut', term: readNumber(body) }
  if (kind === kinds.state) return { type: 'state', bytes: body }
  if (kind === kinds.entries) return { type: 'entries', bytes: body }
  if (kind === kinds.end && body.length === 0) return 'end'
  throw invalid(`a frame of kind ${kind} is no piece`)
}

/** The frame of the answer; of a long reason its beginning. */
export function encodeAnswer(partition: PartitionId, answer: SnapshotAnswer): Buffer {
  if (answer.type === 'taken') return encodeFrame(kinds.taken, partition, number(answer.frames))
  return encodeFrame(kinds.refused, partition, Buffer.from(answer.reason).subarray(0, reasonBytesMax))
}

/** The answer. Throws DAMAGED, TOO_LARGE or INVALID. */
export function decodeAnswer(partition: PartitionId, frame: Buffer): SnapshotAnswer {
  const { kind, stream, body } = decodeFrame(frame, reasonBytesMax)
  if (stream !== partition) throw invalid(`an answer of partition ${stream}, of ${partition} it is`)
  if (kind === kinds.taken) return { type: 'taken', frames: readNumber(body) }
  if (kind === kinds.refused) return { type: 'refused', reason: body.toString() }
  throw invalid(`a frame of kind ${kind} is no answer`)
}

function number(value: number): Buffer {
  const writer = new FieldWriter(Buffer.alloc(8), 0)
  writer.index(value)
  return writer.bytes
}

function readNumber(body: Buffer): number {
  const reader = new FieldReader(body)
  const value = reader.index()
  reader.end()
  return value
}

function invalid(what: string): SillokError {
  return new SillokError('INVALID', `the sending of a snapshot: ${what}`)
}
