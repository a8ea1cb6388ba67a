/**
 * The write-ahead log of a node: one for all its partitions, in files of its own folder.
 *
 * What holds: an append whose `done` was called without an error is there after any crash, whole; one that
 * was not answered is there whole or not at all; appends are answered in their order. A log that opens holds
 * everything that was answered and not released; otherwise it does not open (DAMAGED). Nothing is ever cut
 * off at damage.
 *
 * Bytes: wal-file (header), batch (batches and records), registers (payloads). States after a crash: ring,
 * recovery.
 */
import { assert } from '../base/assert.js'
import type { BatchSequence, LogIndex, PartitionId } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { Random } from '../base/random.js'
import type { Clock } from '../env/clock.js'
import type { Disk } from '../env/disk.js'
import { CommitLoop, type Done } from './commit-loop.js'
import { LogWriter } from './log-writer.js'
import { type Append, PartitionLog } from './partition-log.js'
import { recover, refuseLost, refuseShorter, settle } from './recovery.js'
import { type Register, type RegisterKind, registerKinds } from './registers.js'
import { Ring } from './ring.js'
import type { SyncStatus } from './sync-times.js'
import type { Tail } from './tail.js'

/** What a log is opened with. */
export interface WalOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  /** A folder for the log alone; made if missing. */
  readonly folder: string
  /** Length of a file; default `limits.walFileBytes`. */
  readonly fileBytes?: number
  /** Files in the ring, at least 3; default `limits.walFilesMax`. */
  readonly filesMax?: number
  /**
   * Partitions of which something stands elsewhere, so the log held them: if it knows nothing of one, it is
   * refused (DAMAGED), and nothing is written.
   */
  readonly required?: readonly PartitionId[]
  /** Quiet time before a witness; default `limits.walWitnessMs`. */
  readonly witnessMs?: number
  /**
   * A file waits for the partition's entries up to there: those that are committed should be synced elsewhere
   * and released. Called again when it becomes urgent. Entries that stay are copied on, half a ring of them
   * at most.
   */
  wanted?(partition: PartitionId, throughIndex: LogIndex): void
  /** The log stopped: nothing is written any more. Called once. */
  failed?(error: Error): void
  /** The disk is full (true): what waits is tried again every second; false when it went on. */
  diskFull?(full: boolean): void
}

/** How the log is doing. */
export interface WalStatus {
  readonly filesCount: number
  /** Bytes of entries that are only here. */
  readonly tailBytes: number
  /** Bytes of appends that no batch holds yet. */
  readonly waitingBytes: number
  /** Bytes that were written since the log was opened, padding included. */
  readonly writtenBytes: number
  /** Entries that were written since then. */
  readonly entries: number
  readonly batchSequence: BatchSequence
  readonly sync: SyncStatus
  /** The disk is full. */
  readonly full: boolean
  /** Appends wait until the oldest file is given up. */
  readonly ringFull: boolean
  readonly failed: boolean
}

const emptyTail: Tail = { firstIndex: 1, lastIndex: 0, get: () => undefined, slice: () => [] }

/** An open log. */
export class Wal {
  readonly #ring: Ring
  readonly #logs: Map<PartitionId, PartitionLog>
  readonly #writer: LogWriter
  readonly #loop: CommitLoop
  #closing: Promise<void> | undefined

  private constructor(ring: Ring, logs: Map<PartitionId, PartitionLog>, writer: LogWriter, loop: CommitLoop) {
    this.#ring = ring
    this.#logs = logs
    this.#writer = writer
    this.#loop = loop
  }

  /**
   * Opens the log, or makes a new one. When it resolves, everything that it shows is durable.
   * DAMAGED (details: file, offset, batch, partitions), VERSION_UNSUPPORTED, FOREIGN_FOLDER, FOLDER_UNUSABLE,
   * DISK_FULL, DISK_FAILED.
   */
  static async open(options: WalOptions): Promise<Wal> {
    const { disk, clock, random, folder } = options
    const fileBytes = options.fileBytes ?? limits.walFileBytes
    const filesMax = options.filesMax ?? limits.walFilesMax
    assert(fileBytes % limits.walBlockBytes === 0, () => `log files of ${fileBytes} bytes`)
    const recovered = await recover(disk, folder)
    refuseLost(recovered, folder, options.required ?? [])
    await refuseShorter(disk, folder, recovered.scan)
    await disk.makeFolder(folder)
    const ring = new Ring({ disk, folder, random, fileBytes, filesMax })
    const writer = new LogWriter(clock, recovered.position, full => options.diskFull?.(full))
    const logs = new Map<PartitionId, PartitionLog>()
    await settle(recovered, { disk, folder, ring, writer, logs, fileBytes, filesMax })
    const host = {
      clock,
      witnessMs: options.witnessMs ?? limits.walWitnessMs,
      wanted: (partition: PartitionId, index: LogIndex) => options.wanted?.(partition, index),
      failed: (error: Error) => options.failed?.(error),
    }
    const loop = new CommitLoop(host, writer, ring, logs)
    loop.start(!recovered.clean)
    return new Wal(ring, logs, writer, loop)
  }

  /**
   * Takes registers and entries of one partition: atomically, the registers first. `done` is called when they
   * are durable, or with DISK_FAILED, CLOSED_WHILE_WAITING (both unknown) or CLOSED. The tail and the
   * registers show them at once. Bytes handed over must not be changed.
   *
   * An entry at or below the last index replaces the tail from there. A `truncation` register drops the tail
   * up to its index, and all of it unless the entry there has its term. `destroyed` drops all else of the
   * partition; a `created` after it begins a new one. An append must fit a batch, entries must follow without
   * a gap and not be released: assertions.
   */
  append(append: Append, done: Done): void {
    let log = this.#logs.get(append.partition)
    if (log === undefined) {
      log = new PartitionLog(append.partition, this.#ring.usage)
      this.#logs.set(append.partition, log)
    }
    this.#loop.append(log.take(append), done)
  }

  /** Takes registers of one partition as `append` does; they are durable when it resolves. */
  record(partition: PartitionId, registers: readonly Register[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.append({ partition, registers }, error => (error === undefined ? resolve() : reject(error)))
    })
  }

  /**
   * From now on a full disk is tried once more, and a full ring waited for a second at most; then everything
   * that waits gets CLOSED_WHILE_WAITING, as does what comes later: nothing more is written.
   */
  hurry(): void {
    this.#loop.hurry()
  }

  /** Begins the next batch in this turn, unless one is in flight. */
  kick(): void {
    this.#loop.kick()
  }

  /**
   * Entries up to index are committed and stand in synced segments; they must be durable here. Registers
   * that say where they stand (segmentSynced, segmentSealed) come with it: they are written before the
   * entries may go, and ahead of appends that wait. So a release is never held up by a full ring. `done` is
   * called when the registers are durable, or as for an append.
   */
  release(partition: PartitionId, index: LogIndex, registers: readonly Register[] = [], done?: Done): void {
    const log = this.#logs.get(partition)
    assert(log?.exists === true || done === undefined, () => `release of ${partition}, which is not here`)
    if (log === undefined || !log.exists) return
    log.tail.release(index)
    if (index > log.released) log.released = index
    for (const { kind, payload } of registers) log.registers.set(kind, payload)
    this.#loop.released(
      registers.map(register => ({ log, register })),
      done,
    )
  }

  /** The partition's entries that are here and not released. Live: it follows appends and releases. */
  tail(partition: PartitionId): Tail {
    return this.#logs.get(partition)?.tail ?? emptyTail
  }

  /** The newest payload, durable or waiting; undefined if there is none. */
  register(partition: PartitionId, kind: RegisterKind): Buffer | undefined {
    return this.#logs.get(partition)?.registers.get(kind)
  }

  /** Partitions with a replica here, ascending. */
  partitions(): PartitionId[] {
    const ids = [...this.#logs.values()].filter(log => log.exists).map(log => log.id)
    return ids.sort((a, b) => a - b)
  }

  /** Partitions with a tombstone, ascending; some may have a newer replica here. */
  tombstones(): PartitionId[] {
    const destroyed = [...this.#logs.values()].filter(log => log.registers.has(registerKinds.destroyed))
    return destroyed.map(log => log.id).sort((a, b) => a - b)
  }

  /** Appends wait until the oldest file is given up. */
  get isRingFull(): boolean {
    return this.#loop.stalled
  }

  status(): WalStatus {
    return {
      filesCount: this.#ring.filesCount,
      tailBytes: this.#ring.usage.total(),
      waitingBytes: this.#loop.waitingBytes,
      writtenBytes: this.#writer.writtenBytes,
      entries: this.#loop.entries,
      batchSequence: this.#writer.position.sequence,
      sync: this.#writer.syncTimes.status(),
      full: this.#writer.full,
      ringFull: this.#loop.stalled,
      failed: this.#loop.error !== undefined,
    }
  }

  /** How long the batch that is being written takes by now, in milliseconds; 0 if there is none. */
  get commitAgeMs(): number {
    return this.#loop.commitAgeMs
  }

  /**
   * Waits for what was appended, writes the clean close and closes the files. What cannot be written (disk or
   * ring full) is answered CLOSED_WHILE_WAITING.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#loop.close()
    await this.#ring.close()
  }
}
