/**
 * Looks into a closed store: its log, segments and entries as they lie there, sessions and claims as the log
 * says them. Takes the folder's lock and writes nothing else; the stored state is not read.
 *
 * The log's batches are shown whatever is damaged around them. Entries, sessions and claims come from the log
 * as a whole: if that has a fault, it is told instead (DAMAGED; `verify` says more).
 */
import { type Entry, entryKinds } from '../base/entry.js'
import { SillokError } from '../base/errors.js'
import { Findings, faultsText } from '../base/finding.js'
import { type LogIndex, metaPartition, type PartitionId } from '../base/ids.js'
import { decodeKey } from '../base/tuple.js'
import { type Fact, factBytes } from '../codec/facts.js'
import { keyBytes, keyText, readRow, rowKinds } from '../codec/row.js'
import { joinPath } from '../env/disk.js'
import type { Environment } from '../env/environment.js'
import { decodeClaim } from '../machine/claims.js'
import { evolve } from '../machine/evolve.js'
import { claimPrefix, registeredPrefix, uint48FromText } from '../machine/keys.js'
import { decodeRegistered } from '../machine/registry.js'
import type { CollectionSchema } from '../machine/schema.js'
import { type CheckedSegments, checkSegments, readSegments } from '../segments/check-segments.js'
import { openName, sealedName } from '../segments/segment-header.js'
import { batchFlags, batchRecords, recordKinds } from '../wal/batch.js'
import { type CheckedLog, checkLog, placedBatches } from '../wal/check-log.js'
import { registerKinds } from '../wal/registers.js'
import { scanFile } from '../wal/scan.js'
import { isWalFileName } from '../wal/wal-file.js'
import { baseOf, baseRows, type CheckedSnapshot, checkSnapshots } from './check-snapshots.js'
import { checkIdentity, refuseForeign } from './identity.js'
import { LogModel } from './log-model.js'
import { marksOf } from './marks-of.js'
import { dataPartition, foundPartitions, replicaFolder } from './partition-folders.js'
import { RowNames, valuesText } from './row-names.js'

const partitionKind = rowKinds.partition.charCodeAt(0)

/** One line of what was looked at. */
export type Look = Readonly<Record<string, unknown>>

/** Which entries are shown. */
export interface EntryRange {
  readonly partition: PartitionId
  readonly from: LogIndex
  readonly count: number
}

/** The log of a partition, checked. */
interface ReadPartition {
  readonly folder: string
  readonly segments: CheckedSegments
  readonly log: CheckedLog
  readonly partition: PartitionId
  /** What the log continues; undefined if it begins with its first entry. */
  readonly base: CheckedSnapshot | undefined
}

/** A closed store, held for this process: use it inside `inspectStore` only. */
export class Inspection {
  readonly #env: Environment
  readonly #folder: string

  constructor(env: Environment, folder: string) {
    this.#env = env
    this.#folder = folder
  }

  /** The batches of the write-ahead log, file by file, as they stand there. */
  async *wal(): AsyncIterableIterator<Look> {
    const { disk } = this.#env
    const folder = joinPath(this.#folder, 'wal')
    for (const name of await disk.list(folder)) {
      if (!isWalFileName(name)) continue
      const file = await scanFile(disk, folder, name)
      if (!file.counts) yield { file: name, sequence: file.sequence, what: 'not in use, or not begun whole' }
      for (const { offset, batch } of placedBatches(file)) {
        const { sequence, length, flags } = batch
        const kinds = Object.entries(batchFlags).filter(([, flag]) => (flags & flag) !== 0)
        const records = countKinds(batchRecords(batch).map(({ kind }) => kind))
        const what = kinds.map(([kind]) => kind).join(', ')
        yield { file: name, sequence: file.sequence, batch: sequence, offset, bytes: length, records, what }
      }
      const { later, endOffset } = file
      if (later.length > 0) {
        yield { file: name, offset: endOffset, what: `DAMAGED: ${later.length} whole batches follow` }
      }
    }
  }

  /** The segments of all partitions. */
  async *segments(): AsyncIterableIterator<Look> {
    for (const partition of [metaPartition, dataPartition]) {
      const { segments } = await this.#read(partition)
      for (const { firstIndex, lastIndex, bytes, header, sha256 } of segments.sealed) {
        const file = sealedName(firstIndex, lastIndex)
        const { clusterEpoch } = header
        yield { partition, file, firstIndex, lastIndex, bytes, clusterEpoch, sha256: sha256.toString('hex') }
      }
      const { open } = segments
      if (open === undefined) continue
      const { firstIndex, lastIndex, length: bytes, header } = open
      const { clusterEpoch } = header
      yield { partition, file: openName(firstIndex), firstIndex, lastIndex, bytes, clusterEpoch, sha256: '' }
    }
  }

  /**
   * One line for each row that an entry changes, and one for an entry without any. Log time is no date: it
   * counts the milliseconds for which the log was led.
   */
  async *entries({ partition, from, count }: EntryRange): AsyncIterableIterator<Look> {
    const names = new RowNames()
    const read = await this.#read(partition)
    for await (const rows of baseRows(this.#env.disk, read.base)) {
      for (const [key, bytes] of rows) {
        const row = key[0] === partitionKind ? readRow(key, bytes) : undefined
        if (row !== undefined) names.learn(keyText(key), row.value)
      }
    }
    for await (const entry of this.#entries(read)) {
      if (entry.index >= from + count) return
      const { time, facts } = evolve(entry)
      for (const fact of facts) if (fact.op === 'put') names.learn(fact.key, fact.value)
      if (entry.index < from) continue
      const kind = Object.entries(entryKinds).find(([, number]) => number === entry.kind)?.[0]
      const head = { index: entry.index, term: entry.term, kind, logTimeMs: time }
      if (facts.length === 0) yield { ...head, bytes: entry.bytes.length }
      for (const fact of facts) yield { ...head, ...describeFact(names, fact) }
    }
  }

  /** The registered sessions, and how many replies are kept for each. */
  async *sessions(): AsyncIterableIterator<Look> {
    const register = await this.#model(metaPartition)
    const { windows } = await this.#model(dataPartition)
    const kept = new Map<number, number>()
    for (const window of windows.all()) {
      kept.set(window.session, (kept.get(window.session) ?? 0) + window.size)
    }
    for (const [key, { value }] of [...register.rows].sort(byKey)) {
      if (!key.startsWith(registeredPrefix) || value === undefined) continue
      const session = uint48FromText(key, registeredPrefix.length)
      const { name, numbering, epoch, active, input } = decodeRegistered(value)
      const replies = kept.get(session) ?? 0
      yield { session, name, numbering, epoch, activeLogTimeMs: active, replies, input }
    }
  }

  /** The claims of a collection, or of one of its constraints. NOT_FOUND for what is not defined. */
  async *claims(collection: string, constraint?: string): AsyncIterableIterator<Look> {
    const model = await this.#model(dataPartition)
    const schema = collectionsIn(model).find(({ name }) => name === collection)
    if (schema === undefined) throw new SillokError('NOT_FOUND', `collection "${collection}" is not defined`)
    const wanted = schema.unique.filter(({ name }) => constraint === undefined || name === constraint)
    if (wanted.length === 0 && constraint !== undefined) {
      throw new SillokError('NOT_FOUND', `collection "${collection}" has no constraint "${constraint}"`)
    }
    for (const { id, name } of wanted) {
      const prefix = claimPrefix(id)
      for (const [key, { value, version }] of [...model.rows].sort(byKey)) {
        if (!key.startsWith(prefix) || value === undefined) continue
        const { holder, rule } = decodeClaim(value)
        const unique = valuesText(keyBytes(key).subarray(prefix.length))
        yield { constraint: name, value: unique, holder: decodeKey(holder), version, rule }
      }
    }
  }

  /** What is defined, in the order of definition. */
  async collections(): Promise<readonly CollectionSchema[]> {
    return collectionsIn(await this.#model(metaPartition))
  }

  async #model(partition: PartitionId): Promise<LogModel> {
    const findings = new Findings()
    const read = await this.#read(partition)
    const model = new LogModel({ findings, file: read.folder })
    for await (const rows of baseRows(this.#env.disk, read.base)) model.takeBase(rows)
    if (read.base !== undefined) model.begin(read.base.index)
    for await (const entry of this.#entries(read)) if (entry.index > model.applied) model.apply(entry)
    refuse(findings)
    return model
  }

  /** All entries that the log has. */
  async *#entries({ folder, segments, log, partition }: ReadPartition): AsyncIterableIterator<Entry> {
    for await (const entries of readSegments(this.#env.disk, joinPath(folder, 'segments'), segments)) {
      yield* entries
    }
    const tail = log.partitions.get(partition)?.tail
    for (let index = segments.lastIndex + 1; index <= (tail?.lastIndex ?? 0); index++) {
      const entry = tail?.get(index)
      if (entry !== undefined) yield entry
    }
  }

  async #read(partition: PartitionId): Promise<ReadPartition> {
    const { disk } = this.#env
    const findings = new Findings()
    const { clusterEpoch } = await checkIdentity(disk, this.#folder)
    const log = await checkLog(disk, joinPath(this.#folder, 'wal'), findings)
    const recorded = log?.partitions.get(partition)
    const name = recorded && replicaFolder(partition, kind => recorded.registers.get(kind))
    if (log === undefined || recorded === undefined || name === undefined) {
      refuse(findings)
      if ((await foundPartitions(disk, this.#folder)).includes(partition))
        throw new SillokError(
          'DAMAGED',
          `the log does not know partition ${partition}, of which a folder is there`,
        )
      throw new SillokError('NOT_FOUND', `the store has no partition ${partition}`)
    }
    const folder = joinPath(this.#folder, 'partitions', name)
    const place = { disk, folder: joinPath(folder, 'segments'), partition, clusterEpoch }
    const segments = await checkSegments(
      { ...place, marks: marksOf(kind => recorded.registers.get(kind)), clean: log.clean },
      findings,
    )
    refuse(findings)
    if (segments === undefined) throw new SillokError('DAMAGED', `the segments in ${folder} are damaged`)
    const snapshots = joinPath(folder, 'snapshots')
    const files = await checkSnapshots(
      { disk, folder: snapshots, recorded: recorded.registers.get(registerKinds.snapshot) },
      findings,
    )
    const base = baseOf(files, segments.firstIndex)
    if (base === undefined && segments.firstIndex > 1) {
      refuse(findings)
      throw new SillokError('DAMAGED', `no snapshot is there that the log in ${folder} continues`)
    }
    return { folder, segments, log, partition, base }
  }
}

/**
 * Holds the closed store while `work` looks into it. FOLDER_IN_USE while it is open, FOREIGN_FOLDER and
 * VERSION_UNSUPPORTED for what is no store of this release.
 */
export async function inspectStore<T>(
  env: Environment,
  folder: string,
  work: (inspection: Inspection) => Promise<T>,
): Promise<T> {
  const names = await env.disk.list(folder)
  if (!names.includes('wal')) await refuseForeign(env.disk, folder)
  const lock = await env.lockFolder(folder)
  try {
    return await work(new Inspection(env, folder))
  } finally {
    await lock.release()
  }
}

function collectionsIn(model: LogModel): readonly CollectionSchema[] {
  const names = new RowNames()
  for (const [key, { value }] of model.rows) if (value !== undefined) names.learn(key, value)
  return names.collections
}

function refuse(findings: Findings): void {
  const [first] = findings.faults
  if (first === undefined) return
  const { file, at, what } = first
  const message = `${file} ${at}: ${what} (${faultsText(findings.faultCount)}; sillok verify tells more)`
  throw new SillokError('DAMAGED', message, { details: { file, at, what } })
}

function describeFact(names: RowNames, fact: Fact): Look {
  const bytes = factBytes(fact)
  if (fact.op !== 'deleteRange') return { op: fact.op, ...names.describe(fact.key), bytes }
  const through = uint48FromText(fact.from, 2)
  return { op: 'delete range', row: 'reply', of: `session ${through}`, key: '', bytes }
}

/** `3 entry, 1 register`. */
function countKinds(kinds: readonly number[]): string {
  const names = Object.entries(recordKinds)
  const counts = names.map(([name, kind]) => [name, kinds.filter(one => one === kind).length] as const)
  return counts
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}

function byKey([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1
}
