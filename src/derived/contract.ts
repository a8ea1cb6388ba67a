/**
 * The contract of derived indexes: what an index type gives, and what it is given.
 *
 * An index is a function of the documents: it is told of every change in the order of the log and answers
 * with rows to write. It reads nothing but its own rows, no clock, no chance, no locale: the same changes
 * over the same rows give the same operations, in every process. It never does input or output of its own.
 *
 * What it wrote for a document it must be able to take back: it leaves a note with each document and gets it
 * back with the document's next change. So no change needs the document's old form, and a change that comes
 * twice does nothing the second time (the note's version tells).
 */
import type { Version } from '../base/ids.js'
import type { DocumentKey } from '../base/tuple.js'

/** What became of one document. Of several changes in one batch only the newest is told. */
export interface IndexChange {
  readonly key: DocumentKey
  readonly version: Version
  /** The document now; undefined if it is gone. */
  readonly document: Readonly<Record<string, unknown>> | undefined
  /** The note that the index left with the document; undefined if it has none. */
  readonly note: Buffer | undefined
}

/** Rows between two bounds, in byte order or backwards. */
export interface IndexRange {
  readonly gte?: Uint8Array
  readonly gt?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse?: boolean
}

/** One row of an index. */
export type IndexRow = readonly [key: Buffer, value: Buffer]

/** An index's own rows as of one position. Each was checked; a damaged one rejects with DAMAGED. */
export interface IndexRows {
  /** The values in the order of the keys; undefined where there is no row. */
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>
  /** Pages of rows, each at least one row; `pageRows` at most in a page. Leaving the loop lets go of it. */
  scan(range: IndexRange, pageRows?: number): AsyncIterable<readonly IndexRow[]>
}

/** What an index does about changes. Nothing is written before `apply` has returned. */
export interface IndexOps {
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
  /** Leaves this note with the change's document; undefined: none. Without a call the old one stays. */
  note(change: IndexChange, note: Uint8Array | undefined): void
}

/** A document and its key. */
export interface KeyedDocument {
  readonly key: DocumentKey
  readonly document: Readonly<Record<string, unknown>>
}

/** One index, configured. It keeps no state of its own between calls. */
export interface DerivedIndex<Query = unknown, Hit = unknown> {
  /**
   * Throws a SillokError, such as TOO_LARGE, for a document that `apply` could do nothing with. Asked of each
   * document before it is sent to the log: then the write is refused. Not asked of what was there before the
   * index was defined: if `apply` throws for such a document, the index fails until the document is replaced
   * or deleted.
   */
  check?(document: KeyedDocument): void
  /**
   * Turns changes into operations on rows. At most one change per document; `rows` are as before this batch.
   */
  apply(changes: readonly IndexChange[], rows: IndexRows, ops: IndexOps): void | Promise<void>
  /** Answers a query from rows as of one position, in pages. Throws INVALID for a query it does not know. */
  query(query: Query, rows: IndexRows): AsyncIterable<readonly Hit[]>
  /**
   * For an index whose rows depend on the batches in which changes came: what they say, as rows that do not,
   * ascending, in pages. Two indexes of the same documents must agree in these instead of their rows.
   */
  canonical?(rows: IndexRows): AsyncIterable<readonly IndexRow[]>
  /** The same of a note. */
  canonicalNote?(note: Buffer): Uint8Array
}

/** A kind of index that a store can be opened with. */
export interface IndexType<Config = unknown, Query = unknown, Hit = unknown> {
  /** The name in definitions. */
  readonly type: string
  /** Raised whenever the same documents would give other rows: indexes of another version are built anew. */
  readonly version: number
  /**
   * Checks what the definition says of an index besides its type, and returns it in its one normal form:
   * plain values only, for it is logged. Throws INVALID that names what is wrong and what is allowed.
   */
  configure(definition: Readonly<Record<string, unknown>>): Config
  open(config: Config): DerivedIndex<Query, Hit>
}
