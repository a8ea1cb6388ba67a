/**
 * One node of a simulated group: a machine of its own with write-ahead log, segments and state, and on it one
 * replica. Its process is crashed and started again; what its disk kept is all that it has then.
 */
import { must } from '../../../src/base/assert.js'
import type { SillokError } from '../../../src/base/errors.js'
import type { PartitionId, ReplicaId } from '../../../src/base/ids.js'
import { type Limits, limits } from '../../../src/base/limits.js'
import type { Random } from '../../../src/base/random.js'
import type { Environment } from '../../../src/env/environment.js'
import type { AskedCommand } from '../../../src/machine/command-codec.js'
import type { Alarm } from '../../../src/raft/messages.js'
import type { Ticket } from '../../../src/replica/admission.js'
import { committedEntries } from '../../../src/replica/committed-entries.js'
import { installSnapshot } from '../../../src/replica/install-snapshot.js'
import { memberPlaces } from '../../../src/replica/member-pins.js'
import { createPartition, type OpenedReplica, openReplica } from '../../../src/replica/open-replica.js'
import type { Install } from '../../../src/replica/prepared-snapshot.js'
import { Retention } from '../../../src/replica/retention.js'
import { Switchboard } from '../../../src/replica/switchboard.js'
import type { SimClock } from '../../../src/sim/sim-clock.js'
import type { CrashMode } from '../../../src/sim/sim-file.js'
import { SimMachine } from '../../../src/sim/sim-machine.js'
import type { SimNetwork } from '../../../src/sim/sim-network.js'
import { Gate } from '../../../src/state/gate.js'
import { hostOf, listeningAt } from '../../../src/testing/world/world-node.js'
import { Wal } from '../../../src/wal/wal.js'

export const partition: PartitionId = 1

/** Holds the folders of its replicas. */
const folder = 'node/partitions'
const tickMs = 100
const drainMs = 200
/** As long as a connection may take to be found dead, and a little more. */
const closeMs = 10_000

export interface GroupNodeOptions {
  readonly id: ReplicaId
  readonly voters: readonly ReplicaId[]
  readonly clock: SimClock
  readonly random: Random
  readonly limits: Partial<Limits>
  readonly ignoreSync: boolean
  readonly cables: SimNetwork
  /** A snapshot is about to be sent to that replica. */
  readonly sending: (to: ReplicaId) => void
  /** A snapshot did not get where it was sent to. */
  readonly notSent: (error: SillokError) => void
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
  /** Of this life. */
  wal: Wal | undefined
  #life = 0
  #crashDue: CrashMode | undefined
  #retention: Retention | undefined
  #switchboard: Switchboard | undefined

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
      network: { cables: options.cables, host: hostOf(id) },
      onCrash: () => {
        this.opened = undefined
        this.#life += 1
        this.#crashDue = undefined
        this.#retention = undefined
        this.#switchboard = undefined
        options.crashed()
      },
    })
  }

  /** Begins a life on what the disk has; resolves when the replica takes part, if it is not crashed. */
  async start(): Promise<void> {
    const life = this.#life
    const env = life === 0 ? this.machine.environment : this.machine.restart()
    const wal = await this.#openLog(env)
    this.wal = wal
    this.#switchboard = await this.#connect(env)
    await this.#takePart(env, wal)
    const tick = (): void => {
      this.opened?.replica.tick()
      this.#retention?.look()
      env.clock.after(tickMs, tick, { idle: true })
    }
    tick()
  }

  /** Has the command decided by who leads, as far as this node knows; in a dead process by nobody. */
  submit(ticket: Ticket & { readonly command: AskedCommand }): void {
    this.#switchboard?.submit(partition, ticket)
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

  /**
   * The process ends in order, whatever it is sending or taking in; then it is gone. Not while it opens, or
   * installs a snapshot.
   */
  async stop(): Promise<void> {
    const { opened, wal } = this
    const [switchboard, retention, life] = [this.#switchboard, this.#retention, this.#life]
    if (opened === undefined || wal === undefined || switchboard === undefined) return
    const { replica, state, segments, record } = opened
    this.opened = undefined
    this.#retention = undefined
    this.machine.environment.clock.after(closeMs, () => {
      if (life === this.#life) this.#options.failed(new Error(`node ${this.id} does not close`))
    })
    await replica.drain(drainMs)
    await switchboard.close()
    wal.hurry()
    await retention?.stop()
    await state.close({ record })
    await segments.close()
    await replica.close()
    await wal.close()
    this.crash('none')
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

  async #connect(env: Environment): Promise<Switchboard> {
    const { notSent, failed } = this.#options
    const switchboard = new Switchboard({
      network: this.machine.network,
      clock: env.clock,
      random: env.random.split('network'),
      disk: env.disk,
      folder,
      clusterEpoch: 1,
      cluster: 'group',
      address: listeningAt(this.id),
      addressOf: (_, replica) => listeningAt(replica),
      // A cut can come between a connection and its first words.
      refused: (reason, remote) => {
        if (reason !== 'it does not say who it is') failed(new Error(`${remote} is refused: ${reason}`))
      },
      notSent,
      failed,
    })
    await switchboard.listen()
    return switchboard
  }

  /** Opens the replica, once more after each snapshot that takes its place. */
  async #takePart(env: Environment, wal: Wal): Promise<void> {
    const { alarmed, failed } = this.#options
    const life = this.#life
    const switchboard = must(this.#switchboard, 'a switchboard')
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
      send: message => switchboard.send(partition, message),
      sendSnapshot: message => {
        this.#options.sending(message.to)
        switchboard.sendSnapshot(partition, message)
      },
      install: install => void this.#install(env, wal, install).catch(failed),
    })
    if (life !== this.#life) return
    this.opened = opened
    switchboard.plug(opened)
    this.#retention = this.#retentionOf(env, wal, opened)
    opened.replica.start(opened.lastTime)
  }

  async #install(env: Environment, wal: Wal, install: Install): Promise<void> {
    const { opened } = this
    // Not any more, when the process is about to end.
    if (opened === undefined) return
    this.#options.installing()
    this.opened = undefined
    await this.#retention?.stop()
    this.#retention = undefined
    await installSnapshot(wal, opened, install)
    await this.#takePart(env, wal)
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
      places: () => memberPlaces(opened.replica.group()),
      behind: () => {},
      retried: () => {},
      failed: error => this.#options.failed(error),
    })
  }
}
