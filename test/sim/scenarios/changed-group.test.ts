/** A change of the group that was answered counts, whoever is lost in that moment. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import { seed } from '../../seed.js'
import { Cluster, electionMsMax, type Thing } from './cluster.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

t.test('who was given a vote has it, though the leader that gave it is lost at once', async t => {
  for (let run = 0; run < 20; run++) {
    await Cluster.run({ seed: `${seed}.${run}` }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const [one, two] = cluster.others(leader)
      const replica = cluster.replicaOn(must(two, 'a third node'))
      await cluster.change(dataPartition, [{ type: 'addLearner', replica }])
      await cluster.agree()
      await cluster.change(dataPartition, [{ type: 'addVoter', replica }])
      leader.crash('none')
      await cluster.until(() => cluster.leader() !== undefined, 'they go on', 20, 5 * electionMsMax)
      const told = await one.ask(store => store.collection<Thing>('things').put({ id: 'a', n: run }))
      assert(told.how === 'answered', () => JSON.stringify(told))
      await leader.start()
    })
  }
  t.pass()
})

t.test('a leader that is removed answers that, also by way of a joint group', async t => {
  for (const type of ['simple', 'joint'] as const) {
    await Cluster.run({ seed: `${seed}.${type}`, endsApart: true }, async cluster => {
      const leader = await cluster.leaderOfAll()
      const replica = cluster.replicaOn(leader)
      const parts = must(leader.partition(dataPartition), 'a partition')
      const change = parts.replica.changeGroup({ type, steps: [{ type: 'remove', replica }] })
      const index = await Promise.race([change, cluster.pause(5000)])
      t.type(index, 'number', type)
      const [one] = cluster.others(leader)
      await cluster.until(() => !one.group(dataPartition).configuration.voters.includes(replica), 'it is out')
    })
  }
})
