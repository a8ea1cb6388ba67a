/** Small limits of simulated nodes: rotations, seals, flushes, snapshots and batches come all the time. */
import { type Limits, limits } from '../../base/limits.js'
import type { Random } from '../../base/random.js'

/** Limits of one world: each is drawn, so that each bound is met in some world, also alone. */
export function drawnLimits(random: Random): Partial<Limits> {
  return {
    ...drawn(random),
    ...(random.split('short log').chance(0.4) && shortLog),
    walFileBytesEmbedded: 3 * (limits.walBatchBytesMax + 64 * 1024),
    snapshotRetryMs: 20,
    deadlineMs: random.split('deadline').pick([4000, 4000, 15_000]),
  }
}

/** So short that who was away for a second needs a snapshot. */
const shortLog: Partial<Limits> = {
  segmentCutBytes: 1500,
  snapshotLogBytesMin: 1000,
  snapshotLogRatio: 0.1,
  retainBytes: 0,
  pinBytes: 0,
  trimPauseMs: 1,
}

/** Shorter than what a leader may have in flight. */
export const shortestLog: Partial<Limits> = {
  ...shortLog,
  segmentCutBytes: 500,
  snapshotLogBytesMin: 300,
  snapshotLogRatio: 0,
}

function drawn(random: Random): Partial<Limits> {
  return {
    segmentCutBytes: random.pick([6000, 20_000, 200_000]),
    segmentSyncBytes: random.pick([2000, 20_000]),
    memtableBytesMax: random.pick([500, 4000, 50_000]),
    checkpointEntriesMax: random.pick([20, 100, 2000]),
    checkpointPauseMs: random.pick([1, 50, 1000]),
    snapshotLogBytesMin: random.pick([2000, 20_000, 200_000]),
    snapshotLogRatio: random.pick([0.1, 0.5]),
    snapshotFrameBytes: random.pick([300, 5000]),
    retainBytes: random.pick([0, 0, 20_000]),
    pinBytes: random.pick([0, 3000, 1e9]),
    trimPauseMs: random.pick([1, 200]),
    flushBatchBytesMax: random.pick([300, 5000]),
    indexBatchChanges: random.pick([1, 10, 1000]),
    indexBatchEntries: random.pick([1, 30, 20_000]),
    indexBatchMs: random.pick([0, 1, 50]),
    indexChunkDocuments: random.pick([1, 7, 1000]),
    indexCheckpointBatchesMax: random.pick([2, 20, 1000]),
    sessionIdleMs: random.pick([2000, 4000, limits.sessionIdleMs]),
  }
}
