/**
 * A cluster that begins with one node, grows to three as others join it, has a disk replaced and shrinks
 * again, while clients write: no write is refused or lost.
 */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import type { ReplicaId } from '../../../src/base/ids.js'
import type { NodeRole } from '../../../src/machine/nodes.js'
import { seed } from '../../seed.js'
import { Cluster, partitions, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(0)

function votersAre(cluster: Cluster, ...replicas: readonly ReplicaId[]): boolean {
  return partitions.every(partition => {
    const leader = cluster.leader(partition)
    if (leader === undefined) return false
    const { voters, outgoing, learners } = leader.group(partition).configuration
    return String(voters) === String(replicas) && outgoing.length + learners.length === 0
  })
}

/** Writes one document after the other, through any node that is up, until it is told to stop. */
class Writer {
  readonly answered: string[] = []
  #isStopped = false
  readonly #done: Promise<void>

  constructor(cluster: Cluster) {
    this.#done = this.#write(cluster)
  }

  async stop(): Promise<readonly string[]> {
    this.#isStopped = true
    await this.#done
    return this.answered
  }

  async #write(cluster: Cluster): Promise<void> {
    for (let n = 0; !this.#isStopped; n++) {
      const nodes = cluster.nodes.filter(node => node.store !== undefined)
      const id = `d${n}`
      const requestId = must(must(nodes[0], 'a node').store, 'a store').requestId()
      const told = await cluster.random
        .pick(nodes)
        .ask(store => store.collection<Thing>('things').put({ id, n }, { requestId }))
      assert(told.how !== 'refused', () => `${id}: ${told.how === 'refused' && told.error.message}`)
      if (told.how === 'answered') this.answered.push(id)
      await cluster.pause(5)
    }
  }
}

/** Asks meta, through that node, to have another one be that from now on. */
async function setRole(through: ClusterNode, node: ClusterNode, role: NodeRole): Promise<void> {
  await must(through.host, 'a host').meta.call({ type: 'setNodeRole', node: node.id, role }, {})
}

function isForgotten(node: ClusterNode, through: ClusterNode): boolean {
  return !must(through.host, 'a host').nodes.register.nodes.some(one => one.node === node.id)
}

type Three = [ClusterNode, ClusterNode, ClusterNode]

function nodesOf(cluster: Cluster): Three {
  return [1, 2, 3].map(id => cluster.node(id)) as Three
}

t.test('from one node to three, over a lost disk, to two: nothing is refused, nothing is lost', async t => {
  await Cluster.run({ seed, joining: true }, async cluster => {
    const [one, two, three] = nodesOf(cluster)
    const writer = new Writer(cluster)
    await two.start()
    await cluster.until(() => votersAre(cluster, 1, 2), 'two vote')
    await three.start()
    await cluster.until(() => votersAre(cluster, 1, 2, 3), 'three vote')
    await cluster.pause(500)
    two.crash('any')
    two.wipe()
    await two.start()
    await cluster.until(() => votersAre(cluster, 1, 3, 4), 'the new disk votes in the place of the lost one')
    await setRole(three, one, 'none')
    await cluster.until(() => votersAre(cluster, 3, 4), 'the first one has left')
    await cluster.until(() => isForgotten(one, two), 'it is forgotten')
    const answered = await writer.stop()
    await one.stop()
    await cluster.agree()
    const writes = await cluster.writes(two)
    t.ok(answered.length > 100, `${answered.length} writes`)
    t.strictSame(
      answered.filter(id => writes.get(id) !== 1),
      [],
    )
    await one.start()
    t.match(one.failure, { code: 'FENCED' }, 'who was removed is told so')
  })
})

t.test('nodes that die at any moment while they join are there in the end, once each', async t => {
  await Cluster.run({ seed, joining: true }, async cluster => {
    const [one, two, three] = nodesOf(cluster)
    for (const node of [two, three]) {
      for (let life = 0; life < 10; life++) {
        const started = node.start()
        await cluster.pause(cluster.random.below(400))
        node.crash('any')
        await started
      }
    }
    one.crash('any')
    await Promise.all([one.start(), two.start(), three.start()])
    const isSettled = (): boolean => {
      const { nodes } = must(one.host, 'a host').nodes.register
      return nodes.length === 3 && votersAre(cluster, ...nodes.map(({ replica }) => replica))
    }
    await cluster.until(isSettled, 'all three vote')
    for (const node of [two, three]) {
      const { replica } = must(
        must(one.host, 'a host').nodes.register.nodes.find(known => known.node === node.id),
        'a known node',
      )
      t.equal(must(node.partition(1), 'a replica').opened.replicaId, replica)
    }
  })
})
