/**
 * Verifies the derived indexes of a partition: which folders there should be by the schemas in its log, and
 * each index by itself, its rows against those that the log's documents give.
 *
 * The log is read once more for each index, so that the rows of one index at a time are in memory.
 */
import type { Entry } from '../base/entry.js'
import type { Findings } from '../base/finding.js'
import type { IndexId, LogIndex } from '../base/ids.js'
import { readRow, rowKinds } from '../codec/row.js'
import { checkIndex } from '../derived/check-index.js'
import type { IndexType } from '../derived/contract.js'
import { expectedRows } from '../derived/expected-rows.js'
import type { HeldBack } from '../derived/held-back.js'
import type { SourceChange, SourcePiece } from '../derived/source.js'
import { joinPath } from '../env/disk.js'
import type { KeyValueStore } from '../env/key-value.js'
import type { LevelCheck } from '../env/level-folder-check.js'
import type { IndexSchema } from '../machine/index-schema.js'
import type { CollectionSchema } from '../machine/schema.js'
import type { StoredRow } from '../state/snapshot-reader.js'
import { documentChange, documentChanges } from './index-source.js'
import { indexIdentity } from './indexes.js'
import { versionOf } from './log-model.js'

/** What the log says. */
export interface IndexedLog {
  readonly schemas: readonly CollectionSchema[]
  readonly lastIndex: LogIndex
  /** The state of that entry is where the log is read from; 0 if it is read from its first entry on. */
  readonly baseIndex: LogIndex
  /** The rows of that state, as stored. */
  readonly base: () => AsyncIterable<readonly StoredRow[]>
  /** All entries behind it. */
  readonly entries: () => AsyncIterable<readonly Entry[]>
}

/** Which folder of indexes is verified, and against what. */
export interface IndexesCheck extends LevelCheck {
  /** Names the store; undefined when its identity cannot be read. */
  readonly origin: string | undefined
  readonly types: ReadonlyMap<string, IndexType>
  /** Undefined when the log has faults: then each folder is checked by itself. */
  readonly log: IndexedLog | undefined
}

const documentKind = rowKinds.document.charCodeAt(0)

interface Known {
  readonly collection: CollectionSchema
  readonly schema: IndexSchema
}

/** Verifies all indexes in the folder. */
export async function checkIndexes(check: IndexesCheck, findings: Findings): Promise<void> {
  const { disk, folder, log } = check
  const names = new Set(await disk.list(folder))
  if (log === undefined) {
    for (const name of names)
      if (/^\d+$/.test(name)) await checkAlone(check, name, 'the log has faults', findings)
    return
  }
  const known = new Map<IndexId, Known>()
  for (const collection of log.schemas)
    for (const schema of collection.indexes) {
      known.set(schema.id, { collection, schema })
      // It answers until the other one is built; then it is gone.
      const { before, name } = schema
      if (before !== undefined && names.has(String(before.id))) {
        known.set(before.id, { collection, schema: { ...before, name } })
      }
    }
  for (const [id, { collection, schema }] of known) {
    if (names.delete(String(id))) {
      await checkKnown(check, log, { collection, schema }, findings)
    } else {
      const name = `${schema.name} of ${collection.name}`
      findings.note(joinPath(folder, String(id)), '', `is not there: the index ${name} will be built`)
    }
  }
  for (const name of names) {
    const what = 'is no index that the log knows; it is not looked at, and goes at the next opening'
    findings.note(joinPath(folder, name), '', what)
  }
}

async function checkKnown(
  check: IndexesCheck,
  log: IndexedLog,
  { collection, schema }: Known,
  findings: Findings,
): Promise<void> {
  const { folder, origin, types } = check
  const type = types.get(schema.type)
  if (type === undefined) {
    await checkAlone(check, String(schema.id), `its type ${schema.type} is not known here`, findings)
    return
  }
  const index = type.open(schema.config)
  const expected = async (position: LogIndex, heldBack: HeldBack): Promise<KeyValueStore | string> => {
    if (position < log.baseIndex) {
      return `it ends at entry ${position}; what the log has begins at the state of entry ${log.baseIndex}`
    }
    const pieces = piecesOf(log, position)
    return await expectedRows({ index, collection: collection.id, pieces, heldBack })
  }
  const identity = origin === undefined ? undefined : indexIdentity(origin, schema, type.version)
  const isOtherVersion = (other: string): boolean => isVersionOf(other, origin ?? '', schema)
  const { lastIndex } = log
  const own = joinPath(folder, String(schema.id))
  await checkIndex({ ...check, folder: own, identity, isOtherVersion, lastIndex, expected, index }, findings)
}

/** By its own checksums only. It may have been left by a crash before the last close: no runner had it. */
async function checkAlone(
  check: IndexesCheck,
  name: string,
  reason: string,
  findings: Findings,
): Promise<void> {
  const alone = {
    identity: undefined,
    isOtherVersion: () => false,
    lastIndex: check.log?.lastIndex,
    expected: async () => reason,
    clean: false,
  }
  await checkIndex({ ...check, folder: joinPath(check.folder, name), ...alone }, findings)
}

async function* piecesOf(log: IndexedLog, position: LogIndex): AsyncIterable<SourcePiece> {
  for await (const rows of log.base()) yield { through: log.baseIndex, changes: documentsOf(rows) }
  for await (const entries of log.entries()) {
    const covered = entries.filter(({ index }) => index <= position)
    const through = covered.at(-1)?.index
    if (through === undefined) return
    yield { through, changes: covered.flatMap(entry => documentChanges(entry, versionOf(entry.index))) }
  }
}

/** The documents among stored rows, whose checks hold. */
function documentsOf(rows: readonly StoredRow[]): SourceChange[] {
  const documents: SourceChange[] = []
  for (const [key, bytes] of rows) {
    const row = key[0] === documentKind ? readRow(key, bytes) : undefined
    if (row !== undefined) documents.push(documentChange(key, row.version, row.value))
  }
  return documents
}

function isVersionOf(other: string, origin: string, schema: IndexSchema): boolean {
  const version = /^\/(\d+)\//.exec(other.slice([origin, schema.id, schema.type].join('/').length))?.[1]
  return version !== undefined && other === indexIdentity(origin, schema, Number(version))
}
