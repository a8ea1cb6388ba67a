/** Calls at a node that was away while a snapshot brings it what it missed: what they say is of now. */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import type { Store } from '../../../src/store/store.js'
import type { Told } from '../../../src/testing/workloads/workload.js'
import { seed } from '../../seed.js'
import { Cluster, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'
import { shortLog, writeBeyond } from './short-log.js'

t.comment(`SEED=${seed}`)
t.setTimeout(0)

const things = (store: Store) => store.collection<Thing>('things')
const ofTwo = { email: { fields: ['email'] }, n: { fields: ['n'] } }

function defineTwo(store: Store): Promise<void> {
  const indexes = { byEmail: { type: 'secondary', fields: ['email'] } }
  return store.define('things', { key: 'id', unique: ofTwo, indexes })
}

async function put(node: ClusterNode, document: Thing): Promise<void> {
  const told = await node.ask(store => things(store).put(document))
  assert(told.how === 'answered', () => `put ${document.id}: ${told.how}`)
}

/** What was told: the code of a refusal, else the answer. */
function brief(told: Told<unknown>): unknown {
  if (told.how === 'refused') return told.error.code
  return told.how === 'answered' ? told.value : told.how
}

t.test('what a caller has mended it is not told of any more, at the same node', async t => {
  await Cluster.run({ seed }, async cluster => {
    const leader = await cluster.leaderOfAll()
    const [away] = cluster.others(leader)
    for (const id of ['a', 'b']) await put(leader, { id, n: 1 })
    await leader.ask(defineTwo)
    const enforced = (store: Store): Promise<void> => store.enforced('things', 'n')
    t.equal(brief(await leader.ask(enforced)), 'UNIQUE_TAKEN')
    await cluster.agree()
    away.machine.disk.pace.hang()
    await put(away, { id: 'b', n: 2 })
    cluster.clock.after(1000, () => away.machine.disk.pace.letGo())
    t.equal(brief(await away.ask(enforced)), undefined)
  })
})

t.test('no call at an open store says that the store is closed', async t => {
  await Cluster.run({ seed, limits: shortLog, endsApart: true }, async cluster => {
    const leader = await cluster.leaderOfAll()
    const [away] = cluster.others(leader)
    await cluster.agree()
    const index = away.group(dataPartition).lastIndex
    cluster.isolate(away)
    await writeBeyond(cluster, leader, index)
    cluster.join()
    const documents = must(away.partition(dataPartition), 'the documents')
    await cluster.until(() => documents.isMoving, 'a snapshot takes its place', 0.05)
    const codes = new Map<string, number>()
    const calls: Promise<void>[] = []
    const call = (work: (store: Store) => Promise<unknown>): void => {
      const told = away.ask(work).then(answer => {
        const how = answer.how === 'refused' ? answer.error.code : answer.how
        codes.set(how, (codes.get(how) ?? 0) + 1)
      })
      calls.push(told)
    }
    const found = async (store: Store, level: 'stale' | 'session' | 'linearizable'): Promise<void> => {
      const query = { eq: ['x'] } as never
      for await (const one of things(store).find('byEmail' as never, query, { level }))
        assert(one !== null, 'one')
    }
    while (documents.isMoving) {
      for (const level of ['stale', 'session', 'linearizable'] as const) call(store => found(store, level))
      call(store => store.parked('things', 'byEmail'))
      call(store => store.retryParked('things', 'byEmail'))
      call(store => things(store).get('w1'))
      await cluster.pause(0.5)
    }
    await Promise.all(calls)
    t.strictSame([...codes.keys()], ['answered'])
    t.ok((codes.get('answered') ?? 0) > 10)
  })
})
