/**
 * The one copy in memory of a partition's entries that are in the log and not released.
 *
 * Two views. The *logical* one is what callers see: it follows each append at once. The *written* one is what
 * the files hold, in the order of the batches. They differ by the appends that wait. An entry that a waiting
 * append replaced or dropped is kept aside until that append is written: until then its file is needed.
 *
 * Always: the logical entries are firstIndex … lastIndex without gaps; an entry with a home is in that file,
 * and the usage of that file counts it.
 */
import { assert, must } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { FileSequence, LogIndex } from '../base/ids.js'
import type { Usage } from './usage.js'

/** Read access to a partition's tail. */
export interface Tail {
  /** Index of the first entry here: one after the last that was released. */
  readonly firstIndex: LogIndex
  /** Index of the last entry; `firstIndex - 1` if there is none. Not necessarily durable. */
  readonly lastIndex: LogIndex
  /** The entry at that index, if it is here. */
  get(index: LogIndex): Entry | undefined
  /** Entries from that index on, as many as fit the bytes but at least one if there is one. */
  slice(from: LogIndex, bytesMax: number): Entry[]
}

/** Home of an entry that no batch holds yet. */
const unwritten: FileSequence = 0

/** Released slots that may pile up before the arrays are cut. */
const slackMax = 1024

/** The tail with both of its views. */
export class PartitionTail implements Tail {
  readonly #usage: Usage
  #entries: (Entry | undefined)[] = []
  #homes: FileSequence[] = []
  /** Slots at the front that were released. */
  #head = 0
  #first: LogIndex = 1
  /** Written, but a waiting append made them void. */
  readonly #aside = new Map<LogIndex, { readonly entry: Entry; readonly file: FileSequence }>()

  constructor(usage: Usage) {
    this.#usage = usage
  }

  get firstIndex(): LogIndex {
    return this.#first
  }

  get lastIndex(): LogIndex {
    return this.#first + this.#entries.length - this.#head - 1
  }

  get(index: LogIndex): Entry | undefined {
    return index < this.#first ? undefined : this.#entries[this.#slot(index)]
  }

  slice(from: LogIndex, bytesMax: number): Entry[] {
    assert(from >= this.#first, () => `slice from ${from}, the tail begins at ${this.#first}`)
    const entries: Entry[] = []
    let bytes = 0
    for (let slot = this.#slot(from); slot < this.#entries.length; slot++) {
      const entry = must(this.#entries[slot], 'an entry of the tail')
      bytes += entry.bytes.length
      if (entries.length > 0 && bytes > bytesMax) break
      entries.push(entry)
    }
    return entries
  }

  /** Adds an entry; one at or below lastIndex replaces the tail from there. A gap is an assertion. */
  push(entry: Entry): void {
    const { index } = entry
    const last = this.lastIndex
    assert(index <= last + 1, () => `entry ${index} after ${last}`)
    assert(index >= this.#first, () => `entry ${index} is released: the tail begins at ${this.#first}`)
    if (index <= last) this.#dropFrom(index)
    this.#entries.push(entry)
    this.#homes.push(unwritten)
  }

  /**
   * A truncation was appended: entries up to base are not needed once it is written, without `keep`
   * none is.
   */
  truncate(base: LogIndex, keep: boolean): void {
    if (!keep) {
      this.#dropFrom(this.#first)
      this.#first = base + 1
      return
    }
    while (this.#first <= base) this.#shift((entry, file) => this.#aside.set(entry.index, { entry, file }))
  }

  /** The partition was destroyed: as after nothing, once that is written. */
  clear(): void {
    this.truncate(0, false)
  }

  /** Entries up to index stand elsewhere. They must have been written. */
  release(index: LogIndex): void {
    if (index >= this.#first) {
      assert(index <= this.lastIndex, () => `release of ${index}, the last is ${this.lastIndex}`)
    }
    while (this.#first <= index) {
      this.#shift((entry, file) => this.#usage.remove(file, entry.bytes.length), true)
    }
    this.writtenTruncation(index)
  }

  /** The entry was put into a batch of that file. */
  written(entry: Entry, file: FileSequence): void {
    if (this.#aside.size > 0) this.#forget(index => index >= entry.index)
    const slot = entry.index < this.#first ? -1 : this.#slot(entry.index)
    if (slot >= 0 && this.#entries[slot] === entry) this.#homes[slot] = file
    else this.#aside.set(entry.index, { entry, file })
    this.#usage.add(file, entry.bytes.length)
  }

  /** A copy of the entry was put into a batch of that file: the file before is not needed for it. */
  copied(entry: Entry, file: FileSequence): void {
    const aside = this.#aside.get(entry.index)
    if (aside?.entry === entry) {
      this.#usage.remove(aside.file, entry.bytes.length)
      this.#aside.set(entry.index, { entry, file })
    } else {
      const slot = this.#slot(entry.index)
      assert(this.#entries[slot] === entry, () => `the copied entry ${entry.index} is not in the tail`)
      this.#usage.remove(this.#homes[slot] ?? unwritten, entry.bytes.length)
      this.#homes[slot] = file
    }
    this.#usage.add(file, entry.bytes.length)
  }

  /** What was dropped by a cut or a destruction is so in the batch, too. */
  writtenCut(): void {
    this.#forget(() => true)
  }

  /** The same for a truncation. */
  writtenTruncation(base: LogIndex): void {
    if (this.#aside.size > 0) this.#forget(index => index <= base)
  }

  /** Needed entries whose home is that file. */
  livingIn(file: FileSequence): Entry[] {
    const entries: Entry[] = []
    for (const aside of this.#aside.values()) if (aside.file === file) entries.push(aside.entry)
    for (let slot = this.#head; slot < this.#entries.length; slot++) {
      const entry = this.#entries[slot]
      if (entry !== undefined && this.#homes[slot] === file) entries.push(entry)
    }
    return entries
  }

  /** The last entry that is written to that file or an older one; undefined if there is none. */
  lastWithin(file: FileSequence): LogIndex | undefined {
    for (let slot = this.#entries.length - 1; slot >= this.#head; slot--) {
      const home = this.#homes[slot] ?? unwritten
      if (home !== unwritten && home <= file) return this.#first + slot - this.#head
    }
    return undefined
  }

  #slot(index: LogIndex): number {
    return this.#head + index - this.#first
  }

  #dropFrom(index: LogIndex): void {
    const from = this.#slot(index)
    for (let slot = from; slot < this.#entries.length; slot++) {
      const entry = must(this.#entries[slot], 'an entry of the tail')
      const file = this.#homes[slot] ?? unwritten
      if (file !== unwritten) this.#aside.set(entry.index, { entry, file })
    }
    this.#entries.length = from
    this.#homes.length = from
  }

  /** Takes the first entry away. */
  #shift(call: (entry: Entry, file: FileSequence) => void, mustBeWritten = false): void {
    const entry = must(this.#entries[this.#head], 'the first entry of the tail')
    const file = this.#homes[this.#head] ?? unwritten
    assert(file !== unwritten || !mustBeWritten, () => `entry ${entry.index} is released and not written`)
    if (file !== unwritten) call(entry, file)
    this.#entries[this.#head] = undefined
    this.#head++
    this.#first++
    if (this.#head > slackMax && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#homes = this.#homes.slice(this.#head)
      this.#head = 0
    }
  }

  #forget(which: (index: LogIndex) => boolean): void {
    for (const [index, { entry, file }] of this.#aside) {
      if (!which(index)) continue
      this.#usage.remove(file, entry.bytes.length)
      this.#aside.delete(index)
    }
  }
}
