/**
 * One node of a scripted cluster: a machine, and on it, life after life, a process with the store. Nothing
 * happens to it but what a script says; who crashed stays so until `start`.
 */
import { must } from '../../../src/base/assert.js'
import { SillokError } from '../../../src/base/errors.js'
import { metaPartition, type PartitionId, type ReplicaId } from '../../../src/base/ids.js'
import type { Limits } from '../../../src/base/limits.js'
import type { Random } from '../../../src/base/random.js'
import { Joining } from '../../../src/cluster/joining.js'
import type { Environment } from '../../../src/env/environment.js'
import type { RaftStatus } from '../../../src/raft/raft.js'
import type { Host } from '../../../src/replica/host.js'
import type { Partition } from '../../../src/replica/partition.js'
import type { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import type { SimNetwork } from '../../../src/sim/sim-network.js'
import { IndexTypes } from '../../../src/store/index-types.js'
import { Store } from '../../../src/store/store.js'
import type { StoreMember } from '../../../src/store/store-status.js'
import type { Told } from '../../../src/testing/workloads/workload.js'
import { hostOf, listeningAt, nodeFolder } from '../../../src/testing/world/world-node.js'

export interface ClusterNodeOptions {
  readonly id: number
  readonly voters: readonly ReplicaId[]
  readonly clock: SimClock
  readonly random: Random
  readonly cables: SimNetwork
  readonly limits: Partial<Limits>
  readonly wallSkewMs: number
  /** It joins through those, or begins the cluster if there are none; undefined: a script places it. */
  readonly seeds?: readonly number[] | undefined
  /** Undefined: the nodes know it by themselves. */
  readonly addressOf?: ((replica: ReplicaId) => string | undefined) | undefined
  readonly told: (what: string) => void
}

export class ClusterNode {
  readonly id: number
  readonly machine: SimMachine
  readonly #options: ClusterNodeOptions
  /** Once the process takes part. */
  host: Host | undefined
  /** Once it may be used. */
  store: Store | undefined
  /** Why the process stopped by itself, or could not begin. */
  failure: SillokError | undefined
  readonly #ends = new Set<() => void>()
  #lives = 0
  #isFounder: boolean

  constructor(options: ClusterNodeOptions) {
    const { id, clock, random, cables, wallSkewMs } = options
    this.id = id
    this.#options = options
    this.#isFounder = options.voters.includes(id)
    this.machine = new SimMachine({
      clock,
      random,
      wallSkewMs,
      network: { cables, host: hostOf(id) },
      onCrash: () => this.#ended(),
    })
  }

  /** Begins a life on what the disk has; resolves when the store may be used, or the process is gone. */
  async start(): Promise<void> {
    const env = this.#lives === 0 ? this.machine.environment : this.machine.restart()
    const life = ++this.#lives
    this.failure = undefined
    const opening = this.#open(env, host => {
      if (life === this.#lives) this.host = host
    })
    const opened = opening.then(
      store => {
        if (life !== this.#lives) return
        this.store = store
        store.on('failed', error => {
          if (life === this.#lives) this.failure = error
        })
      },
      (error: unknown) => {
        if (!(error instanceof SillokError)) throw error
        if (life === this.#lives) this.failure = error
      },
    )
    await this.orEnd(opened)
  }

  async #open(env: Environment, joined: (host: Host) => void): Promise<Store> {
    const { limits, told } = this.#options
    const placed = await this.#member(env)
    return await Store.open(env, nodeFolder, {}, limits, new IndexTypes(), {
      ...placed,
      alarmed: (partition, alarm) => told(`node ${this.id}: alarm ${partition} ${JSON.stringify(alarm)}`),
      joined: host => {
        joined(host)
        return placed.joined?.(host)
      },
    })
  }

  async #member(env: Environment): Promise<StoreMember> {
    const { voters, seeds, addressOf, told } = this.#options
    const own = { network: this.machine.network, node: this.id, address: listeningAt(this.id) }
    const trouble = (what: string): void => told(`node ${this.id}: ${what}`)
    if (seeds !== undefined) {
      const [folder, init, role] = [nodeFolder, seeds.length === 0, 'voter'] as const
      const joining = new Joining({
        ...{ env, folder, init, role, ...own },
        seeds: seeds.map(listeningAt),
        told: trouble,
      })
      return await joining.member()
    }
    return {
      ...own,
      cluster: 'scripted',
      ...(addressOf && { addressOf: (_: PartitionId, replica: ReplicaId) => addressOf(replica) }),
      ...(this.#isFounder && { founders: { replica: this.id, voters } }),
      trouble,
    }
  }

  /** The process, or with it the machine's power, is gone in this very moment. */
  crash(mode: CrashMode): void {
    this.machine.crash(mode)
  }

  /** The process ends in order. */
  async stop(): Promise<void> {
    const store = must(this.store, 'a store')
    this.store = undefined
    await this.orEnd(store.close())
    this.crash('none')
  }

  /** The next process finds an empty disk, and is not told of any replica. */
  wipe(): void {
    this.machine.wipe()
    this.#isFounder = false
  }

  /** Calls the store, and tells how that ended; in a dead process it never does. */
  async ask<T>(call: (store: Store) => Promise<T>): Promise<Told<T>> {
    const { store } = this
    if (store === undefined) return { how: 'nobody' }
    const asked = (async () => await call(store))().then(
      (value): Told<T> => ({ how: 'answered', value }),
      (error: unknown): Told<T> => {
        if (!(error instanceof SillokError)) throw error
        return { how: 'refused', error }
      },
    )
    return (await this.orEnd(asked)) ?? { how: 'gone' }
  }

  /** What the work resolves with; undefined if the process is gone before. */
  orEnd<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const end = (): void => resolve(undefined)
      this.#ends.add(end)
      work.then(resolve, reject).finally(() => this.#ends.delete(end))
    })
  }

  /** Its part of a partition, if it takes part and holds a replica of it. */
  partition(id: PartitionId): Partition | undefined {
    const partition = id === metaPartition ? this.host?.meta : this.host?.data
    return partition?.isHere === true ? partition : undefined
  }

  group(id: PartitionId): RaftStatus {
    return must(this.partition(id), `partition ${id} at node ${this.id}`).replica.group()
  }

  #ended(): void {
    this.host = undefined
    this.store = undefined
    for (const end of this.#ends) end()
    this.#ends.clear()
  }
}
