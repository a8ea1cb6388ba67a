/**
 * The state of a partition as its log says it, built in memory by applying every entry from the first one on,
 * or, if the log has lost its head, over the rows of a snapshot: what the stored state is compared with.
 *
 * It does more than applying does. Each fact names the hash of the row that it replaces, and the model looks
 * whether that is so; in the end every claim must have its document, every document its claims, and every
 * kept reply its session; the count of request ids in each slot must be that of their rows. Of documents only
 * hash and claims are kept in memory, of request ids the hash.
 */
import type { Entry } from '../base/entry.js'
import { atEntry, atKey, type Findings } from '../base/finding.js'
import { type LogIndex, type SessionId, versionsPerEpoch } from '../base/ids.js'
import type { DeleteRangeFact, Fact } from '../codec/facts.js'
import { keyBytes, keyText, makeRow, type Row, type RowKey, readRow, slotOfRow } from '../codec/row.js'
import { decodeClaim } from '../machine/claims.js'
import { decodeConstraintState } from '../machine/constraint-state.js'
import { heldClaims } from '../machine/documents.js'
import { evolve } from '../machine/evolve.js'
import {
  constraintPrefix,
  documentRow,
  openedKey,
  requestCountKey,
  requestCountPrefix,
  requestPrefix,
  schemaPrefix,
  uint48FromText,
} from '../machine/keys.js'
import { decodeRequestCount, type RequestCount } from '../machine/requests.js'
import { type CollectionSchema, decodeSchema } from '../machine/schema.js'
import type { Checkpoint } from '../state/checkpoint.js'
import { Digests, differingSlots } from '../state/digests.js'
import { addStored } from '../state/snapshot-format.js'
import type { StoredRow } from '../state/snapshot-reader.js'
import { SessionWindows } from '../state/windows.js'
import type { CheckedSnapshot } from './check-snapshots.js'

/** A row as the log says it. */
export interface ModelRow {
  readonly version: number
  readonly hash0: number
  readonly hash1: number
  /** Not kept for documents and request ids. */
  readonly value: Buffer | undefined
  readonly valueBytes: number
  /** Claims that a document holds. */
  readonly claims: readonly RowKey[]
  /** The stored state has it. */
  isStored: boolean
}

/** What a model is made with. */
export interface LogModelOptions {
  readonly findings: Findings
  /** What faults in the log's content are told of. */
  readonly file: string
  /** The state of that index is compared with its digests; rows may have changed in the store since. */
  readonly checkpoint?: Checkpoint
  /** Snapshot files: the state of each index is compared with its digests. */
  readonly snapshots?: readonly CheckedSnapshot[]
}

/** Builds the state; apply all entries in order. */
export class LogModel {
  /** All rows but kept replies. */
  readonly rows = new Map<RowKey, ModelRow>()
  readonly windows = new SessionWindows()
  /** Rows that changed after the checkpoint: every form that each had since, null for its absence. */
  readonly since = new Map<RowKey, (ModelRow | null)[]>()
  readonly #options: LogModelOptions
  readonly #digests = new Digests()
  readonly #storedReplies = new Set<RowKey>()
  #applied: LogIndex = 0

  constructor(options: LogModelOptions) {
    this.#options = options
    this.#compareDigests()
  }

  get applied(): LogIndex {
    return this.#applied
  }

  /** Takes stored rows of a snapshot, whose checks hold: before `begin`. */
  takeBase(rows: readonly StoredRow[]): void {
    for (const [key, bytes] of rows) {
      addStored(this.#digests, key, bytes)
      const own = Buffer.from(bytes)
      const row = readRow(key, own)
      const text = keyText(key)
      if (text.startsWith('s')) this.windows.restore(key, own)
      else if (row !== undefined) this.rows.set(text, this.#modelRow(text, row))
    }
  }

  /** The rows taken so far are the state of that entry: the next one is applied to them. */
  begin(index: LogIndex): void {
    this.#applied = index
    this.#compareDigests()
  }

  /** The collections, as of the last entry. */
  schemas(): CollectionSchema[] {
    const schemas: CollectionSchema[] = []
    for (const [key, { value }] of this.rows) {
      if (key.startsWith(schemaPrefix) && value !== undefined) schemas.push(decodeSchema(value))
    }
    return schemas
  }

  /** Takes the next entry. */
  apply(entry: Entry): void {
    const { findings, file } = this.#options
    if (entry.index !== this.#applied + 1) {
      findings.fault(file, atEntry(entry.index), `follows entry ${this.#applied}`)
    }
    for (const fact of evolve(entry).facts) this.#fact(entry.index, fact)
    this.#applied = entry.index
    this.#compareDigests()
  }

  /**
   * True if the log knows the row in this form, as of the checkpoint or later; kept replies only when nothing
   * was applied since, for they come and go. Notes that the row is stored.
   */
  takeStored(key: RowKey, row: Row): boolean {
    const known = this.rows.get(key)
    if (known !== undefined) known.isStored = true
    if (key.startsWith('s')) {
      this.#storedReplies.add(key)
      const kept = this.windows.lookup(key)
      return this.hasMoved || (kept !== null && sameRow(kept, row))
    }
    if (known !== undefined && sameRow(known, row)) return true
    return this.since.get(key)?.some(form => form !== null && sameRow(form, row)) === true
  }

  /** Entries were applied after the checkpoint. */
  get hasMoved(): boolean {
    return this.#applied > (this.#options.checkpoint?.index ?? 0)
  }

  /** Keys of rows that the store must hold, and `takeStored` did not see. */
  *missing(): IterableIterator<RowKey> {
    for (const [key, row] of this.rows) {
      if (!row.isStored && this.since.get(key)?.includes(null) !== true) yield key
    }
    if (this.hasMoved) return
    for (const { keys } of this.windows.all()) {
      for (const key of keys) if (!this.#storedReplies.has(key)) yield key
    }
  }

  /** Documents, claims, sessions: each of them has what belongs to it. */
  checkWhole(): void {
    const { collections, online, dropping } = this.#constraints()
    for (const [key, row] of this.rows) {
      for (const claim of row.claims) {
        const held = this.rows.get(claim)
        // Under a constraint that was dropped a document may list what is gone.
        if (!collections.has(constraintOf(claim))) continue
        if (held === undefined) this.#fault(key, 'the document holds a claim that is not there')
        else if (this.#holderOf(claim, held, collections) !== key)
          this.#fault(claim, 'the claim names another document than the one that holds it')
      }
      if (!key.startsWith('c')) continue
      const id = constraintOf(key)
      if (dropping.has(id)) continue
      const holder = this.#holderOf(key, row, collections)
      const document = holder === undefined ? undefined : this.rows.get(holder)
      // Under a constraint that was built online the document need not list it: see `BuiltClaims`.
      if (document === undefined || !(online.has(id) || document.claims.includes(key)))
        this.#fault(key, 'the claim has no document that holds it')
    }
    for (const window of this.windows.all()) {
      const session: SessionId = uint48FromText(window.storedKey, 2)
      if (window.size > 0 && !this.rows.has(openedKey(session)))
        this.#fault(window.storedKey, `replies are kept for session ${session}, which is not open`)
    }
    this.#checkRequestCounts()
  }

  #checkRequestCounts(): void {
    const found = new Map<RowKey, RequestCount>()
    for (const [key, { valueBytes }] of this.rows) {
      if (!key.startsWith(requestPrefix)) continue
      const countKey = requestCountKey(key.charCodeAt(requestPrefix.length))
      const { ids, bytes } = found.get(countKey) ?? { ids: 0, bytes: 0 }
      found.set(countKey, { ids: ids + 1, bytes: bytes + key.length + valueBytes })
    }
    for (const [key, { value }] of this.rows) {
      if (!key.startsWith(requestCountPrefix)) continue
      const said = decodeRequestCount(value)
      const { ids, bytes } = found.get(key) ?? { ids: 0, bytes: 0 }
      if (said.ids !== ids || said.bytes !== bytes)
        this.#fault(
          key,
          `counts ${said.ids} request ids of ${said.bytes} bytes, there are ${ids} of ${bytes}`,
        )
      found.delete(key)
    }
    for (const [key, { ids }] of found) this.#fault(key, `nothing counts the ${ids} request ids of its slot`)
  }

  #fact(index: LogIndex, fact: Fact): void {
    if (fact.op === 'deleteRange') {
      this.#range(index, fact)
      return
    }
    const { key, prev0, prev1 } = fact
    const version = versionOf(index)
    const row = fact.op === 'put' ? makeRow(key, version, Buffer.from(fact.value)) : null
    const isReply = key.startsWith('s')
    const before = isReply ? this.windows.lookup(key) : (this.rows.get(key) ?? null)
    if ((before?.hash0 ?? 0) !== prev0 || (before?.hash1 ?? 0) !== prev1) {
      this.#fault(key, `entry ${index} says that it replaces another row than the one that is there`)
    }
    this.#digests.replace(slotOfRow(key), row?.hash0 ?? 0, row?.hash1 ?? 0, prev0, prev1)
    if (isReply) {
      this.windows.set(key, row)
      return
    }
    const form = row === null ? null : this.#modelRow(key, row)
    const { checkpoint } = this.#options
    if (checkpoint !== undefined && index > checkpoint.index) {
      const forms = this.since.get(key) ?? [this.rows.get(key) ?? null]
      forms.push(form)
      this.since.set(key, forms)
    }
    if (form === null) this.rows.delete(key)
    else this.rows.set(key, form)
  }

  #range(index: LogIndex, { from, to, slot, sum0, sum1 }: DeleteRangeFact): void {
    const found = this.windows.sumRange(from, to)
    if (found.sum0 !== sum0 || found.sum1 !== sum1) {
      this.#fault(from, `entry ${index} says that it removes other replies than those that are there`)
    }
    this.windows.deleteRange(from, to)
    this.#digests.replace(slot, 0, 0, sum0, sum1)
  }

  #modelRow(key: RowKey, { version, hash0, hash1, value }: Row): ModelRow {
    const isDocument = key.startsWith('d')
    const kept = isDocument || key.startsWith(requestPrefix) ? undefined : value
    const claims = isDocument ? heldClaims(value) : []
    return { version, hash0, hash1, value: kept, valueBytes: value.length, claims, isStored: false }
  }

  #compareDigests(): void {
    const { checkpoint, findings, file, snapshots = [] } = this.#options
    for (const { index, path, digests } of snapshots) {
      if (index !== this.#applied) continue
      const slots = differingSlots(this.#digests.copy(), digests).length
      if (slots > 0) findings.fault(path, atEntry(index), `the log gives another state, in ${slots} slots`)
    }
    if (checkpoint === undefined || checkpoint.index !== this.#applied) return
    const slots = differingSlots(this.#digests.copy(), checkpoint.digests)
    if (slots.length === 0) return
    const what = `the digests of ${slots.length} slots are not those of the checkpoint: ${slots.slice(0, 8)}`
    findings.fault(file, atEntry(this.#applied), what)
  }

  /** The collections of the constraints; those that were built online; and those that are being dropped. */
  #constraints(): {
    readonly collections: ReadonlyMap<number, number>
    readonly online: ReadonlySet<number>
    readonly dropping: ReadonlySet<number>
  } {
    const collections = new Map<number, number>()
    const online = new Set<number>()
    for (const schema of this.schemas()) {
      for (const one of schema.unique) {
        collections.set(one.id, schema.id)
        if (one.online === true) online.add(one.id)
      }
    }
    const dropping = new Set<number>()
    for (const [key, { value }] of this.rows) {
      if (!key.startsWith(constraintPrefix) || value === undefined) continue
      const id = keyBytes(key).readUInt32BE(constraintPrefix.length)
      if (decodeConstraintState(value).state === 'dropping') dropping.add(id)
    }
    return { collections, online, dropping }
  }

  /** The document that the claim names. */
  #holderOf(key: RowKey, row: ModelRow, collections: ReadonlyMap<number, number>): RowKey | undefined {
    const collection = collections.get(constraintOf(key))
    if (collection === undefined || row.value === undefined) return undefined
    return documentRow(collection, decodeClaim(row.value).holder)
  }

  #fault(key: RowKey, what: string): void {
    this.#options.findings.fault(this.#options.file, atKey(keyBytes(key)), what)
  }
}

/** The number of the constraint in the key of a claim. */
function constraintOf(key: RowKey): number {
  return keyBytes(key.slice(0, 5)).readUInt32BE(1)
}

/** One slot epoch so far: the version of a row is the index of its entry. */
export function versionOf(index: LogIndex): number {
  const slotEpoch = 0
  return slotEpoch * versionsPerEpoch + index
}

function sameRow(left: Pick<Row, 'version' | 'hash0' | 'hash1'>, right: Row): boolean {
  return left.version === right.version && left.hash0 === right.hash0 && left.hash1 === right.hash1
}
