/**
 * What goes wrong in a world, and how much of it at a time.
 *
 * The budget: what a majority of the nodes has synced is not harmed. Crashes, power losses of all at once,
 * and whatever clocks, event loops and cables do, cost nothing of that. Only victims, fewer than half of the
 * nodes and the same ones for the whole life of a world, lose their disk or have it rot.
 */
import { must } from '../../base/assert.js'
import type { ReplicaId } from '../../base/ids.js'
import { Random } from '../../base/random.js'
import type { SimNetwork } from '../../sim/sim-network.js'
import { Strand } from './strand.js'
import { hostOf, nodeFolder, type WorldNode } from './world-node.js'

/**
 * The names of the faults that a world may have; each has others of them, so that rare ones are met alone.
 */
export const worldFaults = [
  'kill',
  'powerLoss',
  'crashInOperation',
  'crashInInstall',
  'powerLossOfAll',
  'stop',
  'stall',
  'suspend',
  'clockRate',
  'wallJump',
  'slowDisk',
  'hungDisk',
  'fullDisk',
  'failedSync',
  'readError',
  'storeWrite',
  'slowStore',
  'hungStore',
  'wipe',
  'rotAtRest',
  'rot',
  'storeValue',
  'storeCompaction',
  'cut',
  'isolate',
  'isolateLeader',
  'bridge',
  'flap',
  'break',
  'tear',
  'refuse',
  'storm',
  'delay',
  'transfer',
  'regroup',
  'strand',
] as const

/** Faults that no replication survives, for worlds of which only is demanded that nobody is told a lie. */
export const faultsBeyond = ['lostSync', 'misdirectedWrite', 'rotInLog', 'storeRow'] as const

/** A fault that a world may have. */
export type WorldFault = (typeof worldFaults)[number] | (typeof faultsBeyond)[number]

/** So far are wall clocks ahead or behind: request ids are safe for half a day. */
const wallSkewMsMax = 3 * 3_600_000

/** The world as its faults have it. */
export interface FaultyWorld {
  readonly nodes: readonly WorldNode[]
  readonly cables: SimNetwork
  /** Nodes that may lose what they have synced. */
  readonly victims: readonly WorldNode[]
  readonly after: (ms: number, call: () => void) => void
  /** A node whose replica leads one of the partitions, if there is one. */
  readonly leader: (random: Random) => WorldNode | undefined
  /** The replicas of the node that are to lead, when leadership is handed over. */
  readonly replicaOn: (node: number) => ReplicaId
  /** Gives the node an empty disk and new replicas; nothing while another node is being given some. */
  readonly replace: (node: WorldNode) => void
  /** Has the leader take the node's vote, or give it back. */
  readonly regroup: (node: WorldNode, type: 'simple' | 'joint', random: Random) => void
  readonly told: (node: number | undefined, what: string) => void
}

/** The folder of a replica, of which each snapshot that comes in makes a new one. */
function replicaFolderOf(path: string): string | undefined {
  return /\/partitions\/([^/]+)/.exec(path)?.[1]
}

/** All faults of one world. */
export class Faults {
  readonly #world: FaultyWorld
  readonly #strand: Strand
  /** Chance of the strike that is under way: leaving one out shifts no other. */
  #random = new Random('no strike yet')
  /** How often each was begun. */
  readonly begun: Partial<Record<WorldFault, number>> = {}

  constructor(world: FaultyWorld) {
    this.#world = world
    this.#strand = new Strand(world)
  }

  /** Begins one, at some node; those that last end by themselves or with `calm`. */
  strike(fault: WorldFault, random: Random): void {
    const { nodes, told, leader } = this.#world
    this.#random = random
    const node = random.chance(0.3) ? (leader(random) ?? random.pick(nodes)) : random.pick(nodes)
    if (fault === 'strand' && this.#strand.isUnderWay) return
    this.begun[fault] = (this.begun[fault] ?? 0) + 1
    told(node.node, `fault ${fault}`)
    this.#acts[fault](node)
  }

  /** Soon after a strike, while it is still being dealt with, a leader dies too. */
  aftershock(random: Random): void {
    const { leader, after, told } = this.#world
    const mode = random.pick(['all', 'none', 'any'] as const)
    after(random.below(random.pick([10, 200])), () => {
      const node = leader(random)
      if (node === undefined) return
      told(node.node, 'aftershock')
      node.crash(mode)
    })
  }

  /** Everything that lasts ends; clocks that are wrong stay so. */
  calm(): void {
    const { nodes, cables } = this.#world
    this.#strand.calm()
    cables.calm()
    for (const { machine } of nodes) {
      machine.disk.calm()
      machine.keyValue.calm()
      machine.clock.resume()
    }
  }

  readonly #acts: Record<WorldFault, (node: WorldNode) => void> = {
    kill: node => node.crash('all'),
    powerLoss: node => node.crash(this.#random.pick(['none', 'any'])),
    crashInOperation: node => {
      node.crashSoon(
        1 + this.#random.below(this.#random.pick([5, 60])),
        this.#random.pick(['all', 'none', 'any']),
      )
    },
    crashInInstall: node => {
      const known = new Set(node.machine.disk.paths().map(replicaFolderOf))
      const isNew = (path: string): boolean => {
        const folder = replicaFolderOf(path)
        return folder !== undefined && !known.has(folder)
      }
      node.crashWhen(isNew, 1 + this.#random.below(60), this.#random.pick(['all', 'none', 'any']))
    },
    powerLossOfAll: () => {
      if (this.#random.chance(0.7)) return
      for (const node of this.#world.nodes) node.crash(this.#random.pick(['none', 'any']))
    },
    stop: node => node.stop(),
    stall: ({ machine }) => {
      machine.clock.stall(this.#ms([20, 300, 5000]), this.#random.pick(['timers', 'poll', 'check']))
    },
    suspend: ({ machine }) => {
      const { clock } = machine
      clock.pause()
      this.#world.after(this.#ms([300, 4000, 12_000]), () => clock.resume())
    },
    clockRate: ({ machine }) => machine.clock.setRate(0.9 + 0.2 * this.#random.fraction()),
    wallJump: ({ machine }) => {
      const { clock } = machine
      clock.jumpWall(this.#random.below(2 * wallSkewMsMax) - wallSkewMsMax - clock.wallSkewMs)
    },
    slowDisk: ({ machine }) =>
      this.#fora(
        () => machine.disk.pace.setSlow([1, this.#ms([20, 200])]),
        () => machine.disk.pace.setSlow(undefined),
      ),
    hungDisk: ({ machine }) => {
      const { disk } = machine
      this.#fora(
        () => disk.pace.hang(),
        () => disk.pace.letGo(),
      )
    },
    fullDisk: ({ machine }) => {
      const { disk } = machine
      this.#fora(
        () => disk.setFull(true),
        () => disk.setFull(false),
      )
    },
    failedSync: ({ machine }) => machine.disk.failNextSync(),
    readError: ({ machine }) => machine.disk.arrange('read-error'),
    storeWrite: ({ machine }) => machine.keyValue.failWrites({ times: 1 }),
    slowStore: ({ machine }) => {
      const { keyValue } = machine
      this.#fora(
        () => keyValue.pace.setSlow([1, this.#ms([20, 200])]),
        () => keyValue.pace.setSlow(undefined),
      )
    },
    hungStore: ({ machine }) => {
      const { keyValue } = machine
      this.#fora(
        () => keyValue.pace.hang(),
        () => keyValue.pace.letGo(),
      )
    },
    wipe: () => this.#world.replace(this.#random.pick(this.#world.victims)),
    rotAtRest: () => this.#rotAtRest(this.#random.pick(this.#world.victims)),
    rot: () => this.#rot(this.#random.pick(this.#world.victims)),
    storeValue: () => this.#random.pick(this.#world.victims).flip(this.#random),
    storeCompaction: ({ machine }) => machine.keyValue.loseCompactions(),
    lostSync: ({ machine }) => machine.disk.arrange('lost-sync', { times: 3 }),
    misdirectedWrite: ({ machine }) => machine.disk.arrange('misdirected-write'),
    rotInLog: node => {
      node.rot(this.#random, path => path.startsWith(`${nodeFolder}/wal/`))
    },
    storeRow: ({ machine }) => void machine.keyValue.dropAny(this.#random),
    cut: node => this.#cut(node, this.#other(node)),
    isolate: node => this.#isolate(node),
    isolateLeader: () =>
      this.#isolate(this.#world.leader(this.#random) ?? this.#random.pick(this.#world.nodes)),
    bridge: node => {
      const others = this.#world.nodes.filter(other => other !== node)
      const half = Math.ceil(others.length / 2)
      const [one, two] = [others.slice(0, half), others.slice(half)].map(side =>
        side.map(({ node: id }) => hostOf(id)),
      )
      this.#world.cables.part(one ?? [], two ?? [])
    },
    flap: node => {
      const [a, b] = [node, this.#other(node)].map(({ node: id }) => hostOf(id))
      if (a === undefined || b === undefined) return
      const upMs = this.#ms([50, 2000])
      const downMs = this.#ms([50, 8000])
      this.#world.cables.flap(a, b, { upMs: [1, upMs], downMs: [1, downMs] })
    },
    break: node => this.#world.cables.break(hostOf(node.node), hostOf(this.#other(node).node)),
    tear: node =>
      this.#world.cables.tearAt(hostOf(node.node), hostOf(this.#other(node).node), 1 + this.#random.below(9)),
    refuse: node => this.#world.cables.refuse(hostOf(node.node)),
    storm: () => this.#world.cables.storm([0.05, this.#random.pick([1, 30, 300])]),
    delay: node => {
      this.#world.cables.delay(hostOf(node.node), hostOf(this.#other(node).node), [1, this.#ms([30, 900])])
    },
    transfer: node => {
      const to = this.#world.replicaOn(this.#other(node).node)
      for (const partition of [node.host?.meta, node.host?.data]) {
        if (partition?.leads === true && this.#random.chance(0.7)) partition.replica.transferLeader(to)
      }
    },
    regroup: () => {
      const victim = this.#random.pick(this.#world.victims)
      this.#world.regroup(victim, this.#random.pick(['simple', 'joint']), this.#random)
    },
    strand: node => this.#strand.begin(node, this.#random),
  }

  /** Not in the log: a batch of it that was the last one, and rots, is one that was torn. */
  #rot(node: WorldNode): void {
    const isThere = (path: string): boolean => path.startsWith(`${nodeFolder}/partitions/`)
    if (node.rot(this.#random, isThere) !== undefined) node.machine.disk.evict(isThere)
  }

  #ms(most: readonly number[]): number {
    return 1 + this.#random.below(this.#random.pick(most))
  }

  /** Begins something that ends by itself after a while. */
  #fora(begin: () => void, end: () => void): void {
    begin()
    this.#world.after(this.#ms([200, 3000, 10_000]), end)
  }

  #other(node: WorldNode): WorldNode {
    return this.#random.pick(this.#world.nodes.filter(other => other !== node))
  }

  #cut(from: WorldNode, to: WorldNode): void {
    this.#world.cables.cut(hostOf(from.node), hostOf(to.node))
  }

  #isolate(node: WorldNode): void {
    for (const other of this.#world.nodes) {
      if (other === node) continue
      this.#cut(node, other)
      this.#cut(other, node)
    }
  }

  /**
   * The process ends in order, and then bits turn in its files: also in the log, whose last batches nothing
   * else proves after a crash.
   */
  #rotAtRest(node: WorldNode): void {
    const random = this.#random
    node.stop(() => {
      const where = random.pick(['wal/', 'partitions/', ''])
      node.rot(random, path => path.startsWith(`${nodeFolder}/${where}`))
    })
  }
}

/** One of them; without one that was not drawn, the same is drawn. */
export function drawnFault(faults: readonly WorldFault[], random: Random): WorldFault {
  const drawn = faults.map(fault => ({ fault, place: random.split(fault).uint32() }))
  return must(drawn.sort((a, b) => b.place - a.place)[0], 'a fault').fault
}
