/**
 * A cluster of whole nodes that a script drives: each node the code that runs in production, on a machine,
 * cables and a clock of a simulation. `Cluster.run` opens it, runs the script, and then sees to it that all
 * nodes that take part come to hold the same.
 */
import { assert, must } from '../../../src/base/assert.js'
import { metaPartition, type PartitionId, type ReplicaId } from '../../../src/base/ids.js'
import type { Limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import type { ChangeStep } from '../../../src/raft/configuration.js'
import { dataPartition } from '../../../src/replica/partition-folders.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimNetwork } from '../../../src/sim/sim-network.js'
import type { Store } from '../../../src/store/store.js'
import { checkAgreement } from '../../../src/testing/world/agreement.js'
import { hostOf, listeningAt } from '../../../src/testing/world/world-node.js'
import { ClusterNode } from './cluster-node.js'

export interface ClusterOptions {
  readonly seed: string
  readonly nodes?: 3 | 5
  /**
   * The first node begins the cluster, the others join it when a script starts them. Default: all begin it.
   */
  readonly joining?: boolean
  readonly limits?: Partial<Limits>
  /** How far the wall clock of each node is ahead, by its number. */
  readonly wallSkewMs?: (node: number) => number
  /** In the end they cannot come to hold the same: it is not waited for. */
  readonly endsApart?: boolean
}

export const partitions: readonly PartitionId[] = [metaPartition, dataPartition]

/** The longest time without a leader after which somebody campaigns. */
export const electionMsMax = 2000

/** So long may anything take that must come. */
const patienceMs = 60_000

/** Documents of `things`: what tests write. */
export interface Thing {
  readonly id: string
  readonly email?: string
  readonly list?: readonly string[]
  readonly n?: number
}

export class Cluster {
  readonly clock = new SimClock()
  readonly random: Random
  readonly cables: SimNetwork
  readonly nodes: readonly ClusterNode[]
  /** What nodes said by themselves. */
  readonly told: string[] = []
  /** The node of each replica. */
  readonly #places = new Map<ReplicaId, number>()

  /** The voters with which the groups begin. */
  readonly #founders: readonly ReplicaId[]

  private constructor(options: ClusterOptions) {
    const { seed, nodes = 3, joining = false, limits = {}, wallSkewMs = () => 0 } = options
    this.random = new Random(seed)
    this.cables = new SimNetwork({ clock: this.clock, random: this.random.split('cables') })
    const ids = Array.from({ length: nodes }, (_, at) => at + 1)
    const voters = joining ? [1] : ids
    this.#founders = voters
    for (const id of voters) this.#places.set(id, id)
    this.nodes = ids.map(
      id =>
        new ClusterNode({
          id,
          voters,
          clock: this.clock,
          random: this.random.split(`node ${id}`),
          cables: this.cables,
          limits,
          wallSkewMs: wallSkewMs(id),
          ...(joining
            ? { seeds: id === 1 ? [] : ids.filter(other => other !== id) }
            : { addressOf: replica => this.#addressOf(replica) }),
          told: what => this.told.push(`${this.clock.monotonicMs().toFixed(1)} ${what}`),
        }),
    )
  }

  /** Opens all nodes, defines `things`, runs the script; then everybody must hold the same, and closes. */
  static async run(options: ClusterOptions, script: (cluster: Cluster) => Promise<void>): Promise<void> {
    const cluster = new Cluster(options)
    try {
      await cluster.clock.run(async () => {
        await Promise.all(cluster.#founders.map(id => cluster.node(id).start()))
        await cluster.node(1).ask(store => defineThings(store))
        await cluster.#beLed()
        await script(cluster)
        if (options.endsApart === true) return
        await cluster.agree()
        await Promise.all(cluster.#up.map(node => node.stop()))
      })
    } catch (error) {
      const said = cluster.told.slice(-20).join('\n')
      throw new Error(`seed ${options.seed}, at ${cluster.clock.monotonicMs()} ms: ${error}\n${said}`, {
        cause: error,
      })
    }
  }

  node(id: number): ClusterNode {
    return must(this.nodes[id - 1], `node ${id}`)
  }

  get #up(): readonly ClusterNode[] {
    return this.nodes.filter(({ store }) => store !== undefined)
  }

  /** All nodes but these. */
  others(...but: readonly ClusterNode[]): [ClusterNode, ...ClusterNode[]] {
    const [first, ...rest] = this.nodes.filter(node => !but.includes(node))
    return [must(first, 'another node'), ...rest]
  }

  /** Who leads the partition in the newest term, if anybody believes to. */
  leader(partition: PartitionId = dataPartition): ClusterNode | undefined {
    const leaders = this.nodes.filter(node => node.partition(partition)?.leads === true)
    return leaders.sort((a, b) => b.group(partition).term - a.group(partition).term)[0]
  }

  /** The node that leads both partitions, once one does; leadership is brought together at that node. */
  async leaderOfAll(at?: ClusterNode): Promise<ClusterNode> {
    const wanted = at ?? must(this.leader(), 'a leader')
    await this.until(
      () => {
        for (const partition of partitions) {
          const leader = this.leader(partition)
          if (leader !== wanted) leader?.partition(partition)?.replica.transferLeader(this.replicaOn(wanted))
        }
        return partitions.every(partition => this.leader(partition) === wanted)
      },
      `node ${wanted.id} leads all`,
      200,
    )
    await this.agree()
    return wanted
  }

  /** The highest term that anybody knows, of each partition. */
  terms(): number[] {
    const term = (partition: PartitionId): number =>
      Math.max(...this.nodes.map(node => (node.partition(partition) ? node.group(partition).term : 0)))
    return partitions.map(term)
  }

  pause(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  /** Resolves with the time that passed until it holds, which it must. */
  async until(holds: () => boolean, what: string, lookMs = 10, mostMs = patienceMs): Promise<number> {
    const began = this.clock.monotonicMs()
    while (!holds()) {
      const passed = this.clock.monotonicMs() - began
      assert(passed <= mostMs, () => `not within ${mostMs} ms: ${what}; ${this.#account()}`)
      await this.pause(lookMs)
    }
    return this.clock.monotonicMs() - began
  }

  /** Nothing gets from the node to others, or back. */
  isolate(...nodes: readonly ClusterNode[]): void {
    this.cables.part(this.#hosts(nodes), this.#hosts(this.others(...nodes)))
  }

  /** All cables are whole again. */
  join(): void {
    this.cables.calm()
  }

  /** The replica that the node holds, or is to hold. */
  replicaOn(node: ClusterNode): ReplicaId {
    return Math.max(...[...this.#places].filter(([, place]) => place === node.id).map(([id]) => id))
  }

  /** A replica id that was never used, with its place at the node, for the address book. */
  newReplica(node: ClusterNode): ReplicaId {
    const replica = Math.max(...this.#places.keys()) + 1
    this.#places.set(replica, node.id)
    return replica
  }

  /** Has the change of the group made, by whoever leads. */
  async change(partition: PartitionId, steps: readonly ChangeStep[]): Promise<void> {
    for (;;) {
      const replica = this.leader(partition)?.partition(partition)?.replica
      const made = replica?.changeGroup({ type: 'simple', steps }).then(
        () => true,
        () => false,
      )
      if ((await Promise.race([made, this.pause(2000)])) === true) return
      await this.pause(100)
    }
  }

  /** Gives the node an empty disk and new replicas, which vote when it resolves. */
  async replace(node: ClusterNode): Promise<void> {
    const old = this.replicaOn(node)
    const replica = this.newReplica(node)
    node.wipe()
    const started = node.start()
    await this.until(() => node.host !== undefined, `node ${node.id} takes part`)
    for (const partition of partitions) {
      await this.change(partition, [{ type: 'remove', replica: old }])
      await this.change(partition, [{ type: 'addLearner', replica }])
      await this.place(node, partition, replica)
      await this.until(() => this.#isUpToDate(node, partition), `replica ${replica} has the log`)
      await this.change(partition, [{ type: 'addVoter', replica }])
    }
    await started
  }

  /** The node holds that replica from now on. */
  async place(node: ClusterNode, partition: PartitionId, replica: ReplicaId): Promise<void> {
    const leader = must(this.leader(partition)?.partition(partition), 'a leader')
    const { cutBytes } = leader.opened
    await must(node.host, 'a host').place({ partition, replica, voters: this.#founders, cutBytes })
  }

  /** How often each of the things was written, as a node's log has it. */
  async writes(node: ClusterNode): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    const store = must(node.store, 'a store')
    for await (const { key } of store.changes({ collection: 'things', from: 'start', follow: false }))
      counts.set(String(key), (counts.get(String(key)) ?? 0) + 1)
    return counts
  }

  /** All nodes that are up come to hold the same, and every row and byte of it fits. */
  async agree(): Promise<void> {
    await this.#beLed()
    const isAtRest = (partition: PartitionId): boolean => {
      const leader = this.leader(partition)
      if (leader === undefined) return false
      const { commit, lastIndex } = leader.group(partition)
      return commit === lastIndex && this.#up.every(node => node.partition(partition)?.applied === commit)
    }
    await this.until(() => partitions.every(isAtRest), 'all hold the same', 50)
    for (const partition of partitions) {
      const opened = this.#up.map(node => must(node.partition(partition), 'a partition').opened)
      await checkAgreement(opened)
    }
  }

  #addressOf(replica: ReplicaId): string | undefined {
    const place = this.#places.get(replica)
    return place === undefined ? undefined : listeningAt(place)
  }

  async #beLed(): Promise<void> {
    await this.until(() => partitions.every(one => this.leader(one) !== undefined), 'a leader')
  }

  #isUpToDate(node: ClusterNode, partition: PartitionId): boolean {
    const leader = this.leader(partition)
    if (leader === undefined) return false
    return (node.partition(partition)?.applied ?? -1) >= leader.group(partition).commit - 5
  }

  #hosts(nodes: readonly ClusterNode[]): string[] {
    return nodes.map(({ id }) => hostOf(id))
  }

  #account(): string {
    const lines = this.nodes.flatMap(node =>
      partitions.map(partition => {
        const is = `node ${node.id} ${node.store ? 'up' : 'down'} ${node.failure?.message ?? ''}`
        if (node.partition(partition) === undefined) return `${is}: no replica of ${partition}`
        const { role, term, commit, applied, lastIndex, configuration } = node.group(partition)
        const group = JSON.stringify(configuration)
        return `${is}: ${partition} ${role} term ${term} ${applied} ${commit} ${lastIndex} ${group}`
      }),
    )
    return lines.join('\n')
  }
}

async function defineThings(store: Store): Promise<void> {
  await store.define('things', {
    key: 'id',
    unique: { email: { fields: ['email'] } },
    indexes: { byEmail: { type: 'secondary', fields: ['email'] } },
  })
}
