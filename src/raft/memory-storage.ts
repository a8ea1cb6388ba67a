/**
 * A stored log in memory, for tests and for whoever drives the protocol by a script: writes count when they
 * are told, and can be lost as a crash loses them.
 */
import { assert, must } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { LogIndex, Term } from '../base/ids.js'
import type { Configuration } from './configuration.js'
import { firstBytes, type LogStorage } from './log-storage.js'
import type { HardState, Snapshot, StorageAppend } from './messages.js'

/** The log and hard state of one replica. */
export class MemoryStorage implements LogStorage {
  #hardState: HardState = { term: 0, vote: 0, commit: 0 }
  /** What lies before the first entry. */
  #before: { readonly index: LogIndex; readonly term: Term } = { index: 0, term: 0 }
  #entries: Entry[] = []
  #snapshot: Snapshot | undefined
  /** Entries below are not at hand: they have to be asked for. */
  absentBelow: LogIndex = 0

  get firstIndex(): LogIndex {
    return this.#before.index + 1
  }

  get lastIndex(): LogIndex {
    return this.#before.index + this.#entries.length
  }

  /** The newest hard state that was stored. */
  get hardState(): HardState {
    return this.#hardState
  }

  term(index: LogIndex): Term | undefined {
    if (index === this.#before.index) return this.#before.term
    return this.#entries[index - this.firstIndex]?.term
  }

  entries(from: LogIndex, through: LogIndex, bytesMax: number): readonly Entry[] | 'absent' | 'compacted' {
    return from < this.absentBelow && from >= this.firstIndex ? 'absent' : this.read(from, through, bytesMax)
  }

  /** What `entries` would answer if everything were at hand. */
  read(from: LogIndex, through: LogIndex, bytesMax: number): readonly Entry[] | 'compacted' {
    if (from < this.firstIndex) return 'compacted'
    return firstBytes(this.#entries.slice(from - this.firstIndex, through - this.firstIndex + 1), bytesMax)
  }

  /** The entry at the index, which must be there. */
  entry(index: LogIndex): Entry {
    return must(this.#entries[index - this.firstIndex], `entry ${index}`)
  }

  snapshot(): Snapshot | undefined {
    return this.#snapshot
  }

  /** Stores all that the message says, at once. */
  store({ hardState, snapshot, entries }: StorageAppend): void {
    if (hardState !== undefined) this.#hardState = hardState
    if (snapshot !== undefined) {
      this.#snapshot = snapshot
      this.#before = { index: snapshot.index, term: snapshot.term }
      this.#entries = []
    }
    const [first] = entries
    if (first === undefined) return
    const keep = first.index - this.firstIndex
    assert(keep >= 0 && keep <= this.#entries.length, () => `entry ${first.index} after ${this.lastIndex}`)
    this.#entries.length = keep
    this.#entries.push(...entries)
  }

  /** Makes a snapshot as of the index; the log stays as it is. */
  takeSnapshot(index: LogIndex, configuration: Configuration, configurationIndex: LogIndex): Snapshot {
    const term = must(this.term(index), `the term of entry ${index}`)
    const snapshot = { index, term, configuration, configurationIndex }
    this.#snapshot = snapshot
    return snapshot
  }

  /** Drops the entries through the index. */
  compact(through: LogIndex): void {
    if (through < this.firstIndex) return
    const term = must(this.term(through), `the term of entry ${through}`)
    this.#entries = this.#entries.slice(through - this.#before.index)
    this.#before = { index: through, term }
  }

  /** Drops the entries after the index, as a fault of the disk would. */
  lose(after: LogIndex): void {
    this.#entries.length = Math.max(after - this.#before.index, 0)
  }
}
