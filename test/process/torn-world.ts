/**
 * A store on a simulated machine, stopped with a known last batch in its write-ahead log, and that batch torn
 * or damaged in every way of a kind: what was acknowledged is there, or the store refuses to open.
 */

import type { Limits } from '../../src/base/limits.js'
import { Random } from '../../src/base/random.js'
import type { Disk } from '../../src/env/disk.js'
import type { Environment } from '../../src/env/environment.js'
import { FolderLocks } from '../../src/env/folder-locks.js'
import { isSillokError, type SillokError } from '../../src/index.js'
import { SimClock } from '../../src/sim/sim-clock.js'
import { SimMachine } from '../../src/sim/sim-machine.js'
import { Store } from '../../src/store/store.js'
import { type Batch, decodeBatch } from '../../src/wal/batch.js'
import { scanFolder } from '../../src/wal/scan.js'
import { openingOffset } from '../../src/wal/wal-file.js'
import { checkStore } from './check.js'
import { type Item, itemDefinition, itemOf, rowDefinition } from './items.js'
import { type Expected, Model } from './model.js'
import type { Change } from './protocol.js'

/** What follows the batch in question: nothing, or what proves that it was acknowledged. */
export type Follower = 'nothing' | 'witness' | 'batch' | 'close'

/** A batch on the disk. */
export interface Place {
  readonly path: string
  readonly offset: number
  readonly length: number
}

/** What came of opening the store on a changed disk. */
export type Outcome =
  | { readonly opened: true; readonly lastThere: boolean | undefined }
  | { readonly opened: false; readonly error: SillokError; readonly untouched: boolean }

const folder = 'data'
const walFolder = `${folder}/wal`
/** Documents written together, ahead of those that are to share a batch. */
const crowd = ['k1', 'k2', 'k3']
const limits = { walFileBytesEmbedded: 64 * 1024 } as unknown as Partial<Limits>

export class TornWorld {
  /** The batch with the last writes; of no length if its file was given up since. */
  place: Place = { path: '', offset: 0, length: 0 }
  readonly #seed: string
  readonly #clock = new SimClock()
  readonly #machine: SimMachine
  readonly #model = new Model()
  /** With the last writes in flight. */
  #expected: Expected = this.#model.expected()
  #write = 0
  /** The batch is an opening whose sync never came back. */
  #isUndurable = false

  constructor(seed: string) {
    this.#seed = seed
    this.#machine = new SimMachine({ clock: this.#clock, random: new Random(seed), latency: 'none' })
  }

  /**
   * Runs the store to its end; `writes`: how many documents the last batch brings, `before`: writes before
   * it.
   */
  async prepare(follower: Follower, writes: number, before = 10): Promise<void> {
    await this.#clock.run(this.#run(follower, writes, before))
    this.place = await this.#findLast(before + crowd.length + 1)
  }

  /** A file's first batch is written together with the file's header: takes that in. */
  takeHeader(): void {
    const { path, offset, length } = this.place
    if (offset !== openingOffset) return
    this.place = { path, offset: 0, length: offset + length }
    this.#isUndurable = true
  }

  /** The batch's bytes as they were written. */
  bytes(): Buffer {
    const { path, offset, length } = this.place
    return Buffer.from(this.#machine.disk.bytesOf(path).subarray(offset, offset + length))
  }

  /** Opens the store with these bytes in the batch's place; `cut`: and the file ends after them. */
  async open(bytes: Buffer, cut = false): Promise<Outcome> {
    const { path, offset, length } = this.place
    const clock = new SimClock()
    const disk = this.#machine.disk.restart({ clock })
    const keyValue = this.#machine.keyValue.restart({ disk, clock })
    const before = disk.bytesOf(path)
    const after = cut ? [] : [before.subarray(offset + length)]
    disk.setBytes(path, Buffer.concat([before.subarray(0, offset), bytes, ...after]))
    const locks = new FolderLocks()
    const env: Environment = {
      clock: clock.process(),
      disk,
      keyValue,
      random: new Random(`${this.#seed}/open`),
      lockFolder: async name => locks.take(name),
    }
    const expected = this.#expected
    const changed = disk.bytesOf(path)
    return await clock.run(async () => {
      // The next file is made ready only when the opening of this one is durable.
      if (this.#isUndurable) await removeAfter(disk, path)
      let store: Store
      try {
        store = await Store.open(env, folder, {}, limits)
      } catch (error) {
        if (!isSillokError(error)) throw error
        return { opened: false, error, untouched: changed.equals(disk.bytesOf(path)) }
      }
      const there = new Set<boolean>()
      await checkStore(store, expected, ({ applied }) => there.add(applied))
      if (there.size > 1) throw new Error('the last batch is there in part')
      return { opened: true, lastThere: [...there][0] }
    })
  }

  async #run(follower: Follower, writes: number, before: number): Promise<void> {
    const store = await Store.open(this.#machine.restart(), folder, {}, limits)
    await store.define('items', itemDefinition)
    await store.define('rows', rowDefinition)
    for (let n = 0; n < before; n++) await this.#change(store, `k${n % 5}`)
    // A crowd, so that the store takes the next commands for one too: all in one turn.
    await Promise.all(crowd.map(key => this.#change(store, key)))
    // A witness, so that nothing of what came before is open.
    await this.#pause(200)
    const last: Promise<void>[] = []
    for (let n = 0; n < writes; n++) last.push(this.#change(store, `k${n}`))
    const inFlight = this.#model.expected()
    await Promise.all(last)
    this.#expected = follower === 'nothing' ? inFlight : this.#model.expected()
    if (follower === 'witness') await this.#pause(200)
    if (follower === 'batch') await this.#change(store, 'later')
    if (follower === 'batch') this.#expected = this.#model.expected()
    if (follower === 'close') await store.close()
    this.#machine.crash('all')
  }

  async #change(store: Store, key: string): Promise<void> {
    const write = ++this.#write
    const changes: Change[] = [[key, write]]
    this.#model.take({ type: 'sent', operation: write, changes })
    try {
      const { version } = await store.collection<Item>('items').put(itemOf(key, write))
      this.#model.take({ type: 'applied', operation: write, version })
    } catch (error) {
      if (!isSillokError(error, 'UNIQUE_TAKEN')) throw error
      this.#model.take({ type: 'refused', operation: write })
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }

  /**
   * The batch that holds the last writes: the last one whose records name the last write's key and number.
   */
  async #findLast(write: number): Promise<Place> {
    const clock = new SimClock()
    const disk = this.#machine.disk.restart({ clock })
    const { chain } = await clock.run(scanFolder(disk, walFolder))
    const places: (Place & { batch: Batch })[] = []
    for (const file of chain) {
      const bytes = disk.bytesOf(file.path)
      for (let offset = openingOffset; offset < bytes.length; offset += 4096) {
        const batch = decodeBatch(bytes, offset, file.salt)
        if (batch !== undefined) places.push({ path: file.path, offset, length: batch.length, batch })
      }
    }
    const value = Buffer.from(itemOf('k0', write).tag)
    const found = places.findLast(({ batch }) => batch.body.includes(value))
    if (found === undefined) return { path: '', offset: 0, length: 0 }
    return { path: found.path, offset: found.offset, length: found.length }
  }
}

/** Removes the log files with higher numbers. */
async function removeAfter(disk: Disk, path: string): Promise<void> {
  for (const name of await disk.list(walFolder)) {
    if (`${walFolder}/${name}` > path) await disk.remove(`${walFolder}/${name}`)
  }
}
