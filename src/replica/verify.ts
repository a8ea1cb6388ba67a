/**
 * Reads every byte of a closed store that anything depends on, and says what is wrong: which file, where in
 * it, and what.
 *
 * Each kind of file is checked where it is written (`wal/check-log`, `segments/check-segments`,
 * `state/check-state`, `derived/check-index`); here they are held against each other: the log's entries
 * against the segments, all of them, applied in memory from the first one on (or, if the log has lost its
 * head, to the rows of a snapshot), against the stored rows, the digests, snapshots, and claims and
 * documents among themselves. Rows of derived indexes are computed again from the documents.
 *
 * The folder's lock is taken, and nothing else in the folder is written: not even what opening would put
 * right at once. Memory grows with the number of rows, since the state is built twice.
 */
import type { Entry } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import { atByte, atEntry, atKey, type CheckedCounts, type Finding, Findings } from '../base/finding.js'
import { type LogIndex, metaPartition, type PartitionId } from '../base/ids.js'
import { keyBytes } from '../codec/row.js'
import type { IndexType } from '../derived/contract.js'
import { joinPath } from '../env/disk.js'
import type { Environment } from '../env/environment.js'
import { checkLevelFiles, type LevelCheck } from '../env/level-folder-check.js'
import { type CheckedSegments, checkSegments, readSegments } from '../segments/check-segments.js'
import type { RecordedMarks } from '../segments/marks.js'
import { readRows, type StoredMarks } from '../state/check-state.js'
import { type Checkpoint, decodeCheckpoint, emptyCheckpoint } from '../state/checkpoint.js'
import { type CheckedLog, type CheckedPartition, checkLog } from '../wal/check-log.js'
import { decodeHardState, registerKinds } from '../wal/registers.js'
import {
  baseOf,
  baseRows,
  type CheckedSnapshot,
  checkSnapshots,
  type SnapshotsCheck,
} from './check-snapshots.js'
import { checkIdentity, originOf, refuseForeign } from './identity.js'
import { LogModel } from './log-model.js'
import { marksOf } from './marks-of.js'
import { dataPartition, foundPartitions, replicaFolder } from './partition-folders.js'
import { BuiltClaims } from './verify-claims.js'
import { checkIndexes, type IndexedLog, type IndexesCheck } from './verify-indexes.js'

/** What is verified. */
export interface VerifyOptions {
  readonly env: Environment
  /** The data folder. */
  readonly folder: string
  /** A folder for copies, outside the data folder; what is put there is removed again. */
  readonly scratch: string
  /** The kinds of indexes whose rows can be computed again. */
  readonly indexTypes: ReadonlyMap<string, IndexType>
}

/** What a verification found. Files are named from the data folder. */
export interface VerifyReport {
  /**
   * None: the store is sound. Those of the log first, then of segments, state and indexes: what comes first
   * may be the cause of what follows.
   */
  readonly faults: readonly Finding[]
  /** How many there are; of one file not all are in `faults`. */
  readonly faultCount: number
  readonly notes: readonly Finding[]
  readonly counts: CheckedCounts
}

/**
 * Verifies a store. Rejects with FOLDER_IN_USE while it is open, with FOREIGN_FOLDER or VERSION_UNSUPPORTED
 * for what is no store of this release, and when the folder for copies cannot be written.
 */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { env, folder } = options
  const names = await env.disk.list(folder)
  // Without IDENT it is still ours if the rest of a store is there.
  if (!names.includes('wal') && !names.includes('partitions')) {
    await refuseForeign(env.disk, folder)
    if (!names.includes('IDENT'))
      throw new SillokError('NOT_FOUND', `no store in ${folder}: nothing was written yet`, {
        details: { folder },
      })
  }
  const lock = await env.lockFolder(folder)
  try {
    const findings = new Findings()
    await new Verification(options, findings).run(names)
    // Named from the data folder, in messages of others too.
    const near = (text: string): string => text.replaceAll(`${folder}/`, '')
    const relative = ({ file, at, what }: Finding): Finding => ({ file: near(file), at, what: near(what) })
    const { counts, faultCount, notes } = findings
    const faults = findings.faults.map(relative).sort((one, other) => rankOf(one) - rankOf(other))
    return { faults, faultCount, notes: notes.map(relative), counts }
  } finally {
    await lock.release()
  }
}

/** What the others are made from comes first. */
function rankOf({ file }: Finding): number {
  const kinds = [
    /^IDENT$/,
    /^wal(\/|$)/,
    /\/segments(\/|$)/,
    /\/snapshots(\/|$)/,
    /\/state(\/|$)/,
    /\/indexes(\/|$)/,
  ]
  const rank = kinds.findIndex(kind => kind.test(file))
  return rank < 0 ? kinds.length : rank
}

/** One partition under verification. */
interface Subject {
  readonly partition: PartitionId
  readonly folder: string
  readonly log: CheckedLog
  readonly recorded: CheckedPartition
  /** Undefined when it has faults. */
  readonly segments: CheckedSegments | undefined
  /** Snapshot files that hold, the oldest first. */
  readonly snapshots: readonly CheckedSnapshot[]
  /** What the log continues; undefined if it begins with its first entry. */
  readonly base: CheckedSnapshot | undefined
}

class Verification {
  readonly #options: VerifyOptions
  readonly #findings: Findings
  #clusterEpoch = Number.MAX_SAFE_INTEGER
  #origin: string | undefined

  constructor(options: VerifyOptions, findings: Findings) {
    this.#options = options
    this.#findings = findings
  }

  async run(names: readonly string[]): Promise<void> {
    const { env, folder } = this.#options
    const identPath = joinPath(folder, 'IDENT')
    if (names.includes('IDENT')) {
      const identity = await this.#findings.attempt(identPath, () => checkIdentity(env.disk, folder))
      this.#findings.read((await env.disk.sizeOf(identPath)) ?? 0)
      if (identity !== undefined) {
        this.#clusterEpoch = identity.clusterEpoch
        this.#origin = originOf(identity)
      }
    } else this.#findings.fault(identPath, '', 'is missing')
    const log = await checkLog(env.disk, joinPath(folder, 'wal'), this.#findings)
    const replicas = joinPath(folder, 'partitions')
    const folders = new Set(await env.disk.list(replicas))
    const found = await foundPartitions(env.disk, folder)
    for (const partition of [metaPartition, dataPartition]) {
      const recorded = log?.partitions.get(partition)
      if (log !== undefined && recorded === undefined) {
        const isLost = log.scan.chain.length === 0
        const path = isLost ? joinPath(folder, 'wal') : (log.scan.chain.at(-1)?.path ?? log.nextFile)
        const what = isLost ? 'is missing: no file of it holds' : 'files are missing: the log does not know'
        const whose = `partition ${partition}, of which a folder is there`
        if (found.includes(partition)) this.#findings.fault(path, '', `${what} ${whose}`)
        else this.#findings.note(path, '', `partition ${partition} was not created yet`)
      }
      const name = recorded && replicaFolder(partition, kind => recorded.registers.get(kind))
      if (name !== undefined) folders.delete(name)
      if (log !== undefined && recorded !== undefined && name !== undefined)
        await this.#partition(partition, joinPath(replicas, name), log, recorded)
    }
    for (const name of folders) await this.#unknown(joinPath(replicas, name), name, log !== undefined)
  }

  async #partition(
    partition: PartitionId,
    folder: string,
    log: CheckedLog,
    recorded: CheckedPartition,
  ): Promise<void> {
    const { clean } = log
    const marks = await this.#findings.attempt(folder, async () =>
      marksOf(kind => recorded.registers.get(kind)),
    )
    const segments = await checkSegments(this.#segmentCheck(partition, folder, marks, clean), this.#findings)
    const snapshots = await checkSnapshots(this.#snapshotsCheck(folder, recorded), this.#findings)
    const base = baseOf(snapshots, segments?.firstIndex ?? 1)
    const subject: Subject = { partition, folder, log, recorded, segments, snapshots, base }
    const model = segments === undefined ? undefined : await this.#replay(subject, segments)
    await this.#state(subject, model)
    if (partition === dataPartition) await this.#indexes(subject, model)
  }

  /** A folder that the log does not know, or all of them when the log is damaged: each file by itself. */
  async #unknown(folder: string, name: string, isLogSound: boolean): Promise<void> {
    const partition = /^(\d+)-\d+(\.\d+)?$/.exec(name)?.[1]
    if (isLogSound || partition === undefined) {
      this.#findings.note(folder, '', 'is no folder of a replica that the log knows; it is not looked at')
      return
    }
    this.#findings.note(folder, '', 'not compared with the log, which is damaged')
    await checkSegments(this.#segmentCheck(Number(partition), folder, undefined, false), this.#findings)
    await checkLevelFiles(this.#stateCheck(folder, false), this.#findings)
    await checkIndexes(this.#indexesCheck(folder, false), this.#findings)
  }

  #segmentCheck(partition: PartitionId, folder: string, marks: RecordedMarks | undefined, clean: boolean) {
    const { disk } = this.#options.env
    const clusterEpoch = this.#clusterEpoch
    return { disk, folder: joinPath(folder, 'segments'), partition, clusterEpoch, marks, clean }
  }

  #snapshotsCheck(folder: string, { registers }: CheckedPartition): SnapshotsCheck {
    const { disk } = this.#options.env
    return { disk, folder: joinPath(folder, 'snapshots'), recorded: registers.get(registerKinds.snapshot) }
  }

  #stateCheck(folder: string, clean: boolean): LevelCheck {
    const { env, scratch } = this.#options
    const { disk, keyValue } = env
    return { disk, keyValue, folder: joinPath(folder, 'state'), scratch: joinPath(scratch, 'state'), clean }
  }

  #indexesCheck(folder: string, clean: boolean, log?: IndexedLog): IndexesCheck {
    const { env, scratch, indexTypes: types } = this.#options
    const { disk, keyValue } = env
    const own = { folder: joinPath(folder, 'indexes'), scratch: joinPath(scratch, 'index') }
    return { disk, keyValue, ...own, clean, origin: this.#origin, types, log }
  }

  async #indexes(subject: Subject, model: LogModel | undefined): Promise<void> {
    const { folder, log, segments } = subject
    let indexed: IndexedLog | undefined
    if (model !== undefined && segments !== undefined) {
      const { base } = subject
      const baseIndex = base?.index ?? 0
      indexed = {
        schemas: model.schemas(),
        lastIndex: model.applied,
        baseIndex,
        base: () => baseRows(this.#options.env.disk, base),
        entries: () => this.#entriesAfter(baseIndex, subject, segments),
      }
    }
    await checkIndexes(this.#indexesCheck(folder, log.clean, indexed), this.#findings)
  }

  /** The entries behind that one. */
  async *#entriesAfter(index: LogIndex, subject: Subject, segments: CheckedSegments): AsyncIterable<Entry[]> {
    for await (const entries of this.#entries(subject, segments)) {
      const after = entries.filter(entry => entry.index > index)
      if (after.length > 0) yield after
    }
  }

  /** All entries: those of the segments, then what only the log has. */
  async *#entries(
    { folder, recorded: { tail } }: Subject,
    segments: CheckedSegments,
  ): AsyncIterable<Entry[]> {
    yield* readSegments(this.#options.env.disk, joinPath(folder, 'segments'), segments)
    const rest: Entry[] = []
    for (let index = segments.lastIndex + 1; index <= tail.lastIndex; index++) {
      const entry = tail.get(index)
      if (entry !== undefined) rest.push(entry)
    }
    if (rest.length > 0) yield rest
  }

  /** The state as the log says it; undefined when entries are missing. */
  async #replay(subject: Subject, segments: CheckedSegments): Promise<LogModel | undefined> {
    const { folder, log, recorded, snapshots, base } = subject
    const findings = this.#findings
    const { tail } = recorded
    if (tail.firstIndex > segments.lastIndex + 1) {
      const lost = `entries ${segments.lastIndex + 1} to ${tail.firstIndex - 1}`
      findings.fault(joinPath(folder, 'segments'), atEntry(segments.lastIndex + 1), `${lost} are missing`)
      return undefined
    }
    const lastIndex = Math.max(tail.lastIndex, segments.lastIndex)
    checkHardState(subject, lastIndex, findings)
    const checkpoint = await findings.attempt(log.nextFile, async () => checkpointOf(recorded))
    if (checkpoint === undefined) return undefined
    if (base === undefined && segments.firstIndex > 1) {
      const what = `begins at entry ${segments.firstIndex}, and no snapshot holds that it continues`
      findings.fault(joinPath(folder, 'segments'), '', what)
      return undefined
    }
    const model = new LogModel({ findings, file: joinPath(folder, 'segments'), checkpoint, snapshots })
    return await findings.attempt(folder, async () => {
      for await (const rows of baseRows(this.#options.env.disk, base)) model.takeBase(rows)
      if (base !== undefined) model.begin(base.index)
      for await (const entries of this.#entries(subject, segments)) {
        for (const entry of entries) {
          if (entry.index <= segments.lastIndex) this.#compareHeld(subject, entry)
          if (entry.index > model.applied) model.apply(entry)
        }
      }
      model.checkWhole()
      const built = new BuiltClaims(model, (key, what) => {
        findings.fault(joinPath(folder, 'segments'), atKey(keyBytes(key)), what)
      })
      if (built.isEmpty) return model
      for await (const rows of baseRows(this.#options.env.disk, base)) built.lookAtBase(rows)
      for await (const entries of this.#entries(subject, segments)) {
        for (const entry of entries) built.look(entry)
      }
      built.finish()
      return model
    })
  }

  /** What both the log and the segments hold is the same, byte by byte. */
  #compareHeld({ folder, recorded }: Subject, entry: Entry): void {
    const held = recorded.held.get(entry.index)
    if (held === undefined || held.bytes.equals(entry.bytes)) return
    const file = joinPath(folder, 'segments')
    this.#findings.fault(file, atEntry(entry.index), 'the write-ahead log holds another entry')
  }

  async #state(subject: Subject, model: LogModel | undefined): Promise<void> {
    const { folder, log, recorded } = subject
    const check = this.#stateCheck(folder, log.clean)
    const checkpoint = await this.#findings.attempt(log.nextFile, async () => checkpointOf(recorded))
    const names = await this.#options.env.disk.list(check.folder)
    if (checkpoint?.index === 0 && !log.clean && !names.includes('CURRENT')) {
      this.#findings.note(check.folder, '', 'was not made whole yet; it is built from the log')
      return
    }
    const files = await checkLevelFiles(check, this.#findings)
    if (files === undefined || model === undefined || checkpoint === undefined) {
      this.#findings.note(check.folder, '', 'the rows were not compared with the log')
      return
    }
    const before = this.#findings.faultCount
    const marks = await readRows(check, files, this.#findings, (key, row) => {
      if (model.takeStored(key, row)) return
      const known = model.rows.get(key)?.version
      const says = known === undefined ? 'the log has no such row' : `the log has version ${known}`
      this.#findings.fault(check.folder, atKey(keyBytes(key)), `a row of version ${row.version}: ${says}`)
    })
    if (marks === undefined) return
    this.#compareMarks(subject, { marks, files }, model, checkpoint)
    if (marks.rebuilding > 0 && marks.rebuilding >= checkpoint.index) {
      this.#findings.note(check.folder, '', 'is being built again from the log: rows may be missing')
    } else if (this.#findings.faultCount === before || marks.proven >= checkpoint.index) {
      for (const key of model.missing())
        this.#findings.fault(check.folder, atKey(keyBytes(key)), 'the row is missing')
    }
  }

  #compareMarks(
    subject: Subject,
    { marks, files }: { readonly marks: StoredMarks; readonly files: readonly string[] },
    model: LogModel,
    checkpoint: Checkpoint,
  ): void {
    const { newest, proven, rebuilding } = marks
    const state = joinPath(subject.folder, 'state')
    if (newest > model.applied) {
      const what = `is missing, or entries are: the log ends at ${model.applied}, the state knows ${newest}`
      this.#findings.fault(subject.log.nextFile, '', what)
    }
    if (subject.log.clean && proven >= checkpoint.index && marks.probe < checkpoint.index) {
      const log = files.findLast(name => name.endsWith('.log')) ?? ''
      const what = `is cut short: what was written after the checkpoint of entry ${proven} is missing`
      this.#findings.fault(joinPath(state, log), '', what)
    }
    if (proven < checkpoint.index && rebuilding < checkpoint.index) {
      const what = `proves the checkpoint of entry ${proven}; the log recorded ${checkpoint.index}`
      this.#findings.fault(state, '', what)
    }
  }
}

function checkpointOf({ registers }: CheckedPartition): Checkpoint {
  const recorded = registers.get(registerKinds.checkpoint)
  return recorded === undefined ? emptyCheckpoint : decodeCheckpoint(recorded)
}

/** What was committed is there. */
function checkHardState(
  { log, recorded, partition }: Subject,
  lastIndex: LogIndex,
  findings: Findings,
): void {
  const stored = recorded.registers.get(registerKinds.hardState)
  if (stored === undefined) return
  const { commit } = decodeHardState(stored)
  if (commit <= lastIndex) return
  const what = `partition ${partition} ends at entry ${lastIndex}, and ${commit} was committed`
  findings.fault(log.nextFile, atByte(0), what)
}
