/**
 * One node of a simulated group: a machine of its own with write-ahead log, segments and state, and on it one
 * replica. Its process is crashed and started again; what its disk kept is all that it has then.
 */
import { must } from '../../../src/base/assert.js'
import type { PartitionId, ReplicaId } from '../../../src/base/ids.js'
import { type Limits, limits } from '../../../src/base/limits.js'
import type { Random } from '../../../src/base/random.js'
import type { Environment } from '../../../src/env/environment.js'
import type { Alarm, InstallSnapshot, PeerMessage } from '../../../src/raft/messages.js'
import { committedEntries } from '../../../src/replica/committed-entries.js'
import { discardSnapshot, installSnapshot } from '../../../src/replica/install-snapshot.js'
import { createPartition, type OpenedReplica, openReplica } from '../../../src/replica/open-replica.js'
import type { Install } from '../../../src/replica/prepared-snapshot.js'
import { Retention } from '../../../src/replica/retention.js'
import { SnapshotIntake } from '../../../src/replica/snapshot-intake.js'
import { snapshotPieces } from '../../../src/replica/snapshot-parcel.js'
import type { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import { Gate } from '../../../src/state/gate.js'
import { Wal } from '../../../src/wal/wal.js'
import type { Wire } from './wire.js'

export const partition: PartitionId = 1

/** Holds the folders of its replicas. */
const folder = 'node/partitions'
const tickMs = 100

export interface GroupNodeOptions {
  readonly id: ReplicaId
  readonly voters: readonly ReplicaId[]
  readonly clock: SimClock
  readonly random: Random
  readonly limits: Partial<Limits>
  readonly ignoreSync: boolean
  readonly send: (message: PeerMessage) => void
  readonly sendSnapshot: (message: InstallSnapshot) => void
  /** A snapshot is about to take the place of a replica's state. */
  readonly installing: () => void
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
  #retention: Retention | undefined
  /** One snapshot at a time comes in. */
  #intaking = false

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
        this.#retention = undefined
        this.#intaking = false
        options.crashed()
      },
    })
  }

  /** Begins a life on what the disk has; resolves when the replica takes part, if it is not crashed. */
  async start(): Promise<void> {
    const life = this.#life
    const env = life === 0 ? this.machine.environment : this.machine.restart()
    const wal = await this.#openLog(env)
    await this.#takePart(env, wal)
    const tick = (): void => {
      this.opened?.replica.tick()
      this.#retention?.look()
      env.clock.after(tickMs, tick, { idle: true })
    }
    tick()
  }

  /** Sends the snapshot of the message, which this node's replica wants to be sent, to that node. */
  async carry(message: InstallSnapshot, to: GroupNode, wire: Wire): Promise<void> {
    const from = must(this.opened, 'the sender')
    const arrived = await this.#transfer(message, to, wire).catch(() => false)
    await wire.pause()
    if (this.opened === from) from.replica.snapshotSent(to.id, arrived)
  }

  /** Answers true when all of it came; rejects when it got stuck on the way. */
  async #transfer(message: InstallSnapshot, to: GroupNode, wire: Wire): Promise<boolean> {
    const receiver = to.opened
    if (receiver === undefined || to.#intaking) return false
    to.#intaking = true
    const { disk } = this.machine.environment
    const pieces = snapshotPieces(disk, must(this.opened, 'the sender'), message.snapshot.index)
    let intake: SnapshotIntake | undefined
    try {
      intake = await wire.inTime(to.#beginIntake(receiver, message))
      for (
        let next = await wire.inTime(pieces.next());
        next.done !== true;
        next = await wire.inTime(pieces.next())
      ) {
        await wire.pause()
        if (to.opened !== receiver || wire.isCut(this.id, to.id)) throw new Error('the other side is gone')
        await wire.inTime(intake.take(next.value))
      }
      const prepared = await wire.inTime(intake.finish())
      intake = undefined
      if (to.opened !== receiver) return false
      if (!receiver.replica.receiveSnapshot(message, prepared))
        await wire.inTime(discardSnapshot(to.machine.environment.disk, folder, prepared))
      return true
    } finally {
      if (to.opened === receiver) {
        if (intake !== undefined) await wire.inTime(intake.abandon())
        to.#intaking = false
      }
    }
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

  /** Of its replicas: the one that counts. */
  folders(): Promise<string[]> {
    return this.machine.environment.disk.list(folder)
  }

  /** A crash that is still to come comes now. */
  crashIfDue(): void {
    if (this.#crashDue !== undefined) this.crash(this.#crashDue)
  }

  async #openLog(env: Environment): Promise<Wal> {
    const { id, voters, failed } = this.#options
    const wal = await Wal.open({
      disk: env.disk,
      clock: env.clock,
      random: env.random.split('wal'),
      folder: 'node/wal',
      fileBytes: this.#limits.walFileBytesEmbedded,
      filesMax: this.#limits.walFilesMax,
      wanted: () => void this.opened?.segments.sync().catch(() => {}),
      failed,
    })
    if (!wal.partitions().includes(partition)) {
      await createPartition(wal, partition, this.#limits, { replicaId: id, voters })
    }
    return wal
  }

  /** Opens the replica, once more after each snapshot that takes its place. */
  async #takePart(env: Environment, wal: Wal): Promise<void> {
    const { send, sendSnapshot, alarmed, failed } = this.#options
    const life = this.#life
    const opened = await openReplica({
      env,
      folder,
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
      sendSnapshot,
      install: install => void this.#install(env, wal, install).catch(failed),
    })
    if (life !== this.#life) return
    this.opened = opened
    this.#intaking = false
    this.#retention = this.#retentionOf(env, wal, opened)
    opened.replica.start(opened.lastTime)
  }

  async #install(env: Environment, wal: Wal, install: Install): Promise<void> {
    const opened = must(this.opened, 'the replica')
    this.#options.installing()
    this.opened = undefined
    await this.#retention?.stop()
    this.#retention = undefined
    await installSnapshot(wal, opened, install)
    await this.#takePart(env, wal)
  }

  async #beginIntake(opened: OpenedReplica, message: InstallSnapshot): Promise<SnapshotIntake> {
    const { disk, clock } = this.machine.environment
    const { replicaId, cutBytes, generation } = opened
    const place = { disk, clock, folder, partition, replicaId, cutBytes, clusterEpoch: 1 }
    return await SnapshotIntake.begin({ ...place, generation: generation + 1 }, message)
  }

  #retentionOf(env: Environment, wal: Wal, opened: OpenedReplica): Retention {
    const { segments, state, snapshots, memberships, record } = opened
    const own = { segments, state, snapshots, memberships, record, wal, partition, limits: this.#limits }
    return new Retention({
      ...own,
      clusterEpoch: 1,
      clock: env.clock,
      read: (from, through) => committedEntries(segments, wal.tail(partition), from, through),
      gate: new Gate(1),
      places: () => [],
      behind: () => {},
      retried: () => {},
      failed: error => this.#options.failed(error),
    })
  }
}
