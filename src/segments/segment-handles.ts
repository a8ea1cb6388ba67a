/**
 * Open files of segments with their offset tables: a bounded number, the least recently used closed first.
 *
 * Always holds: a handle is not closed while it is in use; the open segment's handle is held by its writer
 * for as long as it is open, so a rename never comes between a reader and the file.
 */
import { assert } from '../base/assert.js'
import type { LogIndex } from '../base/ids.js'
import type { DiskFile } from '../env/disk.js'
import type { EntryOffsets } from './entry-offsets.js'

/** An open file and where its entries stand. */
export interface SegmentHandle {
  readonly file: DiskFile
  readonly offsets: EntryOffsets
}

interface Slot {
  readonly handle: Promise<SegmentHandle>
  users: number
  /** Given to nobody any more: its last user closes it. */
  gone: boolean
}

/** Files that may be open at once for one partition, not counting those in use. */
const handlesMax = 16

/** The open files of sealed segments: a bounded number of them. */
export class SegmentHandles {
  /** By the segment's first index; the most recently used last. */
  readonly #slots = new Map<LogIndex, Slot>()
  #closed = false

  /** Works with the segment's handle, which `load` opens if it is not open. */
  async use<T>(
    firstIndex: LogIndex,
    load: () => Promise<SegmentHandle>,
    work: (handle: SegmentHandle) => Promise<T>,
  ): Promise<T> {
    const slot = this.#slots.get(firstIndex) ?? { handle: load(), users: 0, gone: this.#closed }
    this.#slots.delete(firstIndex)
    if (!slot.gone) this.#slots.set(firstIndex, slot)
    slot.users++
    try {
      return await work(await this.#loaded(firstIndex, slot))
    } finally {
      await this.#release(slot)
      await this.#trim()
    }
  }

  /** Holds the writer's handle, until `letGo`. */
  hold(firstIndex: LogIndex, handle: SegmentHandle): void {
    assert(!this.#slots.has(firstIndex), () => `segment ${firstIndex} is open already`)
    this.#slots.set(firstIndex, { handle: Promise.resolve(handle), users: 1, gone: false })
  }

  /** The writer is done: from now on the handle may be closed. */
  async letGo(firstIndex: LogIndex): Promise<void> {
    const slot = this.#slots.get(firstIndex)
    if (slot === undefined) return
    await this.#release(slot)
    await this.#trim()
  }

  /** The segment is given up: its file is closed, once nobody uses it. */
  async forget(firstIndex: LogIndex): Promise<void> {
    const slot = this.#slots.get(firstIndex)
    if (slot !== undefined) await this.#drop(firstIndex, slot)
  }

  /** Closes all files; those in use, or used from now on, when their users are done. */
  async close(): Promise<void> {
    this.#closed = true
    for (const [firstIndex, slot] of [...this.#slots]) await this.#drop(firstIndex, slot)
  }

  async #loaded(firstIndex: LogIndex, slot: Slot): Promise<SegmentHandle> {
    try {
      return await slot.handle
    } catch (error) {
      if (this.#slots.get(firstIndex) === slot) this.#slots.delete(firstIndex)
      throw error
    }
  }

  async #release(slot: Slot): Promise<void> {
    slot.users--
    if (slot.users === 0 && slot.gone) await this.#shut(slot)
  }

  async #trim(): Promise<void> {
    for (const [firstIndex, slot] of [...this.#slots]) {
      if (this.#slots.size <= handlesMax) return
      if (slot.users === 0) await this.#drop(firstIndex, slot)
    }
  }

  async #drop(firstIndex: LogIndex, slot: Slot): Promise<void> {
    if (this.#slots.get(firstIndex) === slot) this.#slots.delete(firstIndex)
    if (slot.gone) return
    slot.gone = true
    if (slot.users === 0) await this.#shut(slot)
  }

  async #shut(slot: Slot): Promise<void> {
    const handle = await slot.handle.catch(() => undefined)
    await handle?.file.close()
  }
}
