/** A node that lost its disk counts for nothing until it is given a replica that never was, and a vote. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { seed } from '../../seed.js'
import { Cluster, electionMsMax, partitions, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

/** It starts on an empty disk, under its old identity, and knows of no replica. */
async function comesBackEmpty(
  cluster: Cluster,
  node: ClusterNode,
): Promise<{ readonly started: Promise<void> }> {
  node.wipe()
  const started = node.start()
  await cluster.until(() => node.host !== undefined, `node ${node.id} takes part`)
  for (const partition of partitions) assert(node.partition(partition) === undefined, 'it holds no replica')
  return { started }
}

t.test(
  'with two of three disks wiped nothing commits and nobody leads, whatever was there before',
  async t => {
    await Cluster.run({ seed, limits: { deadlineMs: 5000 }, endsApart: true }, async cluster => {
      const left = await cluster.leaderOfAll()
      const [one, two] = cluster.others(left)
      const before = await left.ask(store => store.collection<Thing>('things').put({ id: 'a', n: 1 }))
      assert(before.how === 'answered', 'written before')
      const { applied } = left.group(1)
      const terms = cluster.terms()
      const wiped = [one, must(two, 'a third node')]
      for (const node of wiped) void comesBackEmpty(cluster, node)
      await cluster.pause(1000)
      for (let tries = 0; tries < 3; tries++) {
        const told = await left.ask(store => store.collection<Thing>('things').put({ id: 'b', n: tries }))
        assert(told.how === 'refused' && told.error.outcome === 'unknown', () => JSON.stringify(told))
        const read = await left.ask(store => store.collection<Thing>('things').get('a'))
        assert(read.how === 'refused', 'no majority confirms a read')
      }
      await cluster.pause(5 * electionMsMax)
      for (const partition of partitions) assert(cluster.leader(partition) === undefined, 'nobody leads')
      t.equal(left.group(1).applied, applied, 'nothing was committed')
      t.strictSame(cluster.terms(), terms, 'nobody was elected, nor asked for a vote in a new term')
    })
  },
)

t.test(
  'a wiped node is a learner under a new id until it is made a voter, and its old id stays dead',
  async t => {
    await Cluster.run({ seed }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const [wiped, other] = cluster.others(leader)
      await leader.ask(store => store.collection<Thing>('things').put({ id: 'a', n: 1 }))
      const { started } = await comesBackEmpty(cluster, wiped)
      const old = cluster.replicaOn(wiped)
      const replica = cluster.newReplica(wiped)
      for (const partition of partitions) {
        await cluster.change(partition, [{ type: 'addLearner', replica }])
        await cluster.place(wiped, partition, replica)
      }
      await cluster.until(
        () =>
          partitions.every(one => wiped.partition(one)?.applied === cluster.leader(one)?.group(one).commit),
        'it has what the leader has',
      )
      await cluster.pause(2 * electionMsMax)
      for (const partition of partitions) {
        const { members, configuration } = must(cluster.leader(partition), 'a leader').group(partition)
        t.strictSame(configuration.voters, [1, 2, 3])
        t.ok(members.find(one => one.replica === replica)?.isLearner)
        t.equal(
          members.find(one => one.replica === old)?.recentlyActive,
          false,
          'nobody speaks for the old id',
        )
      }
      // With the third node gone too there are one voter and one learner: no majority.
      const terms = cluster.terms()
      must(other, 'a third node').crash('none')
      await cluster.pause(5 * electionMsMax)
      for (const partition of partitions)
        t.equal(cluster.leader(partition), undefined, 'a learner is no majority')
      t.strictSame(cluster.terms(), terms)
      await must(other, 'a third node').start()
      await cluster.until(() => partitions.every(one => cluster.leader(one) !== undefined), 'a leader')
      for (const partition of partitions) {
        await cluster.change(partition, [{ type: 'remove', replica: old }])
        await cluster.change(partition, [{ type: 'addVoter', replica }])
      }
      await started
      // Now it counts: the third one may go.
      must(other, 'a third node').crash('none')
      const told = await wiped.ask(store => {
        return store.collection<Thing>('things').put({ id: 'b', n: 1 }, { requestId: 'b' })
      })
      t.match(told, { how: 'answered' })
      await must(other, 'a third node').start()
    })
  },
)

t.test(
  'a node that lost its disk and its place is given another replica only under an id that never was',
  async t => {
    await Cluster.run({ seed }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const [wiped] = cluster.others(leader)
      await cluster.replace(wiped)
      const held = must(wiped.partition(1), 'a replica').opened.replicaId
      t.equal(held, 4)
      await t.rejects(cluster.place(wiped, 1, 2), { code: 'INVALID', outcome: 'not-applied' })
      await cluster.place(wiped, 1, held)
      const told = await wiped.ask(store => store.collection<Thing>('things').put({ id: 'a', n: 1 }))
      t.equal(told.how, 'answered')
      await cluster.leaderOfAll(wiped)
    })
  },
)
