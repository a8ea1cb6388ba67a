/** The replicas of one node over its log, life after life, without anything that rests on them. */
import { limits } from '../../../src/base/limits.js'
import { Random } from '../../../src/base/random.js'
import { closeNode } from '../../../src/replica/closing.js'
import type { Founders } from '../../../src/replica/host-options.js'
import { NodeReplicas } from '../../../src/replica/node-replicas.js'
import type { Retentions } from '../../../src/replica/retentions.js'
import type { Switchboard } from '../../../src/replica/switchboard.js'
import { SimClock } from '../../../src/sim/sim-clock.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Wal } from '../../../src/wal/wal.js'
import { type Counted, counted } from './counted.js'

/** What a node is made of where it matters. */
export interface ReplicaNodeOptions {
  readonly machine: SimMachine
  readonly clock: SimClock
  readonly clusterEpoch?: number
  /** Without one nothing comes from other nodes, and no snapshot is installed. */
  readonly switchboard?: Partial<Switchboard>
}

/** A machine of its own for a node. */
export function machineOf(seed: string): { readonly clock: SimClock; readonly machine: SimMachine } {
  const clock = new SimClock()
  return { clock, machine: new SimMachine({ clock, random: new Random(seed) }) }
}

/** Open it, use its replicas, close or crash it, open it again. */
export class ReplicaNode {
  readonly clock: SimClock
  readonly machine: SimMachine
  readonly failures: unknown[] = []
  readonly #options: ReplicaNodeOptions
  #counted: Counted | undefined
  #wal: Wal | undefined

  constructor(options: ReplicaNodeOptions) {
    this.#options = options
    this.clock = options.clock
    this.machine = options.machine
  }

  /** Holds the replicas' folders. */
  static readonly folder = 'node/partitions'

  async open(founders?: Founders): Promise<NodeReplicas> {
    this.#counted = counted(this.machine.restart())
    const { env } = this.#counted
    await env.disk.makeFolder(ReplicaNode.folder)
    const wal = await Wal.open({
      disk: env.disk,
      clock: env.clock,
      random: env.random.split('wal'),
      folder: 'node/wal',
      fileBytes: limits.walFileBytesEmbedded,
    })
    this.#wal = wal
    const { switchboard, clusterEpoch = 0 } = this.#options
    const replicas = new NodeReplicas({
      env,
      folder: ReplicaNode.folder,
      limits,
      switchboard: () => switchboard as Switchboard | undefined,
      isMember: true,
      openSession: async () => {},
      applied: () => {},
      rebuilt: () => {},
      unreadable: () => {},
      alarmed: () => {},
      moving: async () => {},
      moved: async () => {},
      failed: error => this.failures.push(error),
    })
    const retentions = { enter: () => {}, leave: async () => {} } as unknown as Retentions
    await replicas.open({ wal, clusterEpoch, retentions }, founders)
    return replicas
  }

  /** Resolves with what went wrong. */
  async close(replicas: NodeReplicas): Promise<readonly unknown[]> {
    return await closeNode({
      clock: this.machine.environment.clock,
      replicas,
      wal: this.#wal,
      switchboard: undefined,
      retentions: undefined,
      lock: { release: async () => {} },
      indexes: () => undefined,
      hasFailed: () => this.failures.length > 0,
    })
  }

  /** Files and stores that nobody has closed. */
  get held(): readonly string[] {
    return [...(this.#counted?.open ?? [])]
  }

  /** From now on that is called before a key-value store is opened. */
  beforeStore(call: (folder: string) => void): void {
    if (this.#counted !== undefined) this.#counted.beforeStore = call
  }

  pass(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }
}
