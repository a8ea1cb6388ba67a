/**
 * Changes of documents in the order of the log, from any place in it on: what was applied, and then what is
 * applied next.
 *
 * A piece ends behind an entry, but a reader may go on in the middle of one: each change has its own place,
 * the entry and its number among the entry's changes. Nothing is read ahead: the next piece is read when it
 * is asked for, so a slow reader holds one piece in memory, and nothing else.
 */
import type { Entry } from '../base/entry.js'
import { logTruncated } from '../base/errors.js'
import type { CollectionId, LogIndex, Version } from '../base/ids.js'
import { keyBytes } from '../codec/row.js'
import type { FeedPosition } from '../machine/command.js'
import { documentBytes, documentFacts } from '../machine/documents.js'
import { documentPrefixBytes } from '../machine/keys.js'
import type { AppliedSignal } from './applied-signal.js'
import type { ReadEntries } from './index-source.js'
import type { Partition } from './partition.js'

/** What became of one document. */
export interface DocumentChange {
  readonly collection: CollectionId
  /** The document's key, encoded. */
  readonly keyBytes: Buffer
  readonly version: Version
  /** The document was there before. */
  readonly existed: boolean
  /** The document now, encoded; undefined: it is gone. */
  readonly document: Buffer | undefined
  /** Where a reader stands that has seen this change and all before it. */
  readonly position: FeedPosition
}

/** The log that is followed. */
export interface FeedSource {
  /** The first entry that the log still has. */
  readonly firstIndex: LogIndex
  /** Everything up to here is committed and applied. */
  readonly applied: LogIndex
  versionAt(index: LogIndex): Version
  /** Entries of that range in order, in pieces. */
  read(from: LogIndex, through: LogIndex): AsyncIterable<readonly Entry[]>
  /** Resolves when more than that is applied. Rejects when the store stops, or the signal says stop. */
  beyond(index: LogIndex, signal: AbortSignal | undefined): Promise<void>
}

/** The log of an open partition, as it is followed. */
export function followed(partition: Partition, read: ReadEntries, signal: AppliedSignal): FeedSource {
  return {
    get firstIndex() {
      return partition.firstIndex
    },
    get applied() {
      return partition.applied
    },
    versionAt: index => partition.versionAt(index),
    read,
    beyond: (index, stop) => signal.beyond(index, stop),
  }
}

/** One reader's way through the log. */
export class ChangeFeed {
  readonly #source: FeedSource
  #at: FeedPosition

  /** Begins behind that position. */
  constructor(source: FeedSource, from: FeedPosition) {
    this.#source = source
    this.#at = from
  }

  /** What was yielded so far, and passed over: all before this place. */
  get position(): FeedPosition {
    return this.#at
  }

  /**
   * The changes that are applied now and were not yielded yet, in pieces; empty pieces tell that nothing in
   * them was a change. Rejects with LOG_TRUNCATED if the log no longer has them.
   */
  async *pieces(): AsyncGenerator<readonly DocumentChange[], void> {
    const source = this.#source
    const through = source.applied
    const first = this.#at.index
    if (first > through) return
    if (first < source.firstIndex) throw logTruncated(first, source.firstIndex)
    for await (const entries of source.read(first, through)) {
      const changes: DocumentChange[] = []
      for (const entry of entries) {
        const own = documentChanges(entry, source.versionAt(entry.index))
        changes.push(...(entry.index === this.#at.index ? own.slice(this.#at.count) : own))
      }
      this.#at = { index: (entries.at(-1)?.index ?? through) + 1, count: 0 }
      yield changes
    }
  }

  /** Resolves when there may be more. */
  async more(signal: AbortSignal | undefined): Promise<void> {
    await this.#source.beyond(this.#at.index - 1, signal)
  }
}

/** What the entry does to documents, in its order. */
function documentChanges(entry: Entry, version: Version): DocumentChange[] {
  return documentFacts(entry).map((fact, i) => {
    const key = keyBytes(fact.key)
    return {
      collection: key.readUInt32BE(1),
      keyBytes: key.subarray(documentPrefixBytes),
      version,
      existed: fact.prev0 !== 0 || fact.prev1 !== 0,
      document: fact.op === 'put' ? documentBytes(fact.value) : undefined,
      position: { index: entry.index, count: i + 1 },
    }
  })
}
