/**
 * The snapshot files of one partition: which of them count, and how a new one comes to count.
 *
 * The steps of a new one: written to `<index>.snap.new`, synced, read back whole, renamed, folder synced,
 * recorded in the write-ahead log together with the one before it; then older ones are removed. Whatever the
 * moment of a crash, either the old record counts or the new one, and the files that it names are there. What
 * a crash can leave besides: a file under its temporary name in any state, a file that no record names. Both
 * are removed by the next opening, unread.
 *
 * A record is never older than the state's checkpoint that came before it: so replay never begins before an
 * entry that a snapshot made superfluous.
 */
import { isSillokError } from '../base/errors.js'
import type { LogIndex } from '../base/ids.js'
import { type Disk, joinPath } from '../env/disk.js'
import type { SnapshotHead } from '../state/snapshot-format.js'
import { readSnapshot } from '../state/snapshot-reader.js'
import {
  decodeSnapshots,
  encodeSnapshots,
  type SnapshotRecord,
  snapshotName,
  snapshotsKept,
} from '../state/snapshot-record.js'
import { type HeldState, writeSnapshot } from '../state/snapshot-writer.js'
import type { SnapshotFile } from '../state/store-options.js'

/** Where the files are, and who remembers them. */
export interface SnapshotsOptions {
  readonly disk: Disk
  readonly folder: string
  /** What the write-ahead log remembers. */
  readonly recorded: Buffer | undefined
  /** Writes the register into the write-ahead log; resolves when it is durable there. */
  readonly record: (payload: Buffer) => Promise<void>
}

/** Ending of a file that is being written. */
const unfinished = '.new'

/** The files that count. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  #kept: readonly SnapshotRecord[]
  /** What was recorded and is not there, or proved bad, as texts. */
  #missing: readonly string[]

  private constructor(
    options: SnapshotsOptions,
    kept: readonly SnapshotRecord[],
    missing: readonly string[],
  ) {
    this.#options = options
    this.#kept = kept
    this.#missing = missing
  }

  /**
   * Removes what does not count, and looks whether what counts is there in its length; its bytes are not
   * read.
   */
  static async open(options: SnapshotsOptions): Promise<Snapshots> {
    const { disk, folder, recorded } = options
    const records = decodeSnapshots(recorded)
    await removeOthers(disk, folder, records)
    const kept: SnapshotRecord[] = []
    const missing: string[] = []
    for (const record of records) {
      const path = joinPath(folder, snapshotName(record.index))
      const size = await disk.sizeOf(path)
      if (size === record.bytes) kept.push(record)
      else
        missing.push(`${path} ${size === undefined ? 'is missing' : `has ${size} of ${record.bytes} bytes`}`)
    }
    return new Snapshots(options, kept, missing)
  }

  /** What was recorded and is not there whole, as texts. */
  get missing(): readonly string[] {
    return this.#missing
  }

  /**
   * Files that proved bad count no more, also after a crash: others are made in their place. The next opening
   * removes them.
   */
  async distrust(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return
    this.#missing = [...this.#missing, ...paths]
    this.#kept = this.#kept.filter(record => !paths.includes(this.#path(record)))
    await this.#options.record(encodeSnapshots(this.#kept))
  }

  /**
   * Reads the whole file of the snapshot as of that entry, if there is one. If it is damaged it counts no
   * more; resolves with what is wrong, or undefined. Rejects with what the disk and the log reject with.
   */
  async prove(index: LogIndex): Promise<string | undefined> {
    const found = this.#kept.find(record => record.index === index)
    if (found === undefined) return undefined
    const path = this.#path(found)
    try {
      await readSnapshot(this.#options.disk, path)
      return undefined
    } catch (error) {
      if (!isSillokError(error, 'DAMAGED')) throw error
      await this.distrust([path])
      return error.message
    }
  }

  /** The files that count and are there, the newest first. */
  get files(): readonly SnapshotFile[] {
    return this.#kept.map(record => ({ ...record, path: this.#path(record) }))
  }

  /** The newest. */
  get newest(): SnapshotRecord | undefined {
    return this.#kept[0]
  }

  /** The one before it: what the log must reach back to. Undefined while there is only one, or none. */
  get previous(): SnapshotRecord | undefined {
    return this.#kept[1]
  }

  /**
   * Makes a new one of the held state. When it resolves it counts, and all but the one before are removed.
   * Rejects with DAMAGED, DISK_FULL, CLOSED, having changed nothing, and with what the log rejects with.
   */
  async make(
    head: SnapshotHead,
    state: HeldState,
    frameBytes: number,
    isStopped: () => boolean,
  ): Promise<void> {
    const { disk, folder, record } = this.#options
    await disk.makeFolder(folder)
    const path = joinPath(folder, snapshotName(head.index))
    let made: SnapshotRecord
    try {
      made = await writeSnapshot({ disk, path: path + unfinished, head, state, frameBytes, isStopped })
      await disk.rename(path + unfinished, path)
    } catch (error) {
      // What was written takes room that others need, say on a full disk. A failed disk is left alone.
      if (!isSillokError(error, 'DISK_FAILED')) await disk.remove(path + unfinished)
      throw error
    }
    await disk.syncFolder(folder)
    // In one turn with the record, as where one is distrusted: what is recorded last is what is kept.
    this.#kept = [made, ...this.#kept].slice(0, snapshotsKept)
    await record(encodeSnapshots(this.#kept))
    await removeOthers(disk, folder, this.#kept)
  }

  #path({ index }: SnapshotRecord): string {
    return joinPath(this.#options.folder, snapshotName(index))
  }
}

/** Removes what counts for nothing. */
async function removeOthers(disk: Disk, folder: string, records: readonly SnapshotRecord[]): Promise<void> {
  const names = records.map(({ index }) => snapshotName(index))
  for (const name of await disk.list(folder)) {
    if (!names.includes(name)) await disk.remove(joinPath(folder, name))
  }
}
