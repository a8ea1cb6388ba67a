/**
 * Builds constraints on documents that are there, and removes the rows of those that were dropped: in the
 * background, by entries that it proposes one after the other.
 *
 * What it proposes is only which rows to look at; what becomes of them is decided in the order of the log
 * (`machine/decide-build.ts`), and where the work is stands in a row of the state. So a crash at any point
 * costs at most the entry that was on its way, and two of these would only find each other's work done. The
 * documents are read as of an index at which the constraint is in force: one that is not among them came
 * later, and ran the rule when it was written.
 *
 * A newer rule that is enforced retires the older one of its name, through meta.
 *
 * What cannot go on, say because a document's row is damaged, holds up none of the others: it is told, and
 * tried again now and then. While others write the entries of a build are smaller, and it rests after each
 * and after each page that it reads (`derived/background-pace.ts`).
 */
import { SillokError } from '../base/errors.js'
import type { ConstraintId } from '../base/ids.js'
import type { Limits } from '../base/limits.js'
import { keyBytes, keyText, type RowKey } from '../codec/row.js'
import type { BackgroundPace } from '../derived/background-pace.js'
import type { Clock } from '../env/clock.js'
import type { Backfill, Command } from '../machine/command.js'
import { type ConstraintState, decodeConstraintState } from '../machine/constraint-state.js'
import type { BuildValue } from '../machine/decide-build.js'
import {
  claimPrefix,
  constraintKey,
  constraintPrefix,
  documentPrefix,
  documentPrefixBytes,
  schemaPrefix,
  violationPrefix,
} from '../machine/keys.js'
import { schemaOfRow } from '../machine/schema.js'
import type { ScanPage } from '../state/scan.js'
import { isClosing, isOfLeadership } from './failure.js'
import type { Partition } from './partition.js'

/** Rows that are read at a time. */
const pageRows = 200
/** From a failure to the next try. */
const retryMs = 5000
/** What the removal of a row takes in an entry, besides its key. */
const factRoom = 16

/** What builds work with. */
export interface ConstraintBuildsOptions {
  readonly clock: Clock
  readonly meta: Partition
  readonly data: Partition
  readonly limits: Limits
  /** That of all builds on the log of `data`. */
  readonly pace: BackgroundPace
  /** Takes on the work, whose failure may be one of the store. */
  readonly background: (work: Promise<void>) => void
  /** Told of each failed try of a build or drop. */
  readonly failed: (error: SillokError) => void
}

/** Documents that were there, and are still to be looked at. */
interface Ahead {
  keys: RowKey[]
  /** The last row of what was read so far; null: nothing yet. */
  through: Uint8Array | null
  isEnd: boolean
}

/** The builds of one data partition. */
export class ConstraintBuilds {
  readonly #options: ConstraintBuildsOptions
  readonly #sender = {}
  /** Changes of schemas and of states that the last look has seen. */
  #seen = -1
  #retryAtMs = 0
  readonly #failures = new Map<ConstraintId, SillokError>()
  #isRunning = false
  #isStopped = false

  constructor(options: ConstraintBuildsOptions) {
    this.#options = options
  }

  /** More is applied, or what failed may be tried again: goes to work if there is some. */
  notify(): void {
    if (this.#isRunning || this.#isStopped) return
    if (!this.#options.data.leads) {
      this.#failures.clear()
      return
    }
    const isRetry = this.#failures.size > 0 && this.#options.clock.monotonicMs() >= this.#retryAtMs
    if (this.#changes() === this.#seen && !isRetry) return
    this.#isRunning = true
    const work = this.#run().finally(() => {
      this.#isRunning = false
    })
    this.#options.background(work)
  }

  /** Those that cannot go on, and why. */
  get failures(): ReadonlyMap<ConstraintId, SillokError> {
    return this.#failures
  }

  /** Proposes nothing more. */
  stop(): void {
    this.#isStopped = true
  }

  #changes(): number {
    const changes = (prefix: RowKey): number => this.#options.data.changes(prefix)
    return changes(constraintPrefix) + changes(schemaPrefix)
  }

  /**
   * Until there is nothing to do but for what fails. What was seen counts only then: after a failure of the
   * rest all is looked at again.
   */
  async #run(): Promise<void> {
    await this.#options.data.readable()
    for (let seen = this.#changes(); !this.#isStopped; seen = this.#changes()) {
      for (const [key, row] of this.#options.data.state.partitionRows(constraintPrefix)) {
        const { state } = decodeConstraintState(row.value)
        const id = keyBytes(key).readUInt32BE(constraintPrefix.length)
        if (state === 'guard' || state === 'backfill') await this.#attempt(id, () => this.#build(id))
        else if (state === 'validate') await this.#propose({ type: 'judge', constraint: id })
        else if (state === 'dropping') await this.#attempt(id, () => this.#drop(id))
      }
      await this.#retire()
      if (this.#changes() !== seen) continue
      this.#seen = seen
      this.#retryAtMs = this.#options.clock.monotonicMs() + retryMs
      return
    }
  }

  /** What is refused holds up nobody else. */
  async #attempt(id: ConstraintId, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#failures.delete(id)
    } catch (error) {
      const isRefused = error instanceof SillokError && error.outcome === 'not-applied'
      if (!isRefused || isClosing(error) || isOfLeadership(error)) throw error
      this.#failures.set(id, error)
      this.#options.failed(error)
    }
  }

  #state(id: ConstraintId): ConstraintState | undefined {
    const row = this.#options.data.state.lookup(constraintKey(id))
    return row ? decodeConstraintState(row.value) : undefined
  }

  /** Until the state says that it is no longer to be built: also because the user changed his mind. */
  async #build(id: ConstraintId): Promise<void> {
    let ahead: Ahead | undefined
    const made: Backfill['made'] = new Map()
    const { limits, pace } = this.#options
    while (!this.#isStopped) {
      const known = this.#state(id)
      if (known?.state !== 'guard' && known?.state !== 'backfill') return
      ahead ??= { keys: [], through: known.after, isEnd: false }
      const perEntry = pace.atATime(limits.buildEntryDocuments)
      while (ahead.keys.length < perEntry && !ahead.isEnd && !this.#isStopped) {
        await this.#read(known, ahead)
      }
      const keys = ahead.keys.slice(0, perEntry)
      const isAll = keys.length === ahead.keys.length
      const last = keys.at(-1)
      const through = isAll || last === undefined ? ahead.through : encodedKey(last)
      made.clear()
      const isStale = await this.#propose({
        type: 'backfill',
        constraint: id,
        after: known.after,
        keys,
        through,
        isLast: isAll && ahead.isEnd,
        made,
      })
      const after = this.#state(id)?.after
      if (isStale || after === undefined || after === null) ahead = undefined
      else ahead.keys = ahead.keys.filter(key => Buffer.compare(encodedKey(key), after) > 0)
    }
  }

  /** Reads on in the documents: those that were there before the constraint. */
  async #read({ collection, since }: ConstraintState, ahead: Ahead): Promise<void> {
    const prefix = documentPrefix(collection)
    const { through } = ahead
    const page = await this.#page(prefix, through === null ? prefix : `${prefix}${keyText(through)}\0`)
    const last = page?.at(-1)
    if (page === undefined || last === undefined) {
      ahead.isEnd = true
      return
    }
    for (const [key, { version }] of page) if (version <= since) ahead.keys.push(key)
    ahead.through = encodedKey(last[0])
  }

  /** The next rows under the prefix, as of now; undefined: there are no more. */
  async #page(prefix: string, from: string): Promise<ScanPage | undefined> {
    const scan = this.#options.data.state.scan({ gte: from, lt: `${prefix}\xff`, pageRows })
    return await this.#restAfter(async () => {
      const { done, value } = await scan.next()
      await scan.return()
      return done === true ? undefined : value
    })
  }

  /** Removes all rows of the constraint, then what says that it is dropped. */
  async #drop(id: ConstraintId): Promise<void> {
    for (const prefix of [claimPrefix(id), violationPrefix(id)]) {
      for (let from = prefix; !this.#isStopped; ) {
        const page = await this.#page(prefix, from)
        if (page === undefined) break
        for (const keys of pieces(page, this.#options.limits.buildEntryBytes)) {
          await this.#propose({ type: 'dropClaims', constraint: id, keys, isLast: false })
          from = `${keys.at(-1)}\0`
        }
      }
    }
    if (!this.#isStopped) await this.#propose({ type: 'dropClaims', constraint: id, keys: [], isLast: true })
  }

  /** Of two rules of one name the newer one is enforced: the older one goes. */
  async #retire(): Promise<void> {
    const { meta } = this.#options
    for (const [, row] of this.#options.data.state.partitionRows(schemaPrefix)) {
      const { id: collection, unique } = schemaOfRow(row)
      for (const { id, name, online } of unique) {
        const isNewer = unique.some(other => other.name === name && other.id < id)
        if (!isNewer || (online === true && this.#state(id)?.state !== 'enforced')) continue
        await meta.call({ type: 'retireConstraint', collection, by: id }, this.#sender)
      }
    }
  }

  /** Resolves when it is applied; true: the log had come further than this knew. */
  async #propose(command: Command): Promise<boolean> {
    const { data: replica, pace } = this.#options
    let isEntry = false
    pace.ownWrites += 1
    try {
      const { value } = await this.#restAfter(() => replica.call(command, this.#sender))
      const { isStale } = value as BuildValue
      isEntry = !isStale
      return isStale
    } finally {
      if (!isEntry) pace.ownWrites -= 1
    }
  }

  /** What the work resolves with, after a rest as long as it calls for: others wait for the disk as well. */
  async #restAfter<T>(work: () => Promise<T>): Promise<T> {
    const { clock, pace } = this.#options
    const beganMs = clock.monotonicMs()
    try {
      return await work()
    } finally {
      await pace.rest(clock.monotonicMs() - beganMs)
    }
  }
}

function encodedKey(row: RowKey): Buffer {
  return keyBytes(row.slice(documentPrefixBytes))
}

/** The keys in order, in pieces whose removal takes about so many bytes of an entry. */
function* pieces(rows: ScanPage, bytesMax: number): Iterable<readonly RowKey[]> {
  let piece: RowKey[] = []
  let bytes = 0
  for (const [key] of rows) {
    piece.push(key)
    bytes += key.length + factRoom
    if (bytes < bytesMax) continue
    yield piece
    piece = []
    bytes = 0
  }
  if (piece.length > 0) yield piece
}
