/** What was sent and never answered is sent again where that doubles nothing, and else said to be unknown. */
import t from 'tap'
import { assert } from '../../../src/base/assert.js'
import type { Told } from '../../../src/testing/workloads/workload.js'
import { hostOf } from '../../../src/testing/world/world-node.js'
import { seed } from '../../seed.js'
import { Cluster, type Thing } from './cluster.js'

t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

const lostMs = 30_000

type Written = { readonly version: number }

t.test('every reply lost for 30 s doubles nothing, and no plain write is said to be refused', async t => {
  const limits = { deadlineMs: 3 * lostMs }
  const ends: Record<string, number> = {}
  await Cluster.run({ seed, limits }, async cluster => {
    const leader = await cluster.leaderOfAll()
    const [asker] = cluster.others(leader)
    const session = await asker.ask(store => store.session())
    assert(session.how === 'answered', 'a session')
    const terms = cluster.terms()
    const told = new Map<string, Promise<Told<Written>>>()
    cluster.cables.cut(hostOf(leader.id), hostOf(asker.id))
    const untilMs = cluster.clock.monotonicMs() + lostMs
    for (let n = 0; cluster.clock.monotonicMs() < untilMs; n++) {
      const requestId = `request ${n}`
      const ask = (kind: string, call: Parameters<typeof asker.ask<Written>>[0]) =>
        told.set(`${kind}.${n}`, asker.ask(call))
      ask('session', () => session.value.collection<Thing>('things').put({ id: `session.${n}` }))
      ask('request', store => store.collection<Thing>('things').put({ id: `request.${n}` }, { requestId }))
      ask('plain', store => store.collection<Thing>('things').put({ id: `plain.${n}` }))
      await cluster.pause(500)
    }
    cluster.join()
    const versions = new Map<string, number>()
    for (const [key, telling] of told) {
      const answer = await telling
      const how = answer.how === 'refused' ? `${answer.error.code} ${answer.error.outcome}` : answer.how
      const end = `${key.slice(0, key.indexOf('.'))}: ${how}`
      ends[end] = (ends[end] ?? 0) + 1
      if (answer.how === 'answered') versions.set(key, answer.value.version)
      else assert(key.startsWith('plain') && how === 'UNAVAILABLE unknown', () => `${key} was told ${how}`)
    }
    assert(cluster.terms().join() === terms.join(), 'nobody else was elected: the leader heard a majority')
    await cluster.agree()
    const writes = await cluster.writes(asker)
    for (const [key, count] of writes) assert(count === 1, () => `${key} was written ${count} times`)
    for (const [key, version] of versions) {
      const found = await asker.ask(store => store.collection<Thing>('things').getVersioned(key))
      assert(
        found.how === 'answered' && found.value?.version === version,
        () => `${key} is not at ${version}`,
      )
    }
  })
  t.comment(JSON.stringify(ends))
  t.ok((ends['session: answered'] ?? 0) > 50)
  t.ok((ends['request: answered'] ?? 0) > 50)
  t.ok((ends['plain: UNAVAILABLE unknown'] ?? 0) > 0)
})
