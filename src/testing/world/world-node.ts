/**
 * One node of a simulated cluster: a machine with a disk and a cable, and on it, life after life, a process
 * with the store, exactly as it runs in production.
 *
 * What stops a process starts it again after a pause, as a supervisor would. One that refuses to open because
 * its files are damaged, or that lost its disk, stays out until somebody gives it a new disk (`replaceDisk`)
 * and new replicas: under its old ids it would vote again in elections that it has forgotten.
 */
import { isSillokError, SillokError } from '../../base/errors.js'
import type { PartitionId, ReplicaId } from '../../base/ids.js'
import type { Limits } from '../../base/limits.js'
import type { Random } from '../../base/random.js'
import type { Network } from '../../env/network.js'
import type { Alarm } from '../../raft/messages.js'
import type { Host } from '../../replica/host.js'
import type { Founders, Placement } from '../../replica/host-options.js'
import type { OpenedReplica } from '../../replica/open-replica.js'
import type { Partition } from '../../replica/partition.js'
import type { FaultCounts } from '../../sim/fault-counts.js'
import type { SimClock } from '../../sim/sim-clock.js'
import type { CrashMode } from '../../sim/sim-file.js'
import { SimMachine } from '../../sim/sim-machine.js'
import type { SimNetwork } from '../../sim/sim-network.js'
import type { IndexTypes } from '../../store/index-types.js'
import { Store } from '../../store/store.js'

/** The data folder on the node's disk. */
export const nodeFolder = 'data'

/** The name of a node on the cables. */
export function hostOf(node: number): string {
  return `node${node}`
}

/** Who looks on as processes of a node come and go, and at what they say. */
export interface LifeObserver {
  /** The network, heard. */
  network(network: Network): Network
  /** A process begins, and finds these files. */
  begins(paths: readonly string[]): void
  takesPart(host: Host): void
  /** It is gone in this step; `isClean`: it had closed. */
  ends(host: Host | undefined, state: NodeState, isClean: boolean): void
  /** It makes something anew from what it has. */
  rebuilt(): void
}

/** Where a node listens. */
export function listeningAt(node: number): string {
  return `${hostOf(node)}:1`
}

/** What a node of a world is made from, and whom it tells. */
export interface WorldNodeOptions {
  readonly node: number
  readonly founders: Founders
  readonly clock: SimClock
  readonly random: Random
  readonly cables: SimNetwork
  readonly limits: Partial<Limits>
  /** It may find that an invariant of its own is broken, and stop. */
  readonly mayStop: boolean
  readonly indexTypes: IndexTypes
  readonly faults: FaultCounts
  /** Where the node of a replica listens. */
  readonly addressOf: (replica: ReplicaId) => string | undefined
  readonly observer: LifeObserver
  /** Something happened that a reader of the timeline wants to know. */
  readonly told: (what: string) => void
  /** The process is gone; a supervisor starts it again. */
  readonly ended: () => void
  /** Its files do not fit together, or its disk is gone: it needs a new disk and new replicas. */
  readonly lost: (why: string) => void
  readonly alarmed: (alarm: Alarm) => void
  /** What no node may do: the world ends. */
  readonly failed: (error: unknown) => void
}

/** A process of a node, from its start to its end. */
interface Life {
  readonly number: number
  host: Host | undefined
  store: Store | undefined
  isClosed: boolean
  /** Called when the process is gone. */
  readonly onEnd: Set<() => void>
}

/** How a node is doing. */
export type NodeState = 'down' | 'starting' | 'up' | 'stopping' | 'lost'

/** As long as a connection may take to be found dead, what is in flight to be answered, and a little more. */
const closeMs = 25_000

/** One node of a world. */
export class WorldNode {
  readonly node: number
  readonly machine: SimMachine
  readonly #options: WorldNodeOptions
  #life: Life | undefined
  #lives = 0
  #state: NodeState = 'down'
  /** False once it lost what it had: others found the groups that it is to join. */
  #isFounder = true
  #crashDue: CrashMode | undefined
  #hasRot = false

  constructor(options: WorldNodeOptions) {
    const { node, clock, random, cables, faults } = options
    this.node = node
    this.#options = options
    this.machine = new SimMachine({
      clock,
      random: random.split('machine'),
      latency: random.chance(0.5) ? 'none' : 'random',
      rotationLoss: random.chance(0.5),
      wallSkewMs: random.chance(0.5) ? random.below(7_200_000) - 3_600_000 : 0,
      faults,
      network: { cables, host: hostOf(node) },
      onCrash: () => this.#ended(),
    })
  }

  get state(): NodeState {
    return this.#state
  }

  /** True if bits turned on its disk: it may find itself damaged. */
  get hasRot(): boolean {
    return this.#hasRot
  }

  /** The host of the living process, once it takes part. */
  get host(): Host | undefined {
    return this.#life?.host
  }

  /** What it holds of the partition, if it takes part and has a replica. */
  openedAt(partition: PartitionId): OpenedReplica | undefined {
    return this.#here.find(({ id }) => id === partition)?.opened
  }

  /** A replica of it is sending that one a snapshot. */
  sendsTo(replica: ReplicaId): boolean {
    return this.#here.some(
      ({ replica: own }) =>
        own.leads &&
        own.group().members.some(member => member.replica === replica && member.pendingSnapshot > 0),
    )
  }

  /** It leads a partition of whose log it has trimmed what comes next for the other one. */
  wentOnWithout(other: WorldNode): boolean {
    return this.#here.some(({ id, replica, opened }) => {
      const behind = other.#here.find(one => one.id === id)
      if (!replica.leads || behind === undefined) return false
      return opened.segments.firstIndex > behind.replica.group().commit + 1
    })
  }

  get #here(): readonly Partition[] {
    const { host } = this
    return host === undefined ? [] : [host.meta, host.data].filter(({ isHere }) => isHere)
  }

  /** Its store, once that may be used. */
  get store(): Store | undefined {
    return this.#state === 'up' ? this.#life?.store : undefined
  }

  /** True if it takes part in the groups, for all that is known. */
  get takesPart(): boolean {
    return this.#life?.host !== undefined && this.#state !== 'stopping'
  }

  /** Begins a life on what the disk has, unless there is one, or the disk is of no use. */
  start(): void {
    if (this.#state !== 'down') return
    const number = ++this.#lives
    const env = number === 1 ? this.machine.environment : this.machine.restart()
    const life: Life = { number, host: undefined, store: undefined, isClosed: false, onEnd: new Set() }
    this.#life = life
    this.#state = 'starting'
    this.#options.observer.begins(this.machine.disk.paths())
    this.#live(life, env).catch((error: unknown) => {
      if (this.#life === life) this.#fell(error)
    })
  }

  /** The process, or the whole machine, is gone in this very moment. */
  crash(mode: CrashMode): void {
    if (this.#life !== undefined) this.machine.crash(mode)
  }

  /** The same in the middle of that operation of the disk, from now. */
  crashSoon(operations: number, mode: CrashMode): void {
    if (this.#life === undefined) return
    this.#crashDue = mode
    this.machine.crashAt(operations, mode)
  }

  /** The same, from the first operation at such a path on. */
  crashWhen(where: (path: string) => boolean, operations: number, mode: CrashMode): void {
    if (this.#life !== undefined) this.machine.disk.crashAt(operations, mode, where)
  }

  /** A crash that is still to come comes now. */
  crashIfDue(): void {
    if (this.#crashDue !== undefined) this.crash(this.#crashDue)
  }

  /**
   * The process ends in order, whatever it is at; nothing if its store may not be used yet. `atRest` is
   * called when it is gone.
   */
  stop(atRest: () => void = () => {}): void {
    const life = this.#life
    const store = this.store
    if (life === undefined || store === undefined) return
    this.#state = 'stopping'
    this.#options.told('stops')
    this.#options.clock.after(closeMs, () => {
      if (this.#life === life) this.#options.failed(new Error(`node ${this.node} does not close`))
    })
    store.close().then(
      () => {
        if (this.#life !== life) return
        life.isClosed = true
        this.crash('none')
        atRest()
      },
      (error: unknown) => {
        if (this.#life === life) this.#fell(error)
      },
    )
  }

  /** The machine gets an empty disk; whoever operates the cluster gives it replicas (`place`). */
  replaceDisk(): void {
    this.crash('none')
    this.machine.wipe()
    this.#hasRot = false
    this.#isFounder = false
    this.#state = 'down'
    this.#options.told('gets an empty disk')
  }

  /** A bit turns in one of these files, if there is one; its path. */
  rot(random: Random, where: (path: string) => boolean): string | undefined {
    const path = this.machine.disk.rotAny(random, where)
    if (path === undefined) return undefined
    this.#hasRot = true
    this.#options.told(`a bit of ${path} turned`)
    return path
  }

  /** A value of its key-value store becomes another one. */
  flip(random: Random): void {
    this.#hasRot = true
    this.machine.keyValue.flipAny(random)
  }

  /** Gives the node a replica, once it lives. Rejects as `Host.place` does. */
  async place(placement: Placement): Promise<void> {
    await this.#life?.host?.place(placement)
  }

  /** What the work resolves with, or undefined if the process ends before. */
  orEnd<T>(work: Promise<T>): Promise<T | undefined> {
    const life = this.#life
    return new Promise((resolve, reject) => {
      const ended = (): void => resolve(undefined)
      life?.onEnd.add(ended)
      if (life === undefined) ended()
      work.then(resolve, reject).finally(() => life?.onEnd.delete(ended))
    })
  }

  async #live(life: Life, env: SimMachine['environment']): Promise<void> {
    const { node, limits, indexTypes, addressOf, founders, told, alarmed, observer } = this.#options
    const failed = (error: SillokError): void => {
      if (this.#life === life) this.#fell(error)
    }
    const rebuilt = (reason: string): void => {
      told(`makes anew: ${reason}`)
      observer.rebuilt()
    }
    const store = await Store.open(env, nodeFolder, { failed, rebuilt }, limits, indexTypes, {
      network: observer.network(this.machine.network),
      cluster: 'world',
      node,
      address: listeningAt(node),
      addressOf: (_, replica) => addressOf(replica),
      ...(this.#isFounder && { founders }),
      trouble: told,
      alarmed: (_, alarm) => alarmed(alarm),
      joined: host => {
        if (this.#life !== life) return
        life.host = host
        observer.takesPart(host)
      },
    })
    if (this.#life !== life || this.#state !== 'starting') return
    store.on('damage', ({ part, reason, repaired }) => {
      if (this.#life === life && !repaired) this.#fell(new SillokError('DAMAGED', `${part}: ${reason}`))
    })
    life.store = store
    this.#state = 'up'
  }

  /** The process cannot go on. A supervisor starts it again, but where its files are of no use. */
  #fell(error: unknown): void {
    const { told, lost, failed, mayStop } = this.#options
    told(`falls: ${error instanceof Error ? error.message : String(error)}`)
    const isLost = isSillokError(error, 'DAMAGED')
    const mayBe = ['DISK_FAILED', 'DISK_FULL', 'CLOSED', 'CLOSED_WHILE_WAITING', 'UNAVAILABLE']
    if (mayStop) mayBe.push('STOPPED')
    if (!isLost && !mayBe.some(code => isSillokError(error) && error.code === code)) {
      failed(error)
      return
    }
    this.crash('all')
    if (!isLost) return
    this.#state = 'lost'
    lost(error.message)
  }

  #ended(): void {
    const life = this.#life
    this.#options.observer.ends(life?.host, this.#state, life?.isClosed === true)
    this.#life = undefined
    this.#crashDue = undefined
    this.#state = 'down'
    this.#options.told('is gone')
    this.#options.ended()
    for (const end of life?.onEnd ?? []) end()
  }
}
