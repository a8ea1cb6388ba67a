/**
 * All replicas of a process over one write-ahead log: meta and the data partitions of a node.
 *
 * Owns the ticker (one per process), the work for partitions that are led here, and the order of opening and
 * closing. When the log's disk fails, everything stops: no caller is answered from then on but by that error.
 *
 * A node alone is a cluster of one. One of several is joined to the others by a switchboard; when a snapshot
 * of another node takes the place of a replica here, that replica is opened anew, with the indexes over it.
 */
import { must } from '../base/assert.js'
import { isSillokError, SillokError, storeClosed } from '../base/errors.js'
import {
  type LogIndex,
  metaPartition,
  type PartitionId,
  type Version,
  versionsPerEpoch,
} from '../base/ids.js'
import { type Limits, limits } from '../base/limits.js'
import type { RowKey } from '../codec/row.js'
import { BackgroundPace } from '../derived/background-pace.js'
import { joinPath } from '../env/disk.js'
import type { FolderLock } from '../env/environment.js'
import type { FeedPosition } from '../machine/command.js'
import { schemaPrefix } from '../machine/keys.js'
import { type CollectionSchema, schemaOfRow } from '../machine/schema.js'
import { Wal } from '../wal/wal.js'
import { AppliedSignal } from './applied-signal.js'
import { ChangeFeed, followed } from './change-feed.js'
import { closeNode } from './closing.js'
import { committedEntries } from './committed-entries.js'
import type { ConstraintBuilds } from './constraint-builds.js'
import { definitionsTaken } from './definitions-taken.js'
import { asFailure, isLackOfSpace, isOwnFault } from './failure.js'
import { handOver } from './hand-over.js'
import { founders, type HostOptions, type MemberOptions, type Placement } from './host-options.js'
import { type Identity, originOf, refuseForeign, takeIdentity } from './identity.js'
import { type ReadEntries, ReplicaIndexSource } from './index-source.js'
import { Indexes, type NamedIndexStatus } from './indexes.js'
import { LeaderDuties } from './leader-duties.js'
import { NodeDirectory } from './node-directory.js'
import { NodeReplicas } from './node-replicas.js'
import type { Partition } from './partition.js'
import { dataPartition, foundPartitions } from './partition-folders.js'
import { type PartitionStatus, partitionStatus, stateOfPartition } from './partition-status.js'
import { Retentions } from './retentions.js'
import { SessionDirectory } from './session-directory.js'
import { Switchboard } from './switchboard.js'
import { Ticker } from './ticker.js'
import { writtenRow } from './written-row.js'

const [tickMs, expiryMs] = [100, 30_000]
/** The least election timeout: nobody should wait longer for the disk of a leader. */
const slowCommitMs = 1000

/** One node in this process: open it, use its partitions, close it. */
export class Host {
  readonly #options: HostOptions
  readonly #lock: FolderLock
  readonly #limits: Limits
  readonly #replicas: NodeReplicas
  readonly #ticker: Ticker
  /** Tells the followers of the data partition's log. */
  readonly #appliedSignal: AppliedSignal
  readonly #pace: BackgroundPace
  /** The register of sessions. */
  readonly sessions: SessionDirectory
  /** Who belongs to the cluster. */
  readonly nodes: NodeDirectory
  readonly #duties: LeaderDuties
  #identity: Identity | undefined
  #wal: Wal | undefined
  #switchboard: Switchboard | undefined
  #retentions: Retentions | undefined
  #indexes: Indexes | undefined
  #wantsIndexes = false
  #whole: Promise<void> | undefined
  /** Changes of the data partition's schemas that the indexes have seen. */
  #schemasSeen = -1
  #failure: SillokError | undefined
  #logFull = false
  #refusing = false
  #closing: Promise<void> | undefined

  private constructor(options: HostOptions, lock: FolderLock) {
    const { env, member } = options
    this.#options = options
    this.#lock = lock
    this.#limits = { ...limits, ...options.limits }
    this.#replicas = new NodeReplicas({
      env,
      folder: this.#partitionsFolder,
      limits: this.#limits,
      switchboard: () => this.#switchboard,
      isMember: member !== undefined,
      openSession: (partition, session) => this.sessions.open(partition, session),
      applied: partition => this.#applied(partition),
      rebuilt: options.rebuilt ?? (() => {}),
      unreadable: (partition, error) => this.#noteDamage(partition, error),
      alarmed: (partition, alarm) => member?.alarmed?.(partition, alarm),
      moving: async partition => {
        if (partition === dataPartition) await this.#indexes?.close()
      },
      moved: async partition => {
        if (partition !== dataPartition) return
        this.#appliedSignal.wake()
        if (this.#wantsIndexes) await this.#openIndexes()
      },
      failed: error => this.#fail(asFailure(error)),
    })
    this.#ticker = new Ticker(env.clock)
    this.#appliedSignal = new AppliedSignal(env.clock, () => this.data.applied)
    this.#pace = new BackgroundPace(env.clock, this.#limits.sliceMs, () => this.data.applied)
    this.sessions = new SessionDirectory(this.meta, this.#limits)
    this.nodes = new NodeDirectory(this.meta)
    this.#duties = new LeaderDuties({
      nodes: this.nodes,
      clock: env.clock,
      meta: this.meta,
      data: this.data,
      sessions: this.sessions,
      limits: this.#limits,
      pace: this.#pace,
      read: this.#read(metaPartition),
      background: (work, partition) => this.#inBackground(work, partition),
      buildFailed: error => this.#noteDamage(dataPartition, error),
    })
  }

  /**
   * Opens the folder, or makes it. When it resolves, the node takes part in its cluster; a node alone leads
   * every partition, and its state shows everything that was ever acknowledged (in a cluster: see `whole`).
   * Rejects with FOLDER_IN_USE, FOLDER_UNUSABLE, FOREIGN_FOLDER, VERSION_UNSUPPORTED, DAMAGED (naming what is
   * lost), DISK_FULL, UNAVAILABLE (it cannot listen); then nothing is held.
   */
  static async open(options: HostOptions): Promise<Host> {
    const { env, folder } = options
    await env.disk.makeFolder(folder)
    await refuseForeign(env.disk, folder)
    const lock = await env.lockFolder(folder)
    const host = new Host(options, lock)
    try {
      await host.#open()
      return host
    } catch (error) {
      await host.#abandon()
      throw error
    }
  }

  get meta(): Partition {
    return this.#replicas.of(metaPartition)
  }

  get data(): Partition {
    return this.#replicas.of(dataPartition)
  }

  /**
   * Resolves when this node holds a replica of each partition, whose state shows everything that was
   * acknowledged before the call. Rejects when the node stops.
   */
  async whole(): Promise<void> {
    while (!this.#replicas.areAllHere) {
      if (this.isEnding) throw this.#failure ?? storeClosed()
      await this.#pause()
    }
    await must(this.#whole, 'the opening of all partitions')
    for (const partition of this.#replicas.all.values()) await partition.readable()
  }

  /** The collections, as the data partition's own log has them. */
  schemas(): CollectionSchema[] {
    return this.data.state.partitionRows(schemaPrefix).map(([, row]) => schemaOfRow(row))
  }

  /** The derived indexes of the data partition. */
  get indexes(): Indexes {
    return must(this.#indexes, 'the indexes')
  }

  /** The changes of documents behind that position, and those to come. */
  changes(from: FeedPosition): ChangeFeed {
    return new ChangeFeed(followed(this.data, this.#read(dataPartition), this.#appliedSignal), from)
  }

  /** Resolves when more than that is applied in the data partition; see `AppliedSignal`. */
  beyond(index: LogIndex, signal?: AbortSignal): Promise<void> {
    return this.#appliedSignal.beyond(index, signal)
  }

  /**
   * What the data partition's entry of that version gave the row, from the log; undefined if nothing. Waits
   * for the entry to be applied here. Rejects with LOG_TRUNCATED if the log no longer has it.
   */
  async writtenAt(key: RowKey, version: Version): Promise<Buffer | undefined> {
    const index = version % versionsPerEpoch
    const beyond = (applied: LogIndex): Promise<void> => this.beyond(applied)
    return await writtenRow({ partition: this.data, read: this.#read(dataPartition), beyond }, key, index)
  }

  /** Constraints whose build or drop cannot go on, and why. */
  get failingBuilds(): ConstraintBuilds['failures'] {
    return this.#duties.builds.failures
  }

  /** Why the host stopped by itself, if it did. */
  get failure(): SillokError | undefined {
    return this.#failure
  }

  /**
   * Resolves when every definition that was acknowledged before the call counts in every data partition, and
   * is seen here.
   */
  async defined(): Promise<void> {
    const { meta, data: documents, isMember } = this
    const beyond = (applied: LogIndex): Promise<void> => this.beyond(applied)
    const [pause, isOver] = [() => this.#pause(), () => this.isEnding]
    await definitionsTaken({ meta, documents, feed: this.#duties.feed, isMember, beyond, pause, isOver })
  }

  /** True if other nodes may know more of the log than this one. */
  get isMember(): boolean {
    return this.#options.member !== undefined
  }

  /** Which node of which cluster this is, and on which disk. */
  get identity(): Identity {
    return must(this.#identity, 'an identity')
  }

  /** Names the store and its epoch. */
  get origin(): string {
    return originOf(this.identity)
  }

  status(): {
    readonly wal: ReturnType<Wal['status']>
    readonly partitions: readonly PartitionStatus[]
    readonly indexes: readonly NamedIndexStatus[]
  } {
    const partitions = this.#replicas.here.map(({ id, opened }) =>
      partitionStatus(opened, this.#retentions?.status(id)),
    )
    return { wal: must(this.#wal, 'the log').status(), partitions, indexes: this.#indexes?.status() ?? [] }
  }

  /**
   * Holds that replica from now on, empty: its leader brings it up. When it resolves that is durable. Does
   * nothing if the node holds it already. Rejects with INVALID if it holds another one of the partition, with
   * CLOSED, or as the log does.
   */
  async place(placement: Placement): Promise<void> {
    await this.#replicas.place(placement)
    if (this.#replicas.areAllHere && this.#whole === undefined) this.#begin()
  }

  /**
   * Answers what is in flight, writes the last checkpoints and the clean-close mark, and lets the folder go.
   * Once more waits for the same. What the disk refuses on the way does not keep the folder, and space that
   * is missing is no failure: what was acknowledged stands in the log.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #open(): Promise<void> {
    const { env, folder, member } = this.#options
    this.#identity = await takeIdentity(env.disk, env.random, folder, member)
    this.#wal = await Wal.open({
      disk: env.disk,
      clock: env.clock,
      random: env.random.split('wal'),
      folder: joinPath(folder, 'wal'),
      fileBytes: this.#limits.walFileBytesEmbedded,
      filesMax: this.#limits.walFilesMax,
      witnessMs: this.#limits.walWitnessMs,
      required: await foundPartitions(env.disk, folder),
      wanted: partition => this.#replicas.release(partition),
      failed: error => this.#fail(asFailure(error)),
      diskFull: full => {
        this.#logFull = full
        this.#refuseIfFull()
      },
    })
    this.#retentions = this.#makeRetentions(this.#wal, this.#identity)
    if (member !== undefined) await this.#connect(member)
    const own = member === undefined ? founders : member.founders
    const { clusterEpoch } = this.#identity
    await this.#replicas.open({ wal: this.#wal, clusterEpoch, retentions: this.#retentions }, own)
    this.#ticker.every(tickMs, () => this.#tick())
    const lookMs = Math.min(expiryMs, this.#limits.sessionIdleMs / 4)
    this.#ticker.every(lookMs, () => this.#duties.expire())
    if (this.#replicas.areAllHere) this.#begin()
    if (!this.isMember) await this.#whole
  }

  async #connect(member: MemberOptions): Promise<void> {
    const { env } = this.#options
    const { network, cluster, address, calls, trouble = () => {} } = member
    const { addressOf = (partition, replica) => this.nodes.addressOf(partition, replica) } = member
    this.#switchboard = new Switchboard({
      network,
      clock: env.clock,
      random: env.random.split('network'),
      disk: env.disk,
      folder: this.#partitionsFolder,
      clusterEpoch: this.identity.clusterEpoch,
      cluster,
      address,
      calls,
      addressOf,
      heard: (partition, replica, from) => this.nodes.heard(partition, replica, from),
      refused: (reason, remote) => trouble(`${remote} is refused: ${reason}`),
      notSent: error => trouble(`a snapshot did not arrive: ${error.message}`),
      failed: error => this.#fail(asFailure(error)),
    })
    await this.#switchboard.listen()
  }

  get #partitionsFolder(): string {
    return joinPath(this.#options.folder, 'partitions')
  }

  /** What rests on all partitions begins when their states show what was acknowledged. */
  #begin(): void {
    const begin = async (): Promise<void> => {
      for (const partition of this.#replicas.all.values()) await partition.readable()
      if (!this.isMember) await this.#duties.feed.through(this.meta.applied)
      this.#wantsIndexes = true
      if (!this.data.isMoving) await this.#openIndexes()
      // They are opened over the replica that is about to be here.
      while (this.#indexes === undefined && !this.isEnding) await this.#pause()
      this.#duties.applied(dataPartition)
    }
    this.#whole = begin()
    this.#inBackground(this.#whole, dataPartition)
  }

  /** Not at a node that closes meanwhile: nobody would close them. */
  async #openIndexes(): Promise<void> {
    if (this.isEnding) throw this.#failure ?? storeClosed()
    const { env, indexTypes, indexTold } = this.#options
    this.#indexes = new Indexes({
      env,
      folder: joinPath(this.data.opened.folder, 'indexes'),
      origin: this.origin,
      source: new ReplicaIndexSource(this.data, this.#read(dataPartition)),
      types: indexTypes ?? new Map(),
      limits: this.#limits,
      gate: this.#replicas.flushGate,
      pace: this.#pace,
      told: indexTold,
    })
    this.#schemasSeen = -1
    this.#updateIndexes()
    await this.#indexes.sweep()
  }

  #makeRetentions(wal: Wal, { clusterEpoch }: Identity): Retentions {
    return new Retentions({
      env: this.#options.env,
      wal,
      limits: this.#limits,
      clusterEpoch,
      partitions: this.#replicas.all,
      feed: this.#duties.feed,
      read: partition => this.#read(partition),
      indexes: () => this.#indexes?.status(),
      failed: error => this.#fail(asFailure(error)),
      retried: (partition, error) => this.#noteDamage(partition, error),
    })
  }

  /** Indexes are what the schemas in the partition's own log say. */
  #updateIndexes(): void {
    if (this.#indexes === undefined) return
    const changes = this.data.changes(schemaPrefix)
    if (changes === this.#schemasSeen) return
    this.#schemasSeen = changes
    this.#indexes.update(this.schemas())
  }

  #read(partition: PartitionId): ReadEntries {
    return (from, through) => {
      const tail = must(this.#wal, 'the log').tail(partition)
      return committedEntries(this.#replicas.of(partition).opened.segments, tail, from, through)
    }
  }

  #applied(partition: PartitionId): void {
    if (this.#closing === undefined && this.#whole !== undefined) this.#duties.applied(partition)
    if (partition !== dataPartition) return
    this.#appliedSignal.notify()
    this.#updateIndexes()
    this.#indexes?.notify()
  }

  /** The log found no space; or it has room in no file, because the segments found none. */
  #refuseIfFull(): void {
    const waits = this.#replicas.here.some(({ opened }) => opened.segments.waitsForSpace)
    const full = this.#logFull || (waits && must(this.#wal, 'the log').isRingFull)
    const isNews = full !== this.#refusing
    if (!full && !isNews) return
    this.#refusing = full
    const error = full
      ? new SillokError('DISK_FULL', 'no space left for the log; waiting for some')
      : undefined
    // Also those that are here only since the last look.
    for (const { replica } of this.#replicas.here) replica.refuse(error)
    if (isNews) this.#options.diskFull?.(full)
  }

  #tick(): void {
    if (this.isEnding) return
    if (this.#whole !== undefined) this.#duties.tick()
    this.#refuseIfFull()
    const isSlow = this.#refusing || must(this.#wal, 'the log').commitAgeMs > slowCommitMs
    for (const { replica } of this.#replicas.here) {
      if (isSlow) handOver(replica)
      replica.tick()
    }
    this.#retentions?.look()
    this.#options.ticked?.(tickMs)
  }

  #inBackground(work: Promise<void>, partition: PartitionId): void {
    work.catch((error: unknown) => {
      this.#noteDamage(partition, error)
      // What refuses it, say a full disk, here or where the partition is led: the next look finds the same.
      if (isOwnFault(error)) this.#fail(asFailure(error))
    })
  }

  /** Tells of damage, also those who wait for what it holds up. */
  #noteDamage(partition: PartitionId, error: unknown): void {
    this.#appliedSignal.wake()
    if (!isSillokError(error, 'DAMAGED')) return
    const { file, node } = error.details
    if (node !== undefined) return
    const part = typeof file === 'string' ? `log of partition ${partition}` : stateOfPartition(partition)
    this.#options.damaged?.(part, error.message)
  }

  #fail(error: SillokError): void {
    if (this.#failure !== undefined) return
    if (this.#closing !== undefined && isLackOfSpace(error)) return
    this.#failure = error
    this.#stopPartitions(error)
    this.#options.failed?.(error)
  }

  /** True from the moment that it closes, or stops by itself. */
  get isEnding(): boolean {
    return this.#failure !== undefined || this.#closing !== undefined
  }

  #pause(): Promise<void> {
    return new Promise(resolve => this.#options.env.clock.after(tickMs, resolve))
  }

  #stopPartitions(error: SillokError): void {
    this.#appliedSignal.fail(error)
    for (const partition of this.#replicas.all.values()) {
      partition.close(error)
      if (partition.isHere) partition.replica.fail(error)
    }
  }

  async #close(): Promise<void> {
    this.#appliedSignal.fail(storeClosed())
    this.#ticker.stop()
    this.#duties.stop()
    const errors = await closeNode({
      clock: this.#options.env.clock,
      replicas: this.#replicas,
      switchboard: this.#switchboard,
      retentions: this.#retentions,
      wal: this.#wal,
      lock: this.#lock,
      indexes: () => this.#indexes,
      hasFailed: () => this.#failure !== undefined,
    })
    if (errors.length > 0 && this.#failure === undefined) throw errors[0]
  }

  /** An opening that failed: closes what it had opened, and the failure stands. */
  async #abandon(): Promise<void> {
    this.#failure ??= new SillokError('CLOSED', 'the store could not be opened')
    this.#stopPartitions(this.#failure)
    await this.close()
  }
}
