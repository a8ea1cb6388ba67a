/**
 * What indexes are fed from: the changes of a partition's log, and the documents of its state.
 *
 * Only what is committed and applied is ever shown. The log may have lost its head: what lies before
 * `firstIndex` comes from the state.
 */
import type { CollectionId, LogIndex, Version } from '../base/ids.js'
import type { Document } from '../codec/document.js'

/** What became of one document. */
export interface SourceChange {
  readonly collection: CollectionId
  /** The document's key, encoded. */
  readonly keyBytes: Buffer
  readonly version: Version
  /** What the document takes, encoded. */
  readonly bytes: number
  /** The document, decoded when it is asked for the first time; undefined: it is gone. */
  readonly document: (() => Document) | undefined
}

/** Some changes in order: all that there are up to the entry `through`. */
export interface SourcePiece {
  readonly through: LogIndex
  readonly changes: readonly SourceChange[]
}

/** Some documents in the order of their keys, as of `index`; `isLast`: there were no more. */
export interface SourceChunk {
  readonly index: LogIndex
  /** In the form of the changes that made them; none is gone. */
  readonly documents: readonly SourceChange[]
  readonly isLast: boolean
}

/** A document as of one moment. */
export interface ViewedDocument {
  readonly document: Document
  readonly version: Version
}

/** The documents as of one moment. */
export interface DocumentView {
  readonly index: LogIndex
  /** The documents under these encoded keys, in their order; undefined where there is none. */
  getMany(collection: CollectionId, keys: readonly Buffer[]): Promise<(ViewedDocument | undefined)[]>
  /** Lets the view go. A second call does nothing. */
  release(): void
}

/** Where the indexes of one replica get their documents from. */
export interface IndexSource {
  /** The first entry that the log still has. */
  readonly firstIndex: LogIndex
  /** Everything up to here is committed and applied. It only grows. */
  readonly applied: LogIndex
  /** The changes of entries `from` to `through`, which is at most `applied`, piece by piece. */
  changes(from: LogIndex, through: LogIndex): AsyncIterable<SourcePiece>
  /**
   * The next documents of the collection in the order of their keys, after a key: `count` at most, and about
   * `bytesMax`.
   */
  documents(
    collection: CollectionId,
    after: Buffer | undefined,
    count: number,
    bytesMax: number,
  ): Promise<SourceChunk>
  /** The documents as of now: `applied` at the call. */
  view(): DocumentView
}
