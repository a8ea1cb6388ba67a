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
  /** The same key as `encodeKey` makes it. Not to be changed. */
  readonly keyBytes: Buffer
  /** That of the document, or of the write that removed it. */
  readonly version: Version
  /** The document now; undefined if it is gone. */
  readonly document: Readonly<Record<string, unknown>> | undefined
  /** The note that the index left with the document; undefined if it has none. */
  readonly note: Buffer | undefined
}

/**
 * Rows between two bounds of their keys, in byte order or backwards: at most one of `gte` and `gt`, one of
 * `lt` and `lte`; without a bound to that end of the index. All rows whose keys begin with a tuple's bytes
 * (`encodeTuple`) lie from these bytes on and before the same bytes with FF behind them.
 */
export interface IndexRange {
  /** From this key on. */
  readonly gte?: Uint8Array | undefined
  /** Behind this key. */
  readonly gt?: Uint8Array | undefined
  /** Before this key. */
  readonly lt?: Uint8Array | undefined
  /** Up to this key, and it. */
  readonly lte?: Uint8Array | undefined
  /** True: largest key first. Default false. */
  readonly reverse?: boolean | undefined
}

/** One row of an index: key and value, as they were put. */
export type IndexRow = readonly [key: Buffer, value: Buffer]

/** An index's own rows as of one position. Each was checked; a damaged one rejects with DAMAGED. */
export interface IndexRows {
  /**
   * To be called at times by work that may take more than some milliseconds: undefined means to go on, a
   * promise that other work waits and is to go first: `const late = rows.pause(); if (late) await late`. It
   * never rejects, and the rows stay the same.
   */
  pause(): Promise<void> | undefined
  /** The values in the order of the keys; undefined where there is no row. */
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>
  /** Pages of rows, each at least one row; `pageRows` at most in a page. Leaving the loop lets go of it. */
  scan(range: IndexRange, pageRows?: number): AsyncIterable<readonly IndexRow[]>
}

/**
 * What an index does about changes. Nothing is written before `apply` has returned; then everything is, in
 * one synced batch. Of several calls for one key the last holds. Each throws INVALID for what is over its
 * limit: a key over `limits.indexKeyBytesMax`, a value or note over `limits.indexValueBytesMax`. If `apply`
 * lets anything out of itself, its changes are told again in parts, over what the parts before have written,
 * to find the document that is to blame; what becomes of that one says the definition (`onError`). What a
 * document may make too long is best refused by `check`.
 */
export interface IndexOps {
  /** Sets the row. The bytes may be changed after the call. */
  put(key: Uint8Array, value: Uint8Array): void
  /** Removes the row; one that is not there is no error. */
  delete(key: Uint8Array): void
  /**
   * Leaves this note with the change's document; undefined: none. Without a call the old one stays. The note
   * of a document that is gone goes with it.
   */
  note(change: IndexChange, note: Uint8Array | undefined): void
}

/** A document and its key. */
export interface KeyedDocument {
  readonly key: DocumentKey
  /** As the caller gave it: not to be changed. */
  readonly document: Readonly<Record<string, unknown>>
}

/** One index, configured. It keeps no state of its own between calls. */
export interface DerivedIndex<Query = unknown, Hit = unknown> {
  /**
   * Throws a SillokError, such as TOO_LARGE, for a document that `apply` could do nothing with. Asked of
   * each document before it is sent to the log: then the write is refused. Not asked of what was there
   * before the index was defined: if `apply` throws for such a document, `onError` of the definition says
   * what becomes of it; by default the index fails until the document is replaced or deleted.
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
   * plain values only, for it is logged. Its normal form gives itself: `store.definition()` shows it, and may
   * be defined again. Throws INVALID that names what is wrong and what is allowed.
   */
  configure(definition: Readonly<Record<string, unknown>>): Config
  /**
   * The index of a configuration that `configure` returned, in this process or, by this version of the type,
   * in an earlier one. Called as often as needed, also for `check` alone: it holds nothing open. If it throws
   * the index fails, and writes go on without its `check`.
   */
  open(config: Config): DerivedIndex<Query, Hit>
  /**
   * True if questions to an index of one of these configurations may be asked of one of the other, and mean
   * the same there. When a definition gives an index another configuration, the old index answers until the
   * new one is built if that is so; if it is not so, questions wait. Without this function it always is.
   */
  sameQuestions?(one: Config, other: Config): boolean
}
