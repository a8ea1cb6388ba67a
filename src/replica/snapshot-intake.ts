/**
 * Takes in what another replica sends with a snapshot, into a folder that does not count yet, and checks all
 * of it: the file's frames, rows, digests and SHA-256, each entry's CRC, that both are of this partition, fit
 * each other and fit the message that announced them. Nothing of the running replica is touched.
 */
import { decodeEntry } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import type { PartitionId, Term } from '../base/ids.js'
import type { Clock } from '../env/clock.js'
import { type Disk, type DiskFile, joinPath } from '../env/disk.js'
import type { InstallSnapshot } from '../raft/messages.js'
import type { SyncedMark } from '../segments/marks.js'
import { SegmentLog } from '../segments/segment-log.js'
import { type ReadSnapshot, readSnapshot } from '../state/snapshot-reader.js'
import { snapshotName } from '../state/snapshot-record.js'
import { encodeMembership } from './memberships.js'
import { folderName } from './partition-folders.js'
import type { PreparedSnapshot } from './prepared-snapshot.js'
import type { SnapshotPiece } from './snapshot-parcel.js'

/** Entries that came and are in no file yet. */
const pendingBytesMax = 4 * 1024 * 1024

/** Where it goes, and for whom. */
export interface IntakeOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Holds the folders of all replicas. */
  readonly folder: string
  readonly partition: PartitionId
  readonly replicaId: number
  /** One more than that of the folder that counts. */
  readonly generation: number
  readonly clusterEpoch: number
  readonly cutBytes: number
}

/** The intake of one snapshot: `begin`, `take` in order, `finish`; `abandon` after a failure. */
export class SnapshotIntake {
  readonly #options: IntakeOptions
  readonly #message: InstallSnapshot
  readonly #folder: string
  readonly #path: string
  #file: DiskFile | undefined
  #written = 0
  #cutTerm: Term | undefined
  #read: ReadSnapshot | undefined
  #segments: SegmentLog | undefined
  #mark: SyncedMark | undefined

  private constructor(options: IntakeOptions, message: InstallSnapshot) {
    const { folder, partition, replicaId, generation } = options
    this.#options = options
    this.#message = message
    this.#folder = joinPath(folder, folderName(partition, replicaId, generation))
    this.#path = joinPath(this.#folder, 'snapshots', snapshotName(message.snapshot.index))
  }

  /** What an earlier intake left is removed. */
  static async begin(options: IntakeOptions, message: InstallSnapshot): Promise<SnapshotIntake> {
    const intake = new SnapshotIntake(options, message)
    await options.disk.remove(intake.#folder)
    await options.disk.makeFolder(joinPath(intake.#folder, 'snapshots'))
    intake.#file = await options.disk.open(intake.#path, { create: true })
    return intake
  }

  /** Rejects with DAMAGED, INVALID (pieces that do not follow each other) and what the disk says. */
  async take(piece: SnapshotPiece): Promise<void> {
    if (piece.type === 'cut' && this.#cutTerm === undefined) this.#cutTerm = piece.term
    else if (piece.type === 'state' && this.#cutTerm !== undefined && this.#file !== undefined) {
      await this.#file.write([piece.bytes], this.#written)
      this.#written += piece.bytes.length
    } else if (piece.type === 'entries') await this.#takeEntries(piece.bytes)
    else throw this.#refused(`a piece of type ${piece.type} in this place`)
  }

  /** All pieces came: what is here is whole and durable. Rejects as `take` does. */
  async finish(): Promise<PreparedSnapshot> {
    const { disk, partition, replicaId, generation } = this.#options
    const { head, bytes, sha256 } = await this.#state()
    const { index, term, lastCut } = head
    const cutTerm = this.#cutTerm ?? 0
    if (lastCut > 0 ? cutTerm < 1 || cutTerm > term : cutTerm > 0)
      throw this.#refused(`cut at entry ${lastCut}, term ${this.#cutTerm}`)
    const segments = await this.#log()
    if (segments.lastIndex !== index)
      throw this.#refused(`the entries end at ${segments.lastIndex}, not at ${index}`)
    if (index > lastCut && segments.term(index) !== term)
      throw this.#refused(`entry ${index} is of term ${segments.term(index)}, not ${term}`)
    // Its entries are durable then, and the mark is here.
    await segments.close()
    this.#segments = undefined
    await disk.syncFolder(joinPath(this.#folder, 'snapshots'))
    const record = { index, term, bytes, sha256 }
    return { partition, replicaId, generation, head, record, cutTerm, mark: this.#mark }
  }

  /** Leaves nothing behind. Rejects with what the disk says. */
  async abandon(): Promise<void> {
    try {
      await this.#file?.close()
      await this.#segments?.close()
    } catch (error) {
      // It is closed all the same, without the entries that this may be the end of.
      if (!(error instanceof SillokError)) throw error
    } finally {
      await this.#options.disk.remove(this.#folder)
    }
  }

  async #takeEntries(bytes: Buffer): Promise<void> {
    const segments = await this.#log()
    for (let at = 0; at < bytes.length; ) {
      const entry = decodeEntry(bytes, at)
      const isNext = entry?.index === segments.lastIndex + 1 && entry.partition === this.#options.partition
      const termMin = segments.term(segments.lastIndex) ?? this.#cutTerm ?? 0
      if (entry === undefined || !isNext || entry.term < termMin || entry.term > this.#message.snapshot.term)
        throw this.#refused(`without entry ${segments.lastIndex + 1} in its place`)
      segments.append([entry])
      at += entry.bytes.length
    }
    if (segments.pendingBytes > pendingBytesMax) await segments.sync()
  }

  /** The log behind the snapshot, as soon as that is known to be whole. */
  async #log(): Promise<SegmentLog> {
    if (this.#segments !== undefined) return this.#segments
    const { disk, clock, partition, clusterEpoch, cutBytes } = this.#options
    const { head } = await this.#state()
    this.#segments = await SegmentLog.open({
      disk,
      clock,
      folder: joinPath(this.#folder, 'segments'),
      partition,
      clusterEpoch,
      cutBytes,
      recorded: { truncated: head.lastCut },
      // The other side waits, and sends it all again.
      isHurried: true,
      record: async mark => {
        if (mark.kind === 'sealed') throw this.#refused(`a cut at entry ${mark.lastIndex}`)
        this.#mark = mark
      },
    })
    return this.#segments
  }

  /** The file is read back whole once all of it is there. */
  async #state(): Promise<ReadSnapshot> {
    if (this.#read !== undefined) return this.#read
    const { disk, partition, clusterEpoch } = this.#options
    const { snapshot } = this.#message
    await this.#file?.sync()
    await this.#file?.close()
    this.#file = undefined
    const read = await readSnapshot(disk, this.#path)
    const { head } = read
    const isOfHere = head.partition === partition && head.clusterEpoch === clusterEpoch
    if (!isOfHere) throw this.#refused(`of partition ${head.partition}, epoch ${head.clusterEpoch}`)
    if (head.index !== snapshot.index || head.term !== snapshot.term)
      throw this.#refused(`of entry ${head.index}, term ${head.term}`)
    const { configurationIndex, configuration } = snapshot
    const group = encodeMembership({ index: configurationIndex, configuration })
    if (!group.equals(head.configuration)) throw this.#refused('of another group')
    this.#read = read
    return read
  }

  #refused(what: string): SillokError {
    const { index, term } = this.#message.snapshot
    return new SillokError('INVALID', `the snapshot of entry ${index}, term ${term} that came is ${what}`)
  }
}
