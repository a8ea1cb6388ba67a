/** A node was left behind until only a snapshot helps: it is brought up, and who waits there hears of it. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { isSillokError } from '../../../src/base/errors.js'
import type { OpenedReplica } from '../../../src/replica/open-replica.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import { seed } from '../../seed.js'
import { Cluster, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(0)

/** So little log is kept that a node that was away needs a snapshot. */
const limits = {
  segmentCutBytes: 4000,
  snapshotLogBytesMin: 2000,
  snapshotLogRatio: 0,
  snapshotFrameBytes: 500,
  snapshotRetryMs: 100,
  retainBytes: 0,
  pinBytes: 0,
  trimPauseMs: 10,
}

interface LeftBehind {
  readonly leader: ClusterNode
  /** The documents, as the leader holds them. */
  readonly opened: OpenedReplica
  readonly away: ClusterNode
}

async function inserted(leader: ClusterNode, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const told = await leader.ask(store => store.collection<Thing>('things').insert({ id: `t${n}` }))
    assert(told.how === 'answered', `insert ${n}`)
  }
}

/** Cuts a node off, and has so much written that the log goes on without it. */
async function leaveBehind(cluster: Cluster): Promise<LeftBehind> {
  const leader = await cluster.leaderOfAll()
  const away = must(cluster.others(leader)[0], 'another node')
  cluster.isolate(away)
  await inserted(leader, 200)
  const { opened } = must(leader.partition(dataPartition), 'the documents')
  const isTrimmed = (): boolean => opened.segments.firstIndex > 1 && opened.snapshots.files.length > 1
  await cluster.until(isTrimmed, 'the log is trimmed')
  await cluster.pause(1000)
  return { leader, opened, away }
}

function isBroughtUp({ away, opened }: LeftBehind): boolean {
  return away.partition(dataPartition)?.applied === opened.state.applied
}

t.test(
  'a rotten snapshot is not sent for ever: a new one is made, and who needs it is brought up',
  async t => {
    await Cluster.run({ seed, limits }, async cluster => {
      const behind = await leaveBehind(cluster)
      const { snapshots } = behind.opened
      const { disk } = behind.leader.machine
      const bad = snapshots.files.map(({ path }) => path)
      for (const path of bad) disk.rot(path, 8 * 600 + 3)
      disk.evict(path => bad.includes(path))
      cluster.join()
      await cluster.until(() => isBroughtUp(behind), 'it is brought up')
      const said = cluster.told.filter(line => line.includes('fails its check'))
      t.comment(`${said.length} times: ${said[0]}`)
      assert(said.length > 0 && said.length < 10, () => cluster.told.join('\n'))
      for (const { index } of snapshots.files)
        assert((await snapshots.prove(index)) === undefined, 'what counts now is whole')
    })
    t.pass()
  },
)

t.test(
  'who follows changes there is told at once that the log has gone on, though nobody writes',
  async t => {
    // The snapshot that it is sent has all: no entry comes behind it, which would tell by itself.
    const often = { ...limits, snapshotLogBytesMin: 1, checkpointPauseMs: 1, checkpointEntriesMax: 1 }
    await Cluster.run({ seed, limits: often }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const [first] = cluster.others(leader)
      let told: unknown
      const following = first?.ask(async store => {
        for await (const change of store.changes({ collection: 'things', from: 'start', follow: true }))
          assert(change.key !== undefined, 'a change')
      })
      void following?.then(result => {
        told = result.how === 'refused' ? result.error : result.how
      })
      await cluster.pause(500)
      const behind = await leaveBehind(cluster)
      assert(behind.away === first, 'the same node')
      cluster.join()
      await cluster.until(() => isBroughtUp(behind), 'it is brought up')
      await cluster.pause(1000)
      assert(isSillokError(told, 'LOG_TRUNCATED'), () => `told ${String(told)}`)
    })
    t.pass()
  },
)

t.test('a leader that cannot read what a member waits for lets another one lead', async t => {
  await Cluster.run({ seed, limits, endsApart: true }, async cluster => {
    const behind = await leaveBehind(cluster)
    const { leader, opened } = behind
    const { disk } = leader.machine
    const folder = `${opened.folder}/segments`
    for (const name of await disk.list(folder)) disk.rot(`${folder}/${name}`, 8 * 200)
    disk.evict(path => path.startsWith(folder))
    cluster.join()
    await cluster.until(() => isBroughtUp(behind), 'it is brought up')
    assert(cluster.leader() !== leader, 'by another one')
  })
  t.pass()
})
