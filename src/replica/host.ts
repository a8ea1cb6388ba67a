/**
 * All replicas of a process over one write-ahead log: meta and the data partitions of a node.
 *
 * Owns the ticker (one per process), the feeds from meta, and the order of opening and closing. When the
 * log's disk fails, everything stops: no caller is answered from then on but by that error.
 */
import { must } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import { isSillokError, SillokError } from '../base/errors.js'
import {
  type LogIndex,
  metaPartition,
  type PartitionId,
  type SessionId,
  type Version,
  versionsPerEpoch,
} from '../base/ids.js'
import { type Limits, limits } from '../base/limits.js'
import type { RowKey } from '../codec/row.js'
import { BackgroundPace } from '../derived/background-pace.js'
import type { IndexType } from '../derived/contract.js'
import type { Timer } from '../env/clock.js'
import { joinPath } from '../env/disk.js'
import type { Environment, FolderLock } from '../env/environment.js'
import type { FeedPosition } from '../machine/command.js'
import { schemaPrefix } from '../machine/keys.js'
import { type CollectionSchema, schemaOfRow } from '../machine/schema.js'
import { Gate } from '../state/gate.js'
import { Wal } from '../wal/wal.js'
import { AppliedSignal } from './applied-signal.js'
import { ChangeFeed, followed, writtenIn } from './change-feed.js'
import { committedEntries } from './committed-entries.js'
import { ConstraintBuilds } from './constraint-builds.js'
import { asFailure, isClosing, isLackOfSpace } from './failure.js'
import { originOf, refuseForeign, takeIdentity } from './identity.js'
import { type ReadEntries, ReplicaIndexSource } from './index-source.js'
import { type IndexEvent, Indexes, type NamedIndexStatus } from './indexes.js'
import { MetaFeed } from './meta-feed.js'
import { createPartition, type OpenedReplica, openReplica } from './open-replica.js'
import { dataPartition, foundPartitions } from './partition-folders.js'
import { type PartitionStatus, partitionStatus, stateOfPartition } from './partition-status.js'
import type { Replica } from './replica.js'
import { RequestExpiry } from './request-expiry.js'
import { Retentions } from './retentions.js'
import { SessionDirectory } from './session-directory.js'

/** What a host is opened with. */
export interface HostOptions {
  readonly env: Environment
  readonly folder: string
  /** Other limits than the usual ones: for simulations. */
  readonly limits?: Partial<Limits>
  /** Told once when the host stops by itself. */
  readonly failed?: (error: SillokError) => void
  /** Told when a part was found unusable and is rebuilt from the log. */
  readonly rebuilt?: (reason: string) => void
  /** Told when there is no space for the log, and when there is again. */
  readonly diskFull?: (full: boolean) => void
  /** Told what happens to indexes. */
  readonly indexTold?: (event: IndexEvent) => void
  /** Told when stored bytes fail their check in work of the store's own: which part, and how. */
  readonly damaged?: (part: string, reason: string) => void
  /** Called at every tick, with the time from one to the next. */
  readonly ticked?: (periodMs: number) => void
  /** The kinds of indexes that can be at work. */
  readonly indexTypes?: ReadonlyMap<string, IndexType>
}

const tickMs = 100
const expiryMs = 30_000
/** How long a closing host waits for what is in flight, say on a full disk. */
const drainMs = 5_000

/** One node in this process: open it, use its replicas, close it. */
export class Host {
  readonly #options: HostOptions
  readonly #lock: FolderLock
  readonly #limits: Limits
  readonly #replicas = new Map<PartitionId, OpenedReplica>()
  readonly #feeds: MetaFeed[] = []
  readonly #timers = new Set<Timer>()
  /** Tells the followers of the data partition's log. */
  readonly #appliedSignal: AppliedSignal
  /** One flush or checkpoint of this node at a time. */
  readonly #flushGate = new Gate(1)
  #wal: Wal | undefined
  #sessions: SessionDirectory | undefined
  #requestExpiry: RequestExpiry | undefined
  #indexes: Indexes | undefined
  #builds: ConstraintBuilds | undefined
  #retentions: Retentions | undefined
  /** Changes of the data partition's schemas that the indexes have seen. */
  #schemasSeen = -1
  #origin = ''
  #failure: SillokError | undefined
  #logFull = false
  #refusing = false
  #closing: Promise<void> | undefined

  private constructor(options: HostOptions, lock: FolderLock) {
    this.#options = options
    this.#lock = lock
    this.#appliedSignal = new AppliedSignal(options.env.clock, () => this.data.applied)
    this.#limits = { ...limits, ...options.limits }
  }

  /**
   * Opens the folder, or makes it. When it resolves every replica leads, and its state shows everything that
   * was ever acknowledged. Rejects with FOLDER_IN_USE, FOLDER_UNUSABLE, FOREIGN_FOLDER, VERSION_UNSUPPORTED,
   * DAMAGED (naming what is lost), DISK_FULL; then nothing is held.
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

  get meta(): Replica {
    return this.#opened(metaPartition).replica
  }

  get data(): Replica {
    return this.#opened(dataPartition).replica
  }

  /** The register of sessions. */
  get sessions(): SessionDirectory {
    return must(this.#sessions, 'the session directory')
  }

  /** The collections, as the data partition's own log has them. */
  schemas(): CollectionSchema[] {
    return this.data.state.partitionRows(schemaPrefix).map(([, row]) => schemaOfRow(row))
  }

  /** The derived indexes of the data partition. */
  get indexes(): Indexes {
    return must(this.#indexes, 'the indexes')
  }

  /** The first entry that the data partition's log still has. */
  get firstIndex(): LogIndex {
    return this.#opened(dataPartition).segments.firstIndex
  }

  /** The changes of documents behind that position, and those to come. */
  changes(from: FeedPosition): ChangeFeed {
    const read: ReadEntries = (first, through) => this.#committed(dataPartition, first, through)
    return new ChangeFeed(followed(this.#opened(dataPartition), read, this.#appliedSignal), from)
  }

  /** Resolves when more than that is applied in the data partition; see `AppliedSignal`. */
  beyond(index: LogIndex, signal: AbortSignal): Promise<void> {
    return this.#appliedSignal.beyond(index, signal)
  }

  /**
   * What the data partition's entry of that version gave the row, from the log; undefined if nothing. Rejects
   * with LOG_TRUNCATED if the log no longer has it.
   */
  async writtenAt(key: RowKey, version: Version): Promise<Buffer | undefined> {
    const index = version % versionsPerEpoch
    return await writtenIn(this.#committed(dataPartition, index, index), key)
  }

  /** Constraints whose build or drop cannot go on, and why. */
  get failingBuilds(): ConstraintBuilds['failures'] {
    return this.#builds?.failures ?? new Map()
  }

  /** Why the host stopped by itself, if it did. */
  get failure(): SillokError | undefined {
    return this.#failure
  }

  /** Resolves when everything up to meta's index counts in every data partition. */
  async fedThrough(index: LogIndex): Promise<void> {
    for (const feed of this.#feeds) await feed.through(index)
  }

  /** Names the store and its epoch. */
  get origin(): string {
    return this.#origin
  }

  status(): {
    readonly wal: ReturnType<Wal['status']>
    readonly partitions: readonly PartitionStatus[]
    readonly indexes: readonly NamedIndexStatus[]
  } {
    const partitions = [...this.#replicas.values()].map(opened =>
      partitionStatus(opened, this.#retentions?.status(opened.replica.partition)),
    )
    return { wal: must(this.#wal, 'the log').status(), partitions, indexes: this.#indexes?.status() ?? [] }
  }

  /** Digest pairs of the partition's slots and own rows, at its applied index. */
  digests(partition: PartitionId): Uint32Array {
    return this.#opened(partition).state.digests()
  }

  /** Recomputes the digests of the partition from its rows, and names the slots where they do not fit. */
  async scrub(partition: PartitionId): Promise<readonly number[]> {
    return (await this.#opened(partition).state.scrub()).slots
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
    const { env, folder } = this.#options
    const identity = await takeIdentity(env.disk, env.random, folder)
    this.#wal = await Wal.open({
      disk: env.disk,
      clock: env.clock,
      random: env.random.split('wal'),
      folder: joinPath(folder, 'wal'),
      fileBytes: this.#limits.walFileBytesEmbedded,
      filesMax: this.#limits.walFilesMax,
      witnessMs: this.#limits.walWitnessMs,
      required: await foundPartitions(env.disk, folder),
      wanted: partition => this.#release(partition),
      failed: error => this.#fail(asFailure(error)),
      diskFull: full => {
        this.#logFull = full
        this.#refuseIfFull()
      },
    })
    for (const partition of [metaPartition, dataPartition]) {
      if (!this.#wal.partitions().includes(partition))
        await createPartition(this.#wal, partition, this.#limits)
    }
    await this.#openReplicas(this.#wal, identity.clusterEpoch)
    await Promise.all([...this.#replicas.values()].map(({ replica }) => replica.readable()))
    for (const feed of this.#feeds) await feed.through(this.meta.applied)
    this.#origin = originOf(identity)
    const pace = new BackgroundPace(env.clock, this.#limits.sliceMs, () => this.data.applied)
    await this.#openIndexes(pace)
    this.#builds = new ConstraintBuilds({
      clock: env.clock,
      meta: this.meta,
      data: this.data,
      limits: this.#limits,
      pace,
      background: work => this.#inBackground(work),
      failed: error => this.#noteDamage(dataPartition, error),
    })
    this.#builds.notify()
    this.#openRetentions(this.#wal, identity.clusterEpoch)
    this.#every(tickMs, () => this.#tick())
    this.#every(expiryMs, () => this.#expire())
  }

  async #openReplicas(wal: Wal, clusterEpoch: number): Promise<void> {
    const { env, folder, rebuilt } = this.#options
    for (const partition of [metaPartition, dataPartition]) {
      const opened = await openReplica({
        env,
        folder: joinPath(folder, 'partitions'),
        partition,
        clusterEpoch,
        wal,
        flushGate: this.#flushGate,
        limits: this.#limits,
        openSession: session => this.#openSession(partition, session),
        applied: () => this.#applied(partition),
        failed: error => this.#fail(asFailure(error)),
        rebuilt: rebuilt ?? (() => {}),
      })
      this.#replicas.set(partition, opened)
    }
    this.#sessions = new SessionDirectory(this.meta)
    this.#requestExpiry = new RequestExpiry(this.data, this.#limits)
    const read = (from: LogIndex, through: LogIndex): AsyncIterable<readonly Entry[]> =>
      this.#committed(metaPartition, from, through)
    this.#feeds.push(new MetaFeed({ meta: this.meta, target: this.data, read }))
    for (const { replica, lastTime } of this.#replicas.values()) replica.start(lastTime)
  }

  async #openIndexes(pace: BackgroundPace): Promise<void> {
    const { env, indexTypes, indexTold } = this.#options
    const { replica, segments, folder } = this.#opened(dataPartition)
    const read = (from: LogIndex, through: LogIndex): AsyncIterable<readonly Entry[]> =>
      this.#committed(dataPartition, from, through)
    this.#indexes = new Indexes({
      env,
      folder: joinPath(folder, 'indexes'),
      origin: this.#origin,
      source: new ReplicaIndexSource(replica, read, () => segments.firstIndex),
      types: indexTypes ?? new Map(),
      limits: this.#limits,
      gate: this.#flushGate,
      pace,
      told: indexTold,
    })
    this.#updateIndexes()
    await this.#indexes.sweep()
  }

  #openRetentions(wal: Wal, clusterEpoch: number): void {
    const [feed] = this.#feeds
    this.#retentions = new Retentions({
      env: this.#options.env,
      wal,
      limits: this.#limits,
      clusterEpoch,
      replicas: this.#replicas,
      feed: must(feed, 'the feed from meta'),
      read: partition => (from, through) => this.#committed(partition, from, through),
      indexes: () => this.#indexes?.status(),
      failed: error => this.#fail(asFailure(error)),
      retried: (partition, error) => this.#noteDamage(partition, error),
    })
  }

  /** Indexes are what the schemas in the partition's own log say. */
  #updateIndexes(): void {
    const changes = this.data.state.partitionChanges(schemaPrefix)
    if (this.#indexes === undefined || changes === this.#schemasSeen) return
    this.#schemasSeen = changes
    this.#indexes.update(this.schemas())
  }

  #committed(partition: PartitionId, from: LogIndex, through: LogIndex): AsyncIterable<readonly Entry[]> {
    const tail = must(this.#wal, 'the log').tail(partition)
    return committedEntries(this.#opened(partition).segments, tail, from, through)
  }

  #opened(partition: PartitionId): OpenedReplica {
    return must(this.#replicas.get(partition), `partition ${partition}`)
  }

  #openSession(partition: PartitionId, session: SessionId): Promise<void> {
    return this.sessions.open(this.#opened(partition).replica, session)
  }

  #applied(partition: PartitionId): void {
    if (partition === metaPartition && this.#closing === undefined)
      for (const feed of this.#feeds) feed.notify()
    if (partition !== dataPartition) return
    this.#appliedSignal.notify()
    this.#updateIndexes()
    this.#indexes?.notify()
    this.#builds?.notify()
  }

  #release(partition: PartitionId): void {
    this.#replicas
      .get(partition)
      ?.segments.sync()
      .catch((error: unknown) => this.#fail(asFailure(error)))
  }

  /** The log found no space; or it has room in no file, because the segments found none. */
  #refuseIfFull(): void {
    const waits = [...this.#replicas.values()].some(({ segments }) => segments.waitsForSpace)
    const full = this.#logFull || (waits && must(this.#wal, 'the log').isRingFull)
    if (full === this.#refusing) return
    this.#refusing = full
    const error = full
      ? new SillokError('DISK_FULL', 'no space left for the log; waiting for some')
      : undefined
    for (const { replica } of this.#replicas.values()) replica.refuse(error)
    this.#options.diskFull?.(full)
  }

  #tick(): void {
    for (const feed of this.#feeds) feed.remind()
    this.#builds?.notify()
    this.#refuseIfFull()
    for (const { replica } of this.#replicas.values()) replica.tick()
    this.#retentions?.look()
    this.#options.ticked?.(tickMs)
  }

  #expire(): void {
    this.#inBackground(this.sessions.expire(), metaPartition)
    this.#inBackground(must(this.#requestExpiry, 'the expiry of request ids').expire())
  }

  #inBackground(work: Promise<void>, partition = dataPartition): void {
    work.catch((error: unknown) => {
      this.#noteDamage(partition, error)
      // Refused, say on a full disk: the next look finds the same.
      const refused = error instanceof SillokError && error.outcome === 'not-applied'
      if (!refused && !isClosing(error)) this.#fail(asFailure(error))
    })
  }

  /** Tells of damage, also those who wait for what it holds up. */
  #noteDamage(partition: PartitionId, error: unknown): void {
    this.#appliedSignal.wake()
    if (!isSillokError(error, 'DAMAGED')) return
    const { file } = error.details
    const part = typeof file === 'string' ? `log of partition ${partition}` : stateOfPartition(partition)
    this.#options.damaged?.(part, error.message)
  }

  #every(ms: number, call: () => void): void {
    const timer = this.#options.env.clock.after(
      ms,
      () => {
        this.#timers.delete(timer)
        if (this.#failure !== undefined || this.#closing !== undefined) return
        call()
        this.#every(ms, call)
      },
      { idle: true },
    )
    this.#timers.add(timer)
  }

  #fail(error: SillokError): void {
    if (this.#failure !== undefined) return
    if (this.#closing !== undefined && isLackOfSpace(error)) return
    this.#failure = error
    this.#appliedSignal.fail(error)
    for (const { replica } of this.#replicas.values()) replica.fail(error)
    this.#options.failed?.(error)
  }

  async #close(): Promise<void> {
    this.#appliedSignal.fail(new SillokError('CLOSED', 'the store is closed'))
    for (const timer of this.#timers) timer.stop()
    this.#builds?.stop()
    const errors: unknown[] = []
    const attempt = async (task: () => Promise<unknown>): Promise<void> => {
      try {
        await task()
      } catch (error) {
        if (!isLackOfSpace(error)) errors.push(error)
      }
    }
    if (this.#failure === undefined) {
      for (const { replica } of this.#replicas.values()) await attempt(() => replica.drain(drainMs))
    }
    await attempt(async () => this.#indexes?.close())
    // What waits for space now is tried once more, and then given up: closing ends.
    this.#wal?.hurry()
    await attempt(async () => this.#retentions?.stop())
    for (const { replica, segments, state, record } of this.#replicas.values()) {
      await attempt(() => state.close(this.#failure === undefined ? { record } : {}))
      await attempt(() => segments.close())
      if (this.#failure === undefined) await attempt(() => replica.close())
    }
    await attempt(async () => this.#wal?.close())
    await attempt(() => this.#lock.release())
    if (errors.length > 0 && this.#failure === undefined) throw errors[0]
  }

  /** An opening that failed: closes what it had opened, and the failure stands. */
  async #abandon(): Promise<void> {
    this.#failure ??= new SillokError('CLOSED', 'the store could not be opened')
    for (const { replica } of this.#replicas.values()) replica.fail(this.#failure)
    await this.close()
  }
}
