/**
 * Lets a snapshot of another replica take the place of a replica's state and log.
 *
 * What came is prepared in a folder of its own, whole, checked and synced: the snapshot file, and the segment
 * with the entries from the last cut to the snapshot's index, without which this replica could not seal that
 * segment with the same bytes as the others. Then *one* append to the write-ahead log switches: it names the
 * new folder, truncates the log to the snapshot's index, replaces the marks of segments, snapshots and
 * checkpoint, and tells group and hard state. The replica is opened again, as after a crash.
 *
 * After a crash either the old folder counts, with the old log, or the new one, with the new; the other one
 * is removed by the next opening.
 */
import { type Disk, joinPath } from '../env/disk.js'
import type { SegmentLog } from '../segments/segment-log.js'
import { encodeSnapshots } from '../state/snapshot-record.js'
import type { State } from '../state/state.js'
import {
  hardStateRegister,
  installedRegister,
  opaqueRegister,
  type Register,
  registerKinds,
  segmentSyncedRegister,
  truncationRegister,
  voidRegister,
} from '../wal/registers.js'
import type { Wal } from '../wal/wal.js'
import { isLackOfSpace } from './failure.js'
import { folderName } from './partition-folders.js'
import type { Install, PreparedSnapshot } from './prepared-snapshot.js'

/**
 * Ends the replica's parts, whatever comes then, and switches. When it resolves the new folder counts,
 * durably: open the replica anew. Rejects with what the disk says; a full one is waited for.
 */
export async function installSnapshot(
  wal: Wal,
  { state, segments }: { readonly state: State; readonly segments: SegmentLog },
  { prepared, hardState }: Install,
): Promise<void> {
  try {
    await state.close({})
  } finally {
    await closeOldLog(segments)
  }
  const { partition, generation, head, record, cutTerm, mark } = prepared
  const { index, term, time, lastCut: cutIndex } = head
  const registers: Register[] = [
    installedRegister({ generation, index, cutIndex, cutTerm, time }),
    truncationRegister({ index, term }),
    mark === undefined ? voidRegister(registerKinds.segmentSynced) : segmentSyncedRegister(mark),
    voidRegister(registerKinds.segmentSealed),
    voidRegister(registerKinds.checkpoint),
    opaqueRegister('snapshot', encodeSnapshots([record])),
    opaqueRegister('configuration', head.configuration),
    hardStateRegister(hardState),
  ]
  await wal.record(partition, registers)
}

/**
 * What of the old log is in no segment yet finds no space, or the node has no time for it: the write-ahead
 * log keeps it until the switch, and then nobody needs it.
 */
async function closeOldLog(segments: SegmentLog): Promise<void> {
  try {
    await segments.close()
  } catch (error) {
    if (!isLackOfSpace(error)) throw error
  }
}

/** Removes what was prepared and is not needed. */
export async function discardSnapshot(disk: Disk, folder: string, prepared: PreparedSnapshot): Promise<void> {
  const { partition, replicaId, generation } = prepared
  await disk.remove(joinPath(folder, folderName(partition, replicaId, generation)))
}
