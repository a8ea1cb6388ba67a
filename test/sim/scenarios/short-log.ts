/** A log that soon goes on without who is away: then only a snapshot brings that node up. */
import { assert, must } from '../../../src/base/assert.js'
import { limits } from '../../../src/base/limits.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import type { Cluster, Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

/** Snapshots are made often, and of the log before them nothing is kept, nor for who is behind. */
export const shortLog = {
  walFileBytesEmbedded: 3 * (limits.walBatchBytesMax + 64 * 1024),
  segmentCutBytes: 1500,
  segmentSyncBytes: 1000,
  memtableBytesMax: 2000,
  checkpointEntriesMax: 20,
  checkpointPauseMs: 1,
  snapshotLogBytesMin: 1000,
  snapshotLogRatio: 0,
  snapshotRetryMs: 20,
  retainBytes: 0,
  pinBytes: 0,
  trimPauseMs: 1,
}

/** Writes until the leader's log begins behind that entry. */
export async function writeBeyond(cluster: Cluster, leader: ClusterNode, index: number): Promise<void> {
  const firstIndex = (): number =>
    must(leader.partition(dataPartition), 'a replica').opened.segments.firstIndex
  for (let n = 0; firstIndex() <= index + 1; n++) {
    const thing: Thing = { id: `${n % 30}`, email: `${index} ${n}` }
    const told = await leader.ask(store => store.collection<Thing>('things').put(thing))
    assert(told.how === 'answered', () => `${JSON.stringify(told)}`)
    if (n % 5 === 0) await cluster.pause(20)
  }
}
