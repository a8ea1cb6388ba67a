/**
 * A node that was left behind goes on from a snapshot, wherever it dies between the first byte of it and the
 * first entry behind it: each time a crash at the next operation of its disk, until one comes too late.
 */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { limits } from '../../../src/base/limits.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { seed } from '../../seed.js'
import { Cluster, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

/** Snapshots are made often, and of the log before them nothing is kept, nor for who is behind. */
const small = {
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
async function writeBeyond(cluster: Cluster, leader: ClusterNode, index: number): Promise<void> {
  const firstIndex = (): number =>
    must(leader.partition(dataPartition), 'a replica').opened.segments.firstIndex
  for (let n = 0; firstIndex() <= index + 1; n++) {
    const thing: Thing = { id: `${n % 30}`, email: `${index} ${n}` }
    const told = await leader.ask(store => store.collection<Thing>('things').put(thing))
    assert(told.how === 'answered', () => `${JSON.stringify(told)}`)
    if (n % 5 === 0) await cluster.pause(20)
  }
}

/** The node holds a replica of the data partition, and its leader is about to send it a snapshot. */
function isSentOne(cluster: Cluster, node: ClusterNode): boolean {
  if (node.partition(dataPartition) === undefined) return false
  const leader = cluster.leader()
  const { members } = must(leader, 'a leader').group(dataPartition)
  return members.find(({ replica }) => replica === cluster.replicaOn(node))?.state === 'snapshot'
}

t.test('a crash at any operation of an install leaves a node that comes back', async t => {
  let operations = 0
  const modes: readonly CrashMode[] = ['all', 'none', 'any']
  await Cluster.run({ seed, limits: small }, async cluster => {
    const leader = await cluster.leaderOfAll()
    const [behind] = cluster.others(leader)
    const random = cluster.random.split('script')
    let isInstalled = false
    for (let operation = 1; !isInstalled; operation++) {
      const index = behind.group(dataPartition).lastIndex
      const mode = random.pick(modes)
      behind.crash('none')
      await writeBeyond(cluster, leader, index)
      void behind.start()
      await cluster.until(() => isSentOne(cluster, behind), 'a snapshot is sent', 0.5)
      const { generation } = must(behind.partition(dataPartition), 'a replica').opened
      behind.machine.crashAt(operation, mode)
      const isDone = (): boolean => {
        const partition = behind.partition(dataPartition)
        if (partition === undefined || partition.isMoving) return false
        return partition.opened.generation > generation && partition.applied >= leader.group(1).commit
      }
      await cluster.until(() => behind.host === undefined || isDone(), 'it crashes, or is done', 1)
      isInstalled = behind.host !== undefined
      if (isInstalled) behind.machine.crashAt(1e9, mode)
      else void behind.start()
      await cluster.until(() => behind.store !== undefined, `it is up again after operation ${operation}`)
      assert(behind.failure === undefined, () => `operation ${operation}: ${behind.failure}`)
      await cluster.agree()
      operations = operation
    }
  })
  t.comment(`${operations} operations`)
  t.ok(operations > 20)
})
