/**
 * Computes the rows of an index again, in memory: an index store like any other, fed with every change of its
 * collection in the order of the log.
 *
 * Parked and skipped documents count as the index holds them: their later changes are left out here too.
 * Rows are a function of the documents, so it makes no difference in which batches changes came, or whether
 * the real index was built from the state. Memory grows with the rows of this one index.
 */
import { assert } from '../base/assert.js'
import { messageOf } from '../base/errors.js'
import type { CollectionId, LogIndex } from '../base/ids.js'
import { limits } from '../base/limits.js'
import type { KeyValueStore } from '../env/key-value.js'
import { memoryEnvironment } from '../env/memory-environment.js'
import type { DerivedIndex } from './contract.js'
import type { HeldBack } from './held-back.js'
import { type DocumentChange, IndexStore } from './index-store.js'
import { rowsFolder } from './open-index.js'
import type { SourcePiece } from './source.js'

/** Which index, and from what. */
export interface ExpectedRowsOptions {
  readonly index: DerivedIndex
  readonly collection: CollectionId
  /** All changes from the first entry on, up to the position of the rows. */
  readonly pieces: AsyncIterable<SourcePiece>
  /** What the index's rows lack on purpose. */
  readonly heldBack: HeldBack
}

const folder = 'expected'

/** The rows, in a store to be closed; a text if the index fails on the documents. */
export async function expectedRows(options: ExpectedRowsOptions): Promise<KeyValueStore | string> {
  const { index, collection, pieces, heldBack } = options
  const { disk, keyValue, random } = memoryEnvironment()
  const writeBufferBytes = limits.writeBufferBytesIndex
  const { store } = await IndexStore.open({
    disk,
    keyValue,
    random,
    folder,
    identity: 'expected',
    writeBufferBytes,
  })
  let position: LogIndex = 0
  let changes: DocumentChange[] = []
  const write = async (): Promise<void> => {
    await store.write({ index, changes, position, build: { done: true } })
    changes = []
  }
  try {
    for await (const piece of pieces) {
      assert(piece.through >= position, () => `entry ${piece.through} comes after ${position}`)
      position = piece.through
      for (const { collection: own, keyBytes, version, document } of piece.changes) {
        if (own !== collection || !heldBack.shows(keyBytes, version)) continue
        changes.push({ keyBytes, version, document: document?.() })
      }
      if (changes.length < limits.indexBatchChanges) continue
      const failure = await failureOf(write)
      if (failure !== undefined) return failure
    }
    const failure = await failureOf(write)
    if (failure !== undefined) return failure
  } finally {
    await store.close()
  }
  return await keyValue.open(rowsFolder(folder), { writeBufferBytes })
}

/** What the index's own code throws says nothing against the rows: it becomes a text. */
async function failureOf(write: () => Promise<void>): Promise<string | undefined> {
  try {
    await write()
    return undefined
  } catch (error) {
    return `the index fails: ${messageOf(error)}`
  }
}
