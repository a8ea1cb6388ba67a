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
