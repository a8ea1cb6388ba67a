/** What an index store is told of documents: any number of changes of each, in any order. */
import type { Version } from '../base/ids.js'
import type { Document } from '../codec/document.js'

/** What became of one document, as the caller of an index store tells it. */
export interface DocumentChange {
  /** As `encodeKey` makes it. */
  readonly keyBytes: Buffer
  readonly version: Version
  /** The document now; undefined if it is gone. */
  readonly document: Document | undefined
}

/** One change per document, the newest; in the order in which the documents came. */
export function newestChanges(changes: readonly DocumentChange[]): readonly DocumentChange[] {
  if (isIncreasing(changes)) return changes
  const newest = new Map<string, DocumentChange>()
  for (const change of changes) {
    const name = change.keyBytes.toString('latin1')
    const other = newest.get(name)
    if (other === undefined || other.version < change.version) newest.set(name, change)
  }
  return [...newest.values()]
}

/** The build gives documents in the order of their keys. */
function isIncreasing(changes: readonly DocumentChange[]): boolean {
  let last: Buffer | undefined
  for (const { keyBytes } of changes) {
    if (last !== undefined && Buffer.compare(last, keyBytes) >= 0) return false
    last = keyBytes
  }
  return true
}
