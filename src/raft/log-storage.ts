/**
 * What the protocol asks of the log that is stored: never waits, and may say that it would have to.
 *
 * Whoever implements it keeps the terms of all entries at hand (they change rarely), and the newest entries.
 * Everything that was handed out in a StorageAppend is here as soon as its response is stepped.
 */
import type { Entry } from '../base/entry.js'
import type { LogIndex, Term } from '../base/ids.js'
import type { Snapshot } from './messages.js'

/** Read access to the stored log. */
export interface LogStorage {
  /** First entry that is there. The term of the one before it is known too. */
  readonly firstIndex: LogIndex
  /** Last entry that is there; `firstIndex - 1` if there is none. */
  readonly lastIndex: LogIndex
  /** Term of the entry; undefined below `firstIndex - 1` and beyond the last one. */
  term(index: LogIndex): Term | undefined
  /**
   * Entries from … through, as many as fit the bytes but one at least. `absent` if they have to be read
   * first, `compacted` if they are no longer there.
   */
  entries(from: LogIndex, through: LogIndex, bytesMax: number): readonly Entry[] | 'absent' | 'compacted'
  /** The newest snapshot that can be sent; undefined while there is none. */
  snapshot(): Snapshot | undefined
}

/** As many of the entries, in order, as fit the bytes, but one at least. */
export function firstBytes(entries: readonly Entry[], bytesMax: number): readonly Entry[] {
  let bytes = 0
  for (const [place, { bytes: own }] of entries.entries()) {
    bytes += own.length
    if (place > 0 && bytes > bytesMax) return entries.slice(0, place)
  }
  return entries
}
