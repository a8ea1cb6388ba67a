/**
 * Key-value stores in memory, for stores without files; what the simulated one is built on too.
 *
 * A store belongs to its folder: a file `CURRENT` in it names the store, so that renaming or removing the
 * folder on the disk does to the store what it does to a real one.
 */
import { assert } from '../base/assert.js'
import { SillokError } from '../base/errors.js'
import { type Disk, joinPath } from './disk.js'
import type {
  KeyRange,
  KeyValueBatch,
  KeyValueIterator,
  KeyValueSnapshot,
  KeyValueStore,
  KeyValueStores,
} from './key-value.js'
import { type MemoryRow, MemoryRows } from './memory-rows.js'

/** A change of one row; without a value, it goes. */
export type RowChange = readonly [key: Buffer, value: Buffer | undefined]

/** What stands behind a store in memory. */
export interface MemoryBackend {
  /** The rows as reads see them. */
  readonly rows: MemoryRows
  /** Waited for by each read. */
  read(): Promise<void>
  /** Applies the changes to the rows, all at once. */
  write(changes: readonly RowChange[], sync: boolean): Promise<void>
  compact(): Promise<void>
  close(): Promise<void>
}

/** Bytes of rows after which an iterator ends its page. */
const pageBytesMax = 1024 * 1024

class MemorySnapshot implements KeyValueSnapshot {
  readonly rows: MemoryRows

  constructor(rows: MemoryRows) {
    this.rows = rows
  }

  async close(): Promise<void> {}
}

/** The door over rows in memory; what a write and the waiting mean is the backend's. */
export class MemoryKeyValueStore implements KeyValueStore {
  readonly #backend: MemoryBackend
  #open = true

  constructor(backend: MemoryBackend) {
    this.#backend = backend
  }

  async getMany(keys: readonly Buffer[], snapshot?: KeyValueSnapshot): Promise<(Buffer | undefined)[]> {
    const rows = this.#rows(snapshot)
    const found = keys.map(key => copyOf(rows.get(key)))
    await this.#backend.read()
    return found
  }

  getSync(key: Buffer, snapshot?: KeyValueSnapshot): Buffer | undefined {
    return copyOf(this.#rows(snapshot).get(key))
  }

  iterate(range: KeyRange): KeyValueIterator {
    const rows = range.snapshot === undefined ? this.#rows().clone() : this.#rows(range.snapshot)
    const walk = rows.range(range)
    return {
      next: async count => {
        const page = pageOf(walk, count)
        await this.#backend.read()
        return page
      },
      close: async () => {
        walk.return(undefined)
      },
    }
  }

  batch(): KeyValueBatch {
    const changes: RowChange[] = []
    let used = false
    return {
      put: (key, value) => changes.push([Buffer.from(key), Buffer.from(value)]),
      delete: key => changes.push([Buffer.from(key), undefined]),
      write: async options => {
        assert(this.#open && !used, 'a batch is written once, to an open store')
        used = true
        if (changes.length > 0) await this.#backend.write(changes, options?.sync === true)
      },
    }
  }

  snapshot(): KeyValueSnapshot {
    return new MemorySnapshot(this.#rows().clone())
  }

  async compact(): Promise<void> {
    assert(this.#open, 'the store is closed')
    await this.#backend.compact()
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#backend.close()
  }

  #rows(snapshot?: KeyValueSnapshot): MemoryRows {
    assert(this.#open, 'the store is closed')
    if (snapshot === undefined) return this.#backend.rows
    assert(snapshot instanceof MemorySnapshot, 'a snapshot of another kind of store')
    return snapshot.rows
  }
}

/** Applies changes one after the other. */
export function applyChanges(rows: MemoryRows, changes: readonly RowChange[]): void {
  for (const [key, value] of changes) {
    if (value === undefined) rows.delete(key)
    else rows.put(key, value)
  }
}

/**
 * The name of the store in that folder: the one that its `CURRENT` file holds, or a fresh one, written there.
 */
export async function storeName(disk: Disk, folder: string, fresh: () => string): Promise<string> {
  await disk.makeFolder(folder)
  const path = joinPath(folder, 'CURRENT')
  const file = await disk.open(path, { create: true })
  try {
    const found = (await file.read(0, await file.size())).toString()
    if (found !== '') return found
    const name = fresh()
    await file.write([Buffer.from(name)], 0)
    await file.sync()
    await disk.syncFolder(folder)
    return name
  } finally {
    await file.close()
  }
}

/** FOLDER_IN_USE for a store that is open already. */
export function storeInUse(folder: string): SillokError {
  return new SillokError('FOLDER_IN_USE', `the key-value store in ${folder} is open already`, {
    details: { folder },
  })
}

function copyOf(bytes: Buffer | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes)
}

function pageOf(walk: Generator<MemoryRow>, count: number): [Buffer, Buffer][] {
  const page: [Buffer, Buffer][] = []
  for (let bytes = 0; page.length < count && bytes < pageBytesMax; ) {
    const next = walk.next()
    if (next.done) break
    const [key, value] = next.value
    page.push([Buffer.from(key), Buffer.from(value)])
    bytes += key.length + value.length
  }
  return page
}

/** Stores that live as long as this object. */
export class MemoryKeyValueStores implements KeyValueStores {
  readonly #disk: Disk
  readonly #rows = new Map<string, MemoryRows>()
  readonly #open = new Set<string>()
  #named = 0

  constructor(disk: Disk) {
    this.#disk = disk
  }

  async open(folder: string): Promise<KeyValueStore> {
    const name = await storeName(this.#disk, folder, () => `store-${++this.#named}`)
    if (this.#open.has(name)) throw storeInUse(folder)
    this.#open.add(name)
    const rows = this.#rows.get(name) ?? new MemoryRows()
    this.#rows.set(name, rows)
    return new MemoryKeyValueStore({
      rows,
      read: async () => {},
      write: async changes => applyChanges(rows, changes),
      compact: async () => {},
      close: async () => {
        this.#open.delete(name)
      },
    })
  }
}
