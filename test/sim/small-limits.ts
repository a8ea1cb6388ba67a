/** Small limits of a simulated store: rotation, seals, flushes and checkpoints happen all the time. */
import { limits } from '../../src/base/limits.js'
import type { Random } from '../../src/base/random.js'

/** Those that all worlds have; `random` draws some of them. */
export function smallLimits(random: Random): Record<string, number> {
  return {
    walFileBytesEmbedded: 3 * (limits.walBatchBytesMax + 64 * 1024),
    segmentCutBytes: 6000,
    segmentSyncBytes: 2000,
    memtableBytesMax: random.pick([500, 4000]),
    checkpointEntriesMax: random.pick([20, 100]),
    checkpointPauseMs: random.pick([1, 50]),
  }
}

/** Snapshots come often, and of the log little is kept. */
export function retentionLimits(random: Random): Record<string, number> {
  return {
    snapshotLogBytesMin: random.pick([1000, 8000]),
    snapshotLogRatio: random.pick([0, 0.5]),
    snapshotFrameBytes: random.pick([300, 5000]),
    snapshotRetryMs: 20,
    retainBytes: random.pick([0, 0, 20_000]),
    pinBytes: random.pick([0, 3000, 1e9]),
    trimPauseMs: random.pick([1, 200]),
    flushBatchBytesMax: random.pick([300, 5000]),
  }
}
