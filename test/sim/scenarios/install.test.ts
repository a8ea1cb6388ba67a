/**
 * A node that was left behind goes on from a snapshot, wherever it dies between the first byte of it and the
 * first entry behind it: each time a crash at the next operation of its disk, until one comes too late.
 */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { seed } from '../../seed.js'
import { Cluster } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'
import { shortLog, writeBeyond } from './short-log.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

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
  await Cluster.run({ seed, limits: shortLog }, async cluster => {
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
