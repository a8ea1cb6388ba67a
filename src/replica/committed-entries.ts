/** The committed entries of one partition: from its segments, and what they do not have yet from the tail. */
import { must } from '../base/assert.js'
import type { Entry } from '../base/entry.js'
import type { LogIndex } from '../base/ids.js'
import { logClosed, type SegmentLog } from '../segments/segment-log.js'
import type { Tail } from '../wal/tail.js'

/** Bytes of the tail after which a piece of it ends. */
const tailPieceBytes = 512 * 1024

/**
 * The entries from … through, in order and in pieces; all of them must be committed. Rejects with
 * LOG_TRUNCATED, DAMAGED and CLOSED, as `SegmentLog.read` does.
 */
export async function* committedEntries(
  segments: Pick<SegmentLog, 'lastIndex' | 'chunks' | 'isClosed'>,
  tail: Tail,
  from: LogIndex,
  through: LogIndex,
): AsyncGenerator<readonly Entry[], void, void> {
  let next = from
  while (next <= through) {
    // What is in the tail now may be in the segments when this goes on.
    if (next > segments.lastIndex) {
      const rest: Entry[] = []
      for (let bytes = 0; next <= through && bytes < tailPieceBytes; next++) {
        const found = tail.get(next)
        // A snapshot takes the place of that log: then the tail is of another one, which begins later.
        if (found === undefined && segments.isClosed) throw logClosed()
        const entry = must(found, `entry ${next} in the tail`)
        rest.push(entry)
        bytes += entry.bytes.length
      }
      yield rest
      continue
    }
    for await (const chunk of segments.chunks(next, Math.min(through, segments.lastIndex))) {
      yield chunk
      next += chunk.length
    }
  }
}
