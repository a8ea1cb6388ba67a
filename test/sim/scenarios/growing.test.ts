/**
 * A cluster that begins with one node, grows to three, has a disk replaced and shrinks again, by the register
 * of nodes alone, while clients write: no write is refused or lost.
 */
import t from 'tap'
import { assert, must } from '../../../src/base/assert.js'
import type { ReplicaId } from '../../../src/base/ids.js'
import type { Command } from '../../../src/machine/command.js'
import { listeningAt } from '../../../src/testing/world/world-node.js'
import { seed } from '../../seed.js'
import { Cluster, partitions, type Thing } from './cluster.js'
import type { ClusterNode } from './cluster-node.js'

t.comment(`SEED=${seed}`)
t.setTimeout(0)

/** Asks meta, through that node. */
async function ask(node: ClusterNode, command: Command): Promise<unknown> {
  return (await must(node.host, 'a host').meta.call(command, {})).value
}

/** The node enters with the disk that it has, through another one, and is given its replicas. */
async function enter(cluster: Cluster, node: ClusterNode, through: ClusterNode, disk: string): Promise<void> {
  const asked = { node: node.id, address: listeningAt(node.id), incarnation: disk, holds: null } as const
  const { replica } = (await ask(through, { type: 'enterNode', role: 'voter', ...asked })) as {
    replica: ReplicaId
  }
  const started = node.start()
  await cluster.until(() => node.host !== undefined, `node ${node.id} takes part`)
  for (const partition of partitions) await cluster.place(node, partition, replica)
  await started
}

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

t.test('from one node to three, over a lost disk, to two: nothing is refused, nothing is lost', async t => {
  await Cluster.run({ seed, founders: 1 }, async cluster => {
    const [one, two, three] = [1, 2, 3].map(id => cluster.node(id)) as [ClusterNode, ClusterNode, ClusterNode]
    const first = {
      node: 1,
      address: listeningAt(1),
      incarnation: 'disk 1',
      holds: 1,
      role: 'voter',
    } as const
    await ask(one, { type: 'enterNode', ...first })
    const writer = new Writer(cluster)
    await enter(cluster, two, one, 'disk 2')
    await cluster.until(() => votersAre(cluster, 1, 2), 'two vote')
    await enter(cluster, three, two, 'disk 3')
    await cluster.until(() => votersAre(cluster, 1, 2, 3), 'three vote')
    await cluster.pause(500)
    two.crash('any')
    two.wipe()
    await enter(cluster, two, three, 'disk 4')
    await cluster.until(() => votersAre(cluster, 1, 3, 4), 'the new disk votes in the place of the lost one')
    await ask(three, { type: 'setNodeRole', node: 1, role: 'none' })
    await cluster.until(() => votersAre(cluster, 3, 4), 'the first one has left')
    const isForgotten = (): boolean => must(two.host, 'a host').nodes.register.nodes.length === 2
    await cluster.until(isForgotten, 'it is forgotten')
    const answered = await writer.stop()
    await one.stop()
    await cluster.agree()
    const writes = await cluster.writes(two)
    t.ok(answered.length > 100, `${answered.length} writes`)
    t.strictSame(
      answered.filter(id => writes.get(id) !== 1),
      [],
    )
  })
})
