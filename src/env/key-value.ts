/**
 * The door to the ordered key-value store (`level`). Keys and values are bytes, ordered as bytes.
 *
 * It is not trusted (measured: one flipped bit loses synced keys or returns wrong values without an error;
 * unsynced batches may vanish from the middle): callers check every row themselves and can rebuild
 * everything. Errors: DISK_FULL, DISK_FAILED (anything that the store reports as I/O error; a rejected write
 * may still be there after reopening), DAMAGED (it noticed corruption), FOLDER_IN_USE.
 */

/** A frozen view. Close it: an open one pins old data. */
export interface KeyValueSnapshot {
  /** Lets go of the view. */
  close(): Promise<void>
}

/** A list of changes, written at once or not at all. Use once. */
export interface KeyValueBatch {
  /** Sets the row. */
  put(key: Buffer, value: Buffer): void
  /** Removes the row; one that is not there is no error. */
  delete(key: Buffer): void
  /** `sync`: durable when it resolves, and so is everything written before. */
  write(options?: { readonly sync?: boolean }): Promise<void>
}

/** The keys between two bounds, in byte order or backwards; as of the snapshot if one is given. */
export interface KeyRange {
  readonly gte?: Buffer
  readonly gt?: Buffer
  readonly lt?: Buffer
  readonly lte?: Buffer
  readonly reverse?: boolean
  readonly snapshot?: KeyValueSnapshot
}

/** Rows of a range, page by page. Close it: an open one pins old tables. */
export interface KeyValueIterator {
  /** The next rows, at most `count` and about 1 MiB; none at the end. */
  next(count: number): Promise<[Buffer, Buffer][]>
  /** Lets go of the rows. */
  close(): Promise<void>
}

/** One open store. Used by one owner; closed once, after its iterators and snapshots. */
export interface KeyValueStore {
  /** The values in the order of the keys; undefined where there is no row. */
  getMany(keys: readonly Buffer[], snapshot?: KeyValueSnapshot): Promise<(Buffer | undefined)[]>
  /** May block the event loop on a cache miss: for a lone key. */
  getSync(key: Buffer, snapshot?: KeyValueSnapshot): Buffer | undefined
  /** The rows of the range, as of this call. */
  iterate(range: KeyRange): KeyValueIterator
  /** A new list of changes. */
  batch(): KeyValueBatch
  /** What is there now, frozen. */
  snapshot(): KeyValueSnapshot
  /**
   * Forces what was written so far into a table file. Its success proves nothing: follow it by a synced
   * write.
   */
  compact(): Promise<void>
  /** Lets go of the folder. What was written without a sync may still be lost by a crash. */
  close(): Promise<void>
}

/** Memory that an open store may take. */
export interface KeyValueOptions {
  readonly writeBufferBytes: number
  readonly cacheBytes?: number
}

/** Opens stores by folder. */
export interface KeyValueStores {
  /** Opens the store in the folder, which is made if missing. */
  open(folder: string, options: KeyValueOptions): Promise<KeyValueStore>
}
