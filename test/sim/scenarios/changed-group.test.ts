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
