/** Sessions live by log time, which stands still where nobody leads; wall clocks decide nothing. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { limits } from '../../../src/base/limits.js'
import { seed } from '../../seed.js'
import { Cluster, partitions, type Thing } from './cluster.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

/** Of ten session lifetimes, how many the nodes are awake; the others they sleep. */
const awake = Number(process.env['AWAKE'] ?? 0.3)

t.test('ten session lifetimes without a leader end no session', async t => {
  await Cluster.run({ seed }, async cluster => {
    const sessions = await Promise.all(cluster.nodes.map(node => node.ask(store => store.session())))
    for (const session of sessions) assert(session.how === 'answered', 'a session')
    const timeBefore = must(cluster.leader(0)?.partition(0), 'a leader').logTime()
    for (const node of cluster.nodes) cluster.isolate(node)
    for (const { machine } of cluster.nodes) machine.clock.pause()
    await cluster.pause((10 - awake) * limits.sessionIdleMs)
    for (const { machine } of cluster.nodes) machine.clock.resume()
    await cluster.pause(awake * limits.sessionIdleMs)
    for (const partition of partitions) assert(cluster.leader(partition) === undefined, 'nobody leads')
    cluster.join()
    await cluster.until(() => partitions.every(one => cluster.leader(one) !== undefined), 'a leader')
    const passed = must(cluster.leader(0)?.partition(0), 'a leader').logTime() - timeBefore
    t.comment(`log time went on by ${passed} ms`)
    assert(passed < 60_000, 'log time stood still')
    // Longer than from one look for idle sessions to the next.
    await cluster.pause(100_000)
    for (const [at, session] of sessions.entries()) {
      assert(session.how === 'answered', 'a session')
      const node = must(cluster.nodes[at], 'a node')
      const told = await node.ask(() => session.value.collection<Thing>('things').insert({ id: `s${at}` }))
      assert(told.how === 'answered', () => `${JSON.stringify(told)}`)
    }
  })
  t.pass()
})

/** What a cluster does with clocks like that: a line for each thing that can be seen from outside. */
async function story(wallSkewMs: (node: number) => number, jumps: boolean): Promise<string[]> {
  const lines: string[] = []
  await Cluster.run({ seed, wallSkewMs }, async cluster => {
    const note = (what: string): void => {
      lines.push(
        `${cluster.clock.monotonicMs()} terms ${cluster.terms()} leader ${cluster.leader()?.id}: ${what}`,
      )
    }
    const sessions = await Promise.all(cluster.nodes.map(node => node.ask(store => store.session())))
    const random = cluster.random.split('script')
    let crashed = 0
    for (let round = 0; round < 40; round++) {
      for (const [at, node] of cluster.nodes.entries()) {
        if (jumps && random.chance(0.3)) node.machine.clock.jumpWall(random.below(7_200_000) - 3_600_000)
        else if (!jumps && random.chance(0.3)) random.below(7_200_000)
        const session = sessions[at]
        assert(session?.how === 'answered', 'a session')
        const id = `${round}.${at}`
        const requestId = must(node.store, 'a store').requestId()
        const inSession = await node.ask(() =>
          session.value.collection<Thing>('things').put({ id: `s${id}` }),
        )
        const put = () =>
          node.ask(store => store.collection<Thing>('things').put({ id: `r${id}` }, { requestId }))
        for (const told of [inSession, await put(), await put()]) {
          assert(told.how === 'answered', () => JSON.stringify(told))
          note(`${id} ${told.value.version}`)
        }
      }
      await cluster.pause(random.below(3000))
      if (round % 10 === 9) {
        const leader = must(cluster.leader(), 'a leader')
        cluster.isolate(leader)
        await cluster.until(() => ![undefined, leader].includes(cluster.leader()), 'another leader')
        cluster.join()
        await cluster.agree()
        crashed += 1
        note(`${crashed} leaders were cut off`)
      }
    }
  })
  return lines
}

t.test('wall clocks an hour apart, and jumping, change nothing', async t => {
  const right = await story(() => 0, false)
  t.ok(right.length > 360)
  t.strictSame(await story(node => (node - 2) * 3_600_000, false), right, 'an hour ahead and an hour behind')
  t.strictSame(await story(node => (node - 2) * 3_600_000, true), right, 'and jumping')
})
