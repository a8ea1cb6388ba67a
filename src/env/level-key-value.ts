/**
 * Key-value stores of the package `level` (LevelDB 1.20 on Node).
 *
 * Chained batches only and pages of an iterator, which is what measures fastest. Compression is off:
 * rows and tables carry checksums that we verify, so it would only cost time. `compact` asks for an empty
 * range: LevelDB then writes its memtable into a table and touches nothing else.
 */
import { Level } from 'level'
import { assert } from '../base/assert.js'
import type {
  KeyRange,
  KeyValueBatch,
  KeyValueIterator,
  KeyValueOptions,
  KeyValueSnapshot,
  KeyValueStore,
  KeyValueStores,
} from './key-value.js'
import { levelError } from './level-errors.js'

/** Bytes of one table file; few and large ones. */
const tableBytes = 16 * 1024 * 1024
/** Bytes of rows after which an iterator ends its page. */
const pageBytesMax = 1024 * 1024
const cacheBytesDefault = 8 * 1024 * 1024

type Database = Level<Buffer, Buffer>

/** What the Node implementation has beyond the type of `level`, which holds for browsers too. */
interface Compactable {
  compactRange(start: Buffer, end: Buffer): Promise<void>
}

const noKey = Buffer.alloc(0)

class LevelSnapshot implements KeyValueSnapshot {
  readonly inner: ReturnType<Database['snapshot']>

  constructor(inner: ReturnType<Database['snapshot']>) {
    this.inner = inner
  }

  async close(): Promise<void> {
    await this.inner.close()
  }
}

class LevelBatch implements KeyValueBatch {
  readonly #batch: ReturnType<Database['batch']>
  readonly #folder: string

  constructor(batch: ReturnType<Database['batch']>, folder: string) {
    this.#batch = batch
    this.#folder = folder
  }

  put(key: Buffer, value: Buffer): void {
    this.#batch.put(key, value)
  }

  delete(key: Buffer): void {
    this.#batch.del(key)
  }

  async write(options?: { readonly sync?: boolean }): Promise<void> {
    const sync = options?.sync === true
    await attempt(this.#folder, () => this.#batch.write({ sync } as object))
  }
}

class LevelKeyValueStore implements KeyValueStore {
  readonly #database: Database
  readonly #folder: string

  constructor(database: Database, folder: string) {
    this.#database = database
    this.#folder = folder
  }

  getMany(keys: readonly Buffer[], snapshot?: KeyValueSnapshot): Promise<(Buffer | undefined)[]> {
    return attempt(this.#folder, () => this.#database.getMany(keys as Buffer[], at(snapshot)))
  }

  getSync(key: Buffer, snapshot?: KeyValueSnapshot): Buffer | undefined {
    try {
      return this.#database.getSync(key, at(snapshot))
    } catch (error) {
      throw levelError(error, this.#folder)
    }
  }

  iterate(range: KeyRange): KeyValueIterator {
    const { snapshot, ...bounds } = range
    const options = { ...bounds, ...at(snapshot), highWaterMarkBytes: pageBytesMax }
    const iterator = this.#database.iterator(options)
    return {
      next: count => attempt(this.#folder, () => iterator.nextv(count)),
      close: () => attempt(this.#folder, () => iterator.close()),
    }
  }

  batch(): KeyValueBatch {
    return new LevelBatch(this.#database.batch(), this.#folder)
  }

  snapshot(): KeyValueSnapshot {
    return new LevelSnapshot(this.#database.snapshot())
  }

  compact(): Promise<void> {
    const database = this.#database as unknown as Compactable
    return attempt(this.#folder, () => database.compactRange(noKey, noKey))
  }

  close(): Promise<void> {
    return attempt(this.#folder, () => this.#database.close())
  }
}

/** Stores in folders of the real disk. */
export class LevelKeyValueStores implements KeyValueStores {
  async open(folder: string, options: KeyValueOptions): Promise<KeyValueStore> {
    const database: Database = new Level<Buffer, Buffer>(folder, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      writeBufferSize: options.writeBufferBytes,
      cacheSize: options.cacheBytes ?? cacheBytesDefault,
      maxFileSize: tableBytes,
      compression: false,
    })
    await attempt(folder, () => database.open())
    return new LevelKeyValueStore(database, folder)
  }
}

function at(snapshot: KeyValueSnapshot | undefined): { snapshot?: LevelSnapshot['inner'] } {
  if (snapshot === undefined) return {}
  assert(snapshot instanceof LevelSnapshot, 'a snapshot of another kind of store')
  return { snapshot: snapshot.inner }
}

async function attempt<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw levelError(error, folder)
  }
}
