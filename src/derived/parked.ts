/**
 * Parked documents: those whose newest change an index could not take.
 *
 *   k | document's key     u64 version | u64 since | u8 flags | reason, UTF-8
 *
 * A row stands for the newest change of its document that the index was told of, and is written in the batch
 * whose position covers that change; `since` is the position of the batch that parked the document first. The
 * change itself is not kept: a change is the whole document as the state has it, and of several the index is
 * only ever told the newest, so nothing of the older ones is missing. The note stays as it was, and says by
 * its version which form of the document the index still holds.
 *
 * A later change is tried in place of the parked one: it is taken, and the row goes with the same batch, or
 * the row says why not. A copy that is not newer than the row does nothing. So whatever a crash leaves, the
 * index goes on with each document in the order of its versions.
 */
import { readIndex, writeIndex } from '../base/entry.js'
import type { CollectionId, LogIndex, Version } from '../base/ids.js'
import { type DocumentKey, decodeKey } from '../base/tuple.js'
import type { DocumentChange } from './document-change.js'
import type { DocumentView } from './source.js'
import { checkedValue, sealValue, spaceKey, spaces } from './stored-value.js'

/** A document whose newest change an index could not take. */
export interface ParkedDocument {
  readonly key: DocumentKey
  /** Of the change that was not taken. */
  readonly version: Version
  /** That change was the document's removal. */
  readonly isGone: boolean
  /** The index was at this entry when it parked the document first. */
  readonly since: LogIndex
  /** What the index's type threw; the first 500 bytes of it. */
  readonly message: string
}

/** What is always known of a parked document. */
export interface ParkedChange {
  readonly version: Version
  readonly since: LogIndex
}

/** All parked documents, by the bytes of their keys as Latin-1. */
export type ParkedKeys = ReadonlyMap<string, ParkedChange>

/** None. */
export const noneParked: ParkedKeys = new Map()

const headBytes = 17
const flagGone = 1
const messageBytesMax = 500

/** Documents that are read at a time, to be told of again. */
const retriesPerRead = 100

/**
 * The parked changes, some at a time, with the documents as of a moment at which no later changes of them
 * are. Rejects with ParkedUnread if these cannot be read.
 */
export async function* parkedChanges(
  parked: ParkedKeys,
  documents: DocumentView,
  collection: CollectionId,
): AsyncGenerator<DocumentChange[]> {
  const all = [...parked].map(([name, { version }]) => ({ keyBytes: Buffer.from(name, 'latin1'), version }))
  for (let at = 0; at < all.length; at += retriesPerRead) {
    const some = all.slice(at, at + retriesPerRead)
    const keys = some.map(({ keyBytes }) => keyBytes)
    const found = await documents.getMany(collection, keys).catch((error: unknown) => {
      throw new ParkedUnread(error)
    })
    yield some.map((change, i) => ({ ...change, document: found[i]?.document }))
  }
}

/** The documents cannot be read: no fault of the index. */
export class ParkedUnread extends Error {
  constructor(cause: unknown) {
    super('parked documents cannot be read', { cause })
  }
}

/** The name of a document in a map. */
export function nameOf(keyBytes: Buffer): string {
  return keyBytes.toString('latin1')
}

/** The key of its row. */
export function parkedKey(keyBytes: Uint8Array): Buffer {
  return spaceKey(spaces.parked, keyBytes)
}

/** The stored form of a parked document's row. */
export function sealParked(key: Buffer, parked: Omit<ParkedDocument, 'key'>): Buffer {
  const message = Buffer.from(parked.message).subarray(0, messageBytesMax)
  const bytes = Buffer.alloc(headBytes + message.length)
  writeIndex(bytes, parked.version, 0)
  writeIndex(bytes, parked.since, 8)
  bytes[16] = parked.isGone ? flagGone : 0
  bytes.set(message, headBytes)
  return sealValue(key, bytes)
}

/** What that row says. Throws DAMAGED. */
export function openParked(key: Buffer, stored: Buffer): ParkedDocument {
  const rest = checkedValue(key, stored)
  return {
    key: decodeKey(key.subarray(1)),
    version: readIndex(rest, 0),
    since: readIndex(rest, 8),
    isGone: ((rest[16] ?? 0) & flagGone) !== 0,
    message: rest.toString('utf8', headBytes),
  }
}
