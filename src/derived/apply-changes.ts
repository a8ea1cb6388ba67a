/**
 * Tells an index of changes, and finds the documents that it throws for.
 *
 * Usually all changes are told in one call. If that throws, they are told in halves, and these in halves,
 * over the rows that the ones before have left: what comes of it goes into the same batch. One change that is
 * told alone and throws is to blame. For n changes of which k are to blame that makes at most about 2 k log n
 * calls. A failure of the rows that are read is nobody's fault, and thrown as it is; so is what closing makes
 * of the work.
 */

import type { ErrorPolicy } from '../base/error-policy.js'
import { isSillokError, messageOf, SillokError } from '../base/errors.js'
import type { Limits } from '../base/limits.js'
import type { DocumentKey } from '../base/tuple.js'
import type { DerivedIndex, IndexRows } from './contract.js'
import { OverlayRows } from './overlay-rows.js'
import { PendingBatch, type PendingChange } from './pending-batch.js'

/** What is told to whom. */
export interface Telling {
  readonly index: Pick<DerivedIndex, 'apply'>
  readonly rows: IndexRows
  readonly limits: Limits
  readonly onError: ErrorPolicy
}

/** The index cannot go on because of one document; the cause is what it threw. */
export class DocumentBlamed extends Error {
  readonly key: DocumentKey

  constructor(key: DocumentKey, cause: unknown) {
    super('an index cannot take a document', { cause })
    this.key = key
  }
}

/**
 * What the index does about the changes. Each change that it throws for is marked as parked or skipped; with
 * `stop` the first one rejects with DocumentBlamed, as does one that cannot be taken out of the index.
 */
export async function applyChanges(
  telling: Telling,
  changes: readonly PendingChange[],
): Promise<PendingBatch> {
  if (changes.length === 0) return new PendingBatch(telling.limits)
  try {
    return await attempt(telling, telling.rows, changes)
  } catch (error) {
    if (!isOfDocument(error)) throw error
    const parts = new Parts(telling)
    await parts.split(changes, error)
    return parts.pending
  }
}

/** Not what the rows, the disk or the end of the work are to blame for. */
function isOfDocument(error: unknown): boolean {
  return !(isSillokError(error) && ['DAMAGED', 'CLOSED', 'DISK_FAILED', 'DISK_FULL'].includes(error.code))
}

async function attempt(
  { index, limits }: Telling,
  rows: IndexRows,
  changes: readonly PendingChange[],
): Promise<PendingBatch> {
  const batch = new PendingBatch(limits)
  for (const change of changes) change.begin()
  try {
    await index.apply(changes, rows, batch)
  } finally {
    batch.end()
  }
  return batch
}

/** Changes told part by part. */
class Parts {
  readonly #telling: Telling
  readonly #rows: OverlayRows
  readonly pending: PendingBatch

  constructor(telling: Telling) {
    this.#telling = telling
    this.#rows = new OverlayRows(telling.rows)
    this.pending = new PendingBatch(telling.limits)
    this.pending.end()
  }

  /** What becomes of changes that the index threw for when they were told together. */
  async split(changes: readonly PendingChange[], error: unknown): Promise<void> {
    const [first, second] = changes
    if (first !== undefined && second === undefined) return await this.#blame(first, error)
    const middle = changes.length >>> 1
    for (const half of [changes.slice(0, middle), changes.slice(middle)]) {
      try {
        await this.#tell(half)
      } catch (failure) {
        if (!isOfDocument(failure)) throw failure
        await this.split(half, failure)
      }
    }
  }

  /** That one change is to blame: what becomes of it. */
  async #blame(change: PendingChange, error: unknown): Promise<void> {
    const { onError } = this.#telling
    if (onError === 'stop') throw new DocumentBlamed(change.key, error)
    if (onError === 'skip') await this.#takeBack(change)
    change.refuse(onError === 'skip' ? 'skipped' : 'parked', messageOf(error))
  }

  /** The index is told that the document is gone. */
  async #takeBack(change: PendingChange): Promise<void> {
    if (!change.isHeld) return
    try {
      await this.#tell([change.asGone()])
    } catch (error) {
      if (!isOfDocument(error)) throw error
      const message = `a document that is to be skipped cannot be taken out: ${messageOf(error)}`
      throw new DocumentBlamed(change.key, new SillokError('INDEX_FAILED', message, { cause: error }))
    }
  }

  async #tell(changes: readonly PendingChange[]): Promise<void> {
    const batch = await attempt(this.#telling, this.#rows, changes)
    this.#rows.write(batch)
    this.pending.take(batch)
  }
}
