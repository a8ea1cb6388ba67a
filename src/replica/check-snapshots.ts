/**
 * Reads the snapshot files of a partition that nobody has open, and says what is wrong with them; writes
 * nothing. One of them is the base of what is computed from a log that has lost its head.
 */
import { atByte, type Findings } from '../base/finding.js'
import type { LogIndex } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import { readSnapshot, type StoredRow, snapshotRows } from '../state/snapshot-reader.js'
import { decodeSnapshots, snapshotName } from '../state/snapshot-record.js'

/** A snapshot file that counts and holds. */
export interface CheckedSnapshot {
  readonly path: string
  readonly index: LogIndex
  readonly digests: Uint32Array
}

/** Which files, and what the write-ahead log remembers of them. */
export interface SnapshotsCheck {
  readonly disk: Disk
  readonly folder: string
  readonly recorded: Buffer | undefined
}

/** Reads them all. Those that hold, the oldest first. */
export async function checkSnapshots(
  { disk, folder, recorded }: SnapshotsCheck,
  findings: Findings,
): Promise<readonly CheckedSnapshot[]> {
  const checked: CheckedSnapshot[] = []
  const records = (await findings.attempt(folder, async () => decodeSnapshots(recorded))) ?? []
  for (const name of await disk.list(folder)) {
    if (records.some(({ index }) => snapshotName(index) === name)) continue
    findings.note(joinPath(folder, name), '', 'does not count: it goes at the next opening')
  }
  for (const { index, sha256 } of records) {
    const path = joinPath(folder, snapshotName(index))
    if ((await disk.sizeOf(path)) === undefined) {
      findings.fault(path, '', 'was recorded and is missing')
      continue
    }
    const read = await findings.attempt(path, () => readSnapshot(disk, path))
    if (read === undefined) continue
    findings.read(read.bytes)
    if (read.head.index === index && read.sha256.equals(sha256)) {
      checked.unshift({ path, index, digests: read.digests })
    } else findings.fault(path, atByte(0), 'another content was recorded')
  }
  return checked
}

/** Of a log that begins at that entry: the oldest snapshot that it continues; undefined if it needs none. */
export function baseOf(
  snapshots: readonly CheckedSnapshot[],
  firstIndex: LogIndex,
): CheckedSnapshot | undefined {
  return firstIndex === 1 ? undefined : snapshots.find(({ index }) => index + 1 >= firstIndex)
}

/** The rows of a snapshot, some at a time; none without one. */
export async function* baseRows(
  disk: Disk,
  base: CheckedSnapshot | undefined,
): AsyncGenerator<readonly StoredRow[], void, void> {
  if (base !== undefined) yield* snapshotRows(disk, base.path)
}
