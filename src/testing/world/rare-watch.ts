/**
 * Looks at a whole world for rare states: at all replicas again and again, at what nodes say, at processes
 * that come and go, and at what they find on their disks.
 */
import type { SillokError } from '../../base/errors.js'
import type { Network } from '../../env/network.js'
import type { Host } from '../../replica/host.js'
import { folderName } from '../../replica/partition-folders.js'
import type { FaultCounts } from '../../sim/fault-counts.js'
import { RareMessages } from './rare-messages.js'
import { RareReplicas } from './rare-replicas.js'
import { type RareState, Reached } from './rare-states.js'
import type { WorldCounts } from './report.js'
import { tapNetwork } from './tapped-network.js'
import { type LifeObserver, type NodeState, nodeFolder, type WorldNode } from './world-node.js'

/** What a store says of itself costs more than a look: it is asked at each fifth one. */
const statusEach = 5

/** One world, from outside. */
export class RareWatch {
  readonly #reached = new Reached()
  readonly #nodes: number
  readonly #faults: FaultCounts
  readonly #replicas: RareReplicas
  readonly #messages: RareMessages
  /** Nodes that refused their files and were not yet given new replicas. */
  readonly #damaged = new Set<number>()
  /** States that were seen at the last look, and at the one under way. */
  #before: ReadonlySet<RareState> = new Set()
  #now: Set<RareState> | undefined
  #expired = 0
  #unknown = 0
  #looks = 0

  constructor({ nodes, faults }: { readonly nodes: number; readonly faults: FaultCounts }) {
    this.#nodes = nodes
    this.#faults = faults
    this.#replicas = new RareReplicas({
      mark: this.#mark,
      founders: nodes,
      hasOpenReads: (...leader) => this.#messages.hasOpenReads(...leader),
    })
    this.#messages = new RareMessages(this.#mark, this.#replicas)
  }

  /** What lasts from one look to the next counts once. */
  readonly #mark = (state: RareState): void => {
    const isNew = this.#now === undefined || !(this.#now.has(state) || this.#before.has(state))
    this.#now?.add(state)
    if (isNew) this.#reached.mark(state)
  }

  /** At one moment, all nodes. */
  look(nodes: readonly WorldNode[]): void {
    this.#now = new Set()
    this.#look(nodes)
    this.#before = this.#now
    this.#now = undefined
  }

  #look(nodes: readonly WorldNode[]): void {
    const up = nodes.filter(({ state }) => state === 'up')
    if (up.length === 0) this.#mark('all-down')
    if (up.length <= this.#nodes / 2) this.#mark('majority-down')
    const sighted = nodes.flatMap(({ node, host, machine, takesPart }) => {
      if (host === undefined || !takesPart) return []
      const { isHeld } = machine.clock
      const here = [host.meta, host.data].filter(({ isHere }) => isHere)
      return here.map(({ id: partition, opened }) => ({ node, partition, opened, isHeld }))
    })
    this.#replicas.look(sighted)
    if (this.#looks++ % statusEach === 0) this.#statuses(up)
  }

  #statuses(up: readonly WorldNode[]): void {
    for (const { store, host } of up) {
      if (store === undefined || host === undefined) continue
      const { wal, indexes } = store.status()
      if (wal?.full === true && (host.data.leads || host.meta.leads)) this.#mark('leader-with-full-disk')
      const begin = host.data.isHere ? host.data.opened.segments.firstIndex : 0
      if (indexes.some(({ position }) => position + 1 < begin)) this.#mark('log-goes-under-an-index')
    }
  }

  /** A caller is refused, or its call fails. */
  told(code: SillokError['code']): void {
    if (code === 'SESSION_EXPIRED') this.#expired += 1
    if (code === 'TIMED_OUT') this.#unknown += 1
    this.#messages.told(code)
  }

  /** The node refused its files. */
  lost(node: number, isReplacing: boolean): void {
    this.#damaged.add(node)
    if (isReplacing) this.#mark('lost-during-replacement')
  }

  /** The node holds new replicas, and they vote. */
  replaced(node: number): void {
    if (this.#damaged.delete(node)) this.#mark('damaged-node-replaced')
  }

  /** The world is over: adds what was counted here; what was reached. */
  end(counts: WorldCounts): ReturnType<Reached['toJSON']> {
    this.#messages.end()
    counts.installed = this.#replicas.installed
    counts.changes = this.#replicas.changed
    counts.expired = this.#expired
    counts.unknown = this.#unknown
    return this.#reached.toJSON()
  }

  /** For the processes of that node. */
  observerOf(node: number, isReplacing: () => boolean): LifeObserver {
    return new Lives(node, isReplacing, {
      mark: this.#mark,
      faults: this.#faults,
      replicas: this.#replicas,
      messages: this.#messages,
    })
  }
}

/** What the observers of all nodes share. */
interface Shared {
  readonly mark: (state: RareState) => void
  readonly faults: FaultCounts
  readonly replicas: RareReplicas
  readonly messages: RareMessages
}

/** The processes of one node, one after the other. */
class Lives implements LifeObserver {
  readonly #node: number
  readonly #isReplacing: () => boolean
  readonly #shared: Shared
  #paths: readonly string[] = []
  /** Processes in a row that died before they were open. */
  #stillborn = 0
  #torn = 0
  #namesLost = 0
  #isTorn = false
  #isNameLost = false

  constructor(node: number, isReplacing: () => boolean, shared: Shared) {
    this.#node = node
    this.#isReplacing = isReplacing
    this.#shared = shared
  }

  network(network: Network): Network {
    return tapNetwork(network, (frame, remote) => this.#shared.messages.hear(this.#node, frame, remote))
  }

  begins(paths: readonly string[]): void {
    const { faults, mark } = this.#shared
    this.#paths = paths
    const logs = paths.flatMap(path => {
      const sequence = /\/wal-([0-9a-f]{16})$/.exec(path)?.[1]
      return sequence === undefined ? [] : [Number.parseInt(sequence, 16)]
    })
    if (logs.length > 1) mark('log-is-rotated')
    if (logs.length > 0 && Math.min(...logs) > 1) mark('log-files-are-reused')
    this.#isTorn = faults.of('torn-write') > this.#torn
    this.#isNameLost = faults.of('unsynced-name-lost') > this.#namesLost
  }

  takesPart(host: Host): void {
    const { mark } = this.#shared
    if (this.#isTorn) mark('torn-write-survived')
    if (this.#isNameLost) mark('lost-name-survived')
    for (const partition of [host.meta, host.data]) {
      if (!partition.isHere) continue
      const { id, opened } = partition
      const { replicaId, generation } = opened
      const [next, before] = [generation + 1, generation - 1].map(
        one => `${nodeFolder}/partitions/${folderName(id, replicaId, one)}/`,
      )
      const holds = (begin: string | undefined): boolean =>
        begin !== undefined && this.#paths.some(path => path.startsWith(begin))
      if (holds(`${next}segments/`)) mark('crash-as-its-entries-come')
      else if (holds(next)) mark('crash-as-snapshot-comes')
      if (generation > 0 && holds(before)) mark('crash-after-the-switch')
    }
  }

  ends(host: Host | undefined, state: NodeState, isClean: boolean): void {
    const { mark, faults, replicas } = this.#shared
    this.#torn = faults.of('torn-write')
    this.#namesLost = faults.of('unsynced-name-lost')
    if (state === 'starting') {
      mark('crash-in-opening')
      if (++this.#stillborn > 1) mark('two-crashes-in-opening')
    } else if (state !== 'down') this.#stillborn = 0
    if (isClean) return
    if (state === 'stopping') mark('crash-in-closing')
    for (const partition of [host?.meta, host?.data]) {
      if (partition?.isHere === true) replicas.dies(partition.opened, this.#isReplacing())
    }
  }

  rebuilt(): void {
    this.#shared.mark('state-made-anew')
  }
}
