/** A leader on a disk that hangs or is full makes way for another one, and comes back when the disk does. */
import t from 'tap'
import { assert } from '../../../src/base/assert.js'
import { isSillokError } from '../../../src/base/errors.js'
import { seed } from '../../seed.js'
import { Clients } from './clients.js'
import { Cluster, electionMsMax, partitions } from './cluster.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

t.test(
  'a leader with a hung disk is replaced in under three election timeouts, and clients are served',
  async t => {
    await Cluster.run({ seed }, async cluster => {
      const old = await cluster.leaderOfAll()
      const clients = new Clients(cluster)
      await cluster.pause(1000)
      old.machine.disk.pace.hang()
      const beganMs = cluster.clock.monotonicMs()
      const ms = await cluster.until(
        () => partitions.every(partition => ![undefined, old].includes(cluster.leader(partition))),
        'the other nodes lead',
        10,
        3 * electionMsMax,
      )
      await cluster.pause(10_000)
      const gapMs = clients.longestGapMs(beganMs, 3 * electionMsMax)
      t.comment(`replaced after ${ms} ms; the longest wait of a client: ${gapMs} ms`)
      old.machine.disk.pace.letGo()
      await cluster.pause(3000)
      await clients.end()
    })
    t.pass()
  },
)

t.test(
  'a leader whose disk is full says so, hands over, and goes on without a restart when there is space',
  async t => {
    await Cluster.run({ seed }, async cluster => {
      const old = await cluster.leaderOfAll()
      const clients = new Clients(cluster)
      await cluster.pause(1000)
      old.machine.disk.setFull(true)
      const beganMs = cluster.clock.monotonicMs()
      await cluster.until(
        () => partitions.every(partition => ![undefined, old].includes(cluster.leader(partition))),
        'the other nodes lead',
        10,
        3 * electionMsMax,
      )
      await cluster.pause(10_000)
      const gapMs = clients.longestGapMs(beganMs, 3 * electionMsMax)
      t.comment(`the longest wait of a client: ${gapMs} ms`)
      const { refusals } = clients
      t.comment(`refused: ${refusals.map(({ code, outcome }) => `${code} ${outcome}`).join(', ')}`)
      for (const refusal of refusals) {
        const isHonest = isSillokError(refusal, 'DISK_FULL') ? refusal.outcome === 'not-applied' : true
        assert(isHonest, () => `refused with ${refusal.code} ${refusal.outcome}`)
      }
      old.machine.disk.setFull(false)
      await cluster.pause(5000)
      assert(old.failure === undefined, 'it never stopped')
      await cluster.leaderOfAll(old)
      await clients.areServedWithin(2000)
      assert(cluster.leader() === old, 'it leads again')
      await clients.end()
    })
    t.pass()
  },
)

t.test(
  'a cluster whose disks are all full says so of each write, and goes on when there is space',
  async t => {
    await Cluster.run({ seed, limits: { deadlineMs: 4000 } }, async cluster => {
      await cluster.leaderOfAll()
      const clients = new Clients(cluster)
      await cluster.pause(1000)
      for (const { machine } of cluster.nodes) machine.disk.setFull(true)
      await cluster.pause(20_000)
      const codes = new Set(clients.refusals.map(({ code, outcome }) => `${code} ${outcome}`))
      t.comment([...codes].join(', '))
      assert(codes.has('DISK_FULL not-applied'), 'it is told')
      for (const { machine } of cluster.nodes) machine.disk.setFull(false)
      await clients.areServedWithin(10_000)
      await clients.end()
    })
    t.pass()
  },
)
