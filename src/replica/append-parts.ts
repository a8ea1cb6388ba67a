/** An append that is larger than a batch of the log, in parts of which each is a batch's at most. */
import type { Entry } from '../base/entry.js'
import { limits } from '../base/limits.js'
import type { HardState } from '../raft/messages.js'
import { recordHeadBytes } from '../wal/batch.js'

/** The entries, in order, in parts that fit a batch of the log beside a hard state; an empty part if none. */
export function partsOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const parts: Entry[][] = []
  let part: Entry[] = []
  let bytes = 0
  for (const entry of entries) {
    const own = recordHeadBytes + entry.bytes.length
    if (part.length > 0 && bytes + own > limits.entryBytesMax) {
      parts.push(part)
      part = []
      bytes = 0
    }
    part.push(entry)
    bytes += own
  }
  parts.push(part)
  return parts
}

/** The hard state with a commit index that does not lie beyond the entries. */
export function cappedTo(hardState: HardState, entries: readonly Entry[]): HardState {
  const last = entries.at(-1)
  return last === undefined ? hardState : { ...hardState, commit: Math.min(hardState.commit, last.index) }
}
