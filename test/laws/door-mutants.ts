/** Disks and key-value stores that break one law each: some methods do something else. */
import { SillokError } from '../../src/base/errors.js'
import type { Disk, DiskFile, LogDevice } from '../../src/env/disk.js'
import type {
  KeyValueBatch,
  KeyValueIterator,
  KeyValueStore,
  KeyValueStores,
} from '../../src/env/key-value.js'
import { type Instead, withInstead } from './instead.js'

/** One broken law of disks. */
export interface DiskMutant {
  readonly disk?: Instead<Disk>
  readonly file?: Instead<DiskFile>
  readonly log?: Instead<LogDevice>
}

/** One broken law of key-value stores. */
export interface KeyValueMutant {
  readonly stores?: Instead<KeyValueStores>
  readonly store?: Instead<KeyValueStore>
  readonly iterator?: Instead<KeyValueIterator>
  readonly batch?: Instead<KeyValueBatch>
}

/** The disk with the law broken. */
export function mutatedDisk(disk: Disk, { disk: ofDisk = {}, file = {}, log = {} }: DiskMutant): Disk {
  const own = withInstead(disk, ofDisk)
  return withInstead(own, {
    open: async (inner: Disk, ...args: Parameters<Disk['open']>) =>
      withInstead(await inner.open(...args), file),
    openLog: async (inner: Disk, ...args: Parameters<Disk['openLog']>) =>
      withInstead(await inner.openLog(...args), log),
  })
}

/** The stores with the law broken. */
export function mutatedStores(stores: KeyValueStores, mutant: KeyValueMutant): KeyValueStores {
  const own = withInstead(stores, mutant.stores ?? {})
  return withInstead(own, {
    open: async (inner: KeyValueStores, ...args: Parameters<KeyValueStores['open']>) => {
      const store = withInstead(await inner.open(...args), mutant.store ?? {})
      return withInstead(store, {
        iterate: (one: KeyValueStore, ...range: Parameters<KeyValueStore['iterate']>) =>
          withInstead(one.iterate(...range), mutant.iterator ?? {}),
        batch: (one: KeyValueStore) => withInstead(one.batch(), mutant.batch ?? {}),
      })
    },
  })
}

const failed = (): SillokError => new SillokError('DISK_FAILED', 'planted')

/** By the title of the law that must find it. */
export const diskMutants: Readonly<Record<string, DiskMutant>> = {
  'reads are short only at the end of the file, and holes read as zeros': {
    file: { read: async (file, offset, length) => (await file.read(offset, length)).subarray(0, 2) },
  },
  'the end of the content has nothing but zeros behind it': { file: { contentEnd: async () => 0 } },
  'truncate cuts, and extends with zeros': {
    file: { truncate: async (file, size) => file.truncate(Math.min(size, await file.size())) },
  },
  'writes land where they should, beyond four GiB too': {
    file: { write: (file, buffers, offset) => file.write(buffers, offset % 2 ** 32) },
  },
  'random writes and cuts leave what a plain buffer would hold': {
    file: { write: (file, buffers, offset) => file.write(buffers.slice(0, 1), offset) },
  },
  'reads and writes of ranges that do not overlap are in flight at once': {
    file: {
      async write(file, buffers, offset) {
        const before = await file.read(0, await file.size())
        await file.write(buffers, offset)
        await file.write([before.subarray(0, offset)], 0)
      },
    },
  },
  'an existing file is opened as it is, also by who would make it': {
    disk: {
      async open(disk, path, options) {
        const file = await disk.open(path, options)
        if (options?.create) await file.truncate(0)
        return file
      },
    },
  },
  'two handles of one file see what the other writes': { file: { truncate: async () => {} } },
  'missing files and folders are answered as promised': {
    disk: { sizeOf: async (disk, path) => (await disk.sizeOf(path)) ?? 0 },
  },
  'a file where a folder must be makes the folder unusable': {
    disk: { makeFolder: (disk, folder) => disk.makeFolder(folder).catch(() => {}) },
  },
  'names are listed sorted': { disk: { list: async (disk, folder) => (await disk.list(folder)).reverse() } },
  'a rename replaces an existing file, and an open one goes on under the new name': {
    disk: {
      async rename(disk, from, to) {
        if ((await disk.sizeOf(to)) !== undefined) throw failed()
        await disk.rename(from, to)
      },
    },
  },
  'a folder is renamed and removed with all that it holds': {
    disk: {
      async remove(disk, path) {
        if ((await disk.sizeOf(path)) !== undefined) await disk.remove(path)
      },
    },
  },
  'a commit stands in the file, whole, at its offset': {
    log: { commit: (log, buffers, offset) => log.commit(buffers.slice(0, 1), offset) },
  },
  'devices of one disk commit side by side': { log: { commit: (log, buffers) => log.commit(buffers, 0) } },
  "the note of a commit stands at the begin of the note's file, which is made if it is missing": {
    log: { commit: (log, buffers, offset) => log.commit(buffers, offset) },
  },
  'a lone commit stands in the file as any other': {
    log: {
      async commit(log, buffers, offset, options) {
        if (options?.isLone !== true) await log.commit(buffers, offset)
      },
    },
  },
}

let opened = 0

/** By the title of the law that must find it. */
export const keyValueMutants: Readonly<Record<string, KeyValueMutant>> = {
  'rows are read back, missing ones are undefined': { store: { getSync: () => undefined } },
  'what was written is there after closing and opening again': {
    stores: { open: (stores, folder, options) => stores.open(`${folder}${opened++}`, options) },
  },
  'rows are ordered as bytes, in all kinds of ranges and both directions': {
    store: { iterate: (store, range) => store.iterate({ ...range, reverse: false }) },
  },
  'a snapshot and a begun iterator do not see later writes': {
    store: { getMany: (store, keys) => store.getMany(keys) },
  },
  'an iterator sees what was there when it began': {
    store: {
      iterate(store, range) {
        let begun: KeyValueIterator | undefined
        return {
          next(count) {
            begun ??= store.iterate(range)
            return begun.next(count)
          },
          close: async () => begun?.close(),
        }
      },
    },
  },
  'changes of a batch count in their order, all at once': { batch: { delete: () => {} } },
  'compaction changes no row': {
    store: {
      async compact(store) {
        const batch = store.batch()
        batch.delete(Buffer.from('k1007'))
        await batch.write()
      },
    },
  },
  'a page of an iterator ends at about 1 MiB': {
    iterator: {
      async next(iterator, count) {
        const rows = await iterator.next(count)
        for (let more = rows; more.length > 0 && rows.length < count; ) {
          more = await iterator.next(count - rows.length)
          rows.push(...more)
        }
        return rows
      },
    },
  },
  'a store that is open cannot be opened once more': {
    stores: {
      open: (stores, folder, options) =>
        stores.open(folder, options).catch(() => stores.open(`${folder}+`, options)),
    },
  },
  'values come in the order of the keys that were asked for, each as often as it was': {
    store: { getMany: (store, keys) => store.getMany(keys.toSorted(Buffer.compare)) },
  },
  'an iterator that has ended, or has nothing, answers so as often as it is asked': {
    store: {
      iterate(store, range) {
        const inner = store.iterate(range)
        let isEnded = false
        const next = async (count: number): Promise<[Buffer, Buffer][]> => {
          if (isEnded) throw failed()
          const rows = await inner.next(count)
          isEnded = rows.length === 0
          return rows
        }
        return { next, close: () => inner.close() }
      },
    },
  },
  'a snapshot is as it was taken, backwards, in a range and after compaction too': {
    store: {
      iterate(store, range) {
        const { snapshot: _, ...now } = range
        return store.iterate(range.reverse ? now : range)
      },
    },
  },
  'stores of two folders know nothing of each other': {
    stores: { open: (stores, _, options) => stores.open('/one', options) },
  },
  'random batches leave what a plain map would hold': {
    batch: {
      put(batch, key, value) {
        if (key.toString() !== 'k7') batch.put(key, value)
      },
    },
  },
}
