/** What an operator asks the nodes of a cluster for, by calls to any of them, under the cluster's faults. */
import t from 'tap'
import { must } from '../../../src/base/assert.js'
import { isSillokError } from '../../../src/base/errors.js'
import { callOnce } from '../../../src/cluster/call-once.js'
import type { Members, NodeMethod, Said } from '../../../src/cluster/node-calls.js'
import { listeningAt } from '../../../src/testing/world/world-node.js'
import { seed } from '../../seed.js'
import { Cluster, partitions } from './cluster.js'

t.comment(`SEED=${seed}`)
t.setTimeout(0)

/** Calls a node as a process of its own does: what it answers, or the code that it refuses with. */
class Operator {
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async call(node: number, method: NodeMethod, argument: unknown = {}): Promise<unknown> {
    const { clock, cables } = this.#cluster
    const there = { clock, network: cables.process('operator'), address: listeningAt(node) }
    try {
      return await callOnce(there, method, argument as Said<NodeMethod>, 10_000)
    } catch (error) {
      if (!isSillokError(error)) throw error
      return error.code
    }
  }

  async members(node: number): Promise<string[]> {
    const { nodes } = (await this.call(node, 'members')) as Members
    return nodes.map(one => `${one.node} ${one.role}${one.votes ? ' votes' : ''}`)
  }
}

/** Three nodes, and an operator. */
async function three(script: (cluster: Cluster, operator: Operator) => Promise<void>): Promise<void> {
  await Cluster.run({ seed, joining: true }, async cluster => {
    const operator = new Operator(cluster)
    await Promise.all([cluster.node(2).start(), cluster.node(3).start()])
    const all = ['1 voter votes', '2 voter votes', '3 voter votes']
    for (let n = 0; `${await operator.members(2)}` !== `${all}`; n++) {
      if (n > 100) throw new Error(`${await operator.members(2)}`)
      await cluster.pause(200)
    }
    await script(cluster, operator)
  })
}

t.test('any node says who belongs to the cluster, and how it is', async t => {
  await three(async (cluster, operator) => {
    for (const node of [1, 2, 3]) {
      const { nodes } = (await operator.call(node, 'members')) as Members
      t.strictSame(
        nodes.map(one => one.address),
        [1, 2, 3].map(listeningAt),
      )
      t.strictSame(nodes.flatMap(({ leads }) => leads).sort(), partitions, 'each group is led by one')
      t.match(await operator.call(node, 'health'), { node, ready: true, groups: [{}, {}] })
    }
    cluster.node(1).crash('any')
    cluster.node(2).crash('any')
    await cluster.pause(5000)
    t.match(await operator.call(3, 'health'), { ready: false }, 'alone it knows no leader')
    await Promise.all([cluster.node(1).start(), cluster.node(2).start()])
  })
})

t.test('whoever votes can be made to lead, and nobody else', async t => {
  await three(async (cluster, operator) => {
    for (const node of [2, 3, 1]) {
      const through = 1 + (node % 3)
      t.equal(await operator.call(through, 'transfer', { node }), null)
      const { nodes } = (await operator.call(node, 'members')) as Members
      t.strictSame(nodes.find(one => one.node === node)?.leads, partitions, `node ${node} leads all`)
    }
    t.equal(await operator.call(1, 'transfer', { node: 9 }), 'NOT_FOUND')
    t.equal(await operator.call(1, 'setRole', { node: 3, role: 'learner' }), null)
    await cluster.until(
      () => cluster.leader()?.group(1).configuration.learners.length === 1,
      'one only listens',
    )
    t.equal(await operator.call(1, 'transfer', { node: 3 }), 'INVALID')
    t.equal(await operator.call(2, 'setRole', { node: 3, role: 'voter' }), null)
    await cluster.until(() => cluster.leader()?.group(1).configuration.voters.length === 3, 'it votes again')
  })
})

t.test('nodes leave, whoever leads, but for the last', async t => {
  await three(async (cluster, operator) => {
    const leader = must(cluster.leader(), 'a leader')
    const [stays, goes] = cluster.others(leader)
    for (const node of [leader, must(goes, 'a third node')]) {
      t.equal(await operator.call(stays.id, 'setRole', { node: node.id, role: 'none' }), null)
      const isThere = async (): Promise<boolean> =>
        (await operator.members(stays.id)).some(one => one.startsWith(`${node.id} `))
      for (let n = 0; n < 100 && (await isThere()); n++) await cluster.pause(200)
      t.notOk(await isThere(), `node ${node.id} has left`)
      await node.stop()
    }
    t.strictSame(await operator.members(stays.id), [`${stays.id} voter votes`])
    t.equal(await operator.call(stays.id, 'setRole', { node: stays.id, role: 'none' }), 'INVALID')
    t.equal(await operator.call(stays.id, 'setRole', { node: 9, role: 'none' }), 'NOT_FOUND')
  })
})

t.test('a node under the number of one that lives, or of another cluster, is refused', async t => {
  await three(async (cluster, operator) => {
    const stranger = { node: 2, address: 'elsewhere:1', incarnation: 'other', holds: null, role: 'voter' }
    t.equal(await operator.call(1, 'join', stranger), 'INVALID')
    t.equal(await operator.call(1, 'join', { ...stranger, cluster: 'other' }), 'FOREIGN_FOLDER')
    t.equal(await operator.call(1, 'join', { ...stranger, address: listeningAt(1) }), 'INVALID', "node 1's")
    t.equal(await operator.call(1, 'join', { ...stranger, node: 0 }), 'INVALID')
    t.equal(await operator.call(1, 'join', {}), 'INVALID')
    t.equal(await operator.call(1, 'members', { x: 1 }), 'INVALID')
    t.equal(await operator.call(1, 'toString' as NodeMethod).catch(String), 'INVALID')
    t.strictSame(await operator.members(3), ['1 voter votes', '2 voter votes', '3 voter votes'])
    cluster.node(2).crash('any')
    t.match(await operator.call(1, 'join', stranger), { replica: 4 }, 'the number of one that is gone')
  })
})
