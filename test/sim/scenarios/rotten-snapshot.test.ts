/** A snapshot that a leader has to send is damaged on its disk: another one is made, and sent. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import { Cluster, type Thing } from './cluster.js'

const seed = process.env['SEED'] ?? String(Date.now())
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

t.test(
  'a rotten snapshot is not sent for ever: a new one is made, and who needs it is brought up',
  async t => {
    await Cluster.run({ seed, limits }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const [away] = cluster.others(leader)
      assert(away !== undefined, 'another node')
      const insert = async (from: number, count: number): Promise<void> => {
        for (let n = from; n < from + count; n++) {
          const told = await leader.ask(store => store.collection<Thing>('things').insert({ id: `t${n}` }))
          assert(told.how === 'answered', `insert ${n}`)
        }
      }
      cluster.isolate(away)
      await insert(0, 200)
      const opened = must(leader.partition(dataPartition), 'the documents').opened
      await cluster.until(
        () => opened.segments.firstIndex > 1 && opened.snapshots.files.length > 1,
        'it is trimmed',
      )
      await cluster.pause(1000)
      const bad = opened.snapshots.files.map(({ path }) => path)
      for (const path of bad) leader.machine.disk.rot(path, 8 * 600 + 3)
      leader.machine.disk.evict(path => bad.includes(path))
      cluster.join()
      await cluster.until(
        () => away.partition(dataPartition)?.applied === opened.state.applied,
        'it is brought up',
      )
      const said = cluster.told.filter(line => line.includes('fails its check'))
      t.comment(`${said.length} times: ${said[0]}`)
      assert(said.length > 0 && said.length < 10, () => cluster.told.join('\n'))
      for (const { index } of opened.snapshots.files)
        assert((await opened.snapshots.prove(index)) === undefined, 'what counts now is whole')
    })
    t.pass()
  },
)
