/**
 * One node of a simulated group: a machine of its own with write-ahead log, segments and state, and on it one
 * replica. Its process is crashed and started again; what its disk kept is all that it has then.
 */
import type { PartitionId, ReplicaId } from '../../../src/base/ids.js'
import { type Limits, limits } from '../../../src/base/limits.js'
import type { Random } from '../../../src/base/random.js'
import type { Environment } from '../../../src/env/environment.js'
import type { Alarm, PeerMessage } from '../../../src/raft/messages.js'
import { createPartition, type OpenedReplica, openReplica } from '../../../src/replica/open-replica.js'
import type { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Gate } from '../../../src/state/gate.js'
import { Wal } from '../../../src/wal/wal.js'

export const partition: PartitionId = 1

const tickMs = 100

export interface GroupNodeOptions {
  readonly id: ReplicaId
  readonly voters: readonly ReplicaId[]
  readonly clock: SimClock
  readonly random: Random
  readonly limits: Partial<Limits>
  readonly ignoreSync: boolean
  readonly send: (message: PeerMessage) => void
  readonly alarmed: (alarm: Alarm) => void
  /** The process is gone. */
  readonly crashed: () => void
  /** What no node may do: the world ends. */
  readonly failed: (error: unknown) => void
}

export class GroupNode {
  readonly id: ReplicaId
  readonly machine: SimMachine
  readonly #options: GroupNodeOptions
  readonly #limits: Limits
  /** While the process lives and the replica is open. */
  opened: OpenedReplica | undefined
  #life = 0
  #crashDue: CrashMode | undefined

  constructor(options: GroupNodeOptions) {
    const { id, clock, random, ignoreSync } = options
    this.id = id
    this.#options = options
    this.#limits = { ...limits, ...options.limits }
    this.machine = new SimMachine({
      clock,
      random: random.split(`machine ${id}`),
      latency: random.chance(0.5) ? 'none' : 'random',
      ...(ignoreSync && { ignoreSync }),
      onCrash: () => {
        this.opened = undefined
        this.#life += 1
        this.#crashDue = undefined
        options.crashed()
      },
    })
  }

  /** Begins a life with what the disk has; resolves when the replica takes part, if it is not crashed before. */
  async start(): Promise<void> {
    const life = this.#life
    const env = life === 0 ? this.machine.environment : this.machine.restart()
    const opened = await this.#open(env)
    if (life !== this.#life) return
    this.opened = opened
    opened.replica.start(opened.last)
    this.#tick(env, opened)
  }

  crash(mode: CrashMode): void {
    this.machine.crash(mode)
  }

  /** In the middle of that operation of the disk, from now. */
  crashSoon(operations: number, mode: CrashMode): void {
    if (this.opened === undefined) return
    this.#crashDue = mode
    this.machine.crashAt(operations, mode)
  }

  /** A crash that is still to come comes now. */
  crashIfDue(): void {
    if (this.#crashDue !== undefined) this.crash(this.#crashDue)
  }

  async #open(env: Environment): Promise<OpenedReplica> {
    const { id, voters, send, alarmed, failed } = this.#options
    const wal = await Wal.open({
      disk: env.disk,
      clock: env.clock,
      random: env.random.split('wal'),
      folder: 'node/wal',
      fileBytes: this.#limits.walFileBytesEmbedded,
      filesMax: this.#limits.walFilesMax,
      wanted: () => void this.opened?.segments.sync(),
      failed,
    })
    if (!wal.partitions().includes(partition)) {
      await createPartition(wal, partition, this.#limits, { replicaId: id, voters })
    }
    return await openReplica({
      env,
      folder: 'node/partitions',
      partition,
      clusterEpoch: 1,
      wal,
      flushGate: new Gate(1),
      limits: this.#limits,
      openSession: () => Promise.reject(new Error('no sessions here')),
      applied: () => {},
      failed,
      rebuilt: () => {},
      unreadable: failed,
      alarmed,
      send,
    })
  }

  #tick(env: Environment, { replica }: Pick<OpenedReplica, 'replica'>): void {
    env.clock.after(
      tickMs,
      () => {
        replica.tick()
        this.#tick(env, { replica })
      },
      { idle: true },
    )
  }
}
