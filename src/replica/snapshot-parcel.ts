/**
 * What one replica sends another with a snapshot, piece by piece: the bytes of its newest snapshot file, then
 * the entries of the log from the last cut to the snapshot's index.
 *
 * The sender may make a newer snapshot and give up this file, or these entries, meanwhile: then the sending
 * fails, and the leader finds what to send next.
 */
import { SillokError } from '../base/errors.js'
import type { LogIndex, Term } from '../base/ids.js'
import { limits } from '../base/limits.js'
import { decodeFrame, frameHeadBytes } from '../codec/frame.js'
import type { Disk } from '../env/disk.js'
import { decodeSnapshotHead, type SnapshotHead } from '../state/snapshot-format.js'
import type { OpenedReplica } from './open-replica.js'

/** A part of what is sent: of at most a MiB, or one entry. */
export type SnapshotPiece =
  /** Before all others: how the log behind the snapshot begins. */
  | { readonly type: 'cut'; readonly term: Term }
  | { readonly type: 'state'; readonly bytes: Buffer }
  /** One after the other, as their proposers made them. */
  | { readonly type: 'entries'; readonly bytes: Buffer }

const pieceBytes = 1024 * 1024

/** The pieces of the snapshot as of that entry. Rejects when it is not, or no longer, to be had here. */
export async function* snapshotPieces(
  disk: Disk,
  { snapshots, segments, log }: Pick<OpenedReplica, 'snapshots' | 'segments' | 'log'>,
  index: LogIndex,
): AsyncGenerator<SnapshotPiece, void, void> {
  const found = snapshots.files.find(file => file.index === index)
  if (found === undefined) throw gone(index)
  const file = await disk.open(found.path)
  try {
    const { lastCut } = headOf(found.path, await file.read(0, limits.snapshotFrameBytes))
    // Also of the entry that the log was just trimmed up to.
    const term = log.term(lastCut)
    if (term === undefined) throw gone(index)
    yield { type: 'cut', term }
    for (let at = 0; at < found.bytes; at += pieceBytes) {
      yield { type: 'state', bytes: await file.read(at, Math.min(pieceBytes, found.bytes - at)) }
    }
    for await (const entries of segments.chunks(lastCut + 1, index)) {
      yield { type: 'entries', bytes: Buffer.concat(entries.map(({ bytes }) => bytes)) }
    }
  } finally {
    await file.close()
  }
}

/** What the file's first frame says. */
function headOf(path: string, bytes: Buffer): SnapshotHead {
  const length = bytes.length < frameHeadBytes ? 0 : frameHeadBytes + bytes.readUInt32LE(4)
  return decodeSnapshotHead(path, decodeFrame(bytes.subarray(0, length)).body)
}

function gone(index: LogIndex): SillokError {
  return new SillokError('LOG_TRUNCATED', `the snapshot of entry ${index} is not kept any more`)
}
